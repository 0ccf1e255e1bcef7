//! Entries that somebody has written behind signed ones.

use super::{place::*, *};

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
    trusting.disown("m", 6, "forged", clock::now()).unwrap();
    assert_eq!(champion(&trusting), Ok(1));
    let long = "x".repeat(1 << 20);
    let refused = trusting.withdraw("m", 3, &long, clock::now());
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("at most 1048576 are read"), "{refused}");
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
