use std::{
    process::{Child, Command},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;
use crate::{Action, BlobError};

const THREADS: usize = 4;
const PROCESSES: usize = 3;
const APPENDS: usize = 25;
/// Names the registry's directory to the test below that appends as a process of its own.
const VARIABLE: &str = "REGISTRY_OF_APPENDER";

fn entry(run: &str) -> Entry {
    let digest = Digest::of(b"the only version");
    Entry {
        sequence: 0,
        previous: None,
        model: None,
        at: "2026-02-03T00:00:00Z".to_owned(),
        action: Action::Declined,
        version: 1,
        bundle: digest,
        training_groups: digest,
        evaluation: digest,
        run: run.to_owned(),
        simulated: false,
        reasons: Vec::new(),
        why: None,
    }
}

/// Appends entries, reads the history after each, and finds its own entry where it was told it is.
fn append_all(registry: &Registry, writer: &str) {
    for i in 0..APPENDS {
        let run = format!("{writer} {i}");
        let appended = registry.append("m", |_| Ok(Some(entry(&run)))).unwrap();
        let at = appended.unwrap().sequence as usize;
        let history = registry.history("m").unwrap();
        assert_eq!(history.entries()[at - 1].run, run);
    }
}

fn appender(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::appends_as_a_process_of_its_own"])
        .env(VARIABLE, directory)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Does something only when [`threads_and_processes_that_append_at_once_lose_nothing`] calls it.
#[test]
fn appends_as_a_process_of_its_own() {
    if let Some(directory) = std::env::var_os(VARIABLE) {
        let registry = Registry::local(Path::new(&directory));
        append_all(&registry, &format!("process {}", std::process::id()));
    }
}

#[test]
fn threads_and_processes_that_append_at_once_lose_nothing() {
    let place = tempfile::tempdir().unwrap();
    let registry = Registry::local(place.path());
    let processes: Vec<Child> = (0..PROCESSES).map(|_| appender(place.path())).collect();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let registry = &registry;
            scope.spawn(move || append_all(registry, &format!("thread {thread}")));
        }
    });
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let history = registry.history("m").unwrap();
    let mut runs: Vec<&str> = history.entries().iter().map(|e| e.run.as_str()).collect();
    let writers = THREADS + PROCESSES;
    assert_eq!(runs.len(), writers * APPENDS);
    let numbers = history.entries().iter().map(|e| e.sequence);
    assert!(numbers.eq(1..=(writers * APPENDS) as u64));
    // Each writer's entries stand in the order in which it made them.
    runs.sort_by_key(|run| run.rsplit_once(' ').unwrap().0.to_owned());
    for of_writer in runs.chunks(APPENDS) {
        let numbers = of_writer.iter().map(|run| run.rsplit_once(' ').unwrap().1);
        assert!(
            numbers.eq((0..APPENDS).map(|i| i.to_string())),
            "{of_writer:?}"
        );
    }
}

/// A store that is behind: what its first lists and its first answers lack is there later.
struct Behind {
    inner: LocalDirectory,
    unlisted: &'static [&'static str],
    torn: Mutex<Vec<&'static str>>,
    lists: AtomicUsize,
}

impl BlobStore for Behind {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BlobError> {
        let mut torn = self.torn.lock().unwrap();
        if let Some(at) = torn.iter().position(|suffix| key.ends_with(suffix)) {
            torn.remove(at);
            return Ok(Some(Vec::new()));
        }
        self.inner.get(key)
    }

    fn length(&self, key: &str) -> Result<Option<u64>, BlobError> {
        self.inner.length(key)
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), BlobError> {
        self.inner.put(key, bytes)
    }

    fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool, BlobError> {
        self.inner.put_if_absent(key, bytes)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, BlobError> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        let mut keys = self.inner.list(prefix)?;
        keys.retain(|key| !self.unlisted.iter().any(|suffix| key.ends_with(suffix)));
        Ok(keys)
    }
}

/// Reads a history of three entries; returns how many were read, or the error, and the lists taken.
fn check(
    unlisted: &'static [&'static str],
    torn: &[&'static str],
    removed: &[&str],
) -> (Result<usize, String>, usize) {
    let place = tempfile::tempdir().unwrap();
    let writer = Registry::local(place.path());
    for run in ["a", "b", "c"] {
        writer.append("m", |_| Ok(Some(entry(run)))).unwrap();
    }
    let inner = LocalDirectory::new(place.path().join("registry"));
    for name in removed {
        let path = place.path().join("registry/models/m/history").join(name);
        std::fs::remove_file(path).unwrap();
    }
    let behind = Arc::new(Behind {
        inner,
        unlisted,
        torn: Mutex::new(torn.to_vec()),
        lists: AtomicUsize::new(0),
    });
    let read = Registry::new(behind.clone()).history("m");
    let read = read.map(|h| h.entries().len()).map_err(|e| e.to_string());
    (read, behind.lists.load(Ordering::Relaxed))
}

#[test]
fn a_half_visible_history_is_looked_at_again_before_it_is_called_damaged() {
    assert_eq!(check(&[], &[], &[]), (Ok(3), 1));
    // Listed after the third was appended, but without the second.
    assert_eq!(check(&["02.json"], &[], &[]), (Ok(3), 1));
    // A key that is shown before its bytes.
    assert_eq!(check(&[], &["03.json"], &[]), (Ok(3), 2));
    let (read, lists) = check(&[], &["03.json", "03.json"], &[]);
    assert!(read.unwrap_err().contains("00000003.json"));
    assert_eq!(lists, 2);
}

#[test]
fn a_lost_entry_is_damage() {
    let (read, lists) = check(&[], &[], &["00000002.json"]);
    let message = read.unwrap_err();
    assert!(message.contains("00000002.json`: is missing"), "{message}");
    assert_eq!(lists, 2);
}

#[test]
fn a_clock_that_is_behind_takes_the_last_time_unless_that_lies_far_ahead() {
    let place = tempfile::tempdir().unwrap();
    let registry = Registry::local(place.path());
    let at = |at: &str| {
        let at = at.to_owned();
        let made = registry.append("m", |_| {
            Ok(Some(Entry {
                at: at.clone(),
                action: Action::Promoted,
                ..entry("a")
            }))
        });
        made.unwrap().unwrap().at
    };
    assert_eq!(at("2026-02-03T00:00:01Z"), "2026-02-03T00:00:01Z");
    assert_eq!(at("2026-02-03T00:00:00Z"), "2026-02-03T00:00:01Z");
    assert_eq!(at("2026-02-03T00:00:02Z"), "2026-02-03T00:00:02Z");
    assert_eq!(at("2027-02-03T00:00:00Z"), "2027-02-03T00:00:00Z");
    assert_eq!(at("2026-02-03T00:00:03Z"), "2026-02-03T00:00:03Z");
    let history = registry.history("m").unwrap();
    assert_eq!(history.entries().len(), 5);
    assert_eq!(history.times_that_run_back().len(), 1);
    // Between the two times nobody can say what served.
    let served = |at: &str| {
        let moment = clock::parse(at).unwrap();
        let found = registry.champion_at("m", &history, moment);
        found.map(|entry| entry.unwrap().sequence)
    };
    assert_eq!(served("2026-02-03T00:00:02Z").unwrap(), 3);
    assert_eq!(served("2027-02-03T00:00:00Z").unwrap(), 5);
    for at in ["2026-02-03T00:00:03Z", "2027-02-02T23:59:59Z"] {
        let said = served(at).unwrap_err().to_string();
        for word in [
            "not certain",
            "2026-02-03T00:00:03Z",
            "2027-02-03T00:00:00Z",
        ] {
            assert!(said.contains(word), "{said}");
        }
    }
    // What was declined since then tells as well.
    let at = |at: &str, action: Action, version: u64| {
        let entry = Entry {
            at: at.to_owned(),
            action,
            version,
            bundle: Digest::of(&version.to_le_bytes()),
            ..entry("a")
        };
        registry.append("n", |_| Ok(Some(entry.clone()))).unwrap();
    };
    at("2027-02-03T00:00:00Z", Action::Promoted, 1);
    at("2026-02-03T00:00:00Z", Action::Declined, 2);
    let history = registry.history("n").unwrap();
    let moment = clock::parse("2026-03-03T00:00:00Z").unwrap();
    let refused = registry.champion_at("n", &history, moment);
    assert!(matches!(refused, Err(RegistryError::TwoClocks { .. })));
}

#[test]
fn a_file_that_is_no_entry_is_named() {
    let place = tempfile::tempdir().unwrap();
    let registry = Registry::local(place.path());
    registry.append("m", |_| Ok(Some(entry("a")))).unwrap();
    for name in ["00000001.json.bak", "2.json", "notes.txt", "00000002.JSON"] {
        let path = place.path().join("registry/models/m/history").join(name);
        std::fs::write(&path, "{}").unwrap();
        let message = registry.history("m").unwrap_err().to_string();
        let expected = format!("history/{name}`: is no entry of a history");
        assert!(message.contains(&expected), "{message}");
        std::fs::remove_file(&path).unwrap();
    }
    assert_eq!(registry.history("m").unwrap().entries().len(), 1);
}

/// Damages the first entry of a history; returns what is said of it.
fn said_of_first(damage: impl Fn(&Path)) -> String {
    let place = tempfile::tempdir().unwrap();
    let registry = Registry::local(place.path());
    registry.append("m", |_| Ok(Some(entry("a")))).unwrap();
    damage(&place.path().join("registry/models/m/history/00000001.json"));
    registry.history("m").unwrap_err().to_string()
}

#[test]
fn what_is_wrong_with_an_entry_is_said_in_plain_words() {
    let written = |text: &'static str| said_of_first(|path| std::fs::write(path, text).unwrap());
    for (text, said) in [
        (
            "{\"sequence\": 1,",
            "`: is cut short, at line 1, column 15; put",
        ),
        (
            "{\n\"sequence\" 1}",
            "`: is no JSON, at line 2, column 12; put",
        ),
    ] {
        let found = written(text);
        assert!(found.contains(said), "{text}: {found}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_an_entry_is_refused_and_not_waited_for() {
    let said = said_of_first(|path| {
        std::fs::remove_file(path).unwrap();
        let made = Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    });
    assert!(said.contains("00000001.json`: it is no file"), "{said}");
}

#[cfg(unix)]
#[test]
fn links_to_directories_are_named_and_not_followed() {
    let place = tempfile::tempdir().unwrap();
    let registry = Registry::local(place.path());
    registry.append("m", |_| Ok(Some(entry("a")))).unwrap();
    let model = place.path().join("registry/models/m");
    let link = |at: &Path| std::os::unix::fs::symlink(".", at).unwrap();
    for name in ["a", "b", "c"] {
        link(&model.join("..").join(name));
    }
    assert_eq!(registry.names().unwrap(), ["m"]);
    registry.history("m").unwrap();
    for name in ["a", "b", "c"] {
        link(&model.join("history").join(name));
    }
    let said = registry.history("m").unwrap_err().to_string();
    assert!(
        said.contains("`models/m/history/a`: is no entry of a history: move it"),
        "{said}"
    );
}

#[test]
fn a_file_larger_than_any_entry_is_refused_and_not_read() {
    let said = said_of_first(|path| {
        let file = std::fs::OpenOptions::new().write(true).open(path);
        file.unwrap().set_len(1 << 40).unwrap();
    });
    assert!(
        said.contains("1099511627776 bytes, at most 1048576"),
        "{said}"
    );
}

#[test]
fn hidden_and_temporary_files_are_no_entries() {
    let place = tempfile::tempdir().unwrap();
    let registry = Registry::local(place.path());
    registry.append("m", |_| Ok(Some(entry("a")))).unwrap();
    let history = place.path().join("registry/models/m/history");
    for name in [
        ".nfs000000000000012300000001",
        ".DS_Store",
        "00000002.json.tmp",
    ] {
        std::fs::write(history.join(name), "{").unwrap();
    }
    std::fs::create_dir_all(place.path().join("registry/models/.snapshot/history")).unwrap();
    std::fs::write(
        place
            .path()
            .join("registry/models/.snapshot/history/00000001.json"),
        "{",
    )
    .unwrap();
    assert_eq!(registry.names().unwrap(), ["m"]);
    assert_eq!(registry.history("m").unwrap().entries().len(), 1);
    let appended = registry.append("m", |_| Ok(Some(entry("b")))).unwrap();
    assert_eq!(appended.unwrap().sequence, 2);
}

#[test]
fn what_an_entry_says_is_no_command_to_a_terminal_or_a_shell() {
    let place = tempfile::tempdir().unwrap();
    let registry = Registry::local(place.path());
    let told = Entry {
        run: "x; rm -rf ~ #'\u{7}".to_owned(),
        reasons: vec!["a\nversion 9 is fine".to_owned()],
        why: Some("\u{1b}[2JHACK".to_owned()),
        ..entry("a")
    };
    registry.append("m", |_| Ok(Some(told.clone()))).unwrap();
    let read = registry.history("m").unwrap().entries()[0].clone();
    assert_eq!(read.reasons, ["a\\nversion 9 is fine"]);
    assert_eq!(read.why.as_deref(), Some("\\u{1b}[2JHACK"));
    assert_eq!(read.run_word(), "'x; rm -rf ~ #'\\''\\u{7}'");
    let lost = registry.training_groups("m", &read).unwrap_err();
    let said = lost.to_string();
    assert!(said.contains("--run 'x; rm"), "{said}");
    let said = said_of_first(|path| std::fs::write(path, "{\"\\u001b[2J\": 1}").unwrap());
    assert!(!said.contains('\u{1b}'), "{said}");
}
