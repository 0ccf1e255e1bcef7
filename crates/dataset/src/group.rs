//! Groups: rows with equal feature vectors, which stay together in every split and fold.

use artifact::Digest;
use serde::{Deserialize, Serialize};

use crate::Table;

/// The key of a row's group: the first 64 bits of the SHA-256 of its typed feature vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupKey(pub u64);

impl GroupKey {
    /// Returns the key of every row of a table of typed columns, before any derived ones.
    ///
    /// Missing cells equal each other; the keys do not depend on the order of rows.
    pub fn of_rows(table: &Table) -> Vec<Self> {
        let mut bytes = vec![0; table.columns().len() * 8];
        (0..table.n_rows())
            .map(|row| {
                for (cell, column) in bytes.chunks_exact_mut(8).zip(table.columns()) {
                    let value = column.values[row];
                    let bits = if value.is_nan() {
                        f64::NAN.to_bits()
                    } else {
                        (value + 0.0).to_bits()
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
