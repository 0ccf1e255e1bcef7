//! What was changed behind a signed entry.

use super::{place::*, *};

#[test]
fn a_decision_that_was_made_a_refusal_brings_back_no_former_champion() {
    for keeps_signature in [true, false] {
        let place = rolled_back();
        let trusting = place.trusting(1);
        assert_eq!(champion(&trusting), Ok(1));
        let file = file_of(&place, 4);
        let as_written = fs::read(&file).unwrap();
        place.tamper(4, |entry| entry["action"] = "declined".into());
        if !keeps_signature {
            let key = entry_signatures::signature_key("m", 4, &as_written);
            fs::remove_file(place.file(&key)).unwrap();
        }
        let refused = champion(&trusting).unwrap_err();
        for words in [
            "entry 4 ",
            "that entry 5 was written behind",
            "disown m --entry 4",
        ] {
            assert!(refused.contains(words), "{words}: {refused}");
        }
        let history = trusting.history("m").unwrap();
        trusting
            .champion_at("m", &history, clock::now())
            .unwrap_err();
        trusting.challenger("m", &history).unwrap_err();
        both(&place)
            .roll_back("m", None, None, clock::now())
            .unwrap_err();
        for registry in [&trusting, &place.registry()] {
            let checks = registry.verify("m", Some(1)).unwrap();
            let is_told = |p: &String| p.contains("that entry 5 was written behind");
            assert!(checks[0].problems.iter().any(is_told), "{checks:?}");
        }
        let key = place.signing(1).signing_key().unwrap();
        trusting.sign(&key, "m", &chosen(1, [4])).unwrap_err();
        fs::write(&file, as_written).unwrap();
        assert_eq!(champion(&trusting), Ok(1));
    }
}

#[test]
fn where_no_copy_is_left_what_was_changed_is_disowned() {
    let place = rolled_back();
    place.tamper(4, |entry| entry["action"] = "declined".into());
    both(&place)
        .disown("m", 4, None, "changed", clock::now())
        .unwrap();
    assert_eq!(champion(&place.trusting(1)), Ok(2));
}

#[test]
fn a_forged_entry_does_not_cast_doubt_on_the_one_before_it_once_it_is_disowned() {
    let place = rolled_back();
    let forged = draft(&place.registry(), 3);
    assert_eq!(put_behind(&place, &forged).sequence, 6);
    let other = Digest::of(b"another entry 5");
    place.tamper(6, |entry| entry["previous"] = json!(other));
    let refused = champion(&place.trusting(1)).unwrap_err();
    for words in ["entry 6 ", "another entry 5", "disown m --entry 6"] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    both(&place)
        .disown("m", 6, None, "forged", clock::now())
        .unwrap();
    assert_eq!(champion(&place.trusting(1)), Ok(1));
}

#[test]
fn an_unsigned_entry_chooses_no_time_for_those_behind_it() {
    let place = rolled_back();
    let now = clock::now();
    let ahead = clock::rfc3339(now + std::time::Duration::from_secs(240));
    let forged = Entry {
        at: ahead.clone(),
        ..draft(&place.registry(), 3)
    };
    let append = |registry: &Registry| {
        let appended = registry.append("m", |_| Ok(Some(forged.clone())));
        appended.unwrap().unwrap()
    };
    append(&place.registry());
    let decided = both(&place).withdraw("m", 3, "why", now).unwrap();
    assert_eq!(decided.at, clock::rfc3339(now));
    // That of another who is trusted holds: they may have been quicker.
    let place = rolled_back();
    append(&both(&place));
    let decided = both(&place).withdraw("m", 3, "why", now).unwrap();
    assert_eq!(decided.at, ahead);
}

#[test]
fn an_entry_that_gives_a_version_another_evaluation_is_named_before_the_version() {
    let place = Place::of_two();
    let trusting = place.trusting(1);
    let other = Entry {
        evaluation: place.registry().entry("m", Some(2)).unwrap().evaluation,
        action: Action::RolledBack,
        ..place.registry().entry("m", Some(1)).unwrap()
    };
    put_behind(&place, &other);
    let entry = trusting.entry("m", None).unwrap();
    let refused = trusting.bundle("m", &entry).unwrap_err().to_string();
    assert!(refused.contains("disown m --entry 3"), "{refused}");
    assert!(!refused.contains("withdraw"), "{refused}");
}

#[test]
fn an_entry_that_names_none_does_not_cut_off_those_before_it() {
    let place = rolled_back();
    let forged = draft(&place.registry(), 3);
    put_behind(&place, &forged);
    place.tamper(6, |entry| {
        entry.as_object_mut().unwrap().remove("previous").unwrap();
    });
    let refused = champion(&place.trusting(1)).unwrap_err();
    assert!(refused.contains("disown m --entry 6"), "{refused}");
}

#[test]
fn what_stands_before_a_disowned_entry_is_bound_by_its_own_signature() {
    let place = Place::of_two();
    for (action, version) in [(Action::Promoted, 2), (Action::RolledBack, 1)] {
        let known = both(&place).entry("m", Some(version)).unwrap();
        let entry = Entry { action, ..known };
        both(&place)
            .append("m", |_| Ok(Some(entry.clone())))
            .unwrap();
    }
    // With the digest of what somebody is going to make of entry 4.
    let forged = draft(&place.registry(), 3);
    put_behind(&place, &forged);
    place.tamper(5, |entry| entry["previous"] = json!(Digest::of(b"later")));
    both(&place)
        .disown("m", 5, None, "forged", clock::now())
        .unwrap();
    assert_eq!(champion(&place.trusting(1)), Ok(1));
    // What was disowned behind it was behind another one then.
    place.tamper(4, |entry| entry["action"] = "declined".into());
    let refused = champion(&place.trusting(1)).unwrap_err();
    assert!(refused.contains("disown m --entry 5 "), "{refused}");
    let disown = |first: u64, last: Option<u64>| {
        let said = both(&place).disown("m", first, last, "changed", clock::now());
        said.map(drop).map_err(|e| e.to_string())
    };
    disown(5, Some(6)).unwrap_err();
    disown(5, None).unwrap();
    let refused = champion(&place.trusting(1)).unwrap_err();
    assert!(refused.contains("disown m --entry 4"), "{refused}");
    disown(4, None).unwrap();
    assert_eq!(champion(&place.trusting(1)), Ok(2));
    // Nor are those before both.
    place.tamper(3, |entry| entry["why"] = "changed".into());
    let refused = champion(&place.trusting(1)).unwrap_err();
    assert!(refused.contains("disown m --entry 4"), "{refused}");
    disown(4, None).unwrap();
    let refused = champion(&place.trusting(1)).unwrap_err();
    assert!(refused.contains("disown m --entry 3"), "{refused}");
}

#[test]
fn a_signed_entry_in_the_place_of_another_can_be_disowned() {
    let place = rolled_back();
    place.tamper(4, |entry| entry["why"] = "lost a race".into());
    let file = file_of(&place, 4);
    let text = fs::read(file).unwrap();
    place.signing(1).sign_entry("m", 4, &text).unwrap();
    let refused = champion(&place.trusting(1)).unwrap_err();
    assert!(refused.contains("disown m --entry 4"), "{refused}");
    both(&place)
        .disown("m", 4, None, "not this", clock::now())
        .unwrap();
    assert_eq!(champion(&place.trusting(1)), Ok(2));
    both(&place)
        .disown("m", 3, None, "no", clock::now())
        .unwrap_err();
}

#[test]
fn an_entry_that_is_changed_while_the_next_is_made_is_not_signed_by_it() {
    let place = rolled_back();
    let registry = both(&place);
    let fourth = draft(&registry, 4);
    registry.seal("m", &fourth).unwrap();
    let change = |_: &History| {
        place.tamper(5, |entry| entry["reasons"] = serde_json::json!(["forged"]));
        Ok(Some(fourth.clone()))
    };
    registry.append("m", change).unwrap();
    let refused = champion(&place.trusting(1)).unwrap_err();
    assert!(
        refused.contains("that entry 6 was written behind"),
        "{refused}"
    );
}

/// Makes a registry behind whose last signed entry an unsigned refusal stands that was written behind another one.
fn with_an_entry_out_of_place() -> Place {
    let place = rolled_back();
    let forged = draft(&place.registry(), 4);
    assert_eq!(put_behind(&place, &forged).sequence, 6);
    place.tamper(6, |entry| entry["previous"] = json!(Digest::of(b"none")));
    place
}

#[test]
fn an_unsigned_entry_takes_no_signed_one_with_it() {
    let place = with_an_entry_out_of_place();
    let trusting = both(&place);
    let refused = trusting.disown("m", 5, None, "advised", clock::now());
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("is signed by"), "{refused}");
    let checks = trusting.verify("m", None).unwrap();
    let said = checks.iter().flat_map(|check| &check.problems);
    let said: Vec<&String> = said.collect();
    let told = "entry 6 of the history (declined version 4): it was written behind another entry 5";
    assert!(said.iter().any(|p| p.starts_with(told)), "{said:?}");
    assert!(!said.iter().any(|p| p.starts_with("entry 5 ")), "{said:?}");
}

#[test]
fn an_entry_that_was_written_behind_another_is_not_signed_by_hand() {
    let place = with_an_entry_out_of_place();
    let trusting = both(&place);
    let advised = champion(&trusting).unwrap_err();
    assert!(!advised.contains("models sign"), "{advised}");
    let key = trusting.signing_key().unwrap();
    let refused = trusting.sign(&key, "m", &chosen(4, [6])).unwrap_err();
    let refused = refused.to_string();
    assert!(refused.contains("behind another entry 5"), "{refused}");
    trusting
        .disown("m", 6, None, "forged", clock::now())
        .unwrap();
    assert_eq!(champion(&trusting), Ok(1));
}

#[test]
fn words_that_are_anybodys_do_not_make_an_entry_that_nobody_reads() {
    let place = rolled_back();
    // Three bytes each, and eight once they are escaped.
    let run = "\u{202e}".repeat(300_000);
    let forged = Entry {
        run,
        ..draft(&place.registry(), 4)
    };
    put_behind(&place, &forged);
    let trusting = both(&place);
    trusting.withdraw("m", 4, "forged", clock::now()).unwrap();
    trusting
        .disown("m", 6, None, "forged", clock::now())
        .unwrap();
    assert_eq!(champion(&trusting), Ok(1));
    let long = "x".repeat(1 << 20);
    let refused = trusting.withdraw("m", 3, &long, clock::now());
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("at most 1048576 are read"), "{refused}");
    assert_eq!(champion(&trusting), Ok(1));
}

#[test]
fn a_signed_disowning_takes_away_no_other_entry_than_it_was_written_about() {
    let place = Place::of_two();
    let trusting = both(&place);
    let second = Entry {
        action: Action::Promoted,
        ..trusting.entry("m", Some(2)).unwrap()
    };
    let appended = trusting.append("m", |_| Ok(Some(second.clone())));
    appended.unwrap();
    let forged = Entry {
        action: Action::Declined,
        ..trusting.entry("m", Some(1)).unwrap()
    };
    put_behind(&place, &forged);
    trusting
        .disown("m", 4, None, "forged", clock::now())
        .unwrap();
    let disowning = kept(&place, "m", 5);
    // What whoever may write there removes, nobody sees; what is decided then takes the number.
    for number in [4, 5] {
        fs::remove_file(file_of(&place, number)).unwrap();
    }
    let back = Entry {
        action: Action::RolledBack,
        ..trusting.entry("m", Some(1)).unwrap()
    };
    trusting.append("m", |_| Ok(Some(back.clone()))).unwrap();
    assert_eq!(champion(&trusting), Ok(1));
    for (key, bytes) in &disowning {
        fs::write(place.file(key), bytes).unwrap();
    }
    let refused = champion(&trusting).unwrap_err();
    for words in ["either may", "--entry 4", "--entry 5"] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    trusting
        .disown("m", 5, None, "of before", clock::now())
        .unwrap();
    assert_eq!(champion(&trusting), Ok(1));
}

#[test]
fn an_entry_that_was_disowned_and_is_another_one_now_is_refused_until_that_is_disowned() {
    let place = with_an_entry_out_of_place();
    let trusting = both(&place);
    trusting
        .disown("m", 6, None, "forged", clock::now())
        .unwrap();
    place.tamper(6, |entry| entry["action"] = "promoted".into());
    champion(&trusting).unwrap_err();
    trusting
        .disown("m", 6, None, "again", clock::now())
        .unwrap();
    assert_eq!(champion(&trusting), Ok(1));
}

#[test]
fn a_blank_in_a_disowned_file_does_not_make_what_was_decided_since_damage() {
    let place = Place::of_two();
    decide(&place, Action::Promoted, 2);
    let trusting = both(&place);
    let forged = Entry {
        action: Action::Withdrawn,
        ..trusting.entry("m", Some(1)).unwrap()
    };
    put_behind(&place, &forged);
    trusting
        .disown("m", 4, None, "forged", clock::now())
        .unwrap();
    decide(&place, Action::RolledBack, 1);
    assert_eq!(champion(&trusting), Ok(1));
    let file = file_of(&place, 4);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + " \n").unwrap();
    let refused = champion(&trusting).unwrap_err();
    assert!(refused.contains("disown m --entry 4"), "{refused}");
    trusting
        .disown("m", 4, None, "again", clock::now())
        .unwrap();
    assert_eq!(champion(&trusting), Ok(1));
}

#[test]
fn a_signed_entry_of_another_model_counts_as_unsigned() {
    let place = rolled_back();
    let trusting = both(&place);
    // The same history under another name.
    for sequence in 1..=5 {
        for (key, bytes) in kept(&place, "m", sequence) {
            let copy = place.file(&key.replacen("models/m/", "models/other/", 1));
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::write(copy, bytes).unwrap();
        }
    }
    let history = trusting.history("other").unwrap();
    for entry in history.entries() {
        assert_eq!(trusting.entry_seal("other", entry).unwrap(), Seal::Foreign);
        let seal = trusting.entry_seal("m", entry).unwrap();
        assert!(matches!(seal, Seal::Trusted(_)), "{seal}");
    }
}

#[test]
fn words_of_entries_are_cut_before_they_reach_anybody() {
    let place = rolled_back();
    let forged = Entry {
        why: Some("x".repeat(900_000)),
        reasons: vec!["y".to_owned(); 1000],
        ..draft(&place.registry(), 4)
    };
    put_behind(&place, &forged);
    let history = place.registry().history("m").unwrap();
    let last = history.entries().last().unwrap();
    assert!(last.title().len() < 1200);
    assert_eq!(last.reasons.len(), 50);
    // It is the same entry, cut.
    let seal = place.trusting(1).entry_seal("m", last).unwrap();
    assert_eq!(seal, Seal::Unsigned);
}

fn unsign(place: &Place, sequence: u64) {
    let [_, (signature, _)] = kept(place, "m", sequence);
    fs::remove_file(place.file(&signature)).unwrap();
}

#[test]
fn of_a_changed_entry_the_one_behind_it_is_not_blamed_where_its_signature_was_taken_away() {
    // 1 promoted, 2 declined, 3 promoted version 2, 4 rolled back to 1, 5 declined, 6 withdrawn, 7 declined.
    let place = rolled_back();
    let trusting = both(&place);
    trusting.withdraw("m", 2, "it leaks", clock::now()).unwrap();
    let fourth = draft(&trusting, 4);
    trusting.seal("m", &fourth).unwrap();
    trusting.append("m", |_| Ok(Some(fourth.clone()))).unwrap();
    unsign(&place, 6);
    unsign(&place, 5);
    place.tamper(5, |entry| entry["reasons"] = json!(["changed"]));
    let refused = champion(&trusting).unwrap_err();
    assert!(refused.contains("disown m --entry 5"), "{refused}");
    assert!(!refused.contains("models sign"), "{refused}");
    let key = trusting.signing_key().unwrap();
    trusting.sign(&key, "m", &chosen(3, [5])).unwrap_err();
    trusting
        .disown("m", 5, None, "changed", clock::now())
        .unwrap();
    // What is bound by those behind it is what it was: whoever decided it may sign it again.
    let refused = champion(&trusting).unwrap_err();
    assert!(refused.contains("models sign m --entry 6"), "{refused}");
    trusting
        .sign(
            &key,
            "m",
            &Chosen {
                version: None,
                entries: [6].into(),
            },
        )
        .unwrap();
    assert_eq!(champion(&trusting), Ok(1));
    assert!(trusting.entry("m", Some(2)).is_err());
}

#[test]
fn a_signed_entry_from_elsewhere_can_be_disowned_where_the_signature_before_it_was_taken_away() {
    let place = Place::of_two();
    decide(&place, Action::Promoted, 2);
    decide(&place, Action::RolledBack, 1);
    // As in a copy of the registry, where something else stood before it.
    let elsewhere = decide(&place, Action::Declined, 2);
    place.tamper(5, |entry| entry["previous"] = json!(Digest::of(b"else")));
    let text = fs::read(file_of(&place, 5)).unwrap();
    assert_eq!(elsewhere.sequence, 5);
    place.signing(1).sign_entry("m", 5, &text).unwrap();
    unsign(&place, 4);
    let trusting = both(&place);
    let refused = champion(&trusting).unwrap_err();
    for words in ["either may", "--entry 4", "--entry 5"] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    trusting
        .disown("m", 5, None, "of elsewhere", clock::now())
        .unwrap();
    let refused = champion(&trusting).unwrap_err();
    assert!(refused.contains("models sign m --entry 4"), "{refused}");
}

#[test]
fn what_nobody_could_read_behind_the_others_is_not_written() {
    let place = Place::of_two();
    let declined = Entry {
        action: Action::Declined,
        ..place.registry().entry("m", Some(1)).unwrap()
    };
    let refused = both(&place).append("m", |_| Ok(Some(declined.clone())));
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("declines version 1, the champion"),
        "{refused}"
    );
    assert_eq!(champion(&both(&place)), Ok(1));
}
