//! Groups: rows with equal feature vectors, which stay together in every split and fold.

use artifact::Digest;
use serde::{Deserialize, Serialize};

use crate::{Schema, Table};

/// The key of a row's group: the first 64 bits of the SHA-256 of its typed feature vector, where a text
/// stands for itself rather than for its place among the levels, which moves as levels are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupKey(pub u64);

impl GroupKey {
    /// Returns the key of every row of a table of typed columns, before any derived ones.
    ///
    /// Missing cells equal each other, and so do unknown levels; the keys do not depend on the order of
    /// rows.
    pub fn of_rows(schema: &Schema, table: &Table) -> Vec<Self> {
        let texts: Vec<Option<Vec<u64>>> = table
            .columns()
            .iter()
            .map(|column| text_bits(schema, &column.name))
            .collect();
        let mut bytes = vec![0; table.columns().len() * 8];
        (0..table.n_rows())
            .map(|row| {
                let columns = table.columns().iter().zip(&texts);
                for (cell, (column, texts)) in bytes.chunks_exact_mut(8).zip(columns) {
                    let value = column.values[row];
                    let bits = match texts {
                        _ if value.is_nan() => f64::NAN.to_bits(),
                        Some(texts) => texts[value as usize],
                        None => (value + 0.0).to_bits(),
                    };
                    cell.copy_from_slice(&bits.to_le_bytes());
                }
                Self(Digest::of(&bytes).prefix())
            })
            .collect()
    }

    /// Returns a number in [0, 1) that depends on the key and a seed alone: the place of the group in
    /// a keyed hash, so that membership in the holdout never moves when rows come or go.
    pub fn unit(self, seed: u64) -> f64 {
        let mut bytes = *b"holdout:................";
        bytes[8..16].copy_from_slice(&seed.to_le_bytes());
        bytes[16..].copy_from_slice(&self.0.to_le_bytes());
        (Digest::of(&bytes).prefix() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Returns what stands for each code of a text column, that of unknown levels last.
fn text_bits(schema: &Schema, name: &str) -> Option<Vec<u64>> {
    let levels = schema.column(name)?.levels()?;
    let bits = |text: &[u8]| Digest::of(text).prefix();
    let known = levels.iter().map(|level| bits(level.as_bytes()));
    // No level is called like this: levels are trimmed.
    Some(known.chain([bits(b" unknown")]).collect())
}

#[cfg(test)]
mod tests;
