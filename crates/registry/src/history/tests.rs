use super::*;

fn entry(sequence: u64, action: Action, version: u64) -> Entry {
    let digest = Digest::of(&version.to_le_bytes());
    Entry {
        sequence,
        previous: None,
        model: None,
        at: format!("2026-02-0{sequence}T00:00:00Z"),
        action,
        version,
        bundle: digest,
        training_groups: digest,
        evaluation: digest,
        run: "run".to_owned(),
        simulated: false,
        reasons: Vec::new(),
        why: None,
    }
}

fn of(entries: Vec<Entry>) -> Result<History, (u64, String)> {
    let files = entries
        .iter()
        .map(|e| Digest::of(&e.sequence.to_le_bytes()));
    let files = files.collect();
    History::new(entries, files)
}

fn check(actions: &[(Action, u64)]) -> History {
    let number =
        |(at, (action, version)): (usize, &(Action, u64))| entry(at as u64 + 1, *action, *version);
    of(actions.iter().enumerate().map(number).collect()).unwrap()
}

/// Returns which entry of a changed history is refused, and why.
fn refused(actions: &[(Action, u64)], change: impl Fn(&mut [Entry])) -> (u64, String) {
    let mut entries = check(actions).entries;
    change(&mut entries);
    of(entries).unwrap_err()
}

use Action::{Declined, Disowned, Promoted, RolledBack, Withdrawn};

#[test]
fn the_champion_is_the_last_entry_that_is_not_a_refusal() {
    let history = check(&[(Promoted, 1), (Declined, 2)]);
    assert_eq!(history.champion().unwrap().version, 1);
    assert_eq!(history.challenger().unwrap().version, 2);
    let promoted = check(&[(Promoted, 1), (Declined, 2), (Promoted, 2)]);
    assert_eq!(promoted.champion().unwrap().version, 2);
    assert!(promoted.challenger().is_none());
    assert_eq!(promoted.next_version(), 3);
}

#[test]
fn two_rollbacks_in_a_row_go_two_champions_back() {
    let mut actions = vec![(Promoted, 1), (Promoted, 2), (Promoted, 3)];
    assert_eq!(check(&actions).previous_champion().unwrap().version, 2);
    actions.push((RolledBack, 2));
    assert_eq!(check(&actions).previous_champion().unwrap().version, 1);
    actions.push((RolledBack, 1));
    assert!(check(&actions).previous_champion().is_none());
}

#[test]
fn a_rollback_forward_can_be_taken_back() {
    let history = check(&[
        (Promoted, 1),
        (Promoted, 2),
        (RolledBack, 1),
        (RolledBack, 2),
    ]);
    assert_eq!(history.champion().unwrap().version, 2);
    assert_eq!(history.previous_champion().unwrap().version, 1);
}

#[test]
fn a_moment_in_the_past_has_its_own_champion() {
    let history = check(&[(Promoted, 1), (Declined, 2), (Promoted, 3)]);
    let at = |text: &str| {
        history
            .champion_at(clock::parse(text).unwrap())
            .map(|entry| entry.version)
    };
    assert_eq!(at("2026-01-31"), None);
    assert_eq!(at("2026-02-02T12:00:00Z"), Some(1));
    assert_eq!(at("2026-02-03T00:00:00Z"), Some(3));
}

#[test]
fn a_history_of_two_clocks_is_read_and_its_champions_go_by_the_latest_time_so_far() {
    let mut entries = check(&[(Promoted, 1), (Promoted, 2), (Promoted, 3)]).entries;
    entries[1].at = "2026-02-01T00:00:10Z".to_owned();
    entries[2].at = "2026-02-01T00:00:07Z".to_owned();
    let history = of(entries).unwrap();
    let back = history.times_that_run_back();
    let back: Vec<(u64, u64)> = back.iter().map(|(a, b)| (a.sequence, b.sequence)).collect();
    assert_eq!(back, [(2, 3)]);
    let at = |text: &str| {
        let entry = history.champion_at(clock::parse(text).unwrap());
        entry.map(|entry| entry.version)
    };
    assert_eq!(at("2026-02-01T00:00:08Z"), Some(1));
    assert_eq!(at("2026-02-01T00:00:10Z"), Some(3));
}

#[test]
fn a_decision_that_is_disowned_never_counted() {
    let mut actions = vec![(Promoted, 1), (Promoted, 2), (Declined, 3), (Promoted, 3)];
    let at = |history: &History, text: &str| {
        let entry = history.champion_at(clock::parse(text).unwrap());
        entry.map(|entry| entry.version)
    };
    assert_eq!(at(&check(&actions), "2026-02-04T00:00:00Z"), Some(3));
    actions.push((Disowned(4), 3));
    let history = check(&actions);
    assert_eq!(history.champion().unwrap().sequence, 2);
    assert_eq!(history.challenger().unwrap().sequence, 3);
    assert_eq!(history.previous_champion().unwrap().version, 1);
    assert_eq!(history.disowned_by(4), Some(5));
    assert_eq!(at(&history, "2026-02-04T00:00:00Z"), Some(2));
    assert!(history.withdrawal(3).is_none());
    // Of a version of which nothing counts any more there is nothing to load.
    actions.push((Disowned(3), 3));
    let history = check(&actions);
    assert!(history.challenger().is_none() && history.version(3).is_none());
    assert_eq!(history.withdrawal(3).unwrap().sequence, 6);
    assert_eq!(history.versions()[2].alias, Some("undone"));
    assert_eq!(history.next_version(), 4);
    // What is disowned disowns nothing itself.
    actions.extend([(Disowned(5), 3), (Disowned(6), 3)]);
    let history = check(&actions);
    assert_eq!(history.champion().unwrap().sequence, 4);
    assert_eq!(history.disowned_by(4), None);
}

#[test]
fn a_late_time_hides_no_champion_unless_its_entry_makes_one() {
    let mut actions = vec![(Promoted, 1), (Promoted, 2), (Declined, 3), (RolledBack, 1)];
    let served = |actions: &[(Action, u64)], late: usize| {
        let mut entries = check(actions).entries;
        entries[late - 1].at = "2099-01-01T00:00:00Z".to_owned();
        let history = of(entries).unwrap();
        let moment = clock::parse("2026-03-01").unwrap();
        let next = history.next_turn(moment).map(|e| e.sequence);
        (history.champion_at(moment).unwrap().version, next)
    };
    assert_eq!(served(&actions, 3), (1, None));
    assert_eq!(served(&actions, 2), (1, Some(2)));
    // By whom it was appended makes no difference once it does not count.
    actions.push((Disowned(2), 2));
    assert_eq!(served(&actions, 2), (1, None));
    let disowned = [
        (Promoted, 1),
        (Promoted, 2),
        (Promoted, 1),
        (Disowned(3), 1),
    ];
    assert_eq!(served(&disowned, 3), (2, None));
    assert_eq!(served(&disowned, 4), (2, None));
}

#[test]
fn a_version_that_is_withdrawn_served_until_then_and_is_gone_to_by_no_rollback() {
    let history = check(&[
        (Promoted, 1),
        (Promoted, 2),
        (Promoted, 3),
        (RolledBack, 2),
        (Withdrawn, 3),
        (Withdrawn, 1),
    ]);
    assert_eq!(history.champion().unwrap().version, 2);
    assert!(history.previous_champion().is_none());
    assert_eq!(history.withdrawal(3).unwrap().sequence, 5);
    let then = clock::parse("2026-02-03T12:00:00Z").unwrap();
    assert_eq!(history.champion_at(then).unwrap().version, 3);
    let only = check(&[(Promoted, 1), (Withdrawn, 1)]);
    assert!(only.champion().is_none());
    assert!(only.champion_at(then).is_none());
}

#[test]
fn an_entry_that_does_not_follow_from_those_before_it_is_refused() {
    let actions = [(Promoted, 1), (Promoted, 2), (Declined, 3), (RolledBack, 1)];
    let changed = |sequence: usize, change: &dyn Fn(&mut Entry)| {
        let (at, why) = refused(&actions, |entries| change(&mut entries[sequence - 1]));
        format!("{at}: {why}")
    };
    let other = Digest::of(b"other");
    let same = Digest::of(&1u64.to_le_bytes());
    for (found, expected) in [
        (
            changed(1, &|e| e.version = 7),
            "1: it makes version 7 where 1 is the next",
        ),
        (
            changed(2, &|e| e.version = 9),
            "2: it makes version 9 where 2 is the next",
        ),
        (
            changed(2, &|e| e.version = 1),
            "2: it gives version 1 the bundle",
        ),
        (
            changed(4, &|e| e.bundle = other),
            "4: it gives version 1 the bundle",
        ),
        (
            changed(2, &|e| e.bundle = same),
            "2: it makes version 2 of the bundle",
        ),
        (
            changed(4, &|e| {
                (e.action, e.version, e.bundle) = (Declined, 2, Digest::of(&2u64.to_le_bytes()))
            }),
            "4: it declines version 2, the champion",
        ),
        (
            changed(4, &|e| e.version = 3),
            "4: it rolls back to version 3, which was never",
        ),
        (
            changed(4, &|e| e.version = 8),
            "4: it rolls back to version 8, which was never",
        ),
        (
            changed(4, &|e| e.action = Disowned(4)),
            "4: it disowns entry 4, which is not before it",
        ),
        (
            changed(3, &|e| e.action = Withdrawn),
            "3: it is about version 3, which is not before it",
        ),
        (
            changed(3, &|e| *e = entry(3, Withdrawn, 1)),
            "4: it is about version 1, which was withdrawn",
        ),
        (
            changed(3, &|e| e.at = "soon".into()),
            "3: `soon` is not a time",
        ),
    ] {
        assert!(found.starts_with(expected), "{found}");
    }
}

/// Returns whether an entry may follow others, looked at with all that counts of those.
fn may_follow(others: &[Entry], entry: &Entry) -> bool {
    let before = of(others.to_vec()).unwrap();
    let is_known = others.iter().any(|e| e.version == entry.version);
    let champion = before.champion().map(|e| e.version);
    let withdrawal = before.withdrawal(entry.version);
    let is_gone = withdrawal.is_some_and(|note| note.action == Withdrawn);
    match entry.action {
        Disowned(other) => is_known && (1..entry.sequence).contains(&other),
        Withdrawn if !is_known => false,
        _ if is_gone => false,
        RolledBack => before.was_champion(entry.version),
        Declined if champion == Some(entry.version) => false,
        _ => is_known || entry.version == before.next_version(),
    }
}

#[test]
fn entries_are_judged_by_what_counts_of_those_before_them() {
    let mut state = 7_u64;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let mut found = BTreeMap::new();
    for _ in 0..500 {
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..30 {
            let sequence = entries.len() as u64 + 1;
            let action = match draw(8) {
                0 | 1 => Promoted,
                2 => Declined,
                3 => RolledBack,
                4 => Withdrawn,
                _ => Disowned(draw(sequence + 1)),
            };
            entries.push(Entry {
                at: "2026-02-03T00:00:00Z".to_owned(),
                ..entry(sequence, action, 1 + draw(4))
            });
            let is_sound = of(entries.clone()).is_ok();
            let last = entries.pop().unwrap();
            assert_eq!(
                may_follow(&entries, &last),
                is_sound,
                "{entries:#?} {last:#?}"
            );
            let kind = (std::mem::discriminant(&action), is_sound);
            *found.entry(format!("{kind:?}")).or_insert(0) += 1;
            entries.extend(is_sound.then_some(last));
        }
    }
    assert!(
        found.len() == 10 && found.values().all(|n| *n > 100),
        "{found:?}"
    );
}

#[test]
fn many_notes_that_somebody_has_written_are_read_as_quickly_as_decisions() {
    let chained = |at: u64| Disowned(at - 1);
    let alike = |_: u64| Disowned(1);
    let notes: [&dyn Fn(u64) -> Action; 2] = [&chained, &alike];
    for note in notes {
        let mut entries = check(&[(Promoted, 1)]).entries;
        for at in 2..=8_000 {
            entries.push(Entry {
                sequence: at,
                action: note(at),
                ..entries[0].clone()
            });
        }
        let watch = clock::Stopwatch::start();
        of(entries).unwrap();
        assert!(watch.seconds() < 5.0, "{}", watch.seconds());
    }
}
