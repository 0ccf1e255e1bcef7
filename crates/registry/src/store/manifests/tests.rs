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
use serde_json::{Value, json};

use super::*;
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
fn bundle(seed: u64) -> ModelBundle {
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
struct Place {
    directory: tempfile::TempDir,
    entry: Entry,
}

impl Place {
    fn new() -> Self {
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
    fn of_two() -> Self {
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
    fn tamper(&self, sequence: u64, change: impl Fn(&mut Value)) {
        let path = self.file(&super::super::entry_key("m", sequence));
        let mut entry = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut entry);
        fs::write(&path, serde_json::to_vec_pretty(&entry).unwrap()).unwrap();
    }

    /// Signs version 1 and an entry by hand with a key while another is trusted.
    fn sign(&self, seed: u8, trusted: u8, entry: u64) -> Result<Vec<crate::Signed>, RegistryError> {
        let key = self.signing(seed).signing_key().unwrap();
        self.trusting(trusted).sign(&key, "m", &chosen(1, [entry]))
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

    /// Returns the seal and all that a registry finds wrong, and whether it would load the version.
    fn check(&self, registry: &Registry) -> (Seal, Vec<String>, bool) {
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
fn draft(registry: &Registry, version: u64) -> Entry {
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

fn chosen<const N: usize>(version: u64, entries: [u64; N]) -> Chosen {
    Chosen {
        version: Some(version),
        entries: entries.into(),
    }
}

fn key_pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::from_slice(&[seed; 32]).unwrap())
}

#[test]
fn only_what_a_trusted_key_has_signed_is_let_in() {
    let place = Place::new();
    let (seal, problems, let_in) = place.check(&place.registry());
    assert_eq!((seal, let_in), (Seal::Lacking, true));
    assert!(
        problems[0].contains("somebody has removed it"),
        "{problems:?}"
    );
    let unsigned = "entry 1 of the history (promoted version 1) is not signed";
    let (seal, problems, let_in) = place.check(&place.trusting(1));
    assert_eq!((seal, let_in), (Seal::Lacking, false));
    assert_eq!(problems, ["version 1 has no manifest", unsigned]);

    let sealed = place.registry().seal("m", &place.entry).unwrap();
    assert_eq!(sealed, Seal::Unsigned);
    let (seal, problems, let_in) = place.check(&place.trusting(1));
    assert_eq!((seal, let_in), (Seal::Unsigned, false));
    assert_eq!(problems, ["version 1 is not signed", unsigned]);

    place.signing(1).seal("m", &place.entry).unwrap();
    let (_, problems, let_in) = place.check(&place.trusting(1));
    assert!(!let_in);
    assert_eq!(problems, [unsigned]);

    place.sign(1, 1, 1).unwrap();
    let whole = |seal| (seal, Vec::<String>::new(), true);
    assert_eq!(place.check(&place.registry()), whole(Seal::Unchecked));
    let (seal, problems, let_in) = place.check(&place.trusting(1));
    assert!(matches!(seal, Seal::Trusted(_)), "{seal:?}");
    assert_eq!((problems.len(), let_in), (0, true));
    let (seal, problems, let_in) = place.check(&place.trusting(2));
    assert_eq!((seal, let_in), (Seal::Foreign, false));
    assert_eq!(problems[0], "version 1 is not signed by a trusted key");

    // Another key takes over: where the first is not trusted, it does not.
    let refused = place.sign(2, 3, 1).unwrap_err().to_string();
    assert!(refused.contains("do not sign it before"), "{refused}");
    place.sign(2, 1, 1).unwrap();
    assert!(place.check(&place.trusting(2)).2);
}

#[test]
fn a_takeover_signs_what_a_trusted_key_has_signed_and_nothing_else() {
    let place = Place::of_two();
    let key = place.signing(2).signing_key().unwrap();
    let signatures = |version: u64| {
        let history = place.registry().history("m").unwrap();
        place.file(&signature_key("m", history.version(version).unwrap()))
    };
    // Anybody who may write there may write these.
    for forged in [Vec::new(), vec![7; 64], key.sign(b"another text")] {
        fs::write(signatures(2), forged).unwrap();
        let signed = place.trusting(1).sign_again(&key, "m").unwrap();
        assert!(signed[0].is_signed && signed[0].refused.is_empty());
        let entries: Vec<u64> = signed[0].entries.keys().copied().collect();
        assert_eq!((signed[0].version, &entries[..]), (1, &[1][..]));
        assert!(!signed[1].is_signed && signed[1].entries.is_empty());
        assert!(
            signed[1].refused[0].starts_with("version 2 "),
            "{:?}",
            signed[1]
        );
    }
    // One whose signature was taken away stays without.
    fs::remove_file(signatures(2)).unwrap();
    let signed = place.trusting(1).sign_again(&key, "m").unwrap();
    assert!(!signed[1].is_signed && signed[1].refused.is_empty());
    assert_eq!(signed[1].left, ["version 2 is not signed"]);
    let checks = place.trusting(2).verify("m", None).unwrap();
    assert!(checks[0].problems.is_empty() && checks[0].doubts.is_empty());
    assert_eq!(checks[1].seal, Seal::Unsigned);
}

/// Tampers with the history of two signed versions; returns whether `verify` notices without keys, and with them. What
/// it notices with them must be served to nobody, nor be signed by whoever is told of it.
fn noticed(change: impl Fn(&Place)) -> (bool, bool) {
    let place = Place::of_two();
    change(&place);
    let notices = |registry: &Registry| match registry.verify("m", None) {
        Ok(checks) => checks.iter().any(is_noted),
        Err(_) => true,
    };
    let found = (notices(&place.registry()), notices(&place.trusting(1)));
    if found.1 {
        let versions = place.registry().history("m").unwrap_or_default();
        let changed = versions.versions().into_iter().filter(|version| {
            let check = place.trusting(1).verify("m", Some(version.version));
            check.unwrap().iter().any(is_noted)
        });
        for version in changed {
            let entry = versions.version(version.version).unwrap();
            assert!(place.trusting(1).bundle("m", entry).is_err());
            let key = place.signing(1).signing_key().unwrap();
            let signed = place
                .trusting(1)
                .sign(&key, "m", &chosen(version.version, []))
                .unwrap_err();
            let said = signed.to_string();
            assert!(said.contains("do not sign it before"), "{said}");
        }
    }
    found
}

fn is_noted(check: &VersionCheck) -> bool {
    !(check.problems.is_empty() && check.doubts.is_empty())
}

#[test]
fn a_decision_on_a_version_that_was_withdrawn_is_not_asked_for_and_counts_for_nothing() {
    let place = Place::new();
    let now = clock::now();
    for (action, version) in [(Action::Promoted, 2), (Action::Declined, 3)] {
        let entry = Entry {
            action,
            ..draft(&place.registry(), version)
        };
        let appended = place.registry().append("m", |_| Ok(Some(entry.clone())));
        appended.unwrap();
    }
    let key = place.signing(1).signing_key().unwrap();
    place.trusting(1).sign(&key, "m", &chosen(2, [2])).unwrap();
    let both = place.signing(1).trusting_also(&key_of(&place, 1));
    for version in [1, 3] {
        both.withdraw("m", version, "old", now).unwrap();
    }
    let trusting = place.trusting(1);
    let verify = || {
        let checks = trusting.verify("m", None).unwrap();
        let noted = checks.iter().filter(|c| is_noted(c)).map(|c| c.version);
        let unasked = checks.iter().flat_map(|c| c.unasked.clone());
        (noted.collect::<Vec<_>>(), unasked.collect::<Vec<_>>())
    };
    assert_eq!(verify(), (vec![], vec![1, 3]));
    assert_eq!(trusting.entry("m", None).unwrap().version, 2);
    let at = |text: &str| {
        let history = trusting.history("m").unwrap();
        let found = trusting.champion_at("m", &history, clock::parse(text).unwrap());
        found.map(|entry| entry.unwrap().version)
    };
    assert_eq!(at("2999-01-01").unwrap(), 2);
    // What somebody makes of these entries is believed by nobody.
    place.tamper(1, |entry| entry["at"] = "2099-01-01T00:00:00Z".into());
    assert!(matches!(
        at("2026-03-01"),
        Err(RegistryError::Untrusted { .. })
    ));
    assert_eq!(trusting.entry("m", None).unwrap().version, 2);
    place.tamper(3, |entry| entry["action"] = "promoted".into());
    assert_eq!(verify().0, [3]);
    let refused = trusting.entry("m", None).unwrap_err();
    assert!(!refused.is_absence(), "{refused}");
    assert!(
        refused.to_string().contains("disown m --entry 3"),
        "{refused}"
    );
    let history = trusting.history("m").unwrap();
    trusting.check_champion("m", &history).unwrap_err();
    both.disown("m", 3, "forged", now).unwrap();
    assert_eq!(trusting.entry("m", None).unwrap().version, 2);
    assert_eq!(verify().0, Vec::<u64>::new());
    // A withdrawal that nobody has signed takes no entry out of sight.
    let signatures = fs::read_dir(place.file("models/m/signatures")).unwrap();
    let mut paths = signatures.map(|file| file.unwrap().path());
    let of = |path: &PathBuf| path.to_str().unwrap().contains("/00000004-");
    fs::remove_file(paths.find(of).unwrap()).unwrap();
    assert_eq!(verify(), (vec![1], vec![]));
}

#[test]
fn what_a_champion_goes_back_to_is_not_decided_by_an_unsigned_rollback_to_a_version_that_was_withdrawn()
 {
    let place = Place::of_two();
    let both = place.signing(1).trusting_also(&key_of(&place, 1));
    let now = clock::now();
    let second = Entry {
        action: Action::Promoted,
        ..place.registry().entry("m", Some(2)).unwrap()
    };
    both.append("m", |_| Ok(Some(second.clone()))).unwrap();
    let forged = Entry {
        action: Action::RolledBack,
        ..place.registry().entry("m", Some(1)).unwrap()
    };
    let appended = place.registry().append("m", |_| Ok(Some(forged.clone())));
    assert_eq!(appended.unwrap().unwrap().sequence, 4);
    let third = Entry {
        action: Action::Promoted,
        ..draft(&both, 3)
    };
    both.seal("m", &third).unwrap();
    both.append("m", |_| Ok(Some(third.clone()))).unwrap();
    both.withdraw("m", 1, "old", now).unwrap();
    let refused = both.roll_back("m", None, None, now).unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("disown m --entry 4"), "{said}");
    both.disown("m", 4, "forged", now).unwrap();
    let history = both.history("m").unwrap();
    assert_eq!(history.previous_champion().unwrap().version, 2);
}

#[test]
fn a_signature_that_a_kill_has_left_is_named_and_once_it_is_removed_the_entry_can_be_signed() {
    let place = Place::of_two();
    let again = |registry: &Registry, why: &str| {
        let appended = registry.append("m", |history| {
            Ok(Some(Entry {
                why: Some(why.to_owned()),
                ..history.version(2).unwrap().clone()
            }))
        });
        assert_eq!(appended.unwrap().unwrap().sequence, 3);
    };
    // The signature is written before the entry.
    again(&place.signing(1), "killed");
    let killed = place.file(&super::super::entry_key("m", 3));
    let text = fs::read(&killed).unwrap();
    let left = entry_signatures::signature_key("m", 3, &text);
    fs::remove_file(killed).unwrap();
    again(&place.registry(), "honest");
    let told = |registry: &Registry| {
        let checks = registry.verify("m", Some(2)).unwrap();
        (checks[0].problems.clone(), checks[0].doubts.clone())
    };
    let (problems, doubts) = told(&place.registry());
    assert_eq!((problems.len(), doubts.len()), (0, 1), "{problems:?}");
    for words in ["because: honest) is not signed", &*left, "remove"] {
        assert!(doubts[0].contains(words), "{words}: {doubts:?}");
    }
    assert_eq!(told(&place.trusting(1)), (problems, doubts));
    let key = place.signing(1).signing_key().unwrap();
    let sign = || place.trusting(1).sign(&key, "m", &chosen(2, [3]));
    let refused = sign().unwrap_err().to_string();
    assert!(refused.contains(&left), "{refused}");
    fs::remove_file(place.file(&left)).unwrap();
    sign().unwrap();
    assert_eq!(told(&place.trusting(1)), (Vec::new(), Vec::new()));
}

#[test]
fn a_history_that_was_tampered_with_is_noticed_and_neither_served_nor_signed() {
    fn of_another(fields: &[&str]) -> impl Fn(&Place) {
        move |place: &Place| {
            let entries = place.registry().history("m").unwrap();
            let texts = entries.entries().iter().map(|e| json!(e));
            let texts: Vec<Value> = texts.collect();
            for (sequence, other) in [(1, &texts[1]), (2, &texts[0])] {
                place.tamper(sequence, |entry| {
                    for field in fields {
                        entry[*field] = other[*field].clone();
                    }
                });
            }
        }
    }
    let set = |field: &'static str, value: Value| {
        move |place: &Place| place.tamper(2, |entry| entry[field] = value.clone())
    };
    let seen = |change: &dyn Fn(&Place), what: &str| {
        assert_eq!(noticed(change), (true, true), "{what}");
        let unsigned = |place: &Place| {
            change(place);
            fs::remove_dir_all(place.file("models/m/signatures")).unwrap();
            let checks = place.trusting(1).verify("m", None).unwrap();
            assert!(checks.iter().all(|c| !c.doubts.is_empty()), "{what}");
        };
        unsigned(&Place::of_two());
    };
    let all = ["bundle", "training_groups", "evaluation", "run"];
    for fields in [&all[..], &all[1..2], &all[2..3]] {
        seen(&of_another(fields), &fields.join(", "));
    }
    for (field, value) in [
        ("action", json!("promoted")),
        ("simulated", json!(true)),
        ("run", json!("another")),
        ("why", json!("no reason")),
        ("reasons", json!(["none"])),
        ("at", json!("2026-02-04T00:00:00Z")),
    ] {
        seen(&set(field, value), field);
    }
}

#[test]
fn manifests_and_signatures_that_are_lost_or_moved_are_noticed_without_keys() {
    let files = |place: &Place| {
        let history = place.registry().history("m").unwrap();
        let of = |version: u64| {
            let entry = history.version(version).unwrap();
            let keys = [manifest_key("m", entry), signature_key("m", entry)];
            keys.map(|key| place.file(&key))
        };
        (of(1), of(2))
    };
    let swapped = |place: &Place| {
        let (one, two) = files(place);
        for (one, two) in one.iter().zip(&two) {
            let (first, second) = (fs::read(one).unwrap(), fs::read(two).unwrap());
            fs::write(one, second).unwrap();
            fs::write(two, first).unwrap();
        }
    };
    assert_eq!(noticed(swapped), (true, true));
    let emptied = |place: &Place| fs::write(&files(place).0[1], "").unwrap();
    assert_eq!(noticed(emptied), (true, true));
    let lost = |place: &Place| fs::remove_file(&files(place).0[0]).unwrap();
    assert_eq!(noticed(lost), (true, true));
    let both = |place: &Place| {
        lost(place);
        fs::remove_file(&files(place).0[1]).unwrap();
        let checks = place.registry().verify("m", Some(1)).unwrap();
        assert!(checks[0].problems[0].contains("somebody has removed it"));
    };
    both(&Place::of_two());
    let renamed = |place: &Place| {
        let models = place.file("models");
        fs::rename(models.join("m"), models.join("n")).unwrap();
        let checks = place.registry().verify("n", None).unwrap();
        assert!(checks.iter().all(|check| !check.problems.is_empty()));
    };
    renamed(&Place::of_two());
}

#[test]
fn a_directory_in_the_place_of_the_last_entry_is_noticed() {
    let placed = |place: &Place| {
        let path = place.file(&super::super::entry_key("m", 2));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
    };
    assert_eq!(noticed(placed), (true, true));
}

#[test]
fn a_decision_counts_where_keys_are_trusted_only_when_it_is_signed() {
    let place = Place::of_two();
    let now = artifact::clock::now();
    let (silent, other) = (place.trusting(1), place.signing(2));
    let trusting = |registry: Registry| registry.trusting_also(&key_of(&place, 1));
    for registry in [silent, other.trusting_also(&key_of(&place, 3))] {
        let refused = registry.roll_back("m", Some(1), None, now).unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("NETSEC_SIGNING_KEY"), "{said}");
    }
    // What somebody without a key has appended is loaded by nobody who trusts keys.
    let promoted = place.registry().append("m", |history| {
        Ok(Some(Entry {
            action: Action::Promoted,
            ..history.version(2).unwrap().clone()
        }))
    });
    let promoted = promoted.unwrap().unwrap();
    let refused = trusting(place.registry())
        .bundle("m", &promoted)
        .unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("`m`, entry 3 of the history (promoted version 2) is not signed; if one of you has decided that"),
        "{said}"
    );
    place.sign(1, 1, 3).unwrap();
    trusting(place.registry()).bundle("m", &promoted).unwrap();
}

#[test]
fn that_there_is_no_champion_is_believed_only_where_a_trusted_key_has_signed_it() {
    for action in [Action::Withdrawn, Action::Disowned(1)] {
        let place = Place::of_two();
        let forged = place.registry().append("m", |history| {
            Ok(Some(Entry {
                action,
                ..history.version(1).unwrap().clone()
            }))
        });
        assert_eq!(forged.unwrap().unwrap().sequence, 3);
        let trusting = place.trusting(1);
        let refused = trusting.entry("m", None).unwrap_err();
        assert!(!refused.is_absence(), "{refused}");
        assert!(refused.to_string().contains("--entry 3"), "{refused}");
        assert!(place.registry().entry("m", None).unwrap_err().is_absence());
        // Nor is anything decided on it but that it does not count.
        let now = artifact::clock::now();
        let both = place.signing(1).trusting_also(&key_of(&place, 1));
        both.promote("m", 2, Some("why"), true, now).unwrap_err();
        both.withdraw("m", 2, "why", now).unwrap_err();
        both.disown("m", 3, "why", now).unwrap();
        assert_eq!(trusting.entry("m", None).unwrap().version, 1);
        let checks = trusting.verify("m", None).unwrap();
        let doubts = checks
            .iter()
            .flat_map(|c| c.problems.iter().chain(&c.doubts));
        assert_eq!(doubts.count(), 0, "{checks:?}");
    }
}

#[test]
fn what_served_at_a_time_is_told_only_where_what_bounds_it_is_signed() {
    let place = Place::of_two();
    let now = clock::now();
    let forged = |at: &str, action: Action| Entry {
        at: at.to_owned(),
        action,
        ..place.registry().entry("m", Some(2)).unwrap()
    };
    let append = |registry: &Registry, entry: Entry| {
        let appended = registry.append("m", |_| Ok(Some(entry.clone())));
        appended.unwrap().unwrap().sequence
    };
    let both = || place.signing(1).trusting_also(&key_of(&place, 1));
    let at = || {
        let registry = place.trusting(1);
        let history = registry.history("m").unwrap();
        let found = registry.champion_at("m", &history, now);
        found.map(|entry| entry.map(|e| e.sequence))
    };
    assert_eq!(
        append(
            &place.registry(),
            forged("2099-01-01T00:00:00Z", Action::Declined)
        ),
        3
    );
    assert_eq!(
        append(&both(), forged("2026-02-04T00:00:00Z", Action::Promoted)),
        4
    );
    assert_eq!(at().unwrap(), Some(4));
    assert_eq!(
        append(
            &place.registry(),
            forged("2099-01-01T00:00:00Z", Action::Promoted)
        ),
        5
    );
    assert_eq!(
        append(&both(), forged("2026-02-05T00:00:00Z", Action::Promoted)),
        6
    );
    let refused = at().unwrap_err().to_string();
    assert!(refused.contains("disown m --entry 5"), "{refused}");
    both().disown("m", 5, "why", now).unwrap();
    assert_eq!(at().unwrap(), Some(6));
}

#[test]
fn what_served_at_a_time_is_told_only_where_its_manifest_is_signed() {
    let place = Place::of_two();
    let registry = place.trusting(1);
    let at = || {
        let history = registry.history("m").unwrap();
        let found = registry.champion_at("m", &history, clock::now());
        found.map(|entry| entry.unwrap().version)
    };
    let entry = registry.entry("m", Some(1)).unwrap();
    for lost in [manifest_key("m", &entry), signature_key("m", &entry)] {
        let file = place.file(&lost);
        assert_eq!(at().unwrap(), 1);
        let whole = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(
            matches!(at(), Err(RegistryError::Untrusted { .. })),
            "{lost}"
        );
        fs::write(&file, whole).unwrap();
    }
    // Of a version that was withdrawn later, files may be gone.
    let both = place.signing(1).trusting_also(&key_of(&place, 1));
    let withdrawal = Entry {
        at: "2099-01-01T00:00:00Z".to_owned(),
        action: Action::Withdrawn,
        ..entry.clone()
    };
    let appended = both.append("m", |_| Ok(Some(withdrawal.clone())));
    appended.unwrap();
    fs::remove_file(place.file(&manifest_key("m", &entry))).unwrap();
    assert_eq!(at().unwrap(), 1);
}

#[test]
fn of_a_version_only_the_evaluations_that_a_signed_entry_names_are_signed() {
    let place = Place::of_two();
    let now = clock::now();
    let real = place.registry().entry("m", Some(2)).unwrap();
    let forged = Entry {
        evaluation: draft(&place.registry(), 9).evaluation,
        ..real.clone()
    };
    let appended = place.registry().append("m", |_| Ok(Some(forged.clone())));
    assert_eq!(appended.unwrap().unwrap().sequence, 3);
    let key = place.signing(1).signing_key().unwrap();
    let sign = |entries: &[u64]| {
        let chosen = Chosen {
            version: Some(2),
            entries: entries.iter().copied().collect(),
        };
        place.trusting(1).sign(&key, "m", &chosen)
    };
    let signed = sign(&[]).unwrap();
    assert_eq!(signed[0].evaluations, [real.evaluation]);
    assert!(signed[0].left[0].contains("entry 3"), "{signed:?}");
    assert!(!place.file(&manifest_key("m", &forged)).exists());
    // Without any that is signed, nothing is.
    fs::remove_dir_all(place.file("models/m/signatures")).unwrap();
    let refused = sign(&[]).unwrap_err().to_string();
    assert!(refused.contains("--version 2 --entry K"), "{refused}");
    assert!(refused.contains("2, 3"), "{refused}");
    let signed = sign(&[2]).unwrap();
    assert_eq!(signed[0].evaluations, [real.evaluation]);
    // Of what is disowned, nothing is called whole or signed.
    place.signing(1).disown("m", 3, "forged", now).unwrap();
    let checks = place.trusting(1).verify("m", Some(2)).unwrap();
    let of = |evaluation: Digest| checks.iter().find(|c| c.evaluation == evaluation).unwrap();
    assert_eq!(of(real.evaluation).loadable, [2]);
    assert!(of(forged.evaluation).loadable.is_empty());
}

#[test]
fn a_version_that_somebody_has_written_is_gone_when_all_that_was_said_of_it_is_disowned() {
    let place = Place::of_two();
    let forged = Entry {
        action: Action::Promoted,
        ..draft(&place.registry(), 3)
    };
    let appended = place.registry().append("m", |_| Ok(Some(forged.clone())));
    let appended = appended.unwrap().unwrap();
    let blob = place.file(&blob_key(appended.bundle));
    let doubtful = place.trusting(1).verify("m", Some(3)).unwrap();
    assert_eq!(doubtful[0].doubts.len(), 2, "{doubtful:?}");
    let now = artifact::clock::now();
    place.signing(1).disown("m", 3, "why", now).unwrap();
    fs::remove_file(blob).unwrap();
    for registry in [place.registry(), place.trusting(1)] {
        let checks = registry.verify("m", None).unwrap();
        let said = checks
            .iter()
            .flat_map(|c| c.problems.iter().chain(&c.doubts));
        assert_eq!(said.count(), 0, "{checks:?}");
        let gone = checks.iter().find(|check| check.version == 3).unwrap();
        assert_eq!(gone.disowned, [3]);
        assert!(gone.withdrawn.is_some());
        let history = registry.history("m").unwrap();
        assert!(registry.lacking("m", &history).unwrap().is_empty());
        let refused = registry.entry("m", Some(3)).unwrap_err();
        assert!(matches!(refused, RegistryError::Withdrawn { .. }));
    }
    // Another key takes over what counts.
    let key = place.signing(2).signing_key().unwrap();
    place.trusting(1).sign_again(&key, "m").unwrap();
    let checks = place.trusting(2).verify("m", None).unwrap();
    assert!(checks.iter().all(|c| c.doubts.is_empty()), "{checks:?}");
}

fn key_of(place: &Place, seed: u8) -> SigningKey {
    SigningKey::read(&place.key_file(&key_pair(seed).sk.to_pem())).unwrap()
}

#[test]
fn a_signature_of_another_version_or_model_is_none() {
    let place = Place::new();
    place.signing(1).seal("m", &place.entry).unwrap();
    place.sign(1, 1, 1).unwrap();
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
    place.sign(1, 1, 1).unwrap();
    let entry = &place.entry;
    let of_history = super::super::entry_key("m", 1);
    let text = fs::read(place.file(&of_history)).unwrap();
    let files = [
        of_history,
        entry_signatures::signature_key("m", 1, &text),
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
