//! `netsec doctor`: whether everything that a run needs is there, and what to do where it is not.

mod disk;
mod registry;
mod source;
mod tracking;

use std::{
    fs,
    path::{Path, PathBuf},
};

use artifact::{ErrorKind, Failure, Run, clock};
use clap::Args;
use dataset::SourceUri;
use ingestion::FeatureStore;
use serde::Serialize;
use serde_json::json;

use crate::{
    cli::Place,
    config::{Config, schema_of},
    inspect::run_names,
    output::print,
};

#[derive(Args)]
pub struct DoctorArguments {
    /// Data set whose schema is checked; the configuration's by default
    #[arg(long, value_name = "NAME|PATH.yaml")]
    dataset: Option<String>,
    /// Source to reach; the configuration's by default
    #[arg(long, value_name = "URI")]
    source: Option<SourceUri>,
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// One line of what was found.
#[derive(Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    message: String,
    #[serde(skip)]
    kind: Option<ErrorKind>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warn,
    Fail,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, State::Ok, message.into())
    }

    fn warn(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, State::Warn, message.into())
    }

    fn fail(check: &'static str, failure: &Failure, advice: &str) -> Self {
        let mut finding = Self::new(check, State::Fail, failure.to_string());
        if !advice.is_empty() {
            finding.message += &format!(": {advice}");
        }
        finding.kind = Some(failure.kind());
        finding
    }

    fn new(check: &'static str, state: State, message: String) -> Self {
        Self {
            check,
            state,
            message,
            kind: None,
        }
    }
}

/// Checks everything; exits with 0, or as the first failure would.
pub fn run(arguments: &DoctorArguments) -> Result<u8, Failure> {
    let findings = examine(arguments);
    let failed = findings.iter().find_map(|f| f.kind);
    if arguments.place.json {
        let object = json!({"healthy": failed.is_none(), "checks": findings});
        print(&object.to_string())?;
    } else {
        for finding in &findings {
            let state = match finding.state {
                State::Ok => "ok  ",
                State::Warn => "warn",
                State::Fail => "FAIL",
            };
            print(&format!(
                "{state}  {:<13} {}",
                finding.check, finding.message
            ))?;
        }
    }
    Ok(failed.map_or(0, ErrorKind::exit_code))
}

fn examine(arguments: &DoctorArguments) -> Vec<Finding> {
    let root = &arguments.place.artifacts;
    let mut findings = vec![threads()];
    findings.extend(disk::examine(root));
    findings.extend(runs(root));
    let (config, found) = match configuration(arguments.config.as_deref()) {
        Ok((config, said)) => (config, Finding::ok("configuration", said)),
        Err(failure) => {
            let advice = "docs/netsec.yaml lists every key";
            let found = Finding::fail("configuration", &failure, advice);
            (Config::default(), found)
        }
    };
    findings.extend(registry::examine(&arguments.place, &config));
    findings.extend(feature_store(root));
    findings.extend(environment());
    findings.extend(tracking::examine());
    findings.push(found);
    findings.extend(dataset_and_source(arguments, &config));
    findings
}

fn configuration(file: Option<&Path>) -> Result<(Config, String), Failure> {
    let config: Config = harness::config::load(file, &[])?;
    config.check()?;
    let from = file.map_or("defaults".to_owned(), |f| f.display().to_string());
    let said = format!("{from}, seed {}", config.seed);
    Ok((config, said))
}

fn dataset_and_source(arguments: &DoctorArguments, config: &Config) -> Vec<Finding> {
    let dataset = arguments.dataset.as_ref().unwrap_or(&config.dataset);
    let uri = arguments.source.as_ref().unwrap_or(&config.source);
    let schema = match schema_of(dataset) {
        Ok(schema) => schema,
        Err(failure) => return vec![Finding::fail("schema", &failure, "")],
    };
    let (n, target) = (schema.features().count(), &schema.target.column);
    let said = format!("{dataset}: {n} columns to learn from, target `{target}`");
    let mut findings = vec![Finding::ok("schema", said)];
    if let Err(failure) = config.check_for(&schema) {
        findings.push(Finding::fail("configuration", &failure, ""));
    }
    findings.extend(source::examine(uri, &schema));
    findings
}

fn threads() -> Finding {
    match std::thread::available_parallelism() {
        Ok(n) => Finding::ok("threads", format!("{n}; RAYON_NUM_THREADS sets fewer")),
        Err(error) => Finding::warn("threads", format!("their number is not known: {error}")),
    }
}

fn runs(root: &Path) -> Vec<Finding> {
    let names = match run_names(root) {
        Ok(names) => names,
        Err(failure) => return vec![Finding::fail("runs", &failure, "")],
    };
    let mut unfinished = 0;
    let mut findings = Vec::new();
    for name in &names {
        let manifests = Run::open(&root.join(name), 0).and_then(|run| run.manifests());
        match manifests {
            Ok(done) => {
                unfinished += usize::from(!done.iter().any(|(_, m)| m.stage == "promotion"))
            }
            Err(error) => {
                findings.push(Finding::warn("runs", error.to_string()));
            }
        }
    }
    let n = names.len();
    findings.insert(
        0,
        Finding::ok("runs", format!("{n}, {unfinished} of them unfinished")),
    );
    findings
}

fn feature_store(root: &Path) -> Vec<Finding> {
    const CHECK: &str = "feature store";
    let directory = root.join("feature-store");
    if !directory.is_dir() {
        return vec![Finding::ok(CHECK, "empty")];
    }
    let found = FeatureStore::open(&directory).and_then(|store| store.conditions());
    let conditions = match found {
        Ok(conditions) => conditions,
        Err(error) => return vec![Finding::fail(CHECK, &error.into(), "")],
    };
    let intact: Vec<_> = conditions.iter().filter(|c| c.problem.is_none()).collect();
    let bytes: u64 = intact.iter().map(|c| c.bytes).sum();
    let newest = intact
        .iter()
        .filter_map(|c| clock::parse(&c.read_at).ok())
        .max();
    let newest = newest.map_or(String::new(), |t| {
        format!(", newest read {}", clock::rfc3339(t))
    });
    let said = format!("{} snapshots, {}{newest}", intact.len(), disk::size(bytes));
    let mut findings = vec![Finding::ok(CHECK, said)];
    for condition in &conditions {
        if let Some(problem) = &condition.problem {
            let name = condition.name.get(..12).unwrap_or(&condition.name);
            findings.push(Finding::warn(
                CHECK,
                format!("{name}…: {problem}: the next run reads the source again, or remove it"),
            ));
        }
    }
    findings
}

fn environment() -> Vec<Finding> {
    let unread = harness::unread_variables().into_iter();
    unread
        .map(|said| Finding::warn("environment", said))
        .collect()
}

/// Returns the nearest directory above a path that exists.
fn existing(path: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(path).ok()?;
    whole
        .ancestors()
        .find(|p| fs::exists(p).unwrap_or(false))
        .map(Path::to_owned)
}
