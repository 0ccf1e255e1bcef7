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

    /// Returns what a text was read as before, if it is remembered.
    #[inline]
    pub(super) fn known(&self, text: &[u8]) -> Option<f64> {
        let packed = pack(text)?;
        let slot = self.slots[slot_of(packed)];
        (slot.text == packed).then_some(slot.value)
    }

    /// Reads a cell as [`CellReader::read`] does, and remembers it.
    pub(super) fn read(&mut self, cell: RawCell<'_>) -> Result<f64, String> {
        let value = self.reader.read(self.column, cell)?;
        if let RawCell::Text(text) = cell
            && let Some(text) = pack(text.as_bytes())
        {
            self.slots[slot_of(text)] = Slot { text, value };
        }
        Ok(value)
    }
}

/// Fibonacci hashing: the upper six bits of the product.
#[inline]
fn slot_of(packed: u64) -> usize {
    (packed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
}

/// Returns a short text as a number that no other text has.
#[inline]
fn pack(text: &[u8]) -> Option<u64> {
    let append = |packed: u64, byte: &u8| packed << 8 | u64::from(*byte);
    (text.len() <= SHORT).then(|| text.iter().fold(text.len() as u64, append))
}

#[cfg(test)]
mod tests;
