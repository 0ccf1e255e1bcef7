//! Histories of which somebody has changed, removed or exchanged entries.

use super::{place::*, *};

fn add_a_blank(place: &Place, sequence: u64) {
    let text = fs::read(file_of(place, sequence)).unwrap();
    fs::write(file_of(place, sequence), [&text[..], b" "].concat()).unwrap();
}

fn problems(registry: &Registry) -> Vec<String> {
    let checks = registry.verify("m", None).unwrap();
    let said = checks.into_iter().flat_map(|c| [c.problems, c.doubts]);
    said.flatten().collect()
}

/// Returns how `verify` says to go on.
fn told(registry: &Registry) -> String {
    match registry.verify("m", None) {
        Ok(checks) => {
            let mut said = checks.into_iter().flat_map(|c| c.problems);
            said.find(|p| p.contains(": where no copy"))
                .expect("it says how to go on")
        }
        Err(error) => error.to_string(),
    }
}

/// Moves away what `verify` says is to be moved away; returns what it said.
fn as_told(place: &Place) -> String {
    let told = told(&both(place));
    let (_, key) = told.split_once(" move `").expect(&told);
    let (key, _) = key.split_once('`').unwrap();
    let first: u64 = key.rsplit(['/', '.']).nth(1).unwrap().parse().unwrap();
    for number in (first..20).chain([99_999_999]) {
        // Some may be missing.
        drop(fs::remove_file(file_of(place, number)));
        let signatures = fs::read_dir(place.file("models/m/signatures")).unwrap();
        let start = format!("{number:08}-");
        for path in signatures.map(|file| file.unwrap().path()) {
            if path
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(&start)
            {
                fs::remove_file(path).unwrap();
            }
        }
    }
    told
}

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
        for words in ["entry 5 ", "behind another entry 4", "remove nothing"] {
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
            let checks = registry.verify("m", Some(3)).unwrap();
            let is_told = |p: &String| p.contains("behind another entry 4");
            assert!(checks[0].problems.iter().any(is_told), "{checks:?}");
        }
        let key = place.signing(1).signing_key().unwrap();
        trusting.sign(&key, "m", &chosen(1, [4])).unwrap_err();
        trusting.sign_again(&key, "m").unwrap_err();
        fs::write(&file, as_written).unwrap();
        assert_eq!(champion(&trusting), Ok(1));
    }
}

#[test]
fn without_a_copy_a_history_goes_on_behind_the_last_certain_entry() {
    // 1 promoted, 2 declined, 3 promoted version 2, 4 rolled back to 1, 5 declined version 3, 6 withdrawn version 2.
    let place = rolled_back();
    let trusting = both(&place);
    trusting.withdraw("m", 2, "it leaks", clock::now()).unwrap();
    place.tamper(4, |entry| entry["action"] = "declined".into());
    let said = as_told(&place);
    for words in [
        "entry 3 is the last that is certain",
        "move `models/m/history/00000004.json` and all entries behind it away, with the signatures",
        "there: entry 6 of the history (withdrew version 2, because: it leaks), bundle ",
        "entry 5 of the history (declined version 3), bundle ",
        "whose text is not, which may have been withdrawals: 4",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(champion(&trusting), Ok(2));
    assert!(problems(&trusting).is_empty());
    decide(&place, Action::RolledBack, 1);
    trusting.withdraw("m", 2, "it leaks", clock::now()).unwrap();
    assert_eq!(champion(&trusting), Ok(1));
}

#[test]
fn a_signed_end_from_elsewhere_is_told_and_moved_away() {
    let place = Place::of_two();
    decide(&place, Action::Promoted, 2);
    for version in [1, 2, 1, 2] {
        decide(&place, Action::RolledBack, version);
    }
    let end: Vec<_> = (5..=7).map(|number| kept(&place, "m", number)).collect();
    (4..=7).for_each(|number| fs::remove_file(file_of(&place, number)).unwrap());
    let trusting = both(&place);
    let honest = Entry {
        action: Action::RolledBack,
        why: Some("honest".to_owned()),
        ..trusting.entry("m", Some(1)).unwrap()
    };
    trusting.append("m", |_| Ok(Some(honest.clone()))).unwrap();
    for (key, bytes) in end.iter().flatten() {
        fs::write(place.file(key), bytes).unwrap();
    }
    champion(&trusting).unwrap_err();
    assert!(as_told(&place).contains("move `models/m/history/00000005.json`"));
    assert_eq!(champion(&trusting), Ok(1));
}

#[test]
fn what_unsigned_entries_say_before_a_break_is_not_certain() {
    let place = rolled_back();
    put_behind(&place, &draft(&place.registry(), 4));
    let trusting = both(&place);
    let fifth = draft(&trusting, 5);
    trusting.seal("m", &fifth).unwrap();
    trusting.append("m", |_| Ok(Some(fifth.clone()))).unwrap();
    add_a_blank(&place, 6);
    let said = as_told(&place);
    assert!(said.contains("entry 7 of the history (declined version 5) was written"));
    assert!(
        said.contains("move `models/m/history/00000006.json`"),
        "{said}"
    );
    assert_eq!(champion(&trusting), Ok(1));
}

#[test]
fn a_first_entry_that_names_one_before_it_is_refused_before_others_stand_behind_it() {
    let place = Place::of_two();
    fs::remove_file(file_of(&place, 2)).unwrap();
    place.tamper(1, |entry| entry["previous"] = json!(Digest::of(b"none")));
    let trusting = both(&place);
    let refused = champion(&trusting).unwrap_err();
    assert!(refused.contains("none stands before it"), "{refused}");
    let key = trusting.signing_key().unwrap();
    trusting.sign(&key, "m", &chosen(1, [1])).unwrap_err();
    let second = draft(&trusting, 2);
    trusting.seal("m", &second).unwrap();
    let refused = trusting.append("m", |_| Ok(Some(second.clone())));
    refused.unwrap_err();
    assert!(as_told(&place).contains("nothing of it is certain"));
    let first = draft(&trusting, 1);
    trusting.append("m", |_| Ok(Some(first.clone()))).unwrap();
    assert_eq!(champion(&trusting), Ok(1));
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
    assert!(refused.contains("entry 6 "), "{refused}");
}

#[test]
fn an_entry_that_disowns_what_is_not_there_is_damage_and_nothing_worse() {
    for number in [0, 3, 9, u64::MAX] {
        let place = rolled_back();
        place.tamper(3, |entry| entry["action"] = json!({"disowned": number}));
        let refused = champion(&both(&place)).unwrap_err();
        assert!(refused.contains("which is not before it"), "{refused}");
        both(&place).verify("m", None).unwrap_err();
    }
}

#[test]
fn nothing_of_a_broken_history_is_signed_or_disowned() {
    let place = rolled_back();
    let forged = draft(&place.registry(), 4);
    assert_eq!(put_behind(&place, &forged).sequence, 6);
    place.tamper(6, |entry| entry["previous"] = json!(Digest::of(b"none")));
    let trusting = both(&place);
    let advised = champion(&trusting).unwrap_err();
    for word in ["models sign", "disown"] {
        assert!(!advised.contains(word), "{advised}");
    }
    let key = trusting.signing_key().unwrap();
    let refused = trusting.sign(&key, "m", &chosen(4, [6])).unwrap_err();
    let refused = refused.to_string();
    assert!(refused.contains("behind another entry 5"), "{refused}");
    trusting.disown("m", 6, "forged", clock::now()).unwrap_err();
    as_told(&place);
    assert_eq!(champion(&trusting), Ok(1));
}

#[test]
fn an_entry_that_was_disowned_stays_what_it_was() {
    let place = Place::of_two();
    decide(&place, Action::Promoted, 2);
    let trusting = both(&place);
    let forged = Entry {
        action: Action::Withdrawn,
        ..trusting.entry("m", Some(1)).unwrap()
    };
    put_behind(&place, &forged);
    trusting.disown("m", 4, "forged", clock::now()).unwrap();
    decide(&place, Action::RolledBack, 1);
    assert_eq!(champion(&trusting), Ok(1));
    add_a_blank(&place, 4);
    champion(&trusting).unwrap_err();
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
        refused.contains("entry 6 of") && refused.contains("behind another entry 5"),
        "{refused}"
    );
}

#[test]
fn where_nobody_is_trusted_a_break_is_told_by_verify_alone() {
    let place = Place::new();
    let registry = place.registry();
    for version in 2..=4 {
        put_behind(&place, &draft(&registry, version));
    }
    place.tamper(2, |entry| entry["why"] = "changed".into());
    let said = problems(&registry);
    let told = "entry 3 or the one before it is not what it was";
    assert!(said.iter().any(|p| p.contains(told)), "{said:?}");
    assert_eq!(champion(&registry), Ok(1));
}

#[test]
fn of_a_history_that_is_damaged_verify_says_the_same() {
    let damages: [&dyn Fn(&Place); 5] = [
        // Numbers that nobody can count to are not counted to.
        &|place| {
            fs::remove_file(file_of(place, 4)).unwrap();
            fs::write(file_of(place, 99_999_999), "x").unwrap();
        },
        &|place| fs::remove_file(file_of(place, 4)).unwrap(),
        &|place| fs::write(file_of(place, 4), "x").unwrap(),
        &|place| place.tamper(4, |entry| entry["at"] = "soon".into()),
        // Entry 5 is behind another one, and 6 tells of a version that is not.
        &|place| place.tamper(4, |entry| entry["version"] = 2.into()),
    ];
    for damage in damages {
        let place = rolled_back();
        let trusting = both(&place);
        for _ in 0..3 {
            decide(&place, Action::RolledBack, 2);
            decide(&place, Action::RolledBack, 1);
        }
        trusting.withdraw("m", 2, "it leaks", clock::now()).unwrap();
        damage(&place);
        let refused = champion(&trusting).unwrap_err();
        assert!(refused.contains("models verify m"), "{refused}");
        let said = as_told(&place);
        for words in [
            "entry 3 is the last that is certain",
            "signed there: entry 12 of the history (withdrew version 2, because: it leaks), bundle ",
            "2 more that withdraw nothing",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert_eq!(champion(&trusting), Ok(2));
        assert!(problems(&trusting).is_empty());
    }
}

#[test]
fn of_a_file_that_is_no_entry_verify_says_what_to_do_and_sends_nobody_to_itself() {
    let place = rolled_back();
    fs::write(place.file("models/m/history/00000003.json~"), "x").unwrap();
    let said = told(&both(&place));
    assert!(
        said.contains("move it out of there; its entries fit together"),
        "{said}"
    );
    assert!(!said.contains("models verify"), "{said}");
}

#[test]
fn a_signed_entry_of_another_model_is_not_certain() {
    let place = rolled_back();
    let [(key, _), _] = kept(&place, "m", 1);
    let text = fs::read_to_string(place.file(&key)).unwrap();
    let text = text.replace("\"model\": \"m\"", "\"model\": \"other\"");
    fs::write(place.file(&key), &text).unwrap();
    place
        .signing(1)
        .sign_entry("m", 1, text.as_bytes())
        .unwrap();
    let said = told(&both(&place));
    assert!(said.contains("nothing of it is certain"), "{said}");
}

#[test]
fn an_entry_beside_which_a_signature_of_another_text_lies_is_not_disowned() {
    let place = rolled_back();
    let trusting = both(&place);
    trusting.withdraw("m", 2, "it leaks", clock::now()).unwrap();
    add_a_blank(&place, 6);
    let refused = trusting.disown("m", 6, "as told", clock::now());
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("look at a copy"), "{refused}");
}

#[test]
fn a_break_is_told_of_each_version() {
    let place = rolled_back();
    add_a_blank(&place, 4);
    for version in 1..=3 {
        let checks = both(&place).verify("m", Some(version)).unwrap();
        let said = &checks[0].problems;
        assert!(said.iter().any(|p| p.contains("behind another entry 4")));
    }
}
