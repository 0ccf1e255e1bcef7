//! What people decide: promotions by hand, and rollbacks.

use artifact::{Digest, clock};

use super::{Registry, Seal, decided, find};
use crate::{Action, Entry, History, RegistryError};

impl Registry {
    /// Loads the bundle of an entry and queries it, as a server would.
    fn query(&self, name: &str, entry: &Entry) -> Result<(), RegistryError> {
        // First what asks for signatures.
        let bundle = self.bundle(name, entry)?;
        let answer = self.evaluation(name, entry)?.canary.query(&bundle);
        answer.map_err(|reason| RegistryError::Canary {
            name: name.to_owned(),
            version: entry.version,
            reason,
        })
    }

    /// Refuses a decision that would not count where the same keys are trusted.
    fn check_voice(&self) -> Result<(), RegistryError> {
        match self.vouches() {
            true => Ok(()),
            false => Err(RegistryError::Voiceless {
                location: self.location(),
            }),
        }
    }

    /// Makes a version the champion by hand, once its bundle has been loaded and queried. A version
    /// that was declined needs `force`.
    ///
    /// # Errors
    /// What loading fails with, [`RegistryError::Canary`],
    /// [`RegistryError::NoVersion`], [`RegistryError::AlreadyChampion`], [`RegistryError::Declined`],
    /// [`RegistryError::Voiceless`], [`RegistryError::Redecided`].
    pub fn promote(
        &self,
        name: &str,
        version: u64,
        why: Option<&str>,
        force: bool,
        now: clock::Timestamp,
    ) -> Result<Entry, RegistryError> {
        let history = self.existing(name)?;
        self.check_notes(name, &history)?;
        let queried = find(&history, name, version)?;
        self.query(name, queried)?;
        self.check_voice()?;
        let appended = self.append(name, |history| {
            let known = find(history, name, version)?;
            if history.champion().is_some_and(|c| c.version == version) {
                return Err(RegistryError::AlreadyChampion {
                    name: name.to_owned(),
                    version,
                });
            }
            if known != queried {
                return Err(RegistryError::Redecided {
                    name: name.to_owned(),
                    version,
                });
            }
            if known.action == Action::Declined && !force {
                let reasons = known.reasons.join("; ");
                return Err(RegistryError::Declined {
                    name: name.to_owned(),
                    version,
                    reasons,
                });
            }
            Ok(Some(Entry {
                at: clock::rfc3339(now),
                action: Action::Promoted,
                why: why.map(str::to_owned),
                ..known.clone()
            }))
        })?;
        Ok(appended.expect("an entry was made"))
    }

    /// Appends the entry that a history calls for, of a model that there is and by whoever may decide.
    fn decide(
        &self,
        name: &str,
        entry: impl Fn(&History) -> Result<Entry, RegistryError>,
    ) -> Result<Entry, RegistryError> {
        self.existing(name)?;
        self.check_voice()?;
        let appended = self.append(name, |history| entry(history).map(Some))?;
        Ok(appended.expect("an entry was made"))
    }

    /// Makes the former champion (or a given version that once was) the champion again.
    ///
    /// # Errors
    /// [`RegistryError::NothingToRollBack`], [`RegistryError::NoVersion`], [`RegistryError::Voiceless`].
    pub fn roll_back(
        &self,
        name: &str,
        to: Option<u64>,
        why: Option<&str>,
        now: clock::Timestamp,
    ) -> Result<Entry, RegistryError> {
        self.decide(name, |history| {
            let nothing = || RegistryError::NothingToRollBack {
                name: name.to_owned(),
            };
            self.check_notes(name, history)?;
            let target = match to {
                None => {
                    // By an unsigned one somebody would choose which of the former champions it is.
                    let mut deciding = history.ways_back();
                    let checked = deciding.try_for_each(|entry| self.check_entry(name, entry));
                    checked.map_err(|error| or_by_number(name, error))?;
                    history.previous_champion().ok_or_else(nothing)?
                }
                Some(version) => find(history, name, version)?,
            };
            if history
                .champion()
                .is_some_and(|c| c.version == target.version)
            {
                let version = target.version;
                return Err(RegistryError::AlreadyChampion {
                    name: name.to_owned(),
                    version,
                });
            }
            if !history.was_champion(target.version) {
                let version = target.version;
                return Err(RegistryError::NeverChampion {
                    name: name.to_owned(),
                    version,
                });
            }
            // By an unsigned promotion somebody would make a version that was declined a former champion.
            let reigns = history.reigns(target.version);
            let mut checked = reigns.map(|entry| self.check_entry(name, entry));
            if let Some(Err(error)) = checked.next()
                && !checked.any(|checked| checked.is_ok())
            {
                return Err(error);
            }
            self.query(name, target)?;
            Ok(Entry {
                at: clock::rfc3339(now),
                action: Action::RolledBack,
                why: why.map(str::to_owned),
                reasons: Vec::new(),
                ..target.clone()
            })
        })
    }

    /// Takes a version away for good: nobody loads it from then on, and no decision brings it back.
    ///
    /// # Errors
    /// [`RegistryError::NoVersion`], [`RegistryError::Withdrawn`], [`RegistryError::Serving`] while there is another
    /// champion to go back to, [`RegistryError::Voiceless`].
    pub fn withdraw(
        &self,
        name: &str,
        version: u64,
        why: &str,
        now: clock::Timestamp,
    ) -> Result<Entry, RegistryError> {
        self.decide(name, |history| {
            self.check_notes(name, history)?;
            // Of one of which no decision counts, this says that it does not come anew.
            let known = decided(history, name, version)?;
            let serves = history.champion().is_some_and(|c| c.version == version);
            if let Some(former) = history.previous_champion().filter(|_| serves) {
                return Err(RegistryError::Serving {
                    name: name.to_owned(),
                    version,
                    former: former.version,
                });
            }
            Ok(note(known, Action::Withdrawn, why, now))
        })
    }

    /// Says of an entry that nobody who is trusted has made it: it does not count, and never did.
    ///
    /// # Errors
    /// [`RegistryError::NoEntry`], [`RegistryError::NotDisowned`] for one that is signed or does not count,
    /// [`RegistryError::Untrusted`] for a history that is broken, [`RegistryError::Voiceless`].
    pub fn disown(
        &self,
        name: &str,
        entry: u64,
        why: &str,
        now: clock::Timestamp,
    ) -> Result<Entry, RegistryError> {
        self.decide(name, |history| {
            let found = entry_of(history, name, entry)?;
            self.check_links(name, history)?;
            match self.owner(name, history, found)? {
                Some(what) => Err(not_disowned(name, found, what)),
                None => Ok(note(found, Action::Disowned(entry), why, now)),
            }
        })
    }

    /// Says why an entry is not to be disowned.
    fn owner(
        &self,
        name: &str,
        history: &History,
        entry: &Entry,
    ) -> Result<Option<String>, RegistryError> {
        if let Some(by) = history.disowned_by(entry.sequence) {
            return Ok(Some(format!("is disowned by entry {by}")));
        }
        let seal = self.seal_of_read(name, history, entry)?;
        let advice = match seal {
            Seal::Trusted(_) if entry.action == Action::Withdrawn => "a withdrawal is final",
            Seal::Trusted(_) => {
                "`netsec models promote`, `netsec models rollback` and `netsec models withdraw` decide otherwise"
            }
            // What is disowned is what was read, and no other.
            Seal::Changed => "somebody is changing it: look at it again",
            Seal::Unmatched(_) => {
                "look at a copy of the registry: the entry was changed, and is put back, or that signature was left, and is \
                 removed first"
            }
            Seal::Unchecked => "give those whom you trust with --trusted-keys",
            _ => return Ok(None),
        };
        Ok(Some(format!("{seal}: {advice}")))
    }

    /// Says how the very bytes of an entry that a history was made of are vouched for.
    fn seal_of_read(
        &self,
        name: &str,
        history: &History,
        entry: &Entry,
    ) -> Result<Seal, RegistryError> {
        let text = self.entry_text(name, entry.sequence)?;
        match history.file(entry.sequence) == Some(Digest::of(&text)) {
            true => self.seal_of_text(name, entry, &text),
            false => Ok(Seal::Changed),
        }
    }
}

fn not_disowned(name: &str, entry: &Entry, what: String) -> RegistryError {
    RegistryError::NotDisowned {
        name: name.to_owned(),
        title: entry.title(),
        what,
    }
}

/// Adds that a rollback to a version that is named is decided by no entry but those about it.
fn or_by_number(name: &str, error: RegistryError) -> RegistryError {
    match error {
        RegistryError::Untrusted {
            location,
            what,
            seal,
            advice,
        } => RegistryError::Untrusted {
            location,
            what,
            seal,
            advice: format!(
                "{advice}; `netsec models rollback {name} --to N` goes back to version N without it"
            ),
        },
        other => other,
    }
}

/// Makes the entry by which an entry, or the version that it is about, does not count.
fn note(of: &Entry, action: Action, why: &str, now: clock::Timestamp) -> Entry {
    Entry {
        at: clock::rfc3339(now),
        action,
        reasons: Vec::new(),
        why: Some(why.to_owned()),
        ..of.clone()
    }
}

/// Returns the entry of a number.
pub(super) fn entry_of<'a>(
    history: &'a History,
    name: &str,
    entry: u64,
) -> Result<&'a Entry, RegistryError> {
    history
        .numbered(entry)
        .ok_or_else(|| RegistryError::NoEntry {
            name: name.to_owned(),
            entry,
            entries: history.entries().len(),
        })
}
