//! The registry: bundles under their digests, and one history a model.

mod chain;
mod decisions;
mod entry_signatures;
mod kept_run;
mod manifests;
mod memory;
mod signing;
mod survey;
mod verification;

use std::{collections::BTreeSet, path::Path, sync::Arc};

use artifact::{Artifact, CodecError, Digest, clock, codec};
use model::{ModelBundle, TrainingGroups};
use serde_json::error::Category;

use chain::{Chain, put_back};
pub use kept_run::{KeptFile, KeptRun};
pub use manifests::Seal;
use memory::Memory;
pub use signing::{Chosen, Signed};
pub use verification::VersionCheck;

use crate::{
    Action, BlobError, BlobStore, Entry, Evaluation, History, LocalDirectory, RegistryError,
    SigningKey, TrustedKeys, blob::most_bytes,
};

/// How often an append is tried when others append at the same time. Each failure means that one of
/// them has succeeded, so a writer among 16 that never wins by chance is one in 10^7.
const MAX_ATTEMPTS: u32 = 250;

/// Models, their versions and histories, in some [`BlobStore`].
#[derive(Clone)]
pub struct Registry {
    blobs: Arc<dyn BlobStore>,
    signing: Option<Arc<SigningKey>>,
    trusted: Option<Arc<TrustedKeys>>,
    memory: Arc<Memory>,
}

impl Registry {
    /// Uses a store of blobs.
    pub fn new(blobs: Arc<dyn BlobStore>) -> Self {
        Self {
            blobs,
            signing: None,
            trusted: None,
            memory: Arc::default(),
        }
    }

    /// Uses the registry of an artifacts root.
    pub fn local(root: &Path) -> Self {
        Self::new(Arc::new(LocalDirectory::new(root.join("registry"))))
    }

    /// Returns where the registry lies.
    pub fn location(&self) -> String {
        self.blobs.location()
    }

    /// Returns whether it lies elsewhere, so that what it keeps is out of a broken disk's reach.
    pub fn is_remote(&self) -> bool {
        self.blobs.is_remote()
    }

    /// Returns the names of all models, ascending.
    ///
    /// # Errors
    /// [`RegistryError::Blob`].
    pub fn names(&self) -> Result<Vec<String>, RegistryError> {
        let keys = self.blobs.list("models/")?;
        let mut names: Vec<String> = keys
            .iter()
            .filter_map(|key| match *key.split('/').collect::<Vec<_>>() {
                [_, name, "history", _] => Some(name.to_owned()),
                _ => None,
            })
            .collect();
        names.dedup();
        Ok(names)
    }

    /// Reads the history of a model; empty for one that does not exist.
    ///
    /// A list that is taken while others append may lack an entry and have the next, and a store may
    /// show a key before its bytes: what looks like damage is looked at twice.
    ///
    /// # Errors
    /// [`RegistryError::Damaged`] when an entry does not parse, does not follow from those before it,
    /// or is missing in between.
    pub fn history(&self, name: &str) -> Result<History, RegistryError> {
        check_name(name)?;
        let read = match self.blobs.is_remote() {
            true => self.followed_history(name),
            false => self.listed_history(name),
        };
        match read {
            Err(RegistryError::Damaged { .. }) => {
                self.memory.forget(name);
                self.listed_history(name)
            }
            read => read,
        }
    }

    /// Reads what has come behind the entries that are known: one request where there is nothing new.
    fn followed_history(&self, name: &str) -> Result<History, RegistryError> {
        let Some(mut chain) = self.memory.recall(name) else {
            let chain = self.listed_entries(name)?;
            let history = self.sound_history(name, &chain)?;
            self.memory.note(name, chain);
            return Ok(history);
        };
        self.check_last(name, &chain)?;
        while let Some(text) = self.blobs.get(&entry_key(name, chain.next()))? {
            self.take(name, &mut chain, &text)?;
        }
        let history = self.sound_history(name, &chain)?;
        self.memory.extend(name, chain);
        Ok(history)
    }

    /// Looks whether the last entry that is remembered is there still, unless a trusted key was found to have signed it:
    /// of one that somebody has put there and taken away again, the number is another's by now.
    fn check_last(&self, name: &str, chain: &Chain) -> Result<(), RegistryError> {
        let Some(last) = chain.last().filter(|_| self.trusts()) else {
            return Ok(());
        };
        let Some(file) = chain.end() else {
            return Ok(());
        };
        if self.memory.is_vouched(name, last.sequence, file) {
            return Ok(());
        }
        let key = entry_key(name, last.sequence);
        let gone = || self.damaged_entry(&key, "is not there any more".to_owned());
        let text = self.blobs.get(&key)?.ok_or_else(gone)?;
        if file != Digest::of(&text) {
            return Err(self.damaged_entry(&key, "is another one by now".to_owned()));
        }
        if matches!(self.seal_of_text(name, last, &text)?, Seal::Trusted(_)) {
            self.memory.vouch(name, last.sequence, file);
        }
        Ok(())
    }

    fn listed_history(&self, name: &str) -> Result<History, RegistryError> {
        self.sound_history(name, &self.listed_entries(name)?)
    }

    fn listed_entries(&self, name: &str) -> Result<Chain, RegistryError> {
        let listed = self.blobs.list(&format!("models/{name}/history/"))?;
        if let Some(foreign) = listed.iter().find(|key| !is_entry_key(name, key)) {
            let reason = "is no entry of a history: move it out of there";
            return Err(self.damaged_entry(foreign, reason.to_owned()));
        }
        let Some(last) = listed.last() else {
            self.check_end(name, 0)?;
            self.check_end(name, 1)?;
            return Ok(Chain::default());
        };
        let mut chain = Chain::default();
        // Read by its name, listed or not: each entry was there before the next was made.
        while entry_key(name, chain.next()) <= *last {
            let key = entry_key(name, chain.next());
            let missing = || self.damaged_entry(&key, format!("is missing, but `{last}` is there"));
            let text = self.blobs.get(&key)?.ok_or_else(missing)?;
            self.take(name, &mut chain, &text)?;
        }
        self.check_end(name, chain.next())?;
        Ok(chain)
    }

    /// Checks that nothing else stands in the place of the next entry: a directory is in no list of files.
    fn check_end(&self, name: &str, next: u64) -> Result<(), RegistryError> {
        if !self.blobs.is_remote() {
            self.blobs.length(&entry_key(name, next))?;
        }
        Ok(())
    }

    fn sound_history(&self, name: &str, chain: &Chain) -> Result<History, RegistryError> {
        let history = chain.history();
        history.map_err(|(sequence, reason)| self.damaged_entry(&entry_key(name, sequence), reason))
    }

    fn take(&self, name: &str, chain: &mut Chain, text: &[u8]) -> Result<(), RegistryError> {
        let sequence = chain.next();
        let entry = self.parsed_entry(&entry_key(name, sequence), sequence, text)?;
        chain.take(entry, text);
        Ok(())
    }

    fn parsed_entry(&self, key: &str, sequence: u64, bytes: &[u8]) -> Result<Entry, RegistryError> {
        let damaged = |reason: String| self.damaged_entry(key, reason);
        let entry: Entry = serde_json::from_slice(bytes).map_err(|e| damaged(no_entry(&e)))?;
        if entry.sequence != sequence {
            let found = entry.sequence;
            return Err(damaged(format!(
                "entry {found} stands where {sequence} should"
            )));
        }
        Ok(entry.printable())
    }

    fn damaged_entry(&self, key: &str, reason: String) -> RegistryError {
        let name = key.split('/').nth(1).unwrap_or("NAME");
        RegistryError::Damaged {
            location: self.location(),
            key: key.to_owned(),
            reason,
            advice: format!(
                "{}; or train under another name (`netsec run --model NAME`)",
                put_back(name)
            ),
        }
    }

    /// Reads the history of a model that must exist.
    ///
    /// # Errors
    /// As [`Registry::history`], and [`RegistryError::NoModel`] with the known names.
    pub fn existing(&self, name: &str) -> Result<History, RegistryError> {
        let history = self.history(name)?;
        if history.entries().is_empty() {
            return Err(RegistryError::NoModel {
                name: name.to_owned(),
                known: self.names()?,
            });
        }
        Ok(history)
    }

    /// Reads the champion's bundle with its entry.
    ///
    /// # Errors
    /// [`RegistryError::NoModel`], [`RegistryError::NoChampion`], or what reading fails with.
    pub fn champion(&self, name: &str) -> Result<(Entry, ModelBundle), RegistryError> {
        let entry = self.entry(name, None)?;
        let bundle = self.bundle(name, &entry)?;
        Ok((entry, bundle))
    }

    /// Returns the entry of a version, or of the champion when none is given.
    ///
    /// # Errors
    /// [`RegistryError::NoModel`], [`RegistryError::NoVersion`], [`RegistryError::NoChampion`].
    pub fn entry(&self, name: &str, version: Option<u64>) -> Result<Entry, RegistryError> {
        let history = self.existing(name)?;
        let found = match version {
            Some(version) => {
                self.check_notes(name, &history)?;
                find(&history, name, version)?
            }
            None => self
                .standing(name, &history)?
                .ok_or_else(|| without_champion(name, &history))?,
        };
        Ok(found.clone())
    }

    /// Reads the bundle of an entry and checks it against the entry's digest.
    ///
    /// # Errors
    /// [`RegistryError::Codec`] or [`RegistryError::Damaged`], and [`RegistryError::Untrusted`] when no key that
    /// this registry trusts has signed it.
    pub fn bundle(&self, name: &str, entry: &Entry) -> Result<ModelBundle, RegistryError> {
        self.check_seal(name, entry)?;
        let bundle: ModelBundle = self.read(name, entry, entry.bundle)?;
        self.check_origin(name, entry, &bundle)?;
        Ok(bundle)
    }

    /// Checks that an entry says of its bundle what the bundle and its evaluation say.
    fn check_origin(
        &self,
        name: &str,
        entry: &Entry,
        bundle: &ModelBundle,
    ) -> Result<(), RegistryError> {
        let version = entry.version;
        let evaluation = self.evaluation(name, entry);
        let reason = match evaluation {
            // That it cannot be read is told to those who need it.
            Ok(evaluation) if evaluation.bundle != entry.bundle => format!(
                "it gives version {version} the bundle {}, but its evaluation is of {}",
                entry.bundle.short(),
                evaluation.bundle.short()
            ),
            _ if bundle.simulated != entry.simulated => format!(
                "it says simulated: {} of version {version}, whose bundle says {}",
                entry.simulated, bundle.simulated
            ),
            _ => return Ok(()),
        };
        Err(self.damaged_entry(&entry_key(name, entry.sequence), reason))
    }

    /// Returns an error for each version of a model whose blobs are not all there; those of withdrawn ones are missed by
    /// nobody.
    ///
    /// # Errors
    /// [`RegistryError::Blob`].
    pub fn lacking(
        &self,
        name: &str,
        history: &History,
    ) -> Result<Vec<RegistryError>, RegistryError> {
        let there: BTreeSet<String> = self.blobs.list("blobs/")?.into_iter().collect();
        let lacks = |entry: &Entry| {
            let blobs = [entry.bundle, entry.training_groups, entry.evaluation];
            let lost = blobs.into_iter().find(|d| !there.contains(&blob_key(*d)))?;
            Some(self.missing_blob(name, entry, lost))
        };
        let versions = history.versions().into_iter();
        let versions = versions.filter(|v| history.withdrawal(v.version).is_none());
        let last = versions.filter_map(|v| history.version(v.version));
        Ok(last.filter_map(lacks).collect())
    }

    /// Reads the bytes of an entry's bundle as they lie there, once they have passed every check.
    ///
    /// # Errors
    /// As [`Registry::bundle`].
    pub fn bundle_bytes(&self, name: &str, entry: &Entry) -> Result<Vec<u8>, RegistryError> {
        self.check_seal(name, entry)?;
        let (bytes, bundle) = self.read_with_bytes(name, entry, entry.bundle)?;
        self.check_origin(name, entry, &bundle)?;
        Ok(bytes)
    }

    /// Reads the groups that an entry's bundle was trained on.
    ///
    /// # Errors
    /// As [`Registry::bundle`].
    pub fn training_groups(
        &self,
        name: &str,
        entry: &Entry,
    ) -> Result<TrainingGroups, RegistryError> {
        self.read(name, entry, entry.training_groups)
    }

    /// Reads the evaluation of an entry's bundle.
    ///
    /// # Errors
    /// As [`Registry::bundle`].
    pub fn evaluation(&self, name: &str, entry: &Entry) -> Result<Evaluation, RegistryError> {
        self.read(name, entry, entry.evaluation)
    }

    /// Writes an artifact under its digest; writing it again changes nothing.
    ///
    /// # Errors
    /// [`RegistryError::Blob`], [`RegistryError::Codec`].
    pub fn write<A: Artifact>(&self, artifact: &A) -> Result<Digest, RegistryError> {
        let wrap = |source| RegistryError::Encoding {
            kind: A::KIND,
            source,
        };
        let bytes = codec::encode(artifact).map_err(wrap)?;
        let digest = codec::verify(&bytes, A::KIND).map_err(wrap)?;
        self.write_blob(&blob_key(digest), &bytes)?;
        Ok(digest)
    }

    /// Writes bytes unless these very ones are there: a bucket would keep both as versions, and a damaged one is
    /// mended.
    fn write_blob(&self, key: &str, bytes: &[u8]) -> Result<(), RegistryError> {
        // What somebody has made of it may be more than there is memory for.
        let length = self.blobs.length(key).ok().flatten();
        let is_as_long = length == Some(bytes.len() as u64);
        match is_as_long.then(|| self.blobs.get(key)) {
            Some(Ok(Some(there))) if there == bytes => Ok(()),
            _ => Ok(self.blobs.put(key, bytes)?),
        }
    }

    fn read<A: Artifact>(
        &self,
        name: &str,
        entry: &Entry,
        digest: Digest,
    ) -> Result<A, RegistryError> {
        let (_, artifact) = self.read_with_bytes(name, entry, digest)?;
        Ok(artifact)
    }

    fn read_with_bytes<A: Artifact>(
        &self,
        name: &str,
        entry: &Entry,
        digest: Digest,
    ) -> Result<(Vec<u8>, A), RegistryError> {
        let key = blob_key(digest);
        self.check_length(name, entry, digest)?;
        let bytes = self.blobs.get(&key)?;
        let bytes = bytes.ok_or_else(|| self.missing_blob(name, entry, digest))?;
        let wrap = |source| RegistryError::Codec {
            location: self.location(),
            key: key.clone(),
            advice: self.advice(name, entry, Some(&source)),
            source,
        };
        let found = codec::verify(&bytes, A::KIND).map_err(wrap)?;
        if found != digest {
            return Err(RegistryError::Damaged {
                location: self.location(),
                key,
                reason: format!("holds {found}"),
                advice: self.advice(name, entry, None),
            });
        }
        let artifact = codec::decode(&bytes).map_err(wrap)?;
        Ok((bytes, artifact))
    }

    /// Refuses a blob that has not the length of which its version's manifest tells, before there is memory for it: what
    /// somebody has made of it may be more than the machine has.
    pub(super) fn check_length(
        &self,
        name: &str,
        entry: &Entry,
        digest: Digest,
    ) -> Result<(), RegistryError> {
        let manifest = self.kept_manifest(name, entry)?;
        let told = manifest.and_then(|m| m.bytes_of(digest));
        let key = blob_key(digest);
        let (Some(told), Some(there)) = (told, self.blobs.length(&key)?) else {
            return Ok(());
        };
        if told == there {
            return Ok(());
        }
        Err(RegistryError::Damaged {
            location: self.location(),
            key,
            reason: format!("has {there} bytes, of which its version's manifest has {told}"),
            advice: self.advice(name, entry, None),
        })
    }

    fn missing_blob(&self, name: &str, entry: &Entry, digest: Digest) -> RegistryError {
        let entry_key = entry_key(name, entry.sequence);
        RegistryError::Damaged {
            location: self.location(),
            key: blob_key(digest),
            reason: format!("is missing, but `{entry_key}` names it"),
            advice: self.advice(name, entry, None),
        }
    }

    /// Says what brings back a blob that an entry needs, or does without it.
    fn advice(&self, name: &str, entry: &Entry, found: Option<&CodecError>) -> String {
        let run = entry.run_word();
        let again = match found {
            Some(CodecError::Older { .. } | CodecError::Newer { .. }) => String::new(),
            _ => format!(
                "`netsec stage promotion --run {run}` writes it again while that run is there, "
            ),
        };
        let history = self.history(name).unwrap_or_default();
        let former = history.previous_champion().map(|e| e.version);
        match former.filter(|version| *version != entry.version) {
            Some(version) => format!(
                "{again}`netsec models rollback {name} --to {version}` returns to another version"
            ),
            None => format!("{again}`netsec run` trains another version"),
        }
    }

    /// Returns the entry behind whose time another one is made: the last, or where keys are trusted the last by which a
    /// champion came or went, unless one of them has signed the other. With the time of an unsigned one, somebody would
    /// choose when a decision is said to have been made.
    fn last_time<'a>(&self, name: &str, history: &'a History) -> Option<&'a Entry> {
        let last = history.entries().last().into_iter();
        let mut known = last.chain(history.turns().rev());
        known.find(|entry| self.check_entry(name, entry).is_ok())
    }

    /// Appends an entry that `make` writes from the history as it stands; the one commit point.
    ///
    /// `make` is asked again when another process has appended in between; `None` appends nothing.
    ///
    /// # Errors
    /// Whatever `make` fails with, and [`RegistryError::Contended`].
    pub fn append(
        &self,
        name: &str,
        make: impl Fn(&History) -> Result<Option<Entry>, RegistryError>,
    ) -> Result<Option<Entry>, RegistryError> {
        // What somebody has put back may be shorter than what is remembered, and an entry behind that a gap.
        self.memory.forget(name);
        for _ in 0..MAX_ATTEMPTS {
            let history = self.history(name)?;
            let Some(mut entry) = make(&history)? else {
                return Ok(None);
            };
            // What nobody who is trusted has taken away is given back by disowning that.
            if !matches!(entry.action, Action::Disowned(_)) {
                self.check_notes(name, &history)?;
            }
            entry.sequence = history.entries().len() as u64 + 1;
            // What was read, and not what may stand there by now.
            entry.previous = history.file(entry.sequence - 1);
            entry.model = Some(name.to_owned());
            if let Some(last) = self.last_time(name, &history) {
                entry.at = time_after(last, &entry.at);
            }
            let key = entry_key(name, entry.sequence);
            let bytes = serde_json::to_vec_pretty(&entry).expect("an entry is plain data");
            if let Some(reason) = history.problem_of(&entry) {
                return Err(self.damaged_entry(&key, format!("could not be read: {reason}")));
            }
            self.check_readable(&key, &bytes)?;
            self.sign_entry(name, entry.sequence, &bytes)?;
            if self.blobs.put_if_absent(&key, &bytes)? {
                return Ok(Some(entry));
            }
        }
        Err(RegistryError::Contended {
            name: name.to_owned(),
            attempts: MAX_ATTEMPTS,
        })
    }

    /// Refuses to write what nobody would read: a history would end with it.
    fn check_readable(&self, key: &str, bytes: &[u8]) -> Result<(), RegistryError> {
        let (length, most) = (bytes.len(), most_bytes(key));
        if length as u64 <= most {
            return Ok(());
        }
        Err(RegistryError::Blob(BlobError {
            location: self.location(),
            action: "write",
            key: key.to_owned(),
            reason: format!(
                "it would have {length} bytes, at most {most} are read: give fewer words"
            ),
        }))
    }
}

/// Returns the time of an entry that is made now and stands behind another.
///
/// Whoever was quicker may have a slightly later time, or another clock: that time is then its own as
/// well. A time far ahead is an error of a clock, which the entry must not repeat.
fn time_after(last: &Entry, now: &str) -> String {
    let Ok(moment) = clock::parse(now) else {
        return now.to_owned();
    };
    let is_behind = clock::parse(&last.at).is_ok_and(|at| moment < at);
    let is_by_chance = is_behind && !last.lies_ahead_of(moment);
    if is_by_chance { &last.at } else { now }.to_owned()
}

/// Says why a model has no champion.
fn without_champion(name: &str, history: &History) -> RegistryError {
    let name = name.to_owned();
    match history.challenger() {
        Some(last) => RegistryError::NoChampion {
            name,
            version: last.version,
            reasons: last.reasons.join("; "),
        },
        None => RegistryError::NoneLeft { name },
    }
}

/// Returns what was last decided of a version that may be loaded.
fn find<'a>(history: &'a History, name: &str, version: u64) -> Result<&'a Entry, RegistryError> {
    let last = decided(history, name, version)?;
    match history.withdrawal(version) {
        Some(note) => Err(RegistryError::Undone {
            name: name.to_owned(),
            version,
            by: note.sequence,
            why: note.why.clone().unwrap_or_default(),
        }),
        None => Ok(last),
    }
}

/// Returns what was last decided of a version that was not withdrawn, whether that counts or not.
fn decided<'a>(history: &'a History, name: &str, version: u64) -> Result<&'a Entry, RegistryError> {
    let note = history.withdrawal(version);
    if let Some(note) = note.filter(|note| note.withdraws(version)) {
        return Err(RegistryError::Withdrawn {
            name: name.to_owned(),
            version,
            why: note.why.clone().unwrap_or_default(),
        });
    }
    let is_of = |e: &&Entry| e.version == version && e.is_decision();
    let any = || history.entries().iter().rfind(is_of);
    let found = history.version(version).or_else(any);
    found.ok_or_else(|| no_version(history, name, version))
}

/// Checks that there is a version, withdrawn or not.
fn check_known(history: &History, name: &str, version: u64) -> Result<(), RegistryError> {
    match (1..history.next_version()).contains(&version) {
        true => Ok(()),
        false => Err(no_version(history, name, version)),
    }
}

fn no_version(history: &History, name: &str, version: u64) -> RegistryError {
    let versions = history.versions().into_iter();
    let known: Vec<String> = versions.map(|v| v.version.to_string()).collect();
    RegistryError::NoVersion {
        name: name.to_owned(),
        version,
        known: known.join(", "),
    }
}

/// Says in plain words why bytes are no entry.
fn no_entry(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Eof => format!("is cut short, at line {line}, column {column}"),
        Category::Syntax | Category::Io => {
            format!("is no JSON, at line {line}, column {column}")
        }
        Category::Data => error.to_string(),
    }
}

fn entry_key(name: &str, sequence: u64) -> String {
    format!("models/{name}/history/{sequence:08}.json")
}

/// Returns whether a key is that of an entry, whatever its number.
fn is_entry_key(name: &str, key: &str) -> bool {
    let number = key.rsplit(['/', '.']).nth(1).and_then(|n| n.parse().ok());
    number.is_some_and(|sequence| entry_key(name, sequence) == key)
}

fn blob_key(digest: Digest) -> String {
    format!("blobs/{digest}.bin")
}

/// Checks that a model may have this name.
///
/// # Errors
/// [`RegistryError::BadName`].
pub fn check_name(name: &str) -> Result<(), RegistryError> {
    let good = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 100
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if good {
        Ok(())
    } else {
        Err(RegistryError::BadName {
            name: name.to_owned(),
        })
    }
}

impl RegistryError {
    /// Returns whether it says that there is no model or no champion yet.
    pub fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::NoModel { .. } | Self::NoChampion { .. } | Self::NoneLeft { .. }
        )
    }
}

#[cfg(test)]
mod tests;
