//! Bundles trained by the pipeline itself, once for all tests.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use artifact::{Context, Digest, Run, Stage, clock};
use dataset::{Schema, SourceUri};
use holdout::GivenHoldout;
use ingestion::Ingestion;
use model::ModelBundle;
use registry::{
    Action, Champion, Entry, Evaluating, EvaluationConfig, Override, Promotion, Registry,
};
use tempfile::TempDir;
use trainer::{Training, TrainingConfig};
use transformation::Transformation;
use validation::Validation;

/// Flows with every kind of column, some of them allowed to be missing, and a derived one.
pub const FLOWS: &str = "
name: flows
columns:
  - {name: duration, type: integer, min: 0, max: 1000}
  - {name: bytes, type: number, min: 0, may_be_missing: true}
  - {name: protocol, type: text, levels: [icmp, tcp, udp]}
  - {name: service, type: text, levels: [dns, http], unknown_levels: accept, may_be_missing: true}
  - {name: root, type: boolean}
  - {name: id, type: integer, never_use: true}
target: {column: attack, benign: {normal: ['0']}, threats: {dos: ['1']}}
derived:
  - {name: log_bytes, log1p: bytes}
quality: {max_bad_share: 0.5}
";

/// A record of flows that is sound, and the names of its columns.
pub const FLOW: &str =
    r#"{"duration":40,"bytes":12.5,"protocol":"tcp","service":"http","root":false}"#;

/// A directory with a registry of its own.
pub struct Place(TempDir);

impl Place {
    /// Makes one without any model.
    pub fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Makes one where `flows` has a champion.
    pub fn with_flows() -> Self {
        static TRAINED: OnceLock<TempDir> = OnceLock::new();
        Self::copy_of(TRAINED.get_or_init(|| {
            let root = tempfile::tempdir().unwrap();
            let source = root.path().join("flows.csv");
            fs::write(&source, flows_csv(2000)).unwrap();
            train(root.path(), FLOWS, &source.display().to_string(), "flows");
            root
        }))
    }

    /// Makes one where `phishing-simulated` has a champion.
    pub fn with_phishing() -> Self {
        static TRAINED: OnceLock<TempDir> = OnceLock::new();
        Self::copy_of(TRAINED.get_or_init(|| {
            let root = tempfile::tempdir().unwrap();
            let schema = include_str!("../../../../schema/phishing.yaml");
            train(
                root.path(),
                schema,
                "synth://phishing?rows=2000",
                "phishing-simulated",
            );
            root
        }))
    }

    fn copy_of(trained: &TempDir) -> Self {
        let place = Self::empty();
        copy(
            &trained.path().join("registry"),
            &place.path().join("registry"),
        );
        place
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn registry(&self) -> Registry {
        Registry::local(self.path())
    }

    pub fn bundle(&self, name: &str) -> ModelBundle {
        self.registry().champion(name).unwrap().1
    }

    /// Makes a changed copy of the champion's bundle the champion.
    pub fn promote(&self, name: &str, change: impl Fn(&mut ModelBundle)) -> Entry {
        let mut bundle = self.bundle(name);
        change(&mut bundle);
        let digest = self.registry().write(&bundle).unwrap();
        self.append(name, digest)
    }

    /// Makes a bundle that the registry holds, or should hold, the champion.
    pub fn append(&self, name: &str, bundle: Digest) -> Entry {
        let registry = self.registry();
        let first = registry.history(name).unwrap().entries()[0].clone();
        let mut evaluation = registry.evaluation(name, &first).unwrap();
        evaluation.bundle = bundle;
        let evaluation = registry.write(&evaluation).unwrap();
        let appended = registry.append(name, |history| {
            Ok(Some(Entry {
                at: clock::rfc3339(clock::now()),
                action: Action::Promoted,
                version: history.next_version(),
                bundle,
                evaluation,
                ..history.entries()[0].clone()
            }))
        });
        appended.unwrap().unwrap()
    }

    /// Registers the champion under another name as well.
    pub fn register_as(&self, name: &str, other: &str) {
        let registry = self.registry();
        let first = registry.history(name).unwrap().entries()[0].clone();
        let appended = registry.append(other, |_| Ok(Some(first.clone())));
        appended.unwrap();
    }

    /// Returns the file of a history's entry, or another one beside them.
    pub fn in_history(&self, name: &str, file: &str) -> PathBuf {
        let history = format!("registry/models/{name}/history");
        self.path().join(history).join(file)
    }

    /// Returns the file that holds a bundle.
    pub fn blob(&self, bundle: Digest) -> PathBuf {
        let name = format!("{bundle}.bin");
        self.path().join("registry/blobs").join(name)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Makes flows by a rule that any model finds: long ones of many bytes are attacks.
fn flows_csv(rows: usize) -> String {
    let mut state = 42_u64;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut text = "duration,bytes,protocol,service,root,id,attack\n".to_owned();
    for id in 0..rows {
        let (duration, bytes) = (draw(100), draw(1000));
        let protocol = ["tcp", "udp", "icmp"][draw(3) as usize];
        let service = ["dns", "http", "", "ssh"][draw(4) as usize];
        let root = draw(2) == 1;
        let attack = u8::from(duration * 10 + bytes > 1000);
        let shown = if draw(20) == 0 {
            String::new()
        } else {
            format!("{bytes}.5")
        };
        text += &format!("{duration},{shown},{protocol},{service},{root},{id},{attack}\n");
    }
    text
}

/// Runs the pipeline with one small candidate and promotes what comes out.
fn train(root: &Path, schema: &str, source: &str, name: &str) {
    let schema = Schema::parse(schema, "test").unwrap();
    let registry = Registry::local(root);
    let run = Run::create(&root.join("runs"), &(), 7).unwrap();
    let quiet = |_: artifact::Advance<'_>| {};
    let (incumbent, reference) = run
        .execute(&Champion::new(registry.clone(), name), (), &quiet)
        .unwrap();
    let opened = connectors::open(&SourceUri::new(source), &schema).unwrap();
    let ingestion = Ingestion::new(opened, schema, Default::default());
    let (raw, provenance) = run.execute(&ingestion, (), &quiet).unwrap();
    let validation = Validation::new(Default::default());
    let (validated,) = run
        .execute(&validation, (raw, provenance, reference), &quiet)
        .unwrap();
    let (given,) = run.execute(&NoHoldout, (), &quiet).unwrap();
    let transformation = Transformation::new(Default::default());
    let (training, holdout) = run
        .execute(&transformation, (validated, given), &quiet)
        .unwrap();
    let trainer = Training::new(small());
    let (bundle, groups) = run.execute(&trainer, (training,), &quiet).unwrap();
    let evaluating = Evaluating::new(EvaluationConfig {
        resamples: 100,
        ..EvaluationConfig::default()
    });
    let (evaluation,) = run
        .execute(&evaluating, (bundle, holdout, incumbent), &quiet)
        .unwrap();
    let promotion = Promotion::new(Default::default(), registry, name, run.name(), clock::now());
    let forced = Override {
        why: "a test".to_owned(),
    };
    let promotion = promotion.forced(Some(forced));
    run.execute(&promotion, (bundle, groups, evaluation), &quiet)
        .unwrap();
}

fn small() -> TrainingConfig {
    serde_json::from_value(serde_json::json!({
        "folds": 2,
        "families": ["gradient_boosting"],
        "search": {"gradient_boosting": {"n_estimators": [20], "num_leaves": [15]}},
        "baseline_rows": 0,
    }))
    .unwrap()
}

/// Says that no partition was given.
struct NoHoldout;

impl Stage for NoHoldout {
    const NAME: &'static str = "given-holdout";
    const ORDER: u8 = 2;
    type Config = ();
    type Inputs = ();
    type Outputs = (GivenHoldout,);
    type Error = registry::RegistryError;

    fn config(&self) -> &() {
        &()
    }

    fn run(&self, (): (), _: &mut Context) -> Result<Self::Outputs, Self::Error> {
        Ok((GivenHoldout { dataset: None },))
    }
}
