//! Entries that were read before: they never change, so that a store that is asked by requests is asked for each
//! once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use artifact::{Digest, clock::Stopwatch};

use super::Chain;

/// Seconds after which a history is read as a whole again: somebody may have put another one in its place.
const HOLDS: f64 = 600.0;
/// The same where something of it was refused, and may have been put back since.
const HOLDS_DOUBTED: f64 = 5.0;

/// The histories of a registry, as far as they were read.
#[derive(Default)]
pub(super) struct Memory(Mutex<BTreeMap<String, Remembered>>);

struct Remembered {
    chain: Chain,
    since: Stopwatch,
    is_doubted: bool,
    /// The numbers and files of those that a trusted key was found to have signed.
    vouched: BTreeSet<(u64, Digest)>,
}

impl Memory {
    /// Returns the entries of a model that were read not long ago; none when it has to be read as a whole.
    pub(super) fn recall(&self, name: &str) -> Option<Chain> {
        let histories = self.histories();
        let known = histories.get(name)?;
        let holds = if known.is_doubted {
            HOLDS_DOUBTED
        } else {
            HOLDS
        };
        (known.since.seconds() < holds).then(|| known.chain.clone())
    }

    /// Notes a history that was read as a whole.
    pub(super) fn note(&self, name: &str, chain: Chain) {
        let remembered = Remembered {
            chain,
            since: Stopwatch::start(),
            is_doubted: false,
            vouched: BTreeSet::new(),
        };
        self.histories().insert(name.to_owned(), remembered);
    }

    /// Notes entries that have come behind those that are known.
    pub(super) fn extend(&self, name: &str, chain: Chain) {
        if let Some(known) = self.histories().get_mut(name)
            && known.chain.next() < chain.next()
        {
            known.chain = chain;
        }
    }

    /// Notes that a trusted key has signed an entry that is remembered.
    pub(super) fn vouch(&self, name: &str, sequence: u64, file: Digest) {
        if let Some(known) = self.histories().get_mut(name) {
            known.vouched.insert((sequence, file));
        }
    }

    pub(super) fn is_vouched(&self, name: &str, sequence: u64, file: Digest) -> bool {
        let histories = self.histories();
        let known = histories.get(name);
        known.is_some_and(|known| known.vouched.contains(&(sequence, file)))
    }

    /// Notes that something of a history was refused.
    pub(super) fn doubt(&self, name: &str) {
        if let Some(known) = self.histories().get_mut(name) {
            known.is_doubted = true;
        }
    }

    pub(super) fn forget(&self, name: &str) {
        self.histories().remove(name);
    }

    fn histories(&self) -> MutexGuard<'_, BTreeMap<String, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
