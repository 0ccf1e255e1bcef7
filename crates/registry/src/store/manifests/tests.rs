use std::{fs, path::PathBuf};

use ed25519_compact::{KeyPair, Seed};

use super::*;
use crate::{Action, PromotionRecord};

/// A registry of one version, whose three blobs are some artifacts.
struct Place {
    directory: tempfile::TempDir,
    entry: Entry,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::local(directory.path());
        let blob = |reason: &str| {
            let record = PromotionRecord {
                model: "m".to_owned(),
                promoted: false,
                unchanged: false,
                serving: false,
                version: None,
                champion: None,
                reasons: vec![reason.to_owned()],
            };
            registry.write(&record).unwrap()
        };
        let entry = Entry {
            sequence: 0,
            at: "2026-02-03T00:00:00Z".to_owned(),
            action: Action::Promoted,
            version: 1,
            bundle: blob("bundle"),
            training_groups: blob("training groups"),
            evaluation: blob("evaluation"),
            run: "run".to_owned(),
            simulated: false,
            reasons: Vec::new(),
            why: None,
        };
        registry.append("m", |_| Ok(Some(entry.clone()))).unwrap();
        Self { directory, entry }
    }

    fn registry(&self) -> Registry {
        Registry::local(self.directory.path())
    }

    fn signing(&self, seed: u8) -> Registry {
        let path = self.key_file(&key_pair(seed).sk.to_pem());
        self.registry().signing(SigningKey::read(&path).unwrap())
    }

    fn trusting(&self, seed: u8) -> Registry {
        let path = self.key_file(&key_pair(seed).pk.to_pem());
        self.registry().trusting(TrustedKeys::read(&path).unwrap())
    }

    fn key_file(&self, pem: &str) -> PathBuf {
        let path = self.directory.path().join("key.pem");
        fs::write(&path, pem).unwrap();
        path
    }

    fn file(&self, key: &str) -> PathBuf {
        self.directory.path().join("registry").join(key)
    }

    /// Returns the seal and the problems that a registry finds, and whether it would load the version.
    fn check(&self, registry: &Registry) -> (Seal, Vec<String>, bool) {
        let checks = registry.verify("m", None).unwrap();
        assert_eq!(checks.len(), 1);
        let check = checks.into_iter().next().unwrap();
        // What lies there is no bundle: one that is let in is found to be of another kind.
        let is_refused = matches!(
            registry.bundle("m", &self.entry),
            Err(RegistryError::Untrusted { .. })
        );
        (check.seal, check.problems, !is_refused)
    }
}

fn key_pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::from_slice(&[seed; 32]).unwrap())
}

#[test]
fn only_what_a_trusted_key_has_signed_is_let_in() {
    let place = Place::new();
    let whole = |seal| (seal, Vec::<String>::new(), true);
    assert_eq!(place.check(&place.registry()), whole(Seal::Lacking));
    let (seal, problems, let_in) = place.check(&place.trusting(1));
    assert_eq!((seal, let_in), (Seal::Lacking, false));
    assert_eq!(problems, ["version 1 has no manifest"]);

    assert_eq!(
        place.registry().seal("m", &place.entry).unwrap(),
        Seal::Unsigned
    );
    let (seal, problems, let_in) = place.check(&place.trusting(1));
    assert_eq!((seal, let_in), (Seal::Unsigned, false));
    assert_eq!(problems, ["version 1 is not signed"]);

    place.signing(1).seal("m", &place.entry).unwrap();
    assert_eq!(place.check(&place.registry()), whole(Seal::Unchecked));
    let (seal, problems, let_in) = place.check(&place.trusting(1));
    assert!(matches!(seal, Seal::Trusted(_)), "{seal:?}");
    assert_eq!((problems.len(), let_in), (0, true));
    let (seal, problems, let_in) = place.check(&place.trusting(2));
    assert_eq!((seal, let_in), (Seal::Foreign, false));
    assert_eq!(problems, ["version 1 is not signed by a trusted key"]);

    // Another key takes over: it signs the same text.
    place.signing(2).seal("m", &place.entry).unwrap();
    assert!(place.check(&place.trusting(2)).2);
}

#[test]
fn a_signature_of_another_version_or_model_is_none() {
    let place = Place::new();
    place.signing(1).seal("m", &place.entry).unwrap();
    let other = Entry {
        training_groups: place.entry.bundle,
        ..place.entry.clone()
    };
    let refused = |name: &str, entry: &Entry| {
        let loaded = place.trusting(1).bundle(name, entry);
        matches!(loaded, Err(RegistryError::Untrusted { .. }))
    };
    assert!(refused("m", &other));
    assert!(!refused("m", &place.entry));
    let models = place.file("models");
    fs::create_dir(models.join("n")).unwrap();
    fs::rename(models.join("m/manifests"), models.join("n/manifests")).unwrap();
    assert!(refused("n", &place.entry));
}

#[test]
fn every_damaged_byte_is_found() {
    let place = Place::new();
    place.signing(1).seal("m", &place.entry).unwrap();
    let entry = &place.entry;
    let files = [
        blob_key(entry.bundle),
        blob_key(entry.training_groups),
        blob_key(entry.evaluation),
        manifest_key("m", entry),
        signature_key("m", entry),
    ];
    let registry = place.trusting(1);
    for path in files.iter().map(|key| place.file(key)) {
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            let (_, problems, _) = place.check(&registry);
            assert!(!problems.is_empty(), "byte {at} of {}", path.display());
        }
        fs::remove_file(&path).unwrap();
        let (_, problems, _) = place.check(&registry);
        assert!(!problems.is_empty(), "{} is lost", path.display());
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(place.check(&registry).1, Vec::<String>::new());
}

#[test]
fn sealing_again_writes_nothing() {
    let place = Place::new();
    let registry = place.signing(1);
    registry.seal("m", &place.entry).unwrap();
    let paths = [
        manifest_key("m", &place.entry),
        signature_key("m", &place.entry),
    ]
    .map(|key| place.file(&key));
    let written = || {
        paths
            .clone()
            .map(|p| fs::metadata(p).unwrap().modified().unwrap())
    };
    let before = written();
    registry.seal("m", &place.entry).unwrap();
    assert_eq!(written(), before);
}
