use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use artifact::Digest;
use ed25519_compact::{KeyPair, Seed};

use crate::{
    Action, BlobError, BlobStore, Entry, LocalDirectory, Registry, RegistryError, SigningKey,
    TrustedKeys,
};

/// A store that is asked by requests, and counts them.
struct Remote {
    inner: LocalDirectory,
    requests: AtomicUsize,
}

impl Remote {
    fn counted(&self) -> &LocalDirectory {
        self.requests.fetch_add(1, Relaxed);
        &self.inner
    }
}

impl BlobStore for Remote {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BlobError> {
        self.counted().get(key)
    }

    fn length(&self, key: &str) -> Result<Option<u64>, BlobError> {
        self.counted().length(key)
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), BlobError> {
        self.counted().put(key, bytes)
    }

    fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool, BlobError> {
        self.counted().put_if_absent(key, bytes)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, BlobError> {
        self.counted().list(prefix)
    }
}

struct Watched {
    place: tempfile::TempDir,
    writer: Registry,
    store: Arc<Remote>,
    reader: Registry,
}

impl Watched {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let store = Arc::new(Remote {
            inner: LocalDirectory::new(place.path().join("registry")),
            requests: AtomicUsize::new(0),
        });
        Self {
            writer: Registry::local(place.path()),
            reader: Registry::new(store.clone()),
            store,
            place,
        }
    }

    fn append(&self) -> Entry {
        Self::append_by(&self.writer)
    }

    fn append_by(registry: &Registry) -> Entry {
        let digest = Digest::of(b"the only version");
        let entry = Entry {
            sequence: 0,
            previous: None,
            model: None,
            at: "2026-02-03T00:00:00Z".to_owned(),
            action: Action::Declined,
            version: 1,
            bundle: digest,
            training_groups: digest,
            evaluation: digest,
            run: "a".to_owned(),
            simulated: false,
            reasons: Vec::new(),
            why: None,
        };
        registry
            .append("m", |_| Ok(Some(entry.clone())))
            .unwrap()
            .unwrap()
    }

    /// Looks at the history; gives the entries that were read, or the error, and the requests that it took.
    fn look(&self) -> (Result<usize, String>, usize) {
        let before = self.store.requests.load(Relaxed);
        let read = self.reader.history("m");
        let read = read.map(|h| h.entries().len()).map_err(|e| e.to_string());
        (read, self.store.requests.load(Relaxed) - before)
    }
}

#[test]
fn a_look_at_a_known_history_is_one_request_and_one_more_for_each_new_entry() {
    let watched = Watched::new();
    assert_eq!(watched.look(), (Ok(0), 1));
    (0..3).for_each(|_| drop(watched.append()));
    assert_eq!(watched.look(), (Ok(3), 4));
    assert_eq!(watched.look(), (Ok(3), 1));
    watched.append();
    assert_eq!(watched.look(), (Ok(4), 2));
    assert_eq!(watched.look(), (Ok(4), 1));
}

#[test]
fn a_new_entry_that_is_damaged_is_named_each_time_and_read_once_it_is_mended() {
    let watched = Watched::new();
    watched.append();
    assert_eq!(watched.look(), (Ok(1), 2));
    let history = watched.place.path().join("registry/models/m/history");
    watched.append();
    let second = history.join("00000002.json");
    let whole = std::fs::read(&second).unwrap();
    std::fs::write(&second, &whole[..whole.len() / 2]).unwrap();
    for _ in 0..2 {
        let error = watched.look().0.unwrap_err();
        assert!(error.contains("00000002.json"), "{error}");
    }
    std::fs::write(&second, whole).unwrap();
    assert_eq!(watched.look().0, Ok(2));
}

#[test]
fn a_history_that_was_put_back_shorter_is_continued_without_a_gap() {
    let watched = Watched::new();
    (0..3).for_each(|_| drop(watched.append()));
    assert_eq!(watched.look().0, Ok(3));
    let history = watched.place.path().join("registry/models/m/history");
    for name in ["00000002.json", "00000003.json"] {
        std::fs::remove_file(history.join(name)).unwrap();
    }
    assert_eq!(Watched::append_by(&watched.reader).sequence, 2);
    assert_eq!(watched.look().0, Ok(2));
}

#[test]
fn a_history_that_is_refused_is_read_again_before_long() {
    let Watched {
        place,
        writer,
        store,
        ..
    } = Watched::new();
    let pair = KeyPair::from_seed(Seed::from_slice(&[1; 32]).unwrap());
    let pem = place.path().join("key.pem");
    std::fs::write(&pem, pair.sk.to_pem()).unwrap();
    let writer = writer.signing(SigningKey::read(&pem).unwrap());
    std::fs::write(&pem, pair.pk.to_pem()).unwrap();
    let reader = Registry::new(store.clone()).trusting(TrustedKeys::read(&pem).unwrap());
    (0..3).for_each(|_| drop(Watched::append_by(&writer)));
    let second = place.path().join("registry/models/m/history/00000002.json");
    let whole = std::fs::read_to_string(&second).unwrap();
    std::fs::write(&second, whole.replace("\"a\"", "\"b\"")).unwrap();
    let refused = reader.entry("m", Some(1)).unwrap_err();
    assert!(
        matches!(refused, RegistryError::Untrusted { .. }),
        "{refused}"
    );
    std::fs::write(&second, whole).unwrap();
    // Not at once: somebody may ask for it as often as they like.
    let requests = || store.requests.load(Relaxed);
    let before = requests();
    reader.entry("m", Some(1)).unwrap_err();
    assert!(requests() - before < 12, "{}", requests() - before);
    std::thread::sleep(std::time::Duration::from_millis(5100));
    assert_eq!(reader.entry("m", Some(1)).unwrap().sequence, 3);
    // An entry that is there for a moment does not stand in the way of the one that is then written.
    let history = place.path().join("registry/models/m/history");
    let forged = history.join("00000004.json");
    Watched::append_by(&Registry::local(place.path()));
    let text = std::fs::read_to_string(&forged).unwrap();
    std::fs::write(&forged, text.replace("\"a\"", "\"forged\"")).unwrap();
    assert_eq!(reader.history("m").unwrap().entries()[3].run, "forged");
    std::fs::remove_file(forged).unwrap();
    let honest = Watched::append_by(&writer);
    assert_eq!(reader.history("m").unwrap().entries()[3], honest);
}
