//! A count and a digest of records that do not depend on their order.

use std::fmt;

use artifact::Digest;

use crate::RawBatch;

/// How many records there are, and a digest of their contents: equal for equal records in any order,
/// and for a number and its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    count: u64,
    /// Sum of the records' digests, so that two equal records do not cancel each other out.
    sum: u128,
}

impl Tally {
    /// Returns the number of records.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Takes a record in by its digest.
    pub fn add(&mut self, record: Digest) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(head(record));
    }

    /// Takes the records of a batch in.
    pub fn add_batch(&mut self, batch: &RawBatch) {
        record_digests(batch).into_iter().for_each(|d| self.add(d));
    }

    /// Takes a record out that was taken in.
    pub fn remove(&mut self, record: Digest) {
        self.count -= 1;
        self.sum = self.sum.wrapping_sub(head(record));
    }

    /// Takes in what another tally has.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records, digest {:032x}", self.count, self.sum)
    }
}

fn head(record: Digest) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&record.as_bytes()[..16]);
    u128::from_be_bytes(bytes)
}

/// Digests each row of a batch: its names with the texts of their cells, missing ones left out, in the
/// order of names.
pub fn record_digests(batch: &RawBatch) -> Vec<Digest> {
    let mut order: Vec<usize> = (0..batch.names.len()).collect();
    order.sort_by(|&a, &b| batch.names[a].cmp(&batch.names[b]));
    let mut bytes = Vec::new();
    let digest = |row| {
        bytes.clear();
        for &column in &order {
            if let Some(text) = batch.columns[column].text(row) {
                push_field(&mut bytes, &batch.names[column], &text);
            }
        }
        Digest::of(&bytes)
    };
    (0..batch.n_rows()).map(digest).collect()
}

fn push_field(bytes: &mut Vec<u8>, name: &str, text: &str) {
    for part in [name, text] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests;
