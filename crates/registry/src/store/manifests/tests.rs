mod breaks;
mod counting;
mod exchanges;
mod links;
mod place;

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use place::*;

use super::*;
use crate::{
    Action, VersionCheck,
    store::{Chosen, entry_signatures},
};

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
            let is_told = ["do not sign it before", "remove nothing"];
            assert!(is_told.iter().any(|w| said.contains(w)), "{said}");
        }
    }
    found
}

fn is_noted(check: &VersionCheck) -> bool {
    !(check.problems.is_empty() && check.doubts.is_empty())
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
    assert!(refused.ends_with("else remove the signature"), "{refused}");
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
        assert!(gone.withdrawn.is_none() && gone.loadable.is_empty());
        let history = registry.history("m").unwrap();
        assert!(registry.lacking("m", &history).unwrap().is_empty());
        let refused = registry.entry("m", Some(3)).unwrap_err();
        assert!(matches!(refused, RegistryError::Undone { by: 4, .. }));
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
    for moved in ["manifests", "history", "signatures"] {
        fs::rename(models.join("m").join(moved), models.join("n").join(moved)).unwrap();
    }
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

#[test]
fn a_blob_that_has_grown_is_refused_before_it_is_read() {
    let place = Place::of_two();
    let blob = place.file(&blob_key(place.entry.bundle));
    let grown = fs::OpenOptions::new().write(true).open(blob).unwrap();
    // More than a machine has; nothing of it is on the disk.
    grown.set_len(1 << 40).unwrap();
    let refused = place.trusting(1).bundle("m", &place.entry).unwrap_err();
    let refused = refused.to_string();
    assert!(refused.contains("has 1099511627776 bytes"), "{refused}");
    // Nor is it read to be hashed, to be signed, or to be written anew.
    let checks = place.trusting(1).verify("m", Some(1)).unwrap();
    let said = &checks[0].problems[0];
    assert!(said.contains("has 1099511627776 bytes"), "{said}");
    place.sign(1, 1, 1).unwrap_err();
    place.registry().write(&bundle(1)).unwrap();
    place.trusting(1).bundle("m", &place.entry).unwrap();
}
