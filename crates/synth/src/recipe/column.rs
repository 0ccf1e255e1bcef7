//! A column of a recipe: its levels, each a text, a number or an interval of numbers.

use std::fmt;
use std::str::FromStr;

use dataset::format_number;
use serde::{Deserialize, Serialize};

/// A feature column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ColumnFields", into = "ColumnFields")]
pub struct Column {
    /// Name in the schema.
    pub name: String,
    /// What its cells may be.
    pub levels: Levels,
    /// Whether one more level, the last, is a missing cell.
    pub missing: bool,
}

/// The levels of a column, in the order in which tables hold them.
#[derive(Debug, Clone, PartialEq)]
pub enum Levels {
    /// Texts.
    Texts(Vec<String>),
    /// Numbers and intervals, ascending.
    Numbers {
        /// The intervals, closed and disjoint.
        intervals: Vec<Interval>,
        /// Digits after the point of the numbers drawn.
        decimals: u8,
    },
}

/// Numbers from `low` to `high`, both included; a single one when they are equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Least number.
    pub low: f64,
    /// Greatest number.
    pub high: f64,
}

/// A column as it is written in YAML.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnFields {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    numbers: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    decimals: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    texts: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    missing: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(decimals: &u8) -> bool {
    *decimals == 0
}

impl Column {
    /// Returns the number of levels, a missing cell included.
    pub fn n_levels(&self) -> usize {
        let present = match &self.levels {
            Levels::Texts(texts) => texts.len(),
            Levels::Numbers { intervals, .. } => intervals.len(),
        };
        present + usize::from(self.missing)
    }

    /// Returns what is wrong with it.
    pub(super) fn problem(&self) -> Option<String> {
        let disordered = match &self.levels {
            _ if self.n_levels() == 0 => return Some("it has no levels".to_owned()),
            _ if self.n_levels() > usize::from(u16::MAX) => {
                return Some(format!("{} levels, at most 65535", self.n_levels()));
            }
            Levels::Numbers { decimals, .. } if *decimals > 15 => {
                return Some(format!("{decimals} decimals, at most 15"));
            }
            Levels::Texts(texts) => !texts.is_sorted_by(|a, b| a < b),
            Levels::Numbers { intervals, .. } => {
                !intervals.is_sorted_by(|a, b| a.high < b.low)
                    || !intervals.iter().all(|i| i.is_ordered())
            }
        };
        disordered.then(|| "its levels are not ascending and distinct".to_owned())
    }
}

impl Interval {
    /// Makes the interval of a single number.
    pub fn single(number: f64) -> Self {
        Self {
            low: number,
            high: number,
        }
    }

    fn is_ordered(self) -> bool {
        self.low.is_finite() && self.high.is_finite() && self.low <= self.high
    }
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        match (low.parse(), high.parse()) {
            (Ok(low), Ok(high)) => Ok(Self { low, high }),
            _ => Err(format!("`{text}` is neither a number nor `low..high`")),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_number(self.low))?;
        if self.low < self.high {
            write!(f, "..{}", format_number(self.high))?;
        }
        Ok(())
    }
}

impl TryFrom<ColumnFields> for Column {
    type Error = String;

    fn try_from(fields: ColumnFields) -> Result<Self, String> {
        let levels = match (fields.numbers, fields.texts) {
            (Some(numbers), None) => Levels::Numbers {
                intervals: numbers
                    .split_whitespace()
                    .map(str::parse)
                    .collect::<Result<_, String>>()?,
                decimals: fields.decimals,
            },
            (None, Some(texts)) => Levels::Texts(texts),
            _ => {
                let name = fields.name;
                return Err(format!("column `{name}`: give one of `numbers`, `texts`"));
            }
        };
        Ok(Self {
            name: fields.name,
            levels,
            missing: fields.missing,
        })
    }
}

impl From<Column> for ColumnFields {
    fn from(column: Column) -> Self {
        let (numbers, decimals, texts) = match column.levels {
            Levels::Texts(texts) => (None, 0, Some(texts)),
            Levels::Numbers {
                intervals,
                decimals,
            } => {
                let texts: Vec<String> = intervals.iter().map(Interval::to_string).collect();
                (Some(texts.join(" ")), decimals, None)
            }
        };
        Self {
            name: column.name,
            numbers,
            decimals,
            texts,
            missing: column.missing,
        }
    }
}
