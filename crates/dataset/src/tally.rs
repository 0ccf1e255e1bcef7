//! A count and a digest of records that do not depend on their order.

use std::fmt;

use artifact::Digest;

use crate::{RawBatch, RawColumn, raw::write_number};

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
    let named = |&at: &usize| (part(&batch.names[at]), &batch.columns[at]);
    let columns: Vec<(Vec<u8>, &RawColumn)> = order.iter().map(named).collect();
    let (mut bytes, mut number) = (Vec::new(), String::new());
    let digest = |row| {
        bytes.clear();
        for (name, column) in &columns {
            let text = match column {
                RawColumn::Text(texts) => texts.get(row),
                RawColumn::Number(numbers) if numbers[row].is_nan() => None,
                RawColumn::Number(numbers) => {
                    number.clear();
                    write_number(numbers[row], &mut number);
                    Some(number.as_str())
                }
            };
            if let Some(text) = text {
                bytes.extend_from_slice(name);
                push_part(text, &mut bytes);
            }
        }
        Digest::of(&bytes)
    };
    (0..batch.n_rows()).map(digest).collect()
}

fn part(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_part(text, &mut bytes);
    bytes
}

fn push_part(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests;
