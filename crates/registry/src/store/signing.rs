//! Signing by hand: versions that somebody has looked at, and all again when a key takes over from another.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use artifact::Digest;
use serde::Serialize;

use super::{
    Registry, Seal, check_known,
    decisions::entry_of,
    entry_signatures, find,
    manifests::{COMPARE, manifest_key, signature_key},
    verification::{About, evaluated_versions},
};
use crate::{Entry, History, RegistryError, SigningKey};

/// What somebody who has looked at it signs: no more than that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The version whose manifest is signed.
    pub version: Option<u64>,
    /// The numbers of the entries of the history that are signed.
    pub entries: BTreeSet<u64>,
}

/// What came of signing a version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// The version.
    pub version: u64,
    /// Whether its manifest is signed now.
    pub is_signed: bool,
    /// The evaluations of which the manifests are signed now: a version may have been evaluated again.
    pub evaluations: Vec<Digest>,
    /// The entries of its history that are signed now, by their numbers, in words.
    pub entries: BTreeMap<u64, String>,
    /// What was not signed before, and stays so.
    pub left: Vec<String>,
    /// Why nothing of it was signed.
    pub refused: Vec<String>,
}

impl Registry {
    /// Signs what was chosen, once all bytes of the versions that it is of are hashed, and says what else of them is not
    /// signed.
    ///
    /// What somebody else has signed counts where that key is trusted; nothing is signed where another signature is.
    ///
    /// # Errors
    /// [`RegistryError::NoModel`], [`RegistryError::NoVersion`], [`RegistryError::Withdrawn`],
    /// [`RegistryError::NoEntry`], [`RegistryError::Undecided`], [`RegistryError::Unsignable`],
    /// [`RegistryError::Untrusted`] for a history that is broken.
    pub fn sign(
        &self,
        key: &Arc<SigningKey>,
        name: &str,
        chosen: &Chosen,
    ) -> Result<Vec<Signed>, RegistryError> {
        let history = self.existing(name)?;
        let mut versions = BTreeSet::new();
        if let Some(version) = chosen.version {
            versions.insert(find(&history, name, version)?.version);
        }
        for number in &chosen.entries {
            versions.insert(entry_of(&history, name, *number)?.version);
        }
        let works = self.plans(key, name, versions, Some(chosen))?;
        let refused = works.iter().flat_map(|work| work.signed.refused.clone());
        let mut reasons: Vec<String> = refused.collect();
        if reasons.is_empty() {
            check_decided(&history, name, chosen, &works)?;
            return self.carry_out(key, works);
        }
        if works.iter().any(|work| work.is_to_be_compared) {
            reasons.push(match self.trusts() {
                true => COMPARE.to_owned(),
                false => {
                    format!("--trusted-keys says whose signatures are in order, else {COMPARE}")
                }
            });
        }
        Err(RegistryError::Unsignable {
            name: name.to_owned(),
            reasons: reasons.join("; "),
        })
    }

    /// Signs again what a trusted key has signed; nothing else.
    ///
    /// # Errors
    /// As [`Registry::existing`], and [`RegistryError::Untrusted`] for a history that is broken.
    pub fn sign_again(
        &self,
        key: &Arc<SigningKey>,
        name: &str,
    ) -> Result<Vec<Signed>, RegistryError> {
        let versions = self.existing(name)?.versions().into_iter();
        let works = self.plans(key, name, versions.map(|v| v.version), None)?;
        self.carry_out(key, works)
    }

    /// Decides what is to be signed of versions: what was chosen, or what is signed already.
    fn plans(
        &self,
        key: &Arc<SigningKey>,
        name: &str,
        versions: impl IntoIterator<Item = u64>,
        chosen: Option<&Chosen>,
    ) -> Result<Vec<Work>, RegistryError> {
        // One's own signature is in order wherever it stands.
        let registry = self.clone().trusting_also(key);
        let history = registry.existing(name)?;
        // It would vouch for what stands before it.
        registry.check_links(name, &history)?;
        let plan = |version| registry.plan_version(name, &history, version, chosen);
        versions.into_iter().map(plan).collect()
    }

    fn carry_out(
        &self,
        key: &Arc<SigningKey>,
        works: Vec<Work>,
    ) -> Result<Vec<Signed>, RegistryError> {
        let carry_out = |work: Work| {
            let mut signed = work.signed;
            if signed.refused.is_empty() {
                for (key_of_manifest, text) in &work.manifests {
                    self.put_unless_there(key_of_manifest, text)?;
                }
                for (at, text) in &work.texts {
                    self.put_unless_there(at, &key.sign(text))?;
                }
            } else {
                (signed.is_signed, signed.entries) = (false, BTreeMap::new());
                signed.evaluations.clear();
            }
            Ok(signed)
        };
        works.into_iter().map(carry_out).collect()
    }

    fn plan_version(
        &self,
        name: &str,
        history: &History,
        version: u64,
        chosen: Option<&Chosen>,
    ) -> Result<Work, RegistryError> {
        check_known(history, name, version)?;
        let mut work = Work::new(version, chosen.cloned());
        let evaluated = evaluated_versions(history).into_iter();
        for (_, entries) in evaluated.filter(|((of, ..), _)| *of == version) {
            self.plan(&mut work, name, history, &entries)?;
        }
        Ok(work)
    }

    /// Decides what is to be signed of one evaluation of a version.
    fn plan(
        &self,
        work: &mut Work,
        name: &str,
        history: &History,
        entries: &[&Entry],
    ) -> Result<(), RegistryError> {
        let about = About::of(history, entries);
        for number in about.disowned {
            work.refuse_disowned(history, number);
        }
        if let Some(entry) = about.loadable.first() {
            let (_, problems) = self.content(name, &about.loadable)?;
            if !problems.is_empty() {
                work.signed.refused.extend(problems);
                work.is_to_be_compared = true;
                return Ok(());
            }
            let text = self.manifest(name, entry)?.to_text();
            let seal = self.seal_of(name, entry)?;
            let what = format!("version {}", entry.version);
            let chooses = work.chooses_version(entry.version);
            let (is_chosen, what) = match self.is_decided(work, name, &about.loadable)? {
                true => (chooses, what),
                false => (
                    chooses.map(|_| false),
                    format!("{what}, as entry {} alone tells it,", entry.sequence),
                ),
            };
            if work.takes(is_chosen, &seal, &what) {
                work.signed.is_signed = true;
                work.signed.evaluations.push(entry.evaluation);
                work.manifests
                    .push((manifest_key(name, entry), text.clone()));
                work.texts.push((signature_key(name, entry), text));
            }
        }
        for entry in about.counting {
            let sequence = entry.sequence;
            // The very bytes are signed that were judged: somebody may exchange them meanwhile.
            let text = self.entry_text(name, sequence)?;
            let seal = self.seal_of_text(name, entry, &text)?;
            if work.takes(work.chooses_entry(sequence), &seal, &entry.title()) {
                let at = entry_signatures::signature_key(name, sequence, &text);
                work.signed.entries.insert(sequence, entry.title());
                work.texts.push((at, text));
            }
        }
        Ok(())
    }

    /// Returns whether one of some entries is signed, or is to be: anybody may have written the others, and what they
    /// name.
    fn is_decided(
        &self,
        work: &Work,
        name: &str,
        entries: &[&Entry],
    ) -> Result<bool, RegistryError> {
        for entry in entries {
            let is_chosen = work.chooses_entry(entry.sequence) == Some(true);
            if is_chosen || matches!(self.entry_seal(name, entry)?, Seal::Trusted(_)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Refuses to pass over a version that was chosen, because nobody has signed an entry about it.
fn check_decided(
    history: &History,
    name: &str,
    chosen: &Chosen,
    works: &[Work],
) -> Result<(), RegistryError> {
    let passed_over = works.iter().map(|work| &work.signed);
    let mut passed_over = passed_over.filter(|s| !s.is_signed && chosen.version == Some(s.version));
    let Some(Signed { version, .. }) = passed_over.next() else {
        return Ok(());
    };
    let entries = history.decisions().filter(|e| e.version == *version);
    let entries: Vec<String> = entries.map(|e| e.sequence.to_string()).collect();
    Err(RegistryError::Undecided {
        name: name.to_owned(),
        version: *version,
        entries: entries.join(", "),
    })
}

/// What is to be written when nothing speaks against it.
struct Work {
    signed: Signed,
    /// Nothing was chosen when what is signed is signed again.
    chosen: Option<Chosen>,
    manifests: Vec<(String, Vec<u8>)>,
    /// Where each signature goes, and of what it is.
    texts: Vec<(String, Vec<u8>)>,
    /// Whether a copy of the registry is to be looked at; other refusals say themselves what to do.
    is_to_be_compared: bool,
}

impl Work {
    fn new(version: u64, chosen: Option<Chosen>) -> Self {
        Self {
            signed: Signed {
                version,
                ..Signed::default()
            },
            chosen,
            manifests: Vec::new(),
            texts: Vec::new(),
            is_to_be_compared: false,
        }
    }

    fn chooses_version(&self, version: u64) -> Option<bool> {
        let chosen = self.chosen.as_ref()?;
        Some(chosen.version == Some(version))
    }

    fn chooses_entry(&self, sequence: u64) -> Option<bool> {
        let chosen = self.chosen.as_ref()?;
        Some(chosen.entries.contains(&sequence))
    }

    fn refuse_disowned(&mut self, history: &History, sequence: u64) {
        let found = history.numbered(sequence);
        let by = history.disowned_by(sequence);
        if let (Some(true), Some(entry), Some(by)) = (self.chooses_entry(sequence), found, by) {
            let said = format!("{} is disowned by entry {by}", entry.title());
            self.signed.refused.push(said);
        }
    }

    /// Returns whether something is to be signed, and notes why not.
    fn takes(&mut self, is_chosen: Option<bool>, seal: &Seal, what: &str) -> bool {
        let noted = match seal {
            Seal::Trusted(_) => return is_chosen != Some(false),
            Seal::Lacking | Seal::Unsigned if is_chosen == Some(true) => return true,
            Seal::Lacking | Seal::Unsigned => &mut self.signed.left,
            Seal::Unmatched(_) => &mut self.signed.refused,
            _ => {
                self.is_to_be_compared = true;
                &mut self.signed.refused
            }
        };
        noted.push(format!("{what} {}", seal.in_full()));
        false
    }
}
