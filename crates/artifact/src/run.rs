//! A run directory, and the one place where stages are executed.

use std::{
    fs, io,
    marker::PhantomData,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Advance, Artifact, ArtifactRecord, Context, Digest, Failure, FileRecord, Inputs, Manifest,
    Outputs, Stage, StoreError, Watch, clock, codec,
    file::{create_directory, read_artifact, read_file, sync_directory, write_atomic},
    yaml,
};

/// The typed name of an artifact: its kind and the digest of its bytes.
pub struct Id<A> {
    digest: Digest,
    kind: PhantomData<fn() -> A>,
}

impl<A> Clone for Id<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Id<A> {}

impl<A: Artifact> Id<A> {
    pub(crate) fn new(digest: Digest) -> Self {
        Self {
            digest,
            kind: PhantomData,
        }
    }

    /// Returns the digest of the artifact's bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn record(&self) -> ArtifactRecord {
        ArtifactRecord {
            kind: A::KIND.to_owned(),
            digest: self.digest,
        }
    }
}

/// Name of the record of a run's own files.
pub const RUN_FILES: &str = "files.json";
/// No record is larger.
const MAX_RECORD_BYTES: u64 = 1 << 20;
/// No report is larger.
const MAX_REPORT_BYTES: u64 = 1 << 30;

/// A run directory: `artifacts/20260203T101112Z-1f9c04ab-3457c1e`, one directory a stage inside.
#[derive(Debug, Clone)]
pub struct Run {
    directory: PathBuf,
    seed: u64,
}

impl Run {
    /// Makes a new run directory under `root` and keeps the configuration in it.
    ///
    /// The name is the time in UTC, the configuration's fingerprint, the milliseconds and a fingerprint of this very
    /// beginning: machines that begin within one second may keep their runs in one place. In one directory, a number is
    /// appended where that is not enough.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn create(root: &Path, config: &impl Serialize, seed: u64) -> Result<Self, StoreError> {
        create_directory(root)?;
        let text = yaml::to_text(config).map_err(|reason| StoreError::Manifest {
            path: root.join("config.yaml"),
            reason,
        })?;
        let now = clock::now();
        let beginning = format!("{} {}", std::process::id(), now.timestamp_subsec_nanos());
        let name = format!(
            "{}-{}-{:03}{}",
            clock::compact(now),
            Digest::of(text.as_bytes()).short(),
            now.timestamp_subsec_millis(),
            &Digest::of(beginning.as_bytes()).short()[..4]
        );
        let mut attempt = 1;
        let directory = loop {
            let suffix = if attempt == 1 {
                String::new()
            } else {
                format!("-{attempt}")
            };
            let directory = root.join(format!("{name}{suffix}"));
            match fs::create_dir(&directory) {
                Ok(()) => break directory,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
                Err(e) => return Err(StoreError::io("create", &directory)(e)),
            }
        };
        sync_directory(root)?;
        write_atomic(&directory.join("config.yaml"), text.as_bytes())?;
        Ok(Self { directory, seed })
    }

    /// Opens an existing run directory.
    ///
    /// # Errors
    /// [`StoreError::NotARun`] when it has no `config.yaml`.
    pub fn open(directory: &Path, seed: u64) -> Result<Self, StoreError> {
        if !directory.join("config.yaml").is_file() {
            return Err(StoreError::NotARun(directory.to_owned()));
        }
        Ok(Self {
            directory: directory.to_owned(),
            seed,
        })
    }

    /// Returns the directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the name: that of the directory.
    pub fn name(&self) -> String {
        // `.` has no name of its own.
        let whole = self.directory.canonicalize();
        let directory = whole.as_deref().unwrap_or(&self.directory);
        let name = directory.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Returns whether the directory has a name of those that [`Run::create`] gives, which no other run has, and the
    /// configuration that it was made with.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn is_as_made(&self) -> Result<bool, StoreError> {
        let path = self.directory.join("config.yaml");
        let text = fs::read(&path).map_err(StoreError::io("read", &path))?;
        let fingerprint = Digest::of(&text).short();
        let name = self.name();
        let mut parts = name.split('-');
        Ok(parts.next().is_some_and(|time| time.ends_with('Z'))
            && parts.next() == Some(&fingerprint))
    }

    /// Returns the artifacts root: the directory that the run's lies in.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the directory has gone.
    pub fn root(&self) -> Result<PathBuf, StoreError> {
        let fail = StoreError::io("find", &self.directory);
        let mut root = self.directory.canonicalize().map_err(fail)?;
        root.pop();
        Ok(root)
    }

    /// Returns the seed of everything random in this run.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the directory of a stage.
    pub fn step<S: Stage>(&self) -> PathBuf {
        self.directory.join(format!("{:02}-{}", S::ORDER, S::NAME))
    }

    /// Writes a file beside the stages' directories and records its digest in `files.json`; returns its
    /// path. While the file is replaced the record is without it, so that a kill leaves no false one.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Manifest`] when the record is damaged.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.directory.join(name);
        let mut files = self.files()?;
        if files.iter().any(|file| file.name == name) {
            files.retain(|file| file.name != name);
            self.record(&files)?;
        }
        write_atomic(&path, bytes)?;
        files.push(FileRecord::of(name, bytes));
        self.record(&files)?;
        Ok(path)
    }

    /// Returns what is recorded of the files that [`Run::keep`] has written.
    ///
    /// # Errors
    /// [`StoreError::Manifest`] when the record is damaged.
    pub fn files(&self) -> Result<Vec<FileRecord>, StoreError> {
        let path = self.directory.join(RUN_FILES);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let bytes = read_file(&path, MAX_RECORD_BYTES)?;
        let damaged = |reason: String| StoreError::Manifest {
            reason: format!("{reason}: remove it, and what it says of other files with it"),
            path: path.clone(),
        };
        let files: Vec<FileRecord> =
            serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        match files.iter().find(|file| !file.is_inside()) {
            Some(file) => Err(damaged(format!("{:?} is no file of the run", file.name))),
            None => Ok(files),
        }
    }

    fn record(&self, files: &[FileRecord]) -> Result<(), StoreError> {
        let text = serde_json::to_vec_pretty(files).expect("records are plain data");
        write_atomic(&self.directory.join(RUN_FILES), &text)
    }

    /// Executes a stage: loads its inputs from their committed bytes, times it, commits what it gives.
    ///
    /// The manifest is removed once the inputs are loaded, and written last: a kill at any moment leaves the stage either
    /// not done or done. Reports and files are written even when the stage fails.
    ///
    /// # Errors
    /// The stage's own error, or that of loading and storing, as a [`Failure`].
    pub fn execute<S: Stage>(
        &self,
        stage: &S,
        inputs: <S::Inputs as Inputs>::Ids,
        watch: &Watch<'_>,
    ) -> Result<<S::Outputs as Outputs>::Ids, Failure> {
        let span = tracing::info_span!("stage", name = S::NAME);
        let _entered = span.enter();
        let started = clock::now();
        let stopwatch = clock::Stopwatch::start();
        let advance = |step: &str, done: u64, total: u64| {
            watch(Advance {
                stage: S::NAME,
                step,
                done,
                total,
            });
        };
        advance("", 0, 1);
        // Before anything goes: a stage whose inputs are damaged leaves what it has made of sound ones.
        let loaded = S::Inputs::load(self, inputs)?;
        let step = self.step::<S>();
        create_directory(&step)?;
        remove_if_there(&step.join("manifest.json"))?;

        let mut context = Context::new(self.seed, &advance);
        context.inputs = S::Inputs::records(inputs);
        let result = stage.run(loaded, &mut context);
        let files = write_files(&step, &context.files)?;
        let outputs = result?;
        let records = write_artifacts(&step, &outputs)?;
        let manifest = Manifest {
            stage: S::NAME.to_owned(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            parameters: serde_json::to_value(stage.config()).unwrap_or_default(),
            seed: self.seed,
            inputs: context.inputs,
            outputs: records.clone(),
            files,
            counts: context.counts,
            started: clock::rfc3339(started),
            seconds: stopwatch.seconds(),
        };
        let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data");
        write_atomic(&step.join("manifest.json"), &text)?;
        advance("", 1, 1);
        tracing::debug!(seconds = manifest.seconds, "stage committed");
        Ok(S::Outputs::ids(&records))
    }

    /// Executes a stage on what the run directory holds for it.
    ///
    /// # Errors
    /// As [`Run::execute`], and [`StoreError::Missing`] when an input is not there.
    pub fn execute_alone<S: Stage>(
        &self,
        stage: &S,
        watch: &Watch<'_>,
    ) -> Result<<S::Outputs as Outputs>::Ids, Failure> {
        let ids = S::Inputs::find(self)?;
        self.execute(stage, ids, watch)
    }

    /// Reads an artifact back and checks that it is the one that was asked for.
    ///
    /// # Errors
    /// [`StoreError`] when it is missing, damaged, foreign, newer, or another one.
    pub fn load<A: Artifact>(&self, id: Id<A>) -> Result<A, StoreError> {
        let (path, _) = self.locate::<A>()?;
        let bytes = read_artifact(&path)?;
        let wrap = |source| StoreError::Codec {
            path: path.clone(),
            source,
        };
        let found = codec::verify(&bytes, A::KIND).map_err(wrap)?;
        if found != id.digest {
            return Err(StoreError::Changed {
                kind: A::KIND.to_owned(),
                found: found.short(),
                expected: id.digest.short(),
                path,
            });
        }
        codec::decode(&bytes).map_err(wrap)
    }

    /// Finds the artifact of a kind, by the manifests of completed stages.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when no completed stage has made one.
    pub fn find<A: Artifact>(&self) -> Result<Id<A>, StoreError> {
        Ok(Id::new(self.locate::<A>()?.1))
    }

    /// Finds and reads the artifact of a kind.
    ///
    /// # Errors
    /// As [`Run::find`] and [`Run::load`].
    pub fn get<A: Artifact>(&self) -> Result<A, StoreError> {
        self.load(self.find::<A>()?)
    }

    /// Returns the manifests of all completed stages with their directories, in order.
    ///
    /// # Errors
    /// [`StoreError`] when one is damaged, lies in another stage's directory, or is the second of one
    /// stage.
    pub fn manifests(&self) -> Result<Vec<(PathBuf, Manifest)>, StoreError> {
        let mut found: Vec<(PathBuf, Manifest)> = Vec::new();
        for step in self.steps()? {
            if let Some(manifest) = Manifest::read(&step)? {
                check_place(&step, &manifest)?;
                check_only(&step, &manifest, &found)?;
                found.push((step, manifest));
            }
        }
        Ok(found)
    }

    /// Reads a stage's JSON report, such as `04-training` and `training.json`, and checks it against
    /// the manifest, which a stage that has failed does not have; `None` when there is no report.
    ///
    /// # Errors
    /// [`StoreError`] when it is damaged, or gone from a completed stage.
    pub fn report<T: DeserializeOwned>(
        &self,
        step: &str,
        name: &str,
    ) -> Result<Option<T>, StoreError> {
        let step = self.directory.join(step);
        let path = step.join(name);
        let files = Manifest::read(&step)?.map_or_else(Vec::new, |manifest| manifest.files);
        let recorded = files.iter().find(|file| file.name == name);
        if recorded.is_none() && !path.exists() {
            return Ok(None);
        }
        let bytes = read_file(&path, MAX_REPORT_BYTES)?;
        let damaged = |reason: String| StoreError::Manifest {
            reason: format!("{reason}; make it again from its stage"),
            path: path.clone(),
        };
        let found = Digest::of(&bytes);
        if let Some(file) = recorded.filter(|file| file.sha256 != found) {
            let (found, written) = (found.short(), file.sha256.short());
            return Err(damaged(format!(
                "its stage has written {written}, not this {found}"
            )));
        }
        let report = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        Ok(Some(report))
    }

    fn steps(&self) -> Result<Vec<PathBuf>, StoreError> {
        let fail = |e| StoreError::io("list", &self.directory)(e);
        let mut steps = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.is_dir() {
                steps.push(path);
            }
        }
        steps.sort();
        Ok(steps)
    }

    fn locate<A: Artifact>(&self) -> Result<(PathBuf, Digest), StoreError> {
        for (step, manifest) in self.manifests()? {
            if let Some(record) = manifest.outputs.iter().find(|r| r.kind == A::KIND) {
                return Ok((step.join(format!("{}.bin", A::KIND)), record.digest));
            }
        }
        Err(StoreError::Missing {
            run: self.directory.clone(),
            kind: A::KIND,
            stage_hint: "`netsec show RUN` lists what is there",
        })
    }
}

/// Refuses a copy of a stage's directory, which would count beside it.
fn check_place(step: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let name = step.file_name().unwrap_or_default().to_string_lossy();
    let is_number = |n: &str| n.len() == 2 && n.bytes().all(|b| b.is_ascii_digit());
    let stage = name.split_once('-').filter(|(number, _)| is_number(number));
    if stage.map(|(_, stage)| stage) == Some(manifest.stage.as_str()) {
        return Ok(());
    }
    let stage = &manifest.stage;
    Err(StoreError::Manifest {
        path: step.join("manifest.json"),
        reason: format!("it is of the stage `{stage}`: move this directory out of the run"),
    })
}

/// Refuses a stage's directory under another number beside the stage's own: `05-training`. Which of the
/// two is the stage's, its number does not tell here, where stages are not known.
fn check_only(
    step: &Path,
    manifest: &Manifest,
    before: &[(PathBuf, Manifest)],
) -> Result<(), StoreError> {
    let stage = &manifest.stage;
    let Some((other, _)) = before.iter().find(|(_, other)| other.stage == *stage) else {
        return Ok(());
    };
    Err(StoreError::Manifest {
        path: step.join("manifest.json"),
        reason: format!(
            "it is of the stage `{stage}`, and so is {}: move the copy out of the run",
            other.display()
        ),
    })
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path)(e)),
        _ => Ok(()),
    }
}

fn write_files(step: &Path, files: &[(String, Vec<u8>)]) -> Result<Vec<FileRecord>, StoreError> {
    files
        .iter()
        .map(|(name, bytes)| {
            write_atomic(&step.join(name), bytes)?;
            Ok(FileRecord::of(name, bytes))
        })
        .collect()
}

fn write_artifacts<O: Outputs>(step: &Path, outputs: &O) -> Result<Vec<ArtifactRecord>, Failure> {
    let mut records = Vec::new();
    for (kind, bytes) in outputs.encode()? {
        write_atomic(&step.join(format!("{kind}.bin")), &bytes)?;
        let digest = codec::verify(&bytes, kind)?;
        records.push(ArtifactRecord {
            kind: kind.to_owned(),
            digest,
        });
    }
    Ok(records)
}

/// Returns the digest in the envelope of an artifact's file, after checking it against the content.
///
/// # Errors
/// [`StoreError`] when the file cannot be read, is foreign or damaged.
pub fn digest_of_file(path: &Path) -> Result<Digest, StoreError> {
    let bytes = read_artifact(path)?;
    codec::verify_any(&bytes).map_err(|source| StoreError::Codec {
        path: path.to_owned(),
        source,
    })
}
