//! Files that are exchanged between two readings.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::{place::*, *};
use crate::{BlobError, BlobStore, LocalDirectory};

/// A store in which somebody exchanges one file for another between one reading and the next.
struct Exchanged {
    inner: LocalDirectory,
    key: String,
    texts: [Vec<u8>; 2],
    /// Which of the two each reading finds, by its bits.
    pattern: usize,
    reads: AtomicUsize,
}

impl BlobStore for Exchanged {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BlobError> {
        if key != self.key {
            return self.inner.get(key);
        }
        let read = self.reads.fetch_add(1, Relaxed);
        Ok(Some(self.texts[self.pattern >> read & 1].clone()))
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
        self.inner.list(prefix)
    }
}

/// Readings whose order is tried out.
const READINGS: usize = 8;

/// Makes a registry whose last entry is a signed rollback at one reading and a forged promotion at another; returns
/// their texts as well.
fn exchanged(pattern: usize) -> (Place, Registry, [Vec<u8>; 2]) {
    let place = Place::of_two();
    decide(&place, Action::Promoted, 2);
    decide(&place, Action::RolledBack, 1);
    let key = super::super::super::entry_key("m", 4);
    let signed = fs::read(place.file(&key)).unwrap();
    place.tamper(4, |entry| entry["why"] = "forged".into());
    let texts = [signed, fs::read(place.file(&key)).unwrap()];
    let store = Exchanged {
        inner: LocalDirectory::new(place.directory.path().join("registry")),
        key,
        texts: texts.clone(),
        pattern,
        reads: AtomicUsize::new(0),
    };
    let signing = place.signing(1).signing_key().unwrap();
    let registry = Registry {
        signing: Some(Arc::clone(&signing)),
        ..Registry::new(Arc::new(store))
    };
    (place, registry.trusting_also(&signing), texts)
}

#[test]
fn what_is_exchanged_while_it_is_disowned_is_not_disowned() {
    for pattern in 0..1 << READINGS {
        let (_place, registry, _) = exchanged(pattern);
        let disowned = registry.disown("m", 4, "forged", clock::now());
        let refused = disowned.unwrap_err().to_string();
        let whys = [
            "is signed by",
            "changing it",
            "behind another",
            "not signed, but",
            "another one by now",
        ];
        assert!(
            whys.iter().any(|why| refused.contains(why)),
            "{pattern:b}: {refused}"
        );
    }
}

#[test]
fn what_is_exchanged_while_it_is_signed_again_is_not_signed_unless_it_was_judged() {
    let mut signed_again = 0;
    for pattern in 0..1 << READINGS {
        let (place, registry, [signed, forged]) = exchanged(pattern);
        let key = place.signing(2).signing_key().unwrap();
        // Refused or not: what counts is what carries a signature.
        drop(registry.sign_again(&key, "m"));
        let at = |text: &[u8]| place.file(&entry_signatures::signature_key("m", 4, text));
        assert!(!at(&forged).exists(), "{pattern:b}");
        let by = fs::read(at(&signed)).unwrap();
        signed_again += usize::from(by == key.sign(&signed));
    }
    assert!(signed_again > 0);
}
