//! Collects the cells of one column, batch by batch, already typed.

#[expect(
    clippy::disallowed_types,
    reason = "texts are looked up by it and numbered anew in sorted order: its own order is not seen"
)]
use std::collections::HashMap;

use dataset::{
    Cells, Column, ColumnType, MISSING_CODE, RawColumn, Schema, TextColumn,
    cell::{self, Cell},
    faithful_number, format_number,
};

/// The cells of one column so far, in the source's order.
pub(crate) enum Builder {
    Numbers(Numbers),
    Texts(Texts),
}

impl Builder {
    /// Makes the builder of a column; `None` is a target that the schema does not list as a column.
    pub(crate) fn new(schema: &Schema, column: Option<&Column>) -> Self {
        match column {
            Some(column)
                if column.kind != ColumnType::Text && column.name != schema.target.column =>
            {
                Self::Numbers(Numbers::new(schema, column))
            }
            _ => Self::Texts(Texts::default()),
        }
    }

    /// Adds missing cells up to `n_rows`.
    pub(crate) fn pad(&mut self, n_rows: usize) {
        match self {
            Self::Numbers(numbers) => numbers.values.resize(n_rows, f64::NAN),
            Self::Texts(texts) => texts.codes.resize(n_rows, MISSING_CODE),
        }
    }

    /// Adds the first `n` cells of a batch's column.
    pub(crate) fn push(&mut self, schema: &Schema, cells: &RawColumn, n: usize) {
        match (self, cells) {
            (Self::Numbers(own), RawColumn::Text(texts)) => own.push_texts(schema, texts, n),
            (Self::Numbers(own), RawColumn::Number(numbers)) => {
                numbers[..n]
                    .iter()
                    .for_each(|v| own.push_number(schema, *v));
            }
            (Self::Texts(own), RawColumn::Text(texts)) => {
                texts.iter().take(n).for_each(|text| own.push(schema, text));
            }
            (Self::Texts(own), RawColumn::Number(numbers)) => {
                for &number in &numbers[..n] {
                    let text = (!number.is_nan()).then(|| faithful_number(number));
                    own.push(schema, text.as_deref());
                }
            }
        }
    }

    /// Gives the cells, the dictionary sorted, rows still in the source's order.
    pub(crate) fn finish(self) -> Cells {
        match self {
            Self::Numbers(numbers) => Cells::Numbers {
                values: numbers.values,
                unparsed: numbers.unparsed,
            },
            Self::Texts(texts) => texts.finish(),
        }
    }
}

/// A numeric or boolean column.
pub(crate) struct Numbers {
    column: Column,
    values: Vec<f64>,
    unparsed: Vec<(u64, String)>,
    /// Whether a number may mean "no value", so that numbers too have to be looked at as text.
    has_numeric_token: bool,
    memo: Memo,
}

impl Numbers {
    fn new(schema: &Schema, column: &Column) -> Self {
        Self {
            column: column.clone(),
            values: Vec::new(),
            unparsed: Vec::new(),
            has_numeric_token: schema.has_numeric_token(),
            memo: Memo::new(),
        }
    }

    fn push_texts(&mut self, schema: &Schema, texts: &TextColumn, n: usize) {
        for text in texts.iter().take(n) {
            match text {
                None => self.values.push(f64::NAN),
                Some(text) => self.push_text(schema, text),
            }
        }
    }

    fn push_text(&mut self, schema: &Schema, text: &str) {
        let key = Memo::key(text);
        if let Some(value) = key.and_then(|key| self.memo.get(key)) {
            self.values.push(value);
            return;
        }
        let value = match cell::read_text(schema, &self.column, text) {
            Cell::Value(value) => value,
            Cell::Missing => f64::NAN,
            Cell::Unreadable => {
                let row = self.values.len() as u64;
                self.unparsed.push((row, text.trim().to_owned()));
                self.values.push(f64::NAN);
                return;
            }
        };
        if let Some(key) = key {
            self.memo.set(key, value);
        }
        self.values.push(value);
    }

    fn push_number(&mut self, schema: &Schema, number: f64) {
        match cell::read_number(number) {
            Cell::Missing => self.values.push(f64::NAN),
            Cell::Value(value) if !self.has_numeric_token => self.values.push(value),
            // What the same number would be as text decides; an infinite one is kept as text.
            _ => self.push_text(schema, &format_number(number)),
        }
    }
}

/// What short texts were read as lately: most columns hold few distinct ones.
struct Memo(Vec<(u64, f64)>);

impl Memo {
    const SLOTS: usize = 64;

    fn new() -> Self {
        Self(vec![(0, f64::NAN); Self::SLOTS])
    }

    /// Packs a text of one to seven bytes with its length; never 0.
    fn key(text: &str) -> Option<u64> {
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() > 7 {
            return None;
        }
        let packed = bytes
            .iter()
            .fold(0, |key, byte| key << 8 | u64::from(*byte));
        Some(packed | (bytes.len() as u64) << 56)
    }

    fn slot(key: u64) -> usize {
        (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
    }

    fn get(&self, key: u64) -> Option<f64> {
        let (held, value) = self.0[Self::slot(key)];
        (held == key).then_some(value)
    }

    fn set(&mut self, key: u64, value: f64) {
        self.0[Self::slot(key)] = (key, value);
    }
}

/// A text column, or the target.
#[derive(Default)]
pub(crate) struct Texts {
    #[expect(clippy::disallowed_types, reason = "see its import")]
    positions: HashMap<Box<str>, u32>,
    codes: Vec<u32>,
}

impl Texts {
    fn push(&mut self, schema: &Schema, text: Option<&str>) {
        let code = match text.map(str::trim) {
            None => MISSING_CODE,
            Some(text) => self.code(schema, text),
        };
        self.codes.push(code);
    }

    fn code(&mut self, schema: &Schema, text: &str) -> u32 {
        if let Some(&code) = self.positions.get(text) {
            return code;
        }
        if schema.is_missing_token(text) {
            return MISSING_CODE;
        }
        let code = self.positions.len() as u32;
        self.positions.insert(text.into(), code);
        code
    }

    fn finish(self) -> Cells {
        let mut entries: Vec<(Box<str>, u32)> = self.positions.into_iter().collect();
        entries.sort_unstable();
        let mut ranks = vec![0; entries.len()];
        let mut dictionary = Vec::with_capacity(entries.len());
        for (rank, (text, code)) in entries.into_iter().enumerate() {
            ranks[code as usize] = rank as u32;
            dictionary.push(text.into_string());
        }
        let mut codes = self.codes;
        for code in codes.iter_mut().filter(|code| **code != MISSING_CODE) {
            *code = ranks[*code as usize];
        }
        Cells::Texts { dictionary, codes }
    }
}
