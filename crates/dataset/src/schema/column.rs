//! One column of a data contract.

use serde::{Deserialize, Serialize};

use crate::format_number;

/// One column: its name, its type and what it may hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ColumnFields", into = "ColumnFields")]
pub struct Column {
    /// Name in the source, compared exactly after trimming.
    pub name: String,
    /// What its cells are.
    pub kind: ColumnType,
    /// What values it may hold; anything finite when none is declared.
    pub domain: Domain,
    /// What happens to a text outside its levels.
    pub unknown_levels: UnknownLevels,
    /// Whether a cell may be missing; a row with a missing cell elsewhere is quarantined.
    pub may_be_missing: bool,
    /// Whether the column must never be learned from (an identifier, a leak).
    pub never_use: bool,
    /// One sentence for people.
    pub description: String,
}

/// A column as it is written in YAML: the domain's parts stand beside the rest.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnFields {
    name: String,
    #[serde(rename = "type")]
    kind: ColumnType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    levels: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    #[serde(default, skip_serializing_if = "UnknownLevels::is_default")]
    unknown_levels: UnknownLevels,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    may_be_missing: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    never_use: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
}

impl TryFrom<ColumnFields> for Column {
    type Error = String;

    fn try_from(f: ColumnFields) -> Result<Self, String> {
        let domain = match (f.values, f.levels, f.min, f.max) {
            (None, None, None, None) => Domain::Any,
            // People list levels in the order that suits them; codes go by the sorted ones.
            (Some(mut values), None, None, None) => {
                values.sort_by(f64::total_cmp);
                Domain::Values(values)
            }
            (None, Some(mut levels), None, None) => {
                levels.sort();
                Domain::Levels(levels)
            }
            (None, None, min, max) => Domain::Range { min, max },
            _ => {
                let name = f.name;
                return Err(format!(
                    "column `{name}`: give one of `values`, `levels`, `min`/`max`"
                ));
            }
        };
        Ok(Self {
            name: f.name,
            kind: f.kind,
            domain,
            unknown_levels: f.unknown_levels,
            may_be_missing: f.may_be_missing,
            never_use: f.never_use,
            description: f.description,
        })
    }
}

impl From<Column> for ColumnFields {
    fn from(c: Column) -> Self {
        let (mut values, mut levels, mut min, mut max) = (None, None, None, None);
        match c.domain {
            Domain::Any => {}
            Domain::Values(v) => values = Some(v),
            Domain::Levels(l) => levels = Some(l),
            Domain::Range {
                min: low,
                max: high,
            } => (min, max) = (low, high),
        }
        Self {
            name: c.name,
            kind: c.kind,
            values,
            levels,
            min,
            max,
            unknown_levels: c.unknown_levels,
            may_be_missing: c.may_be_missing,
            never_use: c.never_use,
            description: c.description,
        }
    }
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Whole numbers.
    Integer,
    /// Finite numbers.
    Number,
    /// `true`/`false`, `yes`/`no`, `1`/`0`: held as 1 and 0.
    Boolean,
    /// Text of few distinct values: held as the position in the sorted levels.
    Text,
}

/// What values a column may hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Domain {
    /// Any value of the type. For text: the levels are taken from the training data.
    #[default]
    Any,
    /// These numbers and no others, ascending.
    Values(Vec<f64>),
    /// These texts, ascending.
    Levels(Vec<String>),
    /// Numbers in this closed range.
    Range {
        /// Least value.
        min: Option<f64>,
        /// Greatest value.
        max: Option<f64>,
    },
}

/// What happens to a text outside the listed levels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownLevels {
    /// The row is quarantined, a request is refused.
    #[default]
    Reject,
    /// The text becomes the level "unknown": code `levels.len()`.
    Accept,
}

impl UnknownLevels {
    fn is_default(&self) -> bool {
        *self == Self::Reject
    }
}

impl Domain {
    /// Returns whether a finite number lies in the domain; always true for text levels.
    pub fn contains(&self, number: f64) -> bool {
        match self {
            Self::Any | Self::Levels(_) => true,
            Self::Values(values) => values.contains(&number),
            Self::Range { min, max } => {
                min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max)
            }
        }
    }
}

impl std::fmt::Display for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any value"),
            Self::Values(values) => {
                let texts: Vec<String> = values.iter().map(|v| format_number(*v)).collect();
                write!(f, "one of {}", texts.join(", "))
            }
            Self::Levels(levels) if levels.len() <= 12 => write!(f, "one of {}", levels.join(", ")),
            Self::Levels(levels) => write!(f, "one of {} levels", levels.len()),
            Self::Range { min, max } => match (min, max) {
                (Some(min), Some(max)) => write!(f, "between {min} and {max}"),
                (Some(min), None) => write!(f, "at least {min}"),
                (None, Some(max)) => write!(f, "at most {max}"),
                (None, None) => f.write_str("any number"),
            },
        }
    }
}

impl Column {
    /// Returns the text levels, when the column is text and has them.
    pub fn levels(&self) -> Option<&[String]> {
        match (&self.kind, &self.domain) {
            (ColumnType::Text, Domain::Levels(levels)) => Some(levels),
            _ => None,
        }
    }

    /// Returns the code of a text among the levels; `levels.len()` for an unknown one that is accepted.
    pub fn level_code(&self, text: &str) -> Option<f64> {
        let levels = self.levels()?;
        match levels.binary_search_by(|l| l.as_str().cmp(text)) {
            Ok(code) => Some(code as f64),
            Err(_) if self.unknown_levels == UnknownLevels::Accept => Some(levels.len() as f64),
            Err(_) => None,
        }
    }

    /// Returns how many distinct codes a column with a closed domain can take: text levels (one more
    /// when unknown ones are accepted), listed values, two for a boolean; `None` for an open domain.
    pub fn n_levels(&self) -> Option<usize> {
        match (&self.kind, &self.domain) {
            (_, Domain::Values(values)) => Some(values.len()),
            (ColumnType::Text, Domain::Levels(levels)) => {
                Some(levels.len() + usize::from(self.unknown_levels == UnknownLevels::Accept))
            }
            (ColumnType::Boolean, _) => Some(2),
            _ => None,
        }
    }

    /// Returns in what the declaration contradicts itself.
    pub(super) fn problem(&self) -> Option<String> {
        let is_text = self.kind == ColumnType::Text;
        match &self.domain {
            Domain::Any => None,
            Domain::Levels(levels) if is_text => levels_problem(levels),
            _ if is_text => Some("text takes `levels` as its domain".to_owned()),
            Domain::Levels(_) => {
                Some("only text takes `levels`; numbers take `values` or `min`/`max`".to_owned())
            }
            Domain::Values(values) => values_problem(values),
            Domain::Range { min, max } => range_problem(*min, *max),
        }
    }
}

fn values_problem(values: &[f64]) -> Option<String> {
    if values.is_empty() {
        return Some("its domain is empty".to_owned());
    }
    if let Some(value) = values.iter().find(|v| !v.is_finite()) {
        return Some(format!("its domain lists {value}, which is not finite"));
    }
    let pair = values.windows(2).find(|pair| pair[0] == pair[1])?;
    Some(twice(&format_number(pair[0])))
}

fn range_problem(min: Option<f64>, max: Option<f64>) -> Option<String> {
    if let Some(end) = [min, max].into_iter().flatten().find(|e| !e.is_finite()) {
        return Some(format!("its range ends at {end}: leave an open end out"));
    }
    let (min, max) = min.zip(max)?;
    (min > max).then(|| format!("its range is empty: {min} > {max}"))
}

fn levels_problem(levels: &[String]) -> Option<String> {
    if levels.is_empty() {
        return Some("its domain is empty".to_owned());
    }
    let pair = levels.windows(2).find(|pair| pair[0] == pair[1])?;
    Some(twice(&format!("`{}`", pair[0])))
}

fn twice(value: &str) -> String {
    format!("its domain lists {value} twice")
}
