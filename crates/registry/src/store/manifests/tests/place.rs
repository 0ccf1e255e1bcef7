//! A registry of the tests: its bundles, versions and keys.

use std::{fs, path::PathBuf};

use dataset::{
    EncoderKind, ImputerKind, KnnParameters, PreprocessorSpec, ScalerKind, Schema, Table,
    TableColumn, profile::Profile,
};
use ed25519_compact::{KeyPair, Seed};
use model::{
    Classifier, ModelBundle, TrainingSummary, calibration::Calibration, linear::LinearClassifier,
    preprocessor::Preprocessor, threshold::Thresholds,
};
use serde_json::Value;

use super::{super::*, key_of};
use crate::{
    Action, PromotionRecord, VersionCheck,
    store::{Chosen, entry_signatures},
};

const SCHEMA: &str = "
name: plain
columns: [{name: size, type: number}]
target: {column: y, benign: {good: [a]}, threats: {bad: [b]}}
";

/// A bundle like any other of its seed.
pub(super) fn bundle(seed: u64) -> ModelBundle {
    let schema = Schema::parse(SCHEMA, "test").unwrap();
    let size = TableColumn {
        name: "size".to_owned(),
        values: vec![0.0, 1.0],
    };
    let table = Table::new(2, vec![size]);
    let spec = PreprocessorSpec {
        imputer: ImputerKind::None,
        knn: KnnParameters::default(),
        encoder: EncoderKind::OneHotText,
        scaler: ScalerKind::Standard,
    };
    ModelBundle {
        simulated: false,
        preprocessor: Preprocessor::fit(&spec, &schema, &table).unwrap(),
        classifier: Classifier::Linear(LinearClassifier {
            n_features: 1,
            n_classes: 2,
            coefficients: vec![1.0],
            intercepts: vec![0.5],
            background: vec![0.0],
        }),
        calibration: Calibration::Platt { a: -1.0, b: 0.0 },
        thresholds: Thresholds {
            operating: 0.5,
            f1: 0.5,
        },
        profile: Profile::of(&schema, &table),
        training: TrainingSummary {
            family: "test".to_owned(),
            candidate: "test".to_owned(),
            parameters: "{}".to_owned(),
            n_rows: 2,
            n_groups: 2,
            seed,
            cross_validation: Vec::new(),
            importance: Vec::new(),
            inputs: Vec::new(),
        },
        schema,
    }
}

/// A registry of one version, whose bundle is one and whose other blobs are some artifacts.
pub(super) struct Place {
    pub(super) directory: tempfile::TempDir,
    pub(super) entry: Entry,
}

impl Place {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::local(directory.path());
        let entry = draft(&registry, 1);
        let appended = registry.append("m", |_| Ok(Some(entry.clone()))).unwrap();
        Self {
            directory,
            entry: appended.unwrap(),
        }
    }

    /// Makes one of two versions that a run with the key 1 has registered, the first promoted, the second declined.
    pub(super) fn of_two() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let entry = draft(&Registry::local(directory.path()), 1);
        let place = Self { directory, entry };
        let registry = place.signing(1);
        for version in [1, 2] {
            let entry = draft(&registry, version);
            registry.seal("m", &entry).unwrap();
            registry.append("m", |_| Ok(Some(entry.clone()))).unwrap();
        }
        place
    }

    /// Changes an entry of the history where it lies.
    pub(super) fn tamper(&self, sequence: u64, change: impl Fn(&mut Value)) {
        let path = self.file(&super::super::super::entry_key("m", sequence));
        let mut entry = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut entry);
        fs::write(&path, serde_json::to_vec_pretty(&entry).unwrap()).unwrap();
    }

    /// Signs version 1 and an entry by hand with a key while another is trusted.
    pub(super) fn sign(
        &self,
        seed: u8,
        trusted: u8,
        entry: u64,
    ) -> Result<Vec<crate::Signed>, RegistryError> {
        let key = self.signing(seed).signing_key().unwrap();
        self.trusting(trusted).sign(&key, "m", &chosen(1, [entry]))
    }

    pub(super) fn registry(&self) -> Registry {
        Registry::local(self.directory.path())
    }

    pub(super) fn signing(&self, seed: u8) -> Registry {
        let path = self.key_file(&key_pair(seed).sk.to_pem());
        self.registry().signing(SigningKey::read(&path).unwrap())
    }

    pub(super) fn trusting(&self, seed: u8) -> Registry {
        let path = self.key_file(&key_pair(seed).pk.to_pem());
        self.registry().trusting(TrustedKeys::read(&path).unwrap())
    }

    pub(super) fn key_file(&self, pem: &str) -> PathBuf {
        let path = self.directory.path().join("key.pem");
        fs::write(&path, pem).unwrap();
        path
    }

    pub(super) fn file(&self, key: &str) -> PathBuf {
        self.directory.path().join("registry").join(key)
    }

    /// Returns the seal and all that a registry finds wrong, and whether it would load the version.
    pub(super) fn check(&self, registry: &Registry) -> (Seal, Vec<String>, bool) {
        let Ok(checks) = registry.verify("m", None) else {
            return (Seal::Changed, vec!["the history".to_owned()], false);
        };
        assert_eq!(checks.len(), 1);
        let check = checks.into_iter().next().unwrap();
        let is_let_in = registry.bundle("m", &self.entry).is_ok();
        let VersionCheck {
            seal,
            problems,
            doubts,
            ..
        } = check;
        (seal, [problems, doubts].concat(), is_let_in)
    }
}

/// Makes the entry of a version whose blobs a registry has.
pub(super) fn draft(registry: &Registry, version: u64) -> Entry {
    let blob = |reason: &str| {
        let record = PromotionRecord {
            model: "m".to_owned(),
            promoted: false,
            unchanged: false,
            serving: false,
            version: Some(version),
            champion: None,
            reasons: vec![reason.to_owned()],
        };
        registry.write(&record).unwrap()
    };
    Entry {
        sequence: 0,
        previous: None,
        model: None,
        at: "2026-02-03T00:00:00Z".to_owned(),
        action: match version {
            1 => Action::Promoted,
            _ => Action::Declined,
        },
        version,
        bundle: registry.write(&bundle(version)).unwrap(),
        training_groups: blob("training groups"),
        evaluation: blob("evaluation"),
        run: "run".to_owned(),
        simulated: false,
        reasons: Vec::new(),
        why: None,
    }
}

pub(super) fn chosen<const N: usize>(version: u64, entries: [u64; N]) -> Chosen {
    Chosen {
        version: Some(version),
        entries: entries.into(),
    }
}

pub(super) fn key_pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::from_slice(&[seed; 32]).unwrap())
}

/// Makes a registry that has promoted the second version, rolled back to the first and declined a third, all signed.
pub(super) fn rolled_back() -> Place {
    let place = Place::of_two();
    let both = both(&place);
    let second = Entry {
        action: Action::Promoted,
        ..both.entry("m", Some(2)).unwrap()
    };
    both.append("m", |_| Ok(Some(second.clone()))).unwrap();
    let first = Entry {
        action: Action::RolledBack,
        ..both.entry("m", Some(1)).unwrap()
    };
    both.append("m", |_| Ok(Some(first.clone()))).unwrap();
    let third = draft(&both, 3);
    both.seal("m", &third).unwrap();
    both.append("m", |_| Ok(Some(third.clone()))).unwrap();
    place
}

pub(super) fn both(place: &Place) -> Registry {
    place.signing(1).trusting_also(&key_of(place, 1))
}

pub(super) fn champion(registry: &Registry) -> Result<u64, String> {
    let found = registry.entry("m", None);
    found.map(|e| e.version).map_err(|e| e.to_string())
}

/// Returns the files of an entry and of its signature.
pub(super) fn kept(place: &Place, model: &str, sequence: u64) -> [(String, Vec<u8>); 2] {
    let entry = super::super::super::entry_key(model, sequence);
    let text = fs::read(place.file(&entry)).unwrap();
    let signature = entry_signatures::signature_key(model, sequence, &text);
    let signed = fs::read(place.file(&signature)).unwrap();
    [(entry, text), (signature, signed)]
}

/// Appends an entry that both keys of a place stand behind.
pub(super) fn decide(place: &Place, action: Action, version: u64) -> Entry {
    let trusting = both(place);
    let entry = Entry {
        action,
        ..trusting
            .history("m")
            .unwrap()
            .version(version)
            .unwrap()
            .clone()
    };
    let appended = trusting.append("m", |_| Ok(Some(entry.clone())));
    appended.unwrap().unwrap()
}

/// Returns where an entry of the history lies.
pub(super) fn file_of(place: &Place, sequence: u64) -> PathBuf {
    place.file(&super::super::super::entry_key("m", sequence))
}

/// Appends an entry as whoever may write there does, without a key.
pub(super) fn put_behind(place: &Place, entry: &Entry) -> Entry {
    let appended = place.registry().append("m", |_| Ok(Some(entry.clone())));
    appended.unwrap().unwrap()
}
