#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use expect_test::{Expect, expect};

use super::*;

fn pending(subject: Subject, since: &str) -> Pending {
    Pending {
        since: since.to_owned(),
        ..Pending::new(subject, Origin::default())
    }
}

/// Writes some to a spool, and lists it.
fn check(written: &[Pending], expected: &Expect) {
    let root = tempfile::tempdir().unwrap();
    let spool = Spool::of(root.path());
    written.iter().for_each(|one| spool.write(one).unwrap());
    let found = spool.list().unwrap().pending;
    let line = |one: &Pending| format!("{:?} since {}\n", one.subject, one.since);
    expected.assert_eq(&found.iter().map(line).collect::<String>());
}

#[test]
fn runs_come_before_models_and_the_oldest_first() {
    let [run, model] = [Subject::Run("b".to_owned()), Subject::Model("m".to_owned())];
    check(
        &[
            pending(model, "2026-01-01"),
            pending(run, "2026-01-03"),
            pending(Subject::Run("a".to_owned()), "2026-01-02"),
        ],
        &expect![[r#"
            Run("a") since 2026-01-02
            Run("b") since 2026-01-03
            Model("m") since 2026-01-01
        "#]],
    );
}

#[test]
fn one_that_is_written_again_is_there_once() {
    let run = || Subject::Run("a".to_owned());
    check(
        &[pending(run(), "2026-01-02"), pending(run(), "2026-01-05")],
        &expect![[r#"
            Run("a") since 2026-01-05
        "#]],
    );
}

#[test]
fn a_spool_that_was_never_used_is_empty() {
    check(&[], &expect![""]);
}

#[test]
fn one_process_sends_at_a_time() {
    let root = tempfile::tempdir().unwrap();
    let spool = Spool::of(root.path());
    let held = spool.lock(Duration::ZERO).unwrap();
    let (now, later) = (Duration::ZERO, Duration::from_secs(60));
    assert!(matches!(spool.lock(now), Err(TrackingError::Busy(_))));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| spool.lock(later).map(drop));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!waits.is_finished());
        drop(held);
        waits.join().unwrap().unwrap();
    });
}

#[test]
fn a_note_keeps_where_the_registry_is_but_no_secret_and_an_older_note_is_read() {
    let root = tempfile::tempdir().unwrap();
    let (spool, subject) = (Spool::of(root.path()), Subject::Model("m".to_owned()));
    let address = SourceUri::new("s3://ann:hunter2@bucket/team");
    let one = Pending {
        registry: Some(address),
        ..pending(subject.clone(), "2026-01-02")
    };
    spool.write(&one).unwrap();
    let path = root.path().join("tracking/model-m.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let found = spool.read(&subject).unwrap().unwrap().registry.unwrap();
    assert_eq!(found.scheme(), Some("s3"));

    let mut note: serde_json::Value = serde_json::from_str(&text).unwrap();
    note.as_object_mut().unwrap().remove("registry").unwrap();
    fs::write(&path, note.to_string()).unwrap();
    assert_eq!(spool.read(&subject).unwrap().unwrap().registry, None);
}

#[test]
fn damaged_notes_are_named_with_what_to_do_and_the_others_listed() {
    let root = tempfile::tempdir().unwrap();
    let spool = Spool::of(root.path());
    let whole = pending(Subject::Run("a".to_owned()), "2026-01-02");
    spool.write(&whole).unwrap();
    let file = |name: &str| root.path().join("tracking").join(name);
    fs::write(file("run-b.json"), "{").unwrap();
    fs::create_dir(file("model-c.json")).unwrap();
    fs::copy(file("run-a.json"), file("run-d.json")).unwrap();
    let found = spool.list().unwrap();
    assert_eq!(found.pending, [whole]);
    let said: Vec<String> = found.damaged.iter().map(ToString::to_string).collect();
    for (said, (name, command)) in said.iter().zip([
        ("model-c.json", "`netsec tracking sync --model c`"),
        ("run-b.json", "`netsec tracking sync b`"),
        ("run-d.json", "`netsec tracking sync d`"),
    ]) {
        assert!(said.contains(name) && said.contains(command), "{said}");
    }
    assert_eq!(said.len(), 3);
}

#[test]
fn progress_counts_for_one_run_of_one_server() {
    let mut progress = Progress::default();
    progress.continue_on("http://a", "1");
    progress.add("figures");
    progress.continue_on("http://a", "1");
    assert!(progress.has("figures"));
    progress.continue_on("http://a", "2");
    assert!(!progress.has("figures"));
}

#[test]
fn what_is_noted_anew_is_neither_removed_nor_replaced_by_whoever_sends_what_was_noted_before() {
    let root = tempfile::tempdir().unwrap();
    let (spool, subject) = (Spool::of(root.path()), Subject::Model("m".to_owned()));
    let same_time = || pending(subject.clone(), "2026-01-02");
    spool.write(&same_time()).unwrap();
    let mut note = spool.note(&subject).unwrap();
    assert!(note.replace(Some(same_time().put_off("a reason"))).unwrap());
    let anew = same_time();
    spool.write(&anew).unwrap();
    assert!(!note.replace(Some(same_time())).unwrap());
    assert!(!note.replace(None).unwrap());
    assert_eq!(spool.read(&subject).unwrap(), Some(anew));
    assert!(spool.note(&subject).unwrap().replace(None).unwrap());
    assert_eq!(spool.read(&subject).unwrap(), None);
}

#[test]
fn a_note_keeps_no_more_of_a_reason_than_it_may_have() {
    let root = tempfile::tempdir().unwrap();
    let (spool, subject) = (Spool::of(root.path()), Subject::Model("m".to_owned()));
    let long = pending(subject.clone(), "2026-01-02").put_off(&"\u{202e}".repeat(1 << 20));
    spool.write(&long).unwrap();
    assert_eq!(spool.read(&subject).unwrap(), Some(long));
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_note_is_not_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let spool = Spool::of(root.path());
    spool
        .write(&pending(Subject::Run("a".to_owned()), "2026-01-02"))
        .unwrap();
    let pipe = spool.directory.join("run-b.json");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let found = spool.list().unwrap();
    assert_eq!((found.pending.len(), found.damaged.len()), (1, 1));
    assert!(found.damaged[0].to_string().contains("it is no file"));
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_lock_is_named_and_not_waited_for() {
    for name in ["lock", "turn"] {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::of(root.path());
        fs::create_dir(&spool.directory).unwrap();
        let pipe = spool.directory.join(name);
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let refused = match name {
            "lock" => spool.lock(Duration::ZERO).map(drop),
            _ => spool.write(&pending(Subject::Run("a".to_owned()), "2026-01-02")),
        };
        let said = refused.unwrap_err().to_string();
        let expected = format!("{}: it is no file", pipe.display());
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn what_sends_again_is_a_command_whatever_a_note_is_called() {
    let said = |name: &str| {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::of(root.path());
        fs::create_dir(&spool.directory).unwrap();
        fs::write(spool.directory.join(name), "{").unwrap();
        let error = spool.list().unwrap().damaged[0].to_string();
        error
            .rsplit_once("`netsec tracking sync ")
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(
        said("run-20260203T101112Z-1f9c04ab.json"),
        "20260203T101112Z-1f9c04ab`"
    );
    assert_eq!(said("run-$(id) x'y.json"), "'$(id) x'\\''y'`");
    assert_eq!(said("model-a;b.json"), "--model 'a;b'`");
    assert_eq!(said("run-..json"), "RUN`");
    assert_eq!(said("run---all.json"), "RUN`");
    assert_eq!(said("model-.json"), "--model NAME`");
}
