//! Which decisions count where keys are trusted.

use super::{place::*, *};

#[test]
fn a_decision_on_a_version_that_was_withdrawn_is_not_asked_for_and_counts_for_nothing() {
    let place = Place::new();
    let now = clock::now();
    for (action, version) in [(Action::Promoted, 2), (Action::Declined, 3)] {
        let entry = Entry {
            action,
            ..draft(&place.registry(), version)
        };
        put_behind(&place, &entry);
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
    let first = file_of(&place, 1);
    let as_written = fs::read(&first).unwrap();
    place.tamper(1, |entry| entry["at"] = "2099-01-01T00:00:00Z".into());
    assert!(matches!(
        at("2026-03-01"),
        Err(RegistryError::Untrusted { .. })
    ));
    let refused = trusting.entry("m", None).unwrap_err().to_string();
    assert!(refused.contains("behind another entry 1"), "{refused}");
    fs::write(first, as_written).unwrap();
    assert_eq!(trusting.entry("m", None).unwrap().version, 2);
    let third = file_of(&place, 3);
    let as_written = fs::read(&third).unwrap();
    place.tamper(3, |entry| entry["action"] = "promoted".into());
    assert_eq!(verify().0, [1, 2, 3]);
    let refused = trusting.entry("m", None).unwrap_err();
    assert!(!refused.is_absence(), "{refused}");
    assert!(
        refused.to_string().contains("behind another entry 3"),
        "{refused}"
    );
    let history = trusting.history("m").unwrap();
    trusting.check_champion("m", &history).unwrap_err();
    both.disown("m", 3, "forged", now).unwrap_err();
    fs::write(third, as_written).unwrap();
    assert_eq!(trusting.entry("m", None).unwrap().version, 2);
    assert_eq!(verify().0, Vec::<u64>::new());
    // A withdrawal that nobody has signed takes no entry out of sight.
    let signatures = fs::read_dir(place.file("models/m/signatures")).unwrap();
    let mut paths = signatures.map(|file| file.unwrap().path());
    let of = |path: &PathBuf| path.to_str().unwrap().contains("/00000004-");
    fs::remove_file(paths.find(of).unwrap()).unwrap();
    assert_eq!(verify(), (vec![1], vec![3]));
}

#[test]
fn what_a_champion_goes_back_to_is_not_decided_by_an_unsigned_rollback() {
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
    assert_eq!(put_behind(&place, &forged).sequence, 4);
    let third = Entry {
        action: Action::Promoted,
        ..draft(&both, 3)
    };
    both.seal("m", &third).unwrap();
    both.append("m", |_| Ok(Some(third.clone()))).unwrap();
    let check = || {
        let refused = both.roll_back("m", None, None, now).unwrap_err();
        let said = refused.to_string();
        for words in ["disown m --entry 4", "`netsec models rollback m --to N`"] {
            assert!(said.contains(words), "{words}: {said}");
        }
    };
    check();
    both.withdraw("m", 1, "old", now).unwrap();
    check();
    both.disown("m", 4, "forged", now).unwrap();
    let history = both.history("m").unwrap();
    assert_eq!(history.previous_champion().unwrap().version, 2);
}

#[test]
fn what_a_champion_goes_back_to_is_not_decided_by_an_unsigned_promotion() {
    let place = Place::of_two();
    let both = place.signing(1).trusting_also(&key_of(&place, 1));
    let now = clock::now();
    let append = |registry: &Registry, action: Action, version: u64| {
        let known = place.registry().entry("m", Some(version)).unwrap();
        let entry = Entry { action, ..known };
        registry.append("m", |_| Ok(Some(entry.clone()))).unwrap();
    };
    append(&both, Action::Promoted, 2);
    // A rollback to the first version goes back to here, and the second one is before it again.
    append(&place.registry(), Action::Promoted, 1);
    append(&both, Action::RolledBack, 1);
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
    let refused = both.roll_back("m", None, None, now).unwrap_err();
    assert!(
        matches!(refused, RegistryError::NothingToRollBack { .. }),
        "{refused}"
    );
}

#[test]
fn by_a_withdrawal_that_nobody_has_signed_no_decision_is_refused_but_it_is_named() {
    let place = Place::of_two();
    let both = place.signing(1).trusting_also(&key_of(&place, 1));
    let now = clock::now();
    let second = Entry {
        action: Action::Promoted,
        ..both.entry("m", Some(2)).unwrap()
    };
    both.append("m", |_| Ok(Some(second.clone()))).unwrap();
    place.registry().withdraw("m", 1, "evil", now).unwrap();
    for refused in [
        both.promote("m", 1, None, true, now),
        both.roll_back("m", None, None, now),
        both.roll_back("m", Some(1), None, now),
        both.withdraw("m", 1, "bad", now),
        both.withdraw("m", 2, "bad", now),
    ] {
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("disown m --entry 4"), "{said}");
    }
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
fn a_version_is_gone_back_to_by_its_number_only_where_a_trusted_key_has_signed_that_it_was_champion()
 {
    let place = rolled_back();
    let trusting = both(&place);
    let forged = Entry {
        action: Action::Promoted,
        ..trusting.entry("m", Some(3)).unwrap()
    };
    put_behind(&place, &forged);
    decide(&place, Action::RolledBack, 2);
    let refused = trusting.roll_back("m", Some(3), None, clock::now());
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("disown m --entry 6"), "{refused}");
}
