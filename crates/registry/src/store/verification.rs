//! Whether versions are what was registered: all their bytes hashed again, and who vouches for them.

use std::collections::BTreeMap;

use artifact::{CodecError, Digest};
use model::ModelBundle;
use serde::Serialize;

use super::{Registry, Seal, check_known};
use crate::{Entry, History, RegistryError};

/// What looking at all bytes of a version has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionCheck {
    /// The version.
    pub version: u64,
    /// Digest of its bundle.
    pub bundle: Digest,
    /// Digest of the evaluation; a version that was evaluated again stands here twice.
    pub evaluation: Digest,
    /// Bytes that were hashed.
    pub bytes: u64,
    /// How it is vouched for.
    pub seal: Seal,
    /// How each entry of the history about it is vouched for, by its number.
    pub entries: BTreeMap<u64, Seal>,
    /// Why it was withdrawn, where that is so: nothing is asked of it then but who has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<String>,
    /// The entries by which it may be loaded; where there are none, nothing is asked of its files.
    pub loadable: Vec<u64>,
    /// The entries that do not count, of which nothing is asked either.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disowned: Vec<u64>,
    /// The decisions on a version that was withdrawn since which no trusted key has signed: nothing asks for that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unasked: Vec<u64>,
    /// All that is not as it was registered, or does not fit together; nothing when it is whole.
    pub problems: Vec<String>,
    /// All that is whole, but that nobody vouches for who is trusted; also, whomever one trusts, an entry without a
    /// signature where one of another text stands.
    pub doubts: Vec<String>,
}

impl Registry {
    /// Hashes all that belongs to the versions of a model, or to one of them, and looks at who signed them and the
    /// entries about them.
    ///
    /// # Errors
    /// As [`Registry::existing`], and [`RegistryError::NoVersion`]; what is damaged or cannot be read is among the
    /// answers' problems.
    pub fn verify(
        &self,
        name: &str,
        version: Option<u64>,
    ) -> Result<Vec<VersionCheck>, RegistryError> {
        let history = match self.existing(name) {
            Err(RegistryError::Damaged {
                location,
                key,
                reason,
                ..
            }) => {
                let survey = self.survey(name)?;
                // What is no entry at all says itself what to do.
                let advice = survey.map_or("its entries fit together".to_owned(), |survey| {
                    survey.advice(name, self.trusts())
                });
                return Err(RegistryError::Damaged {
                    location,
                    key,
                    reason,
                    advice,
                });
            }
            history => history?,
        };
        if let Some(version) = version {
            check_known(&history, name, version)?;
        }
        let evaluated = evaluated_versions(&history).into_values();
        let mut checks = evaluated
            .filter(|entries| version.is_none_or(|version| entries[0].version == version))
            .map(|entries| self.verify_version(name, &history, &entries))
            .collect::<Result<Vec<_>, _>>()?;
        if history.first_out_of_place().is_some()
            && let Some(survey) = self.survey(name)?
        {
            // Of any version it may say another thing than it did.
            for check in &mut checks {
                check.problems.push(survey.wrong.clone());
            }
            if let Some(said) = checks.first_mut().and_then(|c| c.problems.last_mut()) {
                *said = format!("{said}; {}", survey.advice(name, self.trusts()));
            }
        }
        Ok(checks)
    }

    /// Looks at a version and the entries about one evaluation of it, of which there is one at least.
    fn verify_version(
        &self,
        name: &str,
        history: &History,
        entries: &[&Entry],
    ) -> Result<VersionCheck, RegistryError> {
        let entry = entries[0];
        let about = About::of(history, entries);
        let mut check = VersionCheck {
            version: entry.version,
            bundle: entry.bundle,
            evaluation: entry.evaluation,
            bytes: 0,
            seal: self.seal_of(name, entry)?,
            entries: BTreeMap::new(),
            withdrawn: about.withdrawn,
            loadable: about.loadable.iter().map(|e| e.sequence).collect(),
            disowned: about.disowned,
            unasked: Vec::new(),
            problems: Vec::new(),
            doubts: Vec::new(),
        };
        if !about.loadable.is_empty() {
            (check.bytes, check.problems) = self.content(name, &about.loadable)?;
            self.weigh_manifest(&mut check);
        }
        let is_gone = self.is_gone(name, history, entry.version)?;
        for entry in about.counting {
            let seal = self.entry_seal(name, entry)?;
            // The last champion's decides, withdrawn or not, that there is none behind it.
            let is_last = || history.last_champion() == Some(entry);
            let is_unsigned = matches!(seal, Seal::Unsigned | Seal::Foreign);
            if is_gone && is_unsigned && entry.is_decision() && !is_last() {
                check.unasked.push(entry.sequence);
            } else {
                self.weigh(&mut check, entry.title(), &seal);
            }
            check.entries.insert(entry.sequence, seal);
        }
        Ok(check)
    }

    /// Returns whether a trusted key has signed that nobody loads a version.
    fn is_gone(&self, name: &str, history: &History, version: u64) -> Result<bool, RegistryError> {
        let Some(note) = history.withdrawal(version) else {
            return Ok(false);
        };
        Ok(matches!(self.entry_seal(name, note)?, Seal::Trusted(_)))
    }

    fn weigh_manifest(&self, check: &mut VersionCheck) {
        let (version, seal) = (check.version, check.seal.clone());
        self.weigh(check, format!("version {version}"), &seal);
        if matches!(seal, Seal::Lacking) && self.trusted.is_none() {
            let what = "it is from before there were any, or somebody has removed it";
            let said = format!("version {version} {seal}: {what}");
            check.problems.push(said);
        }
    }

    /// Notes what speaks against a version.
    fn weigh(&self, check: &mut VersionCheck, what: String, seal: &Seal) {
        let noted = match seal {
            _ if seal.is_broken() => &mut check.problems,
            Seal::Trusted(_) => return,
            // Whomever one trusts, nobody can tell what it is.
            Seal::Unmatched(_) => &mut check.doubts,
            _ if self.trusted.is_none() => return,
            _ => &mut check.doubts,
        };
        noted.push(format!("{what} {}", seal.in_full()));
    }

    /// Hashes the blobs of a version, and compares what they, the manifest and the history say; returns how many bytes
    /// there are and what is wrong.
    pub(super) fn content(
        &self,
        name: &str,
        entries: &[&Entry],
    ) -> Result<(u64, Vec<String>), RegistryError> {
        let entry = entries[0];
        let (mut bytes, mut problems) = (0, Vec::new());
        for digest in [entry.bundle, entry.training_groups, entry.evaluation] {
            let checked = self.check_length(name, entry, digest);
            match checked.and_then(|()| self.summary(digest)) {
                Ok(blob) => bytes += blob.bytes,
                Err(error) => problems.push(error.to_string()),
            }
        }
        if problems.is_empty() {
            problems.extend(self.manifest_problem(name, entry)?);
            problems.extend(self.origin_problems(name, entries));
        }
        Ok((bytes, problems))
    }

    /// Says what whoever loads the bundle would say of it, unless it is of another program's time.
    fn origin_problems(&self, name: &str, entries: &[&Entry]) -> Vec<String> {
        let read = self.read::<ModelBundle>(name, entries[0], entries[0].bundle);
        let bundle = match read {
            Ok(bundle) => bundle,
            Err(RegistryError::Codec {
                source: CodecError::Older { .. } | CodecError::Newer { .. },
                ..
            }) => return Vec::new(),
            Err(error) => return vec![error.to_string()],
        };
        let checked = entries.iter().map(|e| self.check_origin(name, e, &bundle));
        checked
            .filter_map(|checked| Some(checked.err()?.to_string()))
            .collect()
    }
}

/// What a history says of one evaluation of a version.
pub(super) struct About<'a> {
    /// Why nobody loads it.
    pub withdrawn: Option<String>,
    /// The numbers of the entries that do not count.
    pub disowned: Vec<u64>,
    /// The entries that count.
    pub counting: Vec<&'a Entry>,
    /// The entries by which it may be loaded.
    pub loadable: Vec<&'a Entry>,
}

impl<'a> About<'a> {
    pub(super) fn of(history: &History, entries: &[&'a Entry]) -> Self {
        let (counting, disowned): (Vec<&Entry>, Vec<&Entry>) =
            entries.iter().partition(|entry| history.counts(entry));
        let withdrawal = history.withdrawal(entries[0].version);
        let decisions = counting.iter().copied().filter(|e| e.is_decision());
        Self {
            loadable: match withdrawal {
                Some(_) => Vec::new(),
                None => decisions.collect(),
            },
            withdrawn: withdrawal
                .filter(|note| note.withdraws(entries[0].version))
                .map(|note| note.why.clone().unwrap_or_default()),
            disowned: disowned.iter().map(|e| e.sequence).collect(),
            counting,
        }
    }
}

/// Returns the entries about each evaluation of each version, in order.
pub(super) fn evaluated_versions(
    history: &History,
) -> BTreeMap<(u64, Digest, Digest), Vec<&Entry>> {
    let mut found: BTreeMap<_, Vec<&Entry>> = BTreeMap::new();
    for entry in history.entries() {
        let evaluated = (entry.version, entry.evaluation, entry.training_groups);
        found.entry(evaluated).or_default().push(entry);
    }
    found
}
