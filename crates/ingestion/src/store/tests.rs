use std::{io::Write as _, time::SystemTime};

use dataset::SourceUri;

use super::*;
use crate::{
    IngestionConfig,
    tests::{bytes, csv, schema},
};

const ROWS: &[u8] = b"proto,size,extra,flag,id,label,size\n\
    tcp,1.5,x,-1,1,1,9\nudp,abc,x,1,2,-1,9\n,?,x,,3,1,9\nud,p\ntcp,inf,x,1,4,-1,9\ntcp,2,x,7,5,1,9\n";

fn key() -> SnapshotKey {
    SnapshotKey::new(
        &SourceUri::new("file://rows.csv"),
        None,
        &schema(),
        &IngestionConfig::default(),
    )
}

fn moment(text: &str) -> Timestamp {
    parse(text).unwrap()
}

fn set_modified(path: &Path, time: SystemTime) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

struct Saved {
    _directory: tempfile::TempDir,
    store: FeatureStore,
}

fn saved(text: &[u8], file: Option<FileStamp>) -> Saved {
    saved_at(text, file, "2026-02-03T10:00:00Z")
}

fn saved_at(text: &[u8], file: Option<FileStamp>, read_at: &str) -> Saved {
    let directory = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(&directory.path().join("features")).unwrap();
    let (raw, provenance) = csv(text);
    let read_at = moment(read_at);
    let origin = SnapshotOrigin { read_at, file };
    store.save(&key(), &raw, &provenance, origin).unwrap();
    Saved {
        _directory: directory,
        store,
    }
}

fn recent<'a>() -> Freshness<'a> {
    Freshness::MaxAge {
        now: moment("2026-02-03T11:00:00Z"),
        seconds: 3600,
    }
}

#[test]
fn a_snapshot_gives_back_exactly_what_was_read() {
    for text in [ROWS, b"size,label\n", b"extra\n1\n", b"size,_defect\n1,2\n"] {
        let found = saved(text, None)
            .store
            .lookup(&key(), &schema(), recent())
            .unwrap();
        let (raw, provenance) = csv(text);
        assert_eq!(bytes(&found.raw), bytes(&raw));
        assert_eq!(found.provenance, provenance);
        assert_eq!(found.read_at, moment("2026-02-03T10:00:00Z"));
    }
}

#[test]
fn a_column_of_the_schema_may_have_the_name_of_a_column_of_the_snapshot() {
    let named = |name: &str| {
        let text = include_str!("../../../../schema/phishing.yaml")
            .replace("name: Iframe", &format!("name: {name}"));
        Schema::parse(&text, "test").unwrap()
    };
    let schema = named("_row_number");
    let mut source = formats::read(
        Box::new("_row_number,Result\n1,-1\n".as_bytes()),
        "input".to_owned(),
        &formats::FileFormat::Csv {
            delimiter: b',',
            header: None,
        },
    )
    .unwrap();
    let (raw, provenance) = crate::ingest(
        source.as_mut(),
        schema.clone(),
        &IngestionConfig::default(),
        &|_, _, _| {},
    )
    .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(directory.path()).unwrap();
    let read_at = moment("2026-02-03T10:00:00Z");
    store
        .save(
            &key(),
            &raw,
            &provenance,
            SnapshotOrigin {
                read_at,
                file: None,
            },
        )
        .unwrap();
    let found = store.lookup(&key(), &schema, recent()).unwrap();
    assert_eq!(bytes(&found.raw), bytes(&raw));
}

#[test]
fn a_remote_snapshot_grows_stale_and_one_from_the_future_is_not_trusted() {
    let saved = saved(ROWS, None);
    let at = |now: &str, seconds: u64| {
        let now = moment(now);
        let freshness = Freshness::MaxAge { now, seconds };
        saved.store.lookup(&key(), &schema(), freshness).is_some()
    };
    assert!(at("2026-02-03T10:01:00Z", 60));
    assert!(!at("2026-02-03T10:01:01Z", 60));
    assert!(!at("2026-02-03T09:00:00Z", 60));
    // None is so young.
    assert!(at("2026-02-03T10:00:00Z", 1));
    assert!(!at("2026-02-03T10:00:00Z", 0));
}

#[test]
fn a_file_is_known_by_size_and_time_or_else_by_its_content() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    fs::write(&path, ROWS).unwrap();
    let long_ago = moment("2025-01-01");
    let set_time = |at: Timestamp| set_modified(&path, at.into());
    set_time(long_ago);
    // Read long after its last change, whenever this test runs.
    let saved = saved_at(ROWS, Some(FileStamp::of(&path).unwrap()), "2100-01-01");
    let is_fresh = || {
        saved
            .store
            .lookup(&key(), &schema(), Freshness::File(&path))
            .is_some()
    };
    assert!(is_fresh());

    set_time(moment("2025-06-01"));
    assert!(is_fresh(), "touched, but of the same content");

    let mut changed = ROWS.to_vec();
    changed[40] ^= 1;
    fs::write(&path, &changed).unwrap();
    assert!(!is_fresh(), "of the same size, but of other content");
    set_time(long_ago);
    let is_noticed = !is_fresh();
    assert_eq!(
        is_noticed,
        cfg!(unix),
        "size and time are as they were, by somebody's doing"
    );

    File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b"x")
        .unwrap();
    assert!(!is_fresh());
    fs::remove_file(&path).unwrap();
    assert!(!is_fresh());
}

#[test]
fn a_file_that_has_not_been_touched_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    fs::write(&path, ROWS).unwrap();
    let stamp = FileStamp {
        sha256: Digest::of(b"what a reading would not give"),
        ..FileStamp::of(&path).unwrap()
    };
    let saved = saved_at(ROWS, Some(stamp), "2100-01-01");
    let found = saved
        .store
        .lookup(&key(), &schema(), Freshness::File(&path));
    assert!(found.is_some());
}

#[test]
fn a_file_replaced_by_one_of_the_same_size_and_time_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let (path, other) = (
        directory.path().join("rows.csv"),
        directory.path().join("other.csv"),
    );
    fs::write(&path, ROWS).unwrap();
    let saved = saved_at(ROWS, Some(FileStamp::of(&path).unwrap()), "2100-01-01");
    let mut changed = ROWS.to_vec();
    changed[40] ^= 1;
    fs::write(&other, &changed).unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    set_modified(&other, modified);
    fs::rename(&other, &path).unwrap();
    let found = saved
        .store
        .lookup(&key(), &schema(), Freshness::File(&path));
    assert_eq!(found.is_none(), cfg!(unix));
}

#[test]
fn a_file_changed_around_its_reading_is_known_by_its_content_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    fs::write(&path, ROWS).unwrap();
    let set_time = || set_modified(&path, moment("2026-02-03T10:00:00Z").into());
    set_time();
    let saved = saved(ROWS, Some(FileStamp::of(&path).unwrap()));
    let is_fresh = || {
        saved
            .store
            .lookup(&key(), &schema(), Freshness::File(&path))
            .is_some()
    };
    assert!(is_fresh());
    let mut changed = ROWS.to_vec();
    changed[40] ^= 1;
    fs::write(&path, &changed).unwrap();
    set_time();
    assert!(!is_fresh());
}

#[test]
fn a_damaged_snapshot_counts_as_absent() {
    for ending in ["parquet", "json"] {
        let saved = saved(ROWS, None);
        let path = saved.store.path(&key(), ending);
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] = damaged[at].wrapping_add(1);
            fs::write(&path, &damaged).unwrap();
            let found = saved.store.lookup(&key(), &schema(), recent());
            // Some bytes of the description do not matter: the time within the hour, white space.
            assert!(ending == "json" || found.is_none(), "byte {at} of the rows");
            fs::write(&path, &whole[..at]).unwrap();
            assert!(saved.store.lookup(&key(), &schema(), recent()).is_none());
        }
        fs::remove_file(&path).unwrap();
        assert!(saved.store.lookup(&key(), &schema(), recent()).is_none());
    }
}

#[test]
fn a_description_of_other_rows_is_refused() {
    let saved = saved(ROWS, None);
    let path = saved.store.path(&key(), "json");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"rows\": 6", "\"rows\": 7"),
        ("\"kind\": \"texts\"", "\"kind\": \"numbers\""),
        ("\"name\": \"size\"", "\"name\": \"sizes\""),
        ("\"key\": \"", "\"key\": \"0"),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        assert!(
            saved.store.lookup(&key(), &schema(), recent()).is_none(),
            "{to}"
        );
    }
}

#[test]
fn the_key_follows_what_decides_the_reading_and_nothing_else() {
    let config = IngestionConfig::default();
    let csv = SourceUri::new("a.csv");
    let of = |uri: &str, query: Option<&str>| {
        SnapshotKey::new(&SourceUri::new(uri), query, &schema(), &config)
    };
    assert_eq!(of("mongodb://u:p@h/d", None), of("mongodb://u:q@h/d", None));
    assert_ne!(of("mongodb://h/d", None), of("mongodb://h/e", None));
    assert_ne!(of("sqlite://a", None), of("sqlite://a", Some("select 1")));
    let some = IngestionConfig { max_rows: Some(5) };
    assert_ne!(
        of("a.csv", None),
        SnapshotKey::new(&csv, None, &schema(), &some)
    );
    let mut stricter = schema();
    stricter.quality.max_bad_share = 0.5;
    assert_eq!(
        of("a.csv", None),
        SnapshotKey::new(&csv, None, &stricter, &config)
    );
    stricter.missing_tokens.push("-".to_owned());
    assert_ne!(
        of("a.csv", None),
        SnapshotKey::new(&csv, None, &stricter, &config)
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_snapshot_is_passed_over() {
    for ending in ["json", "parquet"] {
        let saved = saved(ROWS, None);
        let path = saved.store.path(&key(), ending);
        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert!(saved.store.lookup(&key(), &schema(), recent()).is_none());
        let conditions = saved.store.conditions().unwrap();
        let problem = conditions[0].problem.as_deref().unwrap();
        assert!(problem.contains("it is no file"), "{problem}");
    }
}
