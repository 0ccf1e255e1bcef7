//! The canonical order of rows: by typed content, whatever the order of the source.
//!
//! Rows compare column by column in the schema's order: numbers ascending, then missing cells, then
//! cells that could not be read; texts ascending, then missing ones. Rows that are equal in all of it
//! compare by the texts that could not be read, then by the reasons of defects. Equal rows keep the
//! source's order, which only their row numbers show.

use std::{collections::BTreeMap, ops::Range};

use dataset::{Cells, MISSING_CODE, exact_integer};

/// Returns for each canonical position the row (in the source's order) that stands there.
///
/// Columns are packed into keys of 128 bits, as many as fit; rows whose keys are equal are sorted
/// again by the columns that follow, so that wide tables cost no more than their ties.
pub(crate) fn canonical_order(
    columns: &[&Cells],
    defects: &[(u64, String)],
    n_rows: u32,
) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n_rows).collect();
    let coders: Vec<Coder<'_>> = columns.iter().map(|cells| Coder::new(cells)).collect();
    let mut ties: Vec<Range<usize>> = std::iter::once(0..order.len()).collect();
    let mut keyed = Vec::new();
    for chunk in chunks(&coders) {
        let mut next = Vec::new();
        for tie in ties {
            sort_by_keys(&mut order[tie.clone()], chunk, &mut keyed);
            find_ties(&keyed, tie.start, &mut next);
        }
        ties = next;
    }
    let texts = leftover_texts(columns, defects);
    if !texts.is_empty() {
        for tie in ties {
            order[tie].sort_by_key(|row| texts.get(row));
        }
    }
    order
}

/// Reorders rows by the key of these columns; `keyed` is left with the sorted keys.
fn sort_by_keys(rows: &mut [u32], chunk: &[Coder<'_>], keyed: &mut Vec<(u128, u32)>) {
    keyed.clear();
    keyed.extend(rows.iter().map(|&row| (0, row)));
    for coder in chunk {
        coder.append_to(keyed);
    }
    keyed.sort_unstable();
    for (row, (_, sorted)) in rows.iter_mut().zip(keyed.iter()) {
        *row = *sorted;
    }
}

fn find_ties(keyed: &[(u128, u32)], start: usize, ties: &mut Vec<Range<usize>>) {
    let mut at = start;
    for equal in keyed.chunk_by(|a, b| a.0 == b.0) {
        if equal.len() > 1 {
            ties.push(at..at + equal.len());
        }
        at += equal.len();
    }
}

/// Cuts the columns into stretches whose codes fit into 128 bits together.
fn chunks<'a, 'b>(mut coders: &'a [Coder<'b>]) -> Vec<&'a [Coder<'b>]> {
    let mut chunks = Vec::new();
    while !coders.is_empty() {
        let mut bits = 0;
        let fitting = coders.iter().take_while(|coder| {
            bits += coder.bits;
            bits <= 128
        });
        let (chunk, rest) = coders.split_at(fitting.count());
        chunks.push(chunk);
        coders = rest;
    }
    chunks
}

/// The texts of a row that its typed cells do not show: column and text, defects last.
type Leftover<'a> = Vec<(usize, &'a str)>;

fn leftover_texts<'a>(
    columns: &[&'a Cells],
    defects: &'a [(u64, String)],
) -> BTreeMap<u32, Leftover<'a>> {
    let mut texts: BTreeMap<u32, Leftover<'a>> = BTreeMap::new();
    for (position, cells) in columns.iter().enumerate() {
        if let Cells::Numbers { unparsed, .. } = cells {
            for (row, text) in unparsed {
                texts.entry(*row as u32).or_default().push((position, text));
            }
        }
    }
    for (row, reason) in defects {
        texts
            .entry(*row as u32)
            .or_default()
            .push((columns.len(), reason));
    }
    texts
}

/// Turns the cells of one column into codes that compare as the cells do.
struct Coder<'a> {
    cells: &'a Cells,
    scale: Scale,
    /// Code of a missing cell; that of an unreadable one follows it.
    missing: u64,
    /// Bits that the largest code takes: at most 64.
    bits: u32,
}

/// How numbers become codes from 0 on.
enum Scale {
    /// All are whole: the distance from the least.
    Whole(i64),
    /// Otherwise: the distance of the bits, which compare as the numbers do.
    Bits(u64),
    /// Codes of a dictionary.
    Dictionary,
}

impl<'a> Coder<'a> {
    fn new(cells: &'a Cells) -> Self {
        let (scale, n_codes) = match cells {
            Cells::Numbers { values, .. } => number_scale(values),
            Cells::Texts { dictionary, .. } => (Scale::Dictionary, dictionary.len() as u64),
        };
        // Room for "missing" and "unreadable" is left only where they occur.
        let (has_missing, has_unreadable) = match cells {
            Cells::Numbers { values, unparsed } => {
                (values.iter().any(|v| v.is_nan()), !unparsed.is_empty())
            }
            Cells::Texts { codes, .. } => (codes.contains(&MISSING_CODE), false),
        };
        let n_codes = n_codes + u64::from(has_missing) + u64::from(has_unreadable);
        Self {
            cells,
            scale,
            missing: n_codes - u64::from(has_missing) - u64::from(has_unreadable),
            bits: 64 - n_codes.saturating_sub(1).leading_zeros(),
        }
    }

    /// Appends the code of each row to its key.
    fn append_to(&self, keyed: &mut [(u128, u32)]) {
        if self.bits == 0 {
            return;
        }
        for (key, row) in keyed {
            *key = *key << self.bits | u128::from(self.code(*row));
        }
    }

    fn code(&self, row: u32) -> u64 {
        match self.cells {
            Cells::Texts { codes, .. } => match codes[row as usize] {
                MISSING_CODE => self.missing,
                code => u64::from(code),
            },
            Cells::Numbers { values, unparsed } => match (values[row as usize], &self.scale) {
                (value, _) if value.is_nan() => {
                    let is_unreadable = !unparsed.is_empty()
                        && unparsed
                            .binary_search_by_key(&u64::from(row), |(r, _)| *r)
                            .is_ok();
                    self.missing + u64::from(is_unreadable)
                }
                (value, Scale::Whole(least)) => (value as i64 - least) as u64,
                (value, Scale::Bits(least)) => ordered_bits(value) - least,
                (_, Scale::Dictionary) => 0,
            },
        }
    }
}

/// Returns the scale of a column and how many codes its numbers take.
fn number_scale(values: &[f64]) -> (Scale, u64) {
    let (mut least, mut greatest, mut all_whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
    for &value in values.iter().filter(|v| !v.is_nan()) {
        least = least.min(value);
        greatest = greatest.max(value);
        all_whole &= exact_integer(value).is_some();
    }
    if least > greatest {
        (Scale::Whole(0), 0)
    } else if all_whole {
        let span = (greatest as i64 - least as i64) as u64;
        (Scale::Whole(least as i64), span + 1)
    } else {
        // Finite numbers leave room at both ends of the 64 bits.
        let lowest = ordered_bits(least);
        (Scale::Bits(lowest), ordered_bits(greatest) - lowest + 1)
    }
}

/// Maps finite numbers to whole ones in the same order.
fn ordered_bits(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}

#[cfg(test)]
mod tests;
