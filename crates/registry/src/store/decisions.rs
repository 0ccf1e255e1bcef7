//! What people decide: promotions by hand, and rollbacks.

use artifact::clock;

use super::{Registry, find};
use crate::{Action, Entry, RegistryError};

impl Registry {
    /// Loads the bundle of an entry and queries it, as a server would.
    fn query(&self, name: &str, entry: &Entry) -> Result<(), RegistryError> {
        let evaluation = self.evaluation(name, entry)?;
        let answer = evaluation.canary.query(&self.bundle(name, entry)?);
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
    /// [`RegistryError::Voiceless`].
    pub fn promote(
        &self,
        name: &str,
        version: u64,
        why: Option<&str>,
        force: bool,
        now: clock::Timestamp,
    ) -> Result<Entry, RegistryError> {
        self.query(name, find(&self.existing(name)?, name, version)?)?;
        self.check_voice()?;
        let appended = self.append(name, |history| {
            let known = find(history, name, version)?;
            if history.champion().is_some_and(|c| c.version == version) {
                return Err(RegistryError::AlreadyChampion {
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
        self.existing(name)?;
        self.check_voice()?;
        let appended = self.append(name, |history| {
            let nothing = || RegistryError::NothingToRollBack {
                name: name.to_owned(),
            };
            let target = match to {
                None => history.previous_champion().ok_or_else(nothing)?,
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
            let was_champion = history
                .entries()
                .iter()
                .any(|e| e.version == target.version && e.action != Action::Declined);
            if !was_champion {
                let version = target.version;
                return Err(RegistryError::NeverChampion {
                    name: name.to_owned(),
                    version,
                });
            }
            self.query(name, target)?;
            Ok(Some(Entry {
                at: clock::rfc3339(now),
                action: Action::RolledBack,
                why: why.map(str::to_owned),
                reasons: Vec::new(),
                ..target.clone()
            }))
        })?;
        Ok(appended.expect("an entry was made"))
    }
}
