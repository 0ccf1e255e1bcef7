//! A run as stages of DVC: what each took, what it was told, and what it made.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use artifact::{
    Artifact as _, ErrorKind, Failure, Manifest, Run, Stage as _, StoreError, yaml::Value,
};
use dataset::{SourceUri, ValidatedDataset};
use dvc::{Data, Export, Plot, Project, Stage};
use harness::RunConfig;
use ingestion::{Ingestion, SCHEMA_FILE};
use registry::{Champion, Evaluation, Promotion};

use super::{metrics, records};
use crate::{
    given_holdout::AdoptHoldout,
    inspect::{check_whole, run_names},
    stages,
};

/// Files of a run that are for Git; its report is for DVC.
const CONFIG: &str = "config.yaml";

/// Adds a finished run to an export, below a directory and under a name; returns what is to be said of it.
///
/// # Errors
/// When something of the run is not as it was recorded, and what is wrong with the repository.
pub fn plan(
    export: &mut Export<'_>,
    run: &Run,
    to: &Path,
    name: &str,
) -> Result<Vec<String>, Failure> {
    check_whole(run)?;
    let manifests = run.manifests()?;
    for (step, manifest) in &manifests {
        check_known(step, &manifest.stage)?;
    }
    let config = RunConfig::of(run.directory())?;
    let mut plan = Plan {
        run,
        directory: dvc::absolute(to)?,
        name,
        config: config.whole()?,
        made: BTreeMap::new(),
        steps: Vec::new(),
        notes: Vec::new(),
    };
    let mut project = Project::default();
    plan.keep_own(export)?;
    // Stages that DVC repeats promote there.
    if plan.config.get("registry").is_none_or(Value::is_null) {
        export.leave_out(&plan.directory.join("registry"))?;
    }
    for (step, manifest) in &manifests {
        plan.step(export, step, manifest)?;
    }
    for (at, (_, manifest)) in manifests.iter().enumerate() {
        let stage = plan.stage(export, manifest, plan.steps[at].clone())?;
        project.stages.push(stage);
    }
    project.stages.push(plan.report(export)?);
    export.describe(to, &project)?;
    Ok(plan.notes)
}

struct Plan<'a> {
    run: &'a Run,
    /// Where `dvc.yaml` stands.
    directory: PathBuf,
    name: &'a str,
    config: Value,
    /// Artifacts by their kind.
    made: BTreeMap<String, Data>,
    /// Directories of the stages.
    steps: Vec<Data>,
    notes: Vec<String>,
}

impl Plan<'_> {
    /// Keeps the configuration, the schema and their record for Git: small texts that people change and compare.
    fn keep_own(&self, export: &mut Export<'_>) -> Result<(), Failure> {
        let own = self.run.files()?.into_iter().map(|file| file.name);
        let own = own.filter(|name| name != report::FILE_NAME);
        for name in own.chain([CONFIG.to_owned(), artifact::RUN_FILES.to_owned()]) {
            let bytes = self.read(&name)?;
            export.keep(&self.place(&name), bytes)?;
        }
        Ok(())
    }

    fn stage(
        &mut self,
        export: &mut Export<'_>,
        manifest: &Manifest,
        step: Data,
    ) -> Result<Stage, Failure> {
        let name = manifest.stage.as_str();
        let kinds = manifest.inputs.iter().map(|input| input.kind.as_str());
        // The holdout that was given is read under the schema that the run's rows have resolved.
        let resolved = (name == AdoptHoldout::NAME).then_some(ValidatedDataset::KIND);
        let taken = kinds.chain(resolved).filter_map(|kind| self.made.get(kind));
        let mut deps: Vec<Data> = taken.cloned().collect();
        deps.extend(self.given(export, manifest)?);
        let mut outs = vec![step];
        let beside = self.run.directory().join(name);
        if beside.is_dir() {
            let tracked = export.track(&beside, &self.place(name))?;
            outs.push(Data::of(tracked, &self.directory));
        }
        Ok(Stage {
            name: name.to_owned(),
            commands: vec![format!("netsec stage {name} --run {}", self.name)],
            deps,
            params: self.params(name),
            outs,
            ..Stage::default()
        })
    }

    /// Puts the directory of a stage under DVC.
    fn step(
        &mut self,
        export: &mut Export<'_>,
        step: &Path,
        manifest: &Manifest,
    ) -> Result<(), Failure> {
        let place = self.place(step.file_name().unwrap_or_default());
        let tracked = export.track(step, &place)?;
        for output in &manifest.outputs {
            let file = format!("{}.bin", output.kind);
            let data = Data::within(tracked, &file, &self.directory);
            self.made
                .extend(data.map(|data| (output.kind.clone(), data)));
        }
        self.steps.push(Data::of(tracked, &self.directory));
        Ok(())
    }

    /// Returns what a stage takes that no other stage has made: schema and records.
    fn given(
        &mut self,
        export: &mut Export<'_>,
        manifest: &Manifest,
    ) -> Result<Vec<Data>, Failure> {
        let key = match manifest.stage.as_str() {
            Ingestion::NAME => "source",
            AdoptHoldout::NAME => "holdout",
            _ => return Ok(Vec::new()),
        };
        let mut deps = Vec::new();
        if key == "source" && self.run.directory().join(SCHEMA_FILE).is_file() {
            let path = format!("{}/{SCHEMA_FILE}", self.name);
            deps.push(Data::of_bytes(&path, &self.read(SCHEMA_FILE)?));
        }
        let records = self.config.get(key).and_then(Value::as_str);
        if let Some(text) = records.map(str::to_owned) {
            deps.extend(self.records(export, &text, manifest)?);
        }
        Ok(deps)
    }

    /// Puts a file of records that lies in the repository under DVC, unless Git has it.
    fn records(
        &mut self,
        export: &mut Export<'_>,
        text: &str,
        manifest: &Manifest,
    ) -> Result<Option<Data>, Failure> {
        let Some(path) = SourceUri::new(text).local_path() else {
            return Ok(None);
        };
        let repository = export.repository();
        // One that is absolute means this file here alone, and in a copy of the repository still.
        let is_ours = path.is_relative()
            && path.is_file()
            && repository.holds(&path)
            && dvc::absolute(&path)? == dvc::absolute(&self.directory.join(&path))?;
        if !is_ours {
            self.notes.push(format!(
                "{text} is not what that name means in {}: `dvc repro` will not notice when it changes",
                self.directory.display()
            ));
            return Ok(None);
        }
        let reader = self.reader(manifest)?;
        if !records::are_unchanged(reader.as_ref().unwrap_or(self.run), &path, manifest)? {
            self.notes.push(format!(
                "{text} has other records than the run has read: it is left out of what the run depends on"
            ));
            return Ok(None);
        }
        if repository.in_git(&path)? || repository.tracked_by(&path)?.is_some() {
            return Ok(Some(Data::of_file(&path, &self.directory)?));
        }
        let tracked = export.add(&path, &path)?;
        Ok(Some(Data::of(tracked, &self.directory)))
    }

    /// Returns the run of its own in which a holdout was read that was given.
    fn reader(&self, manifest: &Manifest) -> Result<Option<Run>, Failure> {
        if manifest.stage != AdoptHoldout::NAME {
            return Ok(None);
        }
        let root = self.run.directory().join(AdoptHoldout::NAME);
        let last = run_names(&root)?.pop();
        Ok(last
            .map(|name| Run::open(&root.join(name), 0))
            .transpose()?)
    }

    /// Returns the keys of the configuration that a stage reads.
    fn params(&self, stage: &str) -> Option<(String, Vec<(String, Value)>)> {
        let further: &[&str] = match stage {
            Champion::NAME | Promotion::NAME => &["model"],
            Ingestion::NAME => &["source"],
            AdoptHoldout::NAME => &["holdout", "ingestion", "validation"],
            _ => &["seed"],
        };
        let keys = [stage].into_iter().chain(further.iter().copied());
        let values = keys.filter_map(|key| Some((key.to_owned(), self.config.get(key)?.clone())));
        let values: Vec<(String, Value)> = values.collect();
        (!values.is_empty()).then(|| (format!("{}/{CONFIG}", self.name), values))
    }

    /// The last stage: report, figures and curves.
    fn report(&self, export: &mut Export<'_>) -> Result<Stage, Failure> {
        let evaluation: Evaluation = self.run.get()?;
        let mut keep = |name: &str, text: String| -> Result<Data, Failure> {
            let data = Data::of_bytes(&format!("{}/{name}", self.name), text.as_bytes());
            export.keep(&self.place(name), text.into_bytes())?;
            Ok(data)
        };
        let figures = keep(metrics::METRICS, metrics::figures(self.run, &evaluation)?)?;
        let mut plots = Vec::new();
        for curve in metrics::curves(&evaluation) {
            let plot = Plot::new(curve.title, curve.x, curve.y);
            plots.push((keep(curve.name, curve.csv)?, plot));
        }
        let (name, file) = (self.name, self.run.directory().join(report::FILE_NAME));
        let mut commands = vec![format!("netsec export metrics --run {name} --to {name}")];
        let mut outs = Vec::new();
        if file.is_file() {
            commands.insert(0, format!("netsec report {name}"));
            let tracked = export.track(&file, &self.place(report::FILE_NAME))?;
            outs.push(Data::of(tracked, &self.directory));
        }
        Ok(Stage {
            name: "report".to_owned(),
            commands,
            deps: self.steps.clone(),
            outs,
            metrics: vec![figures],
            plots,
            ..Stage::default()
        })
    }

    fn place(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.join(self.name).join(name)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.run.directory().join(name);
        fs::read(&path).map_err(StoreError::io("read", &path))
    }
}

/// Refuses a stage that is none of a run's: its name becomes a word of a command, and a run may be another's.
fn check_known(step: &Path, stage: &str) -> Result<(), Failure> {
    if stages::NAMES.contains(&stage) {
        return Ok(());
    }
    let message = format!("{step:?} is of no stage of a run: move it out of there");
    Err(Failure::new(ErrorKind::Rejected, message))
}
