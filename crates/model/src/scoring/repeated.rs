//! Cells of a column repeat: what a short text was read as is kept for when it comes again.

use dataset::Column;

use super::{CellReader, RawCell};

/// Texts that are remembered of a column; a newer one takes the place of one with the same slot.
const SLOTS: usize = 64;
/// Bytes of a text at most.
const SHORT: usize = 7;

/// Reads the cells of one column.
pub(super) struct ColumnReader<'a> {
    reader: CellReader<'a>,
    column: &'a Column,
    slots: [Slot; SLOTS],
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    text: u64,
    value: f64,
}

/// No text packs to it: its length would be 255.
const EMPTY: u64 = u64::MAX;

impl<'a> ColumnReader<'a> {
    pub(super) fn new(reader: CellReader<'a>, column: &'a Column) -> Self {
        let slot = Slot {
            text: EMPTY,
            value: f64::NAN,
        };
        Self {
            reader,
            column,
            slots: [slot; SLOTS],
        }
    }

    /// Reads a cell as [`CellReader::read`] does.
    #[inline]
    pub(super) fn read(&mut self, cell: RawCell<'_>) -> Result<f64, String> {
        let RawCell::Text(text) = cell else {
            return self.reader.read(self.column, cell);
        };
        let Some(packed) = pack(text) else {
            return self.reader.read(self.column, cell);
        };
        // Fibonacci hashing: the upper six bits of the product.
        let slot = (packed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize;
        let known = self.slots[slot];
        if known.text == packed {
            return Ok(known.value);
        }
        let value = self.reader.read(self.column, cell)?;
        self.slots[slot] = Slot {
            text: packed,
            value,
        };
        Ok(value)
    }
}

/// Returns a short text as a number that no other text has.
#[inline]
fn pack(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let append = |packed: u64, byte: &u8| packed << 8 | u64::from(*byte);
    (bytes.len() <= SHORT).then(|| bytes.iter().fold(bytes.len() as u64, append))
}

#[cfg(test)]
mod tests;
