//! Trainings: child processes of `netsec run`, one at a time, with their progress.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::{self, BufRead as _, BufReader, Read},
    path::PathBuf,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use artifact::{clock, open_lock};
use dataset::SourceUri;
use formats::{FileFormat, Layout};
use harness::config::SOURCE_VARIABLE;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::{from_files::check_file, serving::Serving};

/// Jobs that are remembered.
const REMEMBERED: usize = 50;
/// What is said of a job that was ended later than the one who ended it could know.
const REGISTERING: &str = "it was ended while its candidate was being registered: the history of the model tells \
                           whether it was";
/// What is said of a job that ended with the service.
const STOPPED: &str = "the service has ended, and the training with it";
/// What is said of one that was at its last stage by then.
const STOPPED_REGISTERING: &str = "the service has ended, and the training with it, while its candidate was being \
                                   registered: the history of the model tells whether it was";
/// Why a job cannot be ended.
pub const ENDED: &str = "the job does not run any more";
/// Bytes of a child's result at most; beyond them it is not read.
const MAX_RESULT_BYTES: u64 = 16 << 20;

/// A source that the configuration lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingSource {
    /// Name by which a request asks for it.
    pub name: String,
    /// Data set, where it is not the usual one.
    pub dataset: Option<String>,
    /// Where the records are.
    pub uri: String,
}

impl TrainingSource {
    /// Checks the name and the kind of a file that is to be trained on: a pipe would be waited for without end. What
    /// lies elsewhere is for the training to find.
    ///
    /// # Errors
    /// What is wrong with the file, and that there is none.
    pub fn check(&self) -> Result<(), String> {
        let Some(path) = SourceUri::new(self.uri.as_str()).local_path() else {
            return Ok(());
        };
        check_file(&path)?;
        FileFormat::of_path(&path, &Layout::default()).map_err(|e| e.to_string())?;
        match path.exists() {
            true => Ok(()),
            false => Err(format!("{}: there is no such file", path.display())),
        }
    }
}

/// A training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Number of the job.
    pub id: u64,
    /// Name of the source.
    pub source: String,
    /// When it began, RFC 3339.
    pub began: String,
    /// `running`, `done`, `failed` or `cancelled`.
    pub state: String,
    /// How far it has come: what `netsec run --progress json` says.
    #[schema(value_type = Option<Object>)]
    pub progress: Option<Value>,
    /// The exit code, once it has ended.
    pub exit_code: Option<i32>,
    /// What it has said last, where it has failed; and that a cancelled one was registering its candidate already.
    pub error: Option<String>,
    /// The version that was made, if one was.
    pub version: Option<u64>,
    /// The registry's verdict on the candidate, once it is done.
    #[schema(value_type = Option<Object>)]
    pub verdict: Option<Value>,
}

impl Job {
    /// Returns whether the training has come to the stage that changes the registry, which is the last.
    fn is_registering(&self) -> bool {
        let stage = self.progress.as_ref().map(|progress| &progress["stage"]);
        stage.is_some_and(|stage| stage == "promotion")
    }
}

/// All trainings since the start.
pub struct Jobs {
    program: PathBuf,
    place: Vec<OsString>,
    lock: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_id: u64,
    jobs: VecDeque<watch::Sender<Job>>,
    child: Option<Child>,
    is_stopping: bool,
    /// Whether somebody has ended the training that runs.
    is_cancelled: bool,
}

/// Why no training begins.
pub enum Refusal {
    /// Another one is running.
    Busy(u64),
    /// What is to be trained on is no file that can be read.
    Unreadable(String),
    /// One that this service has not begun holds the lock.
    Elsewhere(PathBuf),
    /// The lock cannot be opened.
    Unlockable(io::Error),
    /// The program cannot be started.
    Failed(io::Error),
}

impl Jobs {
    /// Makes the list; `program` is `netsec`, and `place` its arguments that say where its registry is. A training
    /// holds the lock until it ends, also one that outlives a service that was killed.
    pub fn new(program: PathBuf, place: Vec<OsString>, lock: PathBuf) -> Self {
        Self {
            program,
            place,
            lock,
            state: Mutex::default(),
        }
    }

    /// Begins a training.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn begin(
        self: &Arc<Self>,
        source: &TrainingSource,
        serving: &Arc<Serving>,
    ) -> Result<Job, Refusal> {
        let mut state = self.state();
        let running = state.jobs.iter().find(|j| j.borrow().state == "running");
        if let Some(running) = running {
            return Err(Refusal::Busy(running.borrow().id));
        }
        if state.is_stopping {
            let ending = io::Error::other("the service is ending");
            return Err(Refusal::Failed(ending));
        }
        source.check().map_err(Refusal::Unreadable)?;
        let lock = self.take_lock()?;
        let mut child = self.spawn(source, lock).map_err(Refusal::Failed)?;
        let pipes = (child.stdout.take(), child.stderr.take());
        let (Some(out), Some(err)) = pipes else {
            return Err(Refusal::Failed(io::Error::other("the child has no pipes")));
        };
        state.child = Some(child);
        state.is_cancelled = false;
        state.last_id += 1;
        let job = Job {
            id: state.last_id,
            source: source.name.clone(),
            began: clock::rfc3339(clock::now()),
            state: "running".to_owned(),
            progress: None,
            exit_code: None,
            error: None,
            version: None,
            verdict: None,
        };
        let (sender, _) = watch::channel(job.clone());
        state.jobs.push_back(sender.clone());
        if state.jobs.len() > REMEMBERED {
            state.jobs.pop_front();
        }
        drop(state);
        let (jobs, serving) = (Arc::clone(self), Arc::clone(serving));
        let follow = move || jobs.follow(&sender, out, err, &serving);
        let thread = thread::Builder::new().name("training".to_owned());
        thread.spawn(follow).map_err(Refusal::Failed)?;
        tracing::info!(job = job.id, source = %source.name, "training began");
        Ok(job)
    }

    /// Returns all jobs that are remembered, the oldest first.
    pub fn list(&self) -> Vec<Job> {
        self.state()
            .jobs
            .iter()
            .map(|j| j.borrow().clone())
            .collect()
    }

    /// Returns a job, to be watched.
    pub fn find(&self, id: u64) -> Option<watch::Receiver<Job>> {
        let state = self.state();
        let mut jobs = state.jobs.iter();
        jobs.find(|j| j.borrow().id == id)
            .map(watch::Sender::subscribe)
    }

    /// Ends a training that runs. Returns it, to be watched to its end.
    ///
    /// # Errors
    /// When there is none to be ended, and when its candidate is being registered: whether it was could not be told.
    pub fn cancel(&self, id: u64) -> Result<watch::Receiver<Job>, &'static str> {
        let mut state = self.state();
        let running = state.jobs.iter().find(|j| j.borrow().state == "running");
        let running = running.filter(|j| j.borrow().id == id);
        let job = running.ok_or(ENDED)?.subscribe();
        if job.borrow().is_registering() {
            return Err("its candidate is being registered: it ends by itself");
        }
        // Nothing is left to be ended of one that is just being taken note of.
        let child = state.child.as_mut().ok_or(ENDED)?;
        child.kill().map_err(|_| ENDED)?;
        state.is_cancelled = true;
        tracing::info!(job = id, "training cancelled");
        Ok(job)
    }

    /// Ends the training that runs: what it has committed is kept.
    pub fn stop(&self) {
        let mut state = self.state();
        state.is_stopping = true;
        if let Some(child) = &mut state.child {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_lock(&self) -> Result<File, Refusal> {
        let lock = self.open_lock().map_err(Refusal::Unlockable)?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(Refusal::Elsewhere(self.lock.clone())),
            Err(TryLockError::Error(error)) => Err(Refusal::Unlockable(error)),
        }
    }

    fn open_lock(&self) -> io::Result<File> {
        if let Some(place) = self.lock.parent() {
            fs::create_dir_all(place)?;
        }
        let named =
            |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", self.lock.display()));
        open_lock(&self.lock).map_err(named)
    }

    /// Starts `netsec run`, on half of the cores and after everything else, where the system knows how.
    fn spawn(&self, source: &TrainingSource, lock: File) -> io::Result<Child> {
        let mut niced = Command::new("nice");
        niced.args(["-n", "10"]).arg(&self.program);
        match self.spawn_as(niced, source, lock.try_clone()?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.spawn_as(Command::new(&self.program), source, lock)
            }
            result => result,
        }
    }

    fn spawn_as(
        &self,
        mut command: Command,
        source: &TrainingSource,
        lock: File,
    ) -> io::Result<Child> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        command
            .args(["run", "--json", "--progress", "json"])
            .args(&self.place)
            .env("RAYON_NUM_THREADS", (cores / 2).max(1).to_string())
            // Nothing is read from it: the child holds it open, and with it the lock.
            .stdin(lock)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        match SourceUri::new(source.uri.as_str()).local_path() {
            Some(_) => command.args(["--source", &source.uri]),
            // An address may hold a password, and everybody of the machine may see the arguments. Quoted: it is read
            // as YAML, and a filter in an address has colons.
            None => command.env(
                SOURCE_VARIABLE,
                Value::from(source.uri.as_str()).to_string(),
            ),
        };
        if let Some(dataset) = &source.dataset {
            command.args(["--dataset", dataset]);
        }
        command.spawn()
    }

    /// Follows a child to its end, and takes up what it has made.
    fn follow(
        &self,
        job: &watch::Sender<Job>,
        out: ChildStdout,
        err: ChildStderr,
        serving: &Serving,
    ) {
        let result = thread::spawn(move || read_result(out));
        let last = follow_progress(job, err);
        let result = result.join().ok().flatten();
        let (child, is_cancelled, is_stopping) = {
            let mut state = self.state();
            (state.child.take(), state.is_cancelled, state.is_stopping)
        };
        let status = child.and_then(|mut child| child.wait().ok());
        let code = status.and_then(|status| status.code());
        job.send_modify(|job| {
            job.exit_code = code;
            // Without a code it was ended; with one it has ended before.
            if code.is_none() && is_cancelled {
                job.state = "cancelled".to_owned();
                // It had said so, and nobody had read it yet.
                job.error = job.is_registering().then(|| REGISTERING.to_owned());
            } else if code == Some(0) {
                job.state = "done".to_owned();
                let result = result.unwrap_or_default();
                job.version = result["version"].as_u64();
                job.verdict = Some(result["verdict"].clone());
            } else {
                job.state = "failed".to_owned();
                job.error = Some(match code.is_none() && is_stopping {
                    true if job.is_registering() => STOPPED_REGISTERING.to_owned(),
                    true => STOPPED.to_owned(),
                    false => status.and_then(killed).unwrap_or(last),
                });
            }
        });
        tracing::info!(job = job.borrow().id, ?code, "training ended");
        if code == Some(0) && !self.state().is_stopping {
            // A refusal has been logged; the job itself is done.
            let _ = serving.reload();
        }
    }
}

/// Says by what a training was ended that has said nothing of it.
#[cfg(unix)]
fn killed(status: ExitStatus) -> Option<String> {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = status.signal()?;
    Some(format!(
        "it was ended by signal {signal}: where that is 9 and nobody has sent it, the memory may have run out"
    ))
}

#[cfg(not(unix))]
fn killed(_: ExitStatus) -> Option<String> {
    None
}

fn read_result(out: ChildStdout) -> Option<Value> {
    let mut text = String::new();
    out.take(MAX_RESULT_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(text.trim()).ok()
}

/// Passes progress on; returns the last line that was something else.
fn follow_progress(job: &watch::Sender<Job>, err: ChildStderr) -> String {
    let mut last = String::new();
    for line in BufReader::new(err).lines() {
        // What cannot be read is not progress; the exit code tells the rest.
        let Ok(line) = line else { break };
        match serde_json::from_str::<Value>(&line) {
            Ok(progress) if progress.get("stage").is_some() => {
                job.send_modify(|job| job.progress = Some(progress));
            }
            _ => last = line.chars().take(2000).collect(),
        }
    }
    last
}
