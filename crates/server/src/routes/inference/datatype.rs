//! Datatypes of tensors: which columns they suit, and which values agree with them.

use dataset::{Column, ColumnType, format_number};

use crate::records::{Cell, shown};

/// The datatype that a tensor claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datatype {
    name: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Truth,
    /// Whole numbers of so many bits.
    Unsigned(u8),
    Signed(u8),
    Float(u8),
    Text,
}

/// All of the protocol's.
const ALL: [(&str, Kind); 13] = [
    ("BOOL", Kind::Truth),
    ("INT8", Kind::Signed(8)),
    ("INT16", Kind::Signed(16)),
    ("INT32", Kind::Signed(32)),
    ("INT64", Kind::Signed(64)),
    ("UINT8", Kind::Unsigned(8)),
    ("UINT16", Kind::Unsigned(16)),
    ("UINT32", Kind::Unsigned(32)),
    ("UINT64", Kind::Unsigned(64)),
    ("FP16", Kind::Float(16)),
    ("FP32", Kind::Float(32)),
    ("FP64", Kind::Float(64)),
    ("BYTES", Kind::Text),
];

impl Datatype {
    /// Finds the datatype of a name.
    pub fn of(name: &str) -> Option<Self> {
        let (name, kind) = *ALL.iter().find(|(known, _)| *known == name)?;
        Some(Self { name, kind })
    }

    /// Returns the name of the datatype that a column is described by.
    pub fn of_column(column: &Column) -> &'static str {
        match column.kind {
            ColumnType::Integer => "INT64",
            ColumnType::Number => "FP64",
            ColumnType::Boolean => "BOOL",
            ColumnType::Text => "BYTES",
        }
    }

    /// Returns the names of all of them.
    pub fn names() -> String {
        ALL.map(|(name, _)| name).join(", ")
    }

    /// Says what is wrong with it for a column: numbers are for numbers, and only whole ones for truths.
    pub fn check_column(self, column: &Column) -> Result<(), String> {
        let suits = |kind: Kind| match column.kind {
            ColumnType::Text => kind == Kind::Text,
            ColumnType::Boolean => {
                matches!(kind, Kind::Truth | Kind::Unsigned(_) | Kind::Signed(_))
            }
            ColumnType::Integer | ColumnType::Number => {
                matches!(kind, Kind::Unsigned(_) | Kind::Signed(_) | Kind::Float(_))
            }
        };
        if suits(self.kind) {
            return Ok(());
        }
        let suitable = ALL.iter().filter(|(_, kind)| suits(*kind));
        let suitable: Vec<&str> = suitable.map(|(name, _)| *name).collect();
        let (name, given) = (&column.name, self.name);
        Err(format!(
            "{name}: {given} does not suit the column: use {}",
            suitable.join(", ")
        ))
    }

    /// Says what is wrong with a value; one that is missing agrees with every datatype.
    pub fn check(self, cell: &Cell<'_>) -> Result<(), String> {
        let shown = match (self.kind, cell) {
            (_, Cell::Null) | (Kind::Truth, Cell::Truth(_)) | (Kind::Text, Cell::Text(_)) => {
                return Ok(());
            }
            (Kind::Float(bits), Cell::Number(number)) if has_width(*number, bits) => {
                return Ok(());
            }
            (Kind::Unsigned(bits), Cell::Number(number))
                if holds(*number, 0.0, 2_f64.powi(bits.into())) =>
            {
                return Ok(());
            }
            (Kind::Signed(bits), Cell::Number(number)) => {
                let end = 2_f64.powi(i32::from(bits) - 1);
                if holds(*number, -end, end) {
                    return Ok(());
                }
                format_number(*number)
            }
            (_, Cell::Number(number)) => format_number(*number),
            (_, Cell::Truth(truth)) => truth.to_string(),
            (_, Cell::Text(text)) => shown(text),
            (_, Cell::Other(what)) => (*what).to_owned(),
        };
        Err(format!("`{shown}` is no {}", self.name))
    }
}

/// Returns whether a number stays finite where it has so many bits (IEEE 754).
fn has_width(number: f64, bits: u8) -> bool {
    match bits {
        // From here on it is rounded to infinity.
        16 => number.abs() < 65_520.0,
        32 => (number as f32).is_finite(),
        _ => true,
    }
}

/// Returns whether a number is a whole one within bounds; the upper one is rounded where it is large.
fn holds(number: f64, from: f64, end: f64) -> bool {
    number.fract() == 0.0
        && (from..=end).contains(&number)
        && (number < end || end >= 2_f64.powi(53))
}
