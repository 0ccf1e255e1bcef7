//! The data contract: which columns a data set has, what they may hold, and what is to be learned.

mod column;
mod draft;
mod infer;
mod reach;
mod target;

use std::{collections::BTreeSet, path::Path};

use artifact::{Classified, Digest, ErrorKind, Failure, read_bounded, yaml};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use column::{Column, ColumnType, Domain, UnknownLevels};
pub use draft::Draft;
pub use infer::Inference;
pub use target::{ClassMode, TargetSpec};

use crate::derived::DerivedColumn;

/// A data contract, as `schema/*.yaml` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Name of the data set; also the default name of models trained on it.
    pub name: String,
    /// One sentence for people.
    #[serde(default)]
    pub description: String,
    /// How text files of this data set are laid out.
    #[serde(default)]
    pub file: FileLayout,
    /// Texts that mean "no value", compared after trimming.
    #[serde(default = "default_missing_tokens")]
    pub missing_tokens: Vec<String>,
    /// The columns, in the order of a file without a header; the target may stand among them.
    pub columns: Vec<Column>,
    /// What is to be learned.
    pub target: TargetSpec,
    /// Columns computed from others before anything is learned.
    #[serde(default)]
    pub derived: Vec<DerivedColumn>,
    /// When validation refuses the data.
    #[serde(default)]
    pub quality: Quality,
    /// What a model must reach on the holdout to be promoted.
    #[serde(default)]
    pub promotion: PromotionMinima,
}

/// Layout of delimited text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileLayout {
    /// Whether the first line names the columns.
    pub header: bool,
    /// The character between cells.
    pub delimiter: char,
}

impl Default for FileLayout {
    fn default() -> Self {
        Self {
            header: true,
            delimiter: ',',
        }
    }
}

/// Limits of the validation gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quality {
    /// Largest share of rows that may be quarantined, in [0, 1].
    pub max_bad_share: f64,
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            max_bad_share: 0.01,
        }
    }
}

/// Absolute minima for promotion; a metric that is left out is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromotionMinima {
    /// Least area under the precision-recall curve of the threat.
    pub pr_auc: Option<f64>,
    /// Least area under the ROC curve.
    pub roc_auc: Option<f64>,
    /// Least recall of the threat at the operating threshold.
    pub recall: Option<f64>,
    /// Highest false-positive rate at the operating threshold.
    pub max_fpr: Option<f64>,
}

impl PromotionMinima {
    fn problem(&self) -> Option<String> {
        let asked = [
            ("pr_auc", self.pr_auc),
            ("roc_auc", self.roc_auc),
            ("recall", self.recall),
            ("max_fpr", self.max_fpr),
        ];
        let outside = |value: &f64| !(0.0..=1.0).contains(value);
        asked.into_iter().find_map(|(name, value)| {
            let value = value.filter(outside)?;
            Some(format!("promotion: {name} of {value} is not in [0, 1]"))
        })
    }
}

/// Columns at most, derived ones included: a tree numbers its features with 16 bits.
const MAX_COLUMNS: usize = u16::MAX as usize;
/// Bytes of a column's name at most.
pub const MAX_NAME_BYTES: usize = 200;

/// Returns what is wrong with a column's name; those of sources are trimmed before they are compared.
fn name_problem(name: &str) -> Option<String> {
    if name.len() > MAX_NAME_BYTES {
        let start: String = name.chars().take(20).collect();
        let n = name.len();
        return Some(format!(
            "column `{start}…`: a name of {n} bytes, at most {MAX_NAME_BYTES}"
        ));
    }
    if name.is_empty() || name.trim() != name || name.contains(char::is_control) {
        return Some(format!(
            "column {name:?}: a name is neither empty nor begins or ends with spaces, and holds no \
             control characters"
        ));
    }
    None
}

/// Returns the texts that mean "no value" when a schema does not say.
pub fn default_missing_tokens() -> Vec<String> {
    ["", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
        .map(str::to_owned)
        .to_vec()
}

/// No schema is larger: 10,000 columns with their levels are a few MiB.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Why a schema cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SchemaError {
    #[error("schema {origin}: {reason}")]
    Syntax { origin: String, reason: String },
    #[error("schema `{name}`: {problem}")]
    Invalid { name: String, problem: String },
}

impl Classified for SchemaError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Config
    }
}

impl Schema {
    /// Parses and checks a schema that somebody has written; `origin` (a path, say) stands in the error.
    ///
    /// # Errors
    /// [`SchemaError`] with the first problem.
    pub fn parse(text: &str, origin: &str) -> Result<Self, SchemaError> {
        let schema = from_yaml(text, origin)?;
        schema.check()?;
        Ok(schema)
    }

    /// Parses a schema that stands in an artifact or a run: it is checked as far as reading it safely
    /// needs, because a former program may have accepted more.
    ///
    /// # Errors
    /// [`SchemaError`] with the first problem.
    pub fn parse_kept(text: &str, origin: &str) -> Result<Self, SchemaError> {
        let schema = from_yaml(text, origin)?;
        schema.refuse(schema.find_problem())?;
        Ok(schema)
    }

    /// Reads and checks a schema file.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it cannot be read, [`SchemaError`] when it is no schema.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let (text, origin) = read_file(path)?;
        Ok(Self::parse(&text, &origin)?)
    }

    /// Reads the schema file that a run keeps, as [`Schema::parse_kept`].
    ///
    /// # Errors
    /// As [`Schema::read`].
    pub fn read_kept(path: &Path) -> Result<Self, Failure> {
        let (text, origin) = read_file(path)?;
        Ok(Self::parse_kept(&text, &origin)?)
    }

    /// Checks what the types cannot say, as [`Schema::parse`].
    ///
    /// # Errors
    /// [`SchemaError::Invalid`].
    pub fn check(&self) -> Result<(), SchemaError> {
        self.refuse(self.find_problem().or_else(|| reach::problem(self)))
    }

    fn refuse(&self, problem: Option<String>) -> Result<(), SchemaError> {
        problem.map_or(Ok(()), |problem| {
            Err(SchemaError::Invalid {
                name: self.name.clone(),
                problem,
            })
        })
    }

    /// Returns what contradicts itself: duplicate names, empty domains, a target without both sides.
    fn find_problem(&self) -> Option<String> {
        self.reading_problem()
            .or_else(|| self.names_problem())
            .or_else(|| self.limits_problem())
            .or_else(|| {
                let of = |c: &Column| Some(format!("column `{}`: {}", c.name, c.problem()?));
                self.columns.iter().find_map(of)
            })
            .or_else(|| self.target.problem())
            .or_else(|| self.derived.iter().find_map(|d| d.problem(self)))
    }

    /// Returns what is wrong with its own name and with how it says that cells are read.
    fn reading_problem(&self) -> Option<String> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if self.name.is_empty() || !self.name.chars().all(is_word) {
            return Some("name: use letters, digits, `-` and `_`".to_owned());
        }
        let delimiter = self.file.delimiter;
        (!delimiter.is_ascii() || "\"\r\n\0".contains(delimiter)).then(|| {
            format!(
                "delimiter {delimiter:?}: use an ASCII character that neither quotes nor ends a line"
            )
        })
    }

    fn names_problem(&self) -> Option<String> {
        let n_columns = self.columns.len() + self.derived.len();
        if n_columns > MAX_COLUMNS {
            return Some(format!("{n_columns} columns, at most {MAX_COLUMNS}"));
        }
        let derived = self.derived.iter().map(|d| d.name.as_str());
        let mut seen = BTreeSet::new();
        let mut names = self.columns.iter().map(|c| c.name.as_str()).chain(derived);
        let problem = names.find_map(|name| {
            let is_new = seen.insert(name);
            let twice = || Some(format!("column `{name}` is named twice"));
            name_problem(name).or_else(|| twice().filter(|_| !is_new))
        });
        let none = "no column is left to learn from";
        problem.or_else(|| self.features().next().is_none().then(|| none.to_owned()))
    }

    fn limits_problem(&self) -> Option<String> {
        let share = self.quality.max_bad_share;
        if !(0.0..=1.0).contains(&share) {
            return Some(format!("max_bad_share {share} is not in [0, 1]"));
        }
        self.promotion.problem()
    }

    /// Returns the columns that may be learned from: neither the target nor never-used ones.
    pub fn features(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|c| !c.never_use && c.name != self.target.column)
    }

    /// Returns a column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Returns whether every row must have a value under a name: the target's, or a column's that is
    /// learned from and may not be missing.
    pub fn needs(&self, name: &str) -> bool {
        let needed = |c: &Column| !c.may_be_missing && !c.never_use;
        name == self.target.column || self.column(name).is_some_and(needed)
    }

    /// Returns whether a text means "no value".
    pub fn is_missing_token(&self, trimmed: &str) -> bool {
        // Most cells differ in their first byte already.
        let first = trimmed.as_bytes().first();
        let mut tokens = self.missing_tokens.iter();
        tokens.any(|token| token.as_bytes().first() == first && token == trimmed)
    }

    /// Returns whether a number may mean "no value", so that numbers too have to be looked at as text.
    pub fn has_numeric_token(&self) -> bool {
        let is_number = |token: &String| token.trim().parse::<f64>().is_ok_and(f64::is_finite);
        self.missing_tokens.iter().any(is_number)
    }

    /// Returns the names of all columns that a file of this data set has, the target included.
    pub fn file_columns(&self) -> Vec<String> {
        let mut names: Vec<String> = self.columns.iter().map(|c| c.name.clone()).collect();
        if !names.contains(&self.target.column) {
            names.push(self.target.column.clone());
        }
        names
    }

    /// Returns a digest of what decides how cells are read; part of the feature store's key.
    pub fn reading_fingerprint(&self) -> Digest {
        let parts = (
            &self.file,
            &self.missing_tokens,
            &self.columns,
            &self.target.column,
        );
        Digest::of(&serde_bytes_of(&parts))
    }
}

/// Serializes a schema inside an artifact as its YAML text: its fields may then come and go without
/// a new layout, and `bincode`, which knows no optional fields, need not understand it.
pub mod as_yaml {
    use artifact::yaml;
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    use super::Schema;

    /// Writes the YAML text.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(schema: &Schema, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&yaml::to_text(schema).map_err(ser::Error::custom)?)
    }

    /// Parses and checks the YAML text.
    ///
    /// # Errors
    /// The deserializer's, or that of the schema.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Schema, D::Error> {
        let text = String::deserialize(deserializer)?;
        Schema::parse_kept(&text, "embedded in the artifact").map_err(de::Error::custom)
    }
}

fn from_yaml(text: &str, origin: &str) -> Result<Schema, SchemaError> {
    yaml::parse(text).map_err(|reason| SchemaError::Syntax {
        origin: origin.to_owned(),
        reason,
    })
}

fn read_file(path: &Path) -> Result<(String, String), Failure> {
    let origin = path.display().to_string();
    let bytes = read_bounded(path, MAX_FILE_BYTES)
        .map_err(|e| Failure::new(ErrorKind::Config, e.to_string()))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, origin)),
        Err(_) => Err(Failure::from(SchemaError::Syntax {
            origin,
            reason: "it is not UTF-8".to_owned(),
        })),
    }
}

fn serde_bytes_of(value: &impl Serialize) -> Vec<u8> {
    yaml::to_text(value)
        .expect("a schema is plain data")
        .into_bytes()
}

#[cfg(test)]
mod tests;
