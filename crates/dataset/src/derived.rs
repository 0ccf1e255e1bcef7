//! Columns computed from others: the feature engineering that a schema declares.
//!
//! Everything here looks at one row alone; what has to be learned from rows belongs to the preprocessor.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ColumnType, Schema, Table, TableColumn};

/// A column computed from others of the same row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "DerivedFields", into = "DerivedFields")]
pub struct DerivedColumn {
    /// Name of the new column.
    pub name: String,
    /// How it is computed.
    pub formula: Formula,
}

/// A derived column as it is written in YAML: `{name: x, ratio: [a, b]}`.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DerivedFields {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log1p: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ratio: Option<[String; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    difference: Option<[String; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    product: Option<[String; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bins: Option<Bins>,
}

impl TryFrom<DerivedFields> for DerivedColumn {
    type Error = String;

    fn try_from(f: DerivedFields) -> Result<Self, String> {
        let mut formulas: Vec<Formula> = f.log1p.map(Formula::Log1p).into_iter().collect();
        formulas.extend(f.ratio.map(Formula::Ratio));
        formulas.extend(f.difference.map(Formula::Difference));
        formulas.extend(f.product.map(Formula::Product));
        formulas.extend(f.bins.map(Formula::Bins));
        match (formulas.pop(), formulas.is_empty()) {
            (Some(formula), true) => Ok(Self {
                name: f.name,
                formula,
            }),
            _ => Err(format!(
                "derived column `{}`: give one of `log1p`, `ratio`, `difference`, `product`, `bins`",
                f.name
            )),
        }
    }
}

impl From<DerivedColumn> for DerivedFields {
    fn from(d: DerivedColumn) -> Self {
        let mut fields = Self {
            name: d.name,
            ..Self::default()
        };
        match d.formula {
            Formula::Log1p(x) => fields.log1p = Some(x),
            Formula::Ratio(pair) => fields.ratio = Some(pair),
            Formula::Difference(pair) => fields.difference = Some(pair),
            Formula::Product(pair) => fields.product = Some(pair),
            Formula::Bins(bins) => fields.bins = Some(bins),
        }
        fields
    }
}

/// How a derived column is computed. A missing operand gives a missing value.
#[derive(Debug, Clone, PartialEq)]
pub enum Formula {
    /// `sign(x) · ln(1 + |x|)`, which is `log1p` for x ≥ 0.
    Log1p(String),
    /// `a / b`; missing where b is 0.
    Ratio([String; 2]),
    /// `a - b`.
    Difference([String; 2]),
    /// `a · b`.
    Product([String; 2]),
    /// The number of edges that are at most x.
    Bins(Bins),
}

/// Operand and edges of [`Formula::Bins`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bins {
    /// The column that is cut.
    pub of: String,
    /// The edges, ascending.
    pub edges: Vec<f64>,
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log1p(x) => write!(f, "log1p({x})"),
            Self::Ratio([a, b]) => write!(f, "{a} / {b}"),
            Self::Difference([a, b]) => write!(f, "{a} - {b}"),
            Self::Product([a, b]) => write!(f, "{a} * {b}"),
            Self::Bins(Bins { of, .. }) => write!(f, "bins({of})"),
        }
    }
}

impl Formula {
    /// Returns the names of the columns that it reads.
    pub fn operands(&self) -> Vec<&str> {
        match self {
            Self::Log1p(x) | Self::Bins(Bins { of: x, .. }) => vec![x],
            Self::Ratio([a, b]) | Self::Difference([a, b]) | Self::Product([a, b]) => vec![a, b],
        }
    }

    /// Computes one row from its operands, in the order of [`Self::operands`]. Results that are not
    /// finite are missing.
    pub fn value(&self, operands: &[f64]) -> f64 {
        let value = match self {
            Self::Log1p(_) => operands[0].abs().ln_1p().copysign(operands[0]),
            Self::Ratio(_) => operands[0] / operands[1],
            Self::Difference(_) => operands[0] - operands[1],
            Self::Product(_) => operands[0] * operands[1],
            Self::Bins(_) if operands[0].is_nan() => f64::NAN,
            Self::Bins(Bins { edges, .. }) => {
                edges.partition_point(|edge| *edge <= operands[0]) as f64
            }
        };
        if value.is_finite() {
            value + 0.0
        } else {
            f64::NAN
        }
    }
}

impl DerivedColumn {
    /// Returns what is wrong with the declaration under a schema.
    pub(crate) fn problem(&self, schema: &Schema) -> Option<String> {
        for operand in self.formula.operands() {
            let problem = match schema.features().find(|c| c.name == operand) {
                None => "is not a feature column",
                Some(c) if c.kind == ColumnType::Text => "is text",
                Some(_) => continue,
            };
            return Some(format!(
                "derived column `{}`: `{operand}` {problem}",
                self.name
            ));
        }
        match &self.formula {
            Formula::Bins(Bins { edges, .. })
                if edges.is_empty()
                    || !edges.is_sorted_by(|a, b| a < b)
                    || edges.iter().any(|e| !e.is_finite()) =>
            {
                Some(format!(
                    "derived column `{}`: edges must be finite and ascending",
                    self.name
                ))
            }
            _ => None,
        }
    }
}

/// Appends the schema's derived columns to a table of its feature columns.
pub fn append(schema: &Schema, table: &mut Table) {
    for derived in &schema.derived {
        let values = compute(&derived.formula, table);
        table.push(TableColumn {
            name: derived.name.clone(),
            values,
        });
    }
}

fn compute(formula: &Formula, table: &Table) -> Vec<f64> {
    let columns: Vec<&[f64]> = formula
        .operands()
        .into_iter()
        .map(|name| {
            table
                .column(name)
                .expect("the schema's check has found every operand")
        })
        .collect();
    let mut operands = vec![0.0; columns.len()];
    (0..table.n_rows())
        .map(|row| {
            operands
                .iter_mut()
                .zip(&columns)
                .for_each(|(operand, column)| *operand = column[row]);
            formula.value(&operands)
        })
        .collect()
}

#[cfg(test)]
mod tests;
