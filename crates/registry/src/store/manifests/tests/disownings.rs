//! What was disowned, and is to stay so.

use super::{place::*, *};

#[test]
fn what_is_from_elsewhere_is_taken_away_as_a_whole() {
    for has_filler in [false, true] {
        let place = Place::of_two();
        decide(&place, Action::Promoted, 2);
        let trusting = both(&place);
        // Signed behind something else, by the same key: in a copy, or before somebody removed the end.
        let first = if has_filler { 6 } else { 5 };
        for _ in 4..first + 2 {
            decide(&place, Action::Promoted, 2);
        }
        let tail = [first, first + 1].map(|number| kept(&place, "m", number));
        for number in 4..=first + 1 {
            let key = super::super::super::entry_key("m", number);
            fs::remove_file(place.file(&key)).unwrap();
        }
        decide(&place, Action::RolledBack, 1);
        if has_filler {
            let forged = Entry {
                action: Action::Declined,
                ..trusting.entry("m", Some(2)).unwrap()
            };
            put_behind(&place, &forged);
        }
        for (key, bytes) in tail.iter().flatten() {
            fs::write(place.file(key), bytes).unwrap();
        }
        let refused = champion(&trusting).unwrap_err();
        let last = first + 1;
        let way = format!("disown m --entry {first} --through {last} ");
        assert!(refused.contains(&way), "{refused}");
        let disowned = trusting.disown("m", first, Some(last), "of before", clock::now());
        disowned.unwrap();
        if has_filler {
            let refused = champion(&trusting).unwrap_err();
            assert!(refused.contains("disown m --entry 5 "), "{refused}");
            trusting
                .disown("m", 5, None, "filler", clock::now())
                .unwrap();
        }
        assert_eq!(champion(&trusting), Ok(1), "{has_filler}");
        // Nor does it come back by what somebody makes of a part of it, or of what stands before it.
        let changed = [first, first + 1, 4];
        for (number, text) in changed.map(|number| (number, kept(&place, "m", number)[0].1.clone()))
        {
            let file = file_of(&place, number);
            let blank = [&text[..], b" "].concat();
            fs::write(&file, blank).unwrap();
            champion(&trusting).unwrap_err();
            fs::write(&file, text).unwrap();
            assert_eq!(champion(&trusting), Ok(1), "{number}");
        }
    }
}

#[test]
fn a_first_entry_that_names_one_before_it_is_refused_before_others_stand_behind_it() {
    let place = Place::of_two();
    let first = super::super::super::entry_key("m", 1);
    fs::remove_file(file_of(&place, 2)).unwrap();
    place.tamper(1, |entry| entry["previous"] = json!(Digest::of(b"none")));
    assert!(place.file(&first).exists());
    let trusting = both(&place);
    let refused = champion(&trusting).unwrap_err();
    assert!(refused.contains("disown m --entry 1"), "{refused}");
    let second = draft(&trusting, 2);
    trusting.seal("m", &second).unwrap();
    let refused = trusting.append("m", |_| Ok(Some(second.clone())));
    refused.unwrap_err();
    trusting
        .disown("m", 1, None, "forged", clock::now())
        .unwrap();
    trusting.append("m", |_| Ok(Some(second.clone()))).unwrap();
    assert_eq!(trusting.history("m").unwrap().entries().len(), 3);
}

fn add_a_blank(place: &Place, sequence: u64) {
    let text = fs::read(file_of(place, sequence)).unwrap();
    fs::write(file_of(place, sequence), [&text[..], b" "].concat()).unwrap();
}

#[test]
fn an_entry_that_disowns_what_is_not_there_is_damage_and_nothing_worse() {
    let most = u64::MAX;
    for (first, last) in [(0, 0), (9, 9), (most, most), (1, most), (2, 1)] {
        for names in [true, false] {
            let place = rolled_back();
            place.tamper(3, |entry| {
                entry["action"] = json!({"disowned": first});
                let file = Digest::of(b"none");
                let disowns = json!({"last": last, "file": file, "behind": null});
                let object = entry.as_object_mut().unwrap();
                names.then(|| object.insert("disowns".to_owned(), disowns));
            });
            let refused = champion(&both(&place)).unwrap_err();
            assert!(!refused.is_empty(), "{first} {last}");
            both(&place).verify("m", None).map(drop).unwrap_or_default();
        }
    }
}

/// Makes a registry whose champion is the first version by the signed entry 4, behind which a signed end was put that is
/// from elsewhere, 5 to 7, and was disowned by entry 8; returns the file of the entry 4 of that end as well.
fn with_a_disowned_end() -> (Place, Vec<u8>) {
    let place = Place::of_two();
    decide(&place, Action::Promoted, 2);
    for version in [1, 2, 1, 2] {
        decide(&place, Action::RolledBack, version);
    }
    let end: Vec<_> = (4..=7).map(|number| kept(&place, "m", number)).collect();
    (4..=7).for_each(|number| fs::remove_file(file_of(&place, number)).unwrap());
    let trusting = both(&place);
    let honest = Entry {
        action: Action::RolledBack,
        why: Some("honest".to_owned()),
        ..trusting.entry("m", Some(1)).unwrap()
    };
    trusting.append("m", |_| Ok(Some(honest.clone()))).unwrap();
    for (key, bytes) in end[1..].iter().flatten() {
        fs::write(place.file(key), bytes).unwrap();
    }
    disown(&place, 5, Some(7)).unwrap();
    assert_eq!(champion(&trusting), Ok(1));
    (place, end[0][0].1.clone())
}

fn disown(place: &Place, first: u64, last: Option<u64>) -> Result<(), String> {
    let said = both(place).disown("m", first, last, "a test", clock::now());
    said.map(drop).map_err(|e| e.to_string())
}

/// Follows the first command of each message until something serves, or of two entries the one on the later; returns the
/// version, and how many it took.
fn as_told(place: &Place) -> (Option<u64>, usize) {
    for typed in 0..6 {
        let refused = match champion(&both(place)) {
            Ok(version) => return (Some(version), typed),
            Err(refused) => refused,
        };
        let later = refused.split_once("is from elsewhere, ");
        let told = later.map_or(&*refused, |(_, later)| later);
        let Some((_, command)) = told.split_once("models disown m --entry ") else {
            return (None, typed);
        };
        let mut words = command.split(' ');
        let first = words.next().unwrap().parse().unwrap();
        let last =
            (words.next() == Some("--through")).then(|| words.next().unwrap().parse().unwrap());
        disown(place, first, last).unwrap();
    }
    (None, 6)
}

#[test]
fn a_blank_in_any_of_what_is_disowned_gives_back_nothing_to_who_does_as_told() {
    for number in [5, 6, 7] {
        let (place, _) = with_a_disowned_end();
        add_a_blank(&place, number);
        let (version, typed) = as_told(&place);
        assert_eq!(version, Some(1), "{number}");
        assert!(typed > 0);
    }
}

#[test]
fn another_signed_entry_before_what_is_disowned_is_told_by_verify_and_gives_back_nothing() {
    let (place, other) = with_a_disowned_end();
    fs::write(file_of(&place, 4), other).unwrap();
    let checks = both(&place).verify("m", None).unwrap();
    let problems: Vec<&String> = checks.iter().flat_map(|c| &c.problems).collect();
    assert!(
        problems
            .iter()
            .any(|p| p.contains("disowns another entry 5")),
        "{problems:?}"
    );
    // What was decided there is lost without a copy; the end that was disowned is so again.
    let (version, _) = as_told(&place);
    assert_eq!(version, Some(2));
    let history = both(&place).history("m").unwrap();
    assert_eq!(history.champion().unwrap().sequence, 3);
}

#[test]
fn a_change_before_a_forged_entry_that_was_disowned_takes_away_nothing_that_was_decided_since() {
    let place = Place::of_two();
    decide(&place, Action::Promoted, 2);
    let forged = draft(&place.registry(), 3);
    put_behind(&place, &forged);
    disown(&place, 4, None).unwrap();
    decide(&place, Action::RolledBack, 1);
    both(&place)
        .withdraw("m", 2, "it leaks", clock::now())
        .unwrap();
    add_a_blank(&place, 3);
    // Either way.
    let refused = champion(&both(&place)).unwrap_err();
    assert!(!refused.contains("--through"), "{refused}");
    let (version, _) = as_told(&place);
    assert_eq!(version, Some(1));
    assert!(both(&place).entry("m", Some(2)).is_err());
}

#[test]
fn a_first_entry_that_names_one_before_it_is_not_signed_by_hand() {
    let place = Place::new();
    place.tamper(1, |entry| entry["previous"] = json!(Digest::of(b"none")));
    let trusting = both(&place);
    let key = trusting.signing_key().unwrap();
    trusting.sign(&key, "m", &chosen(1, [1])).unwrap_err();
    let checks = trusting.verify("m", None).unwrap();
    assert!(
        checks[0]
            .problems
            .iter()
            .any(|p| p.contains("none stands before it"))
    );
}

#[test]
fn a_signed_entry_from_elsewhere_behind_a_filler_is_named_first_and_can_be_disowned_later() {
    for follows_advice in [true, false] {
        let (place, _) = with_a_disowned_end();
        let [(key, text), (signature, signed)] = kept(&place, "m", 6);
        for number in 5..=8 {
            fs::remove_file(file_of(&place, number)).unwrap();
        }
        let filler = Entry {
            action: Action::Declined,
            ..both(&place).entry("m", Some(2)).unwrap()
        };
        put_behind(&place, &filler);
        fs::write(place.file(&key), text).unwrap();
        fs::write(place.file(&signature), signed).unwrap();
        if follows_advice {
            assert_eq!(as_told(&place).0, Some(1));
            continue;
        }
        disown(&place, 5, None).unwrap();
        disown(&place, 6, None).unwrap();
        assert_eq!(as_told(&place).0, Some(1));
    }
}

#[test]
fn what_a_forged_disowning_says_of_others_is_not_believed() {
    let place = rolled_back();
    let forged = Entry {
        action: Action::Disowned(4),
        disowns: Some(crate::Disowning {
            last: 4,
            file: Digest::of(b"no"),
            behind: None,
        }),
        ..both(&place).entry("m", Some(1)).unwrap()
    };
    put_behind(&place, &forged);
    let refused = champion(&both(&place)).unwrap_err();
    assert!(
        refused.contains("entry 6 ") && refused.contains("disown m --entry 6"),
        "{refused}"
    );
    assert!(
        !refused.contains("--entry 4") && !refused.contains("entry 3 "),
        "{refused}"
    );
    disown(&place, 4, None).unwrap_err();
    disown(&place, 6, None).unwrap();
    assert_eq!(champion(&both(&place)), Ok(1));
}

#[test]
fn of_two_signed_entries_of_a_number_the_other_is_told_by_the_disowning_behind_it() {
    for first_typed in [None, Some(5)] {
        let place = Place::of_two();
        decide(&place, Action::Promoted, 2);
        let back = decide(&place, Action::RolledBack, 1);
        let other = kept(&place, "m", back.sequence)[0].1.clone();
        fs::remove_file(file_of(&place, 4)).unwrap();
        let trusting = both(&place);
        trusting.withdraw("m", 1, "it leaks", clock::now()).unwrap();
        let forged = draft(&place.registry(), 3);
        put_behind(&place, &forged);
        disown(&place, 5, None).unwrap();
        assert_eq!(champion(&trusting), Ok(2));
        fs::write(file_of(&place, 4), other).unwrap();
        champion(&trusting).unwrap_err();
        if let Some(number) = first_typed {
            disown(&place, number, None).unwrap();
        }
        // The withdrawal is lost without a copy; what is from elsewhere does not take its place.
        assert_eq!(as_told(&place).0, Some(2), "{first_typed:?}");
    }
}
