//! How far a history is certain that somebody has changed, or a disk has damaged: what goes on where there is no copy.

use std::collections::BTreeSet;

use artifact::Digest;

use super::{Registry, Seal, chain::PUT_OVER, entry_key, entry_signatures, is_entry_key};
use crate::{Action, Entry, History, RegistryError};

/// Decisions that are told in full; withdrawals are all told.
const MAX_NAMED: usize = 5;

/// What is there of a history that is not whole.
pub(super) struct Survey {
    /// What is wrong with the first entry that does not fit, and its number.
    pub(super) wrong: String,
    first_wrong: u64,
    /// The number of the last entry before that which a trusted key has signed, and which so binds those before it; 0
    /// for none.
    certain: u64,
    /// Behind it, what a trusted key has signed to be withdrawn, and whatever else it has signed.
    withdrawals: Vec<String>,
    others: Vec<String>,
    /// The numbers behind it of which a signature is there, and not the text that was signed.
    exchanged: Vec<u64>,
}

/// An entry as it lies there.
struct Found {
    number: u64,
    /// Nothing where it is missing, or cannot be read.
    entry: Option<Entry>,
    file: Option<Digest>,
    is_signed: bool,
}

impl Registry {
    /// Looks at each entry by itself; nothing where all of them fit together.
    ///
    /// # Errors
    /// [`RegistryError::Blob`].
    pub(super) fn survey(&self, name: &str) -> Result<Option<Survey>, RegistryError> {
        let listed = self.blobs.list(&format!("models/{name}/history/"))?;
        // Those that are there: of a large number alone, all before it would be looked for.
        let own = listed.iter().filter(|key| is_entry_key(name, key));
        let numbers: BTreeSet<u64> = own.filter_map(|key| number_of(key)).collect();
        let entries = numbers.into_iter().map(|number| self.found(name, number));
        let entries = entries.collect::<Result<Vec<Found>, _>>()?;
        let Some((first_wrong, wrong)) = first_wrong(&entries) else {
            return Ok(None);
        };
        let before = entries.iter().filter(|found| found.number < first_wrong);
        let certain = before.rev().find(|found| found.is_signed);
        let certain = certain.map_or(0, |found| found.number);
        let mut survey = Survey {
            wrong,
            first_wrong,
            certain,
            withdrawals: Vec::new(),
            others: Vec::new(),
            exchanged: Vec::new(),
        };
        let signatures = self.signed_numbers(name)?;
        for found in entries.iter().filter(|found| found.number > certain) {
            survey.note(found, signatures.contains(&found.number));
        }
        Ok(Some(survey))
    }

    fn found(&self, name: &str, number: u64) -> Result<Found, RegistryError> {
        let key = entry_key(name, number);
        let Some(text) = self.blobs.get(&key)? else {
            return Ok(Found {
                number,
                entry: None,
                file: None,
                is_signed: false,
            });
        };
        let entry = self.parsed_entry(&key, number, &text).ok();
        let is_signed = entry.as_ref().is_some_and(|entry| entry.may_be_of(name)) && {
            // Its own signature alone: there may be as many others as somebody likes.
            let key = entry_signatures::signature_key(name, number, &text);
            matches!(self.judged(&text, self.blobs.get(&key)?), Seal::Trusted(_))
        };
        Ok(Found {
            number,
            entry,
            file: Some(Digest::of(&text)),
            is_signed,
        })
    }

    /// Returns the numbers of which signatures are there.
    fn signed_numbers(&self, name: &str) -> Result<BTreeSet<u64>, RegistryError> {
        let keys = self.blobs.list(&format!("models/{name}/signatures/"))?;
        let number = |key: &String| key.rsplit('/').next()?.split('-').next()?.parse().ok();
        Ok(keys.iter().filter_map(number).collect())
    }
}

/// Returns the number of the first entry that does not fit those before it, and why. Links come first: of an entry that
/// says what cannot be, one before it may have been exchanged.
fn first_wrong(entries: &[Found]) -> Option<(u64, String)> {
    let (mut whole, mut files) = (Vec::new(), Vec::new());
    let mut broken = None;
    for (expected, found) in (1..).zip(entries) {
        match misfit(expected, found, whole.last(), files.last()) {
            Some(wrong) => {
                broken = Some((expected, wrong));
                break;
            }
            None => {
                whole.extend(found.entry.clone());
                files.extend(found.file);
            }
        }
    }
    let title = |number: u64| {
        entries[number as usize - 1]
            .entry
            .as_ref()
            .map(Entry::title)
    };
    let told = |(number, reason)| {
        let title = title(number).unwrap_or_default();
        (number, format!("{title} cannot stand there: {reason}"))
    };
    History::new(whole, files).err().map(told).or(broken)
}

fn misfit(
    number: u64,
    found: &Found,
    before: Option<&Entry>,
    file: Option<&Digest>,
) -> Option<String> {
    let entry = found.entry.as_ref().filter(|_| found.number == number);
    let Some(entry) = entry else {
        return Some(format!("entry {number} is missing, or cannot be read"));
    };
    (!entry.follows(before, file))
        .then(|| format!("{} {}", entry.title(), Seal::Unlinked(number - 1)))
}

impl Survey {
    fn note(&mut self, found: &Found, has_signature: bool) {
        match &found.entry {
            Some(entry) if found.is_signed => {
                let told = format!("{}, bundle {}", entry.title(), entry.bundle.short());
                match entry.action {
                    Action::Withdrawn => self.withdrawals.push(told),
                    _ => self.others.push(told),
                }
            }
            _ if has_signature => self.exchanged.push(found.number),
            _ => {}
        }
    }

    /// Says what to do.
    pub(super) fn advice(&self, name: &str, trusts: bool) -> String {
        if !trusts {
            let first = self.first_wrong;
            return format!(
                "{PUT_OVER}; where entries are signed, --trusted-keys FILE says how far the history is certain; where they are \
                 not, entry {first} or the one before it is not what it was: where no copy has them, move the entries from \
                 that one on away"
            );
        }
        let certain = match self.certain {
            0 => "nothing of it is certain".to_owned(),
            n => format!("entry {n} is the last that is certain, as a trusted key has signed it"),
        };
        let mut lost = self.withdrawals.clone();
        lost.extend(self.others.iter().take(MAX_NAMED).cloned());
        if let more @ 1.. = self.others.len().saturating_sub(MAX_NAMED) {
            lost.push(format!("{more} more that withdraw nothing"));
        }
        let lost = match lost.is_empty() {
            true => String::new(),
            false => format!(
                ", first what a trusted key has signed there: {}",
                lost.join(", ")
            ),
        };
        let exchanged: Vec<String> = self.exchanged.iter().map(u64::to_string).collect();
        let exchanged = match exchanged.is_empty() {
            true => String::new(),
            false => format!(
                "; signatures are there of entries whose text is not, which may have been withdrawals: {}",
                exchanged.join(", ")
            ),
        };
        format!(
            "{PUT_OVER}; {certain}: where no copy has the rest, move `{}` and all entries behind it away, with the \
             signatures of their numbers, and decide anew what they decided{lost}{exchanged}",
            entry_key(name, self.certain + 1)
        )
    }
}

fn number_of(key: &str) -> Option<u64> {
    key.rsplit(['/', '.']).nth(1)?.parse().ok()
}
