//! A first schema from data, for a person to edit.

use std::collections::{BTreeMap, BTreeSet};

use artifact::yaml;

use super::{
    Column, ColumnType, Domain, Draft, FileLayout, PromotionMinima, Quality, Schema, SchemaError,
    TargetSpec, UnknownLevels,
};
use crate::{RawBatch, RawColumn, format_number};

/// Whole numbers of at most this many distinct values get them as their domain.
const FEW_INTEGERS: usize = 20;

/// Text of at most this many distinct values gets them as its levels.
const FEW_TEXTS: usize = 100;

/// Distinct values that are remembered a column: more than a target may have families.
const MOST_DISTINCT: usize = 1001;

/// A text beyond this length is no level of anything.
const LONGEST_LEVEL: usize = 200;

/// Names that a target goes by, the likeliest first.
const TARGET_NAMES: [&str; 4] = ["label", "class", "target", "result"];

/// Texts that mean harmless, in lower case.
const BENIGN_TEXTS: [&str; 10] = [
    "normal",
    "benign",
    "legitimate",
    "legit",
    "good",
    "safe",
    "clean",
    "ham",
    "false",
    "no",
];

/// Which values of a target are harmless.
struct Sides {
    benign: Vec<String>,
    /// Whether nobody has named the threats.
    is_guess: bool,
    /// Whether they can be told all the same.
    is_known: bool,
}

/// Collects what columns look like, in memory that the number of rows does not move.
#[derive(Debug, Clone)]
pub struct Inference {
    missing_tokens: Vec<String>,
    n_rows: u64,
    columns: Vec<Observed>,
    /// Where each column stands among them.
    places: BTreeMap<String, usize>,
}

/// What was seen of one column.
#[derive(Debug, Clone)]
struct Observed {
    name: String,
    n_present: u64,
    n_infinite: u64,
    all_numbers: bool,
    all_whole: bool,
    all_booleans: bool,
    min: f64,
    max: f64,
    /// Distinct cells as text; empty once `is_full`.
    distinct: BTreeSet<String>,
    /// Number of cells when there were too many distinct ones to remember.
    full_at: Option<u64>,
}

impl Inference {
    /// Starts with the texts that mean "no value".
    pub fn new(missing_tokens: impl IntoIterator<Item = String>) -> Self {
        Self {
            missing_tokens: missing_tokens.into_iter().collect(),
            n_rows: 0,
            columns: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    /// Looks at some rows; of columns with one name in a batch, only at the first.
    pub fn observe(&mut self, batch: &RawBatch) {
        self.n_rows += batch.n_rows() as u64;
        let mut seen = BTreeSet::new();
        for (name, cells) in batch.names.iter().zip(&batch.columns) {
            if seen.insert(name) {
                let at = self.position(name.trim());
                self.observe_cells(at, cells);
            }
        }
    }

    /// Returns a schema that accepts what was seen, its descriptions saying what to review.
    ///
    /// The target is the named column; without a name one called label, class, target or result in
    /// whatever case, else the last. `threats` are those of its values that are threats; when none
    /// are named, which ones are is a guess, and known only where others mean harmless by their name.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] when there is no such column or value, when its values cannot be
    /// classes, or when `name` cannot be a schema's.
    pub fn finish(
        self,
        name: &str,
        target: Option<&str>,
        threats: &[String],
    ) -> Result<Draft, SchemaError> {
        let invalid = |problem| SchemaError::Invalid {
            name: name.to_owned(),
            problem,
        };
        let target = self.target(target).map_err(invalid)?;
        let sides = target.sides(threats).map_err(invalid)?;
        let (spec, review) = target.as_target(&sides).map_err(invalid)?;
        let columns = self.columns.iter().map(|c| {
            if c.name == target.name {
                c.with_domain(Domain::Any, "")
            } else {
                c.as_column(self.n_rows)
            }
        });
        let schema = Schema {
            name: name.to_owned(),
            description: format!("Inferred from {} rows; {review}", self.n_rows),
            file: FileLayout::default(),
            columns: columns.collect(),
            target: spec,
            derived: Vec::new(),
            quality: Quality::default(),
            promotion: PromotionMinima::default(),
            missing_tokens: self.missing_tokens,
        };
        schema.check()?;
        Ok(Draft {
            schema,
            threat_is_known: sides.is_known,
            n_rows: self.n_rows,
        })
    }

    fn position(&mut self, name: &str) -> usize {
        if let Some(&at) = self.places.get(name) {
            return at;
        }
        self.columns.push(Observed::new(name));
        let at = self.columns.len() - 1;
        self.places.insert(name.to_owned(), at);
        at
    }

    fn observe_cells(&mut self, at: usize, cells: &RawColumn) {
        let column = &mut self.columns[at];
        match cells {
            RawColumn::Number(numbers) => {
                for number in numbers.iter().filter(|n| !n.is_nan()) {
                    column.see_number(*number);
                    column.remember(&format_number(*number));
                }
            }
            RawColumn::Text(texts) => {
                let present = texts.iter().flatten().map(str::trim);
                for text in present.filter(|t| !self.missing_tokens.iter().any(|m| m == t)) {
                    column.see_text(text);
                    column.remember(text);
                }
            }
        }
    }

    fn target(&self, named: Option<&str>) -> Result<&Observed, String> {
        let names = || self.columns.iter().map(|c| c.name.as_str());
        if let Some(named) = named {
            return self
                .columns
                .iter()
                .find(|c| c.name == named)
                .ok_or_else(|| {
                    let hint = yaml::nearest(named, names())
                        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                    format!("target: there is no column `{named}`{hint}")
                });
        }
        TARGET_NAMES
            .iter()
            .find_map(|t| self.columns.iter().find(|c| c.name.eq_ignore_ascii_case(t)))
            .or(self.columns.last())
            .ok_or_else(|| "there are no columns to infer from".to_owned())
    }
}

impl Observed {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            n_present: 0,
            n_infinite: 0,
            all_numbers: true,
            all_whole: true,
            all_booleans: true,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            distinct: BTreeSet::new(),
            full_at: None,
        }
    }

    fn see_text(&mut self, text: &str) {
        match text.parse() {
            Ok(number) if !f64::is_nan(number) => self.see_number(number),
            _ => {
                self.n_present += 1;
                self.all_numbers = false;
                let words = ["true", "false", "yes", "no"];
                self.all_booleans &= words.iter().any(|w| w.eq_ignore_ascii_case(text));
            }
        }
    }

    fn see_number(&mut self, number: f64) {
        self.n_present += 1;
        self.all_booleans = false;
        // A rate over a span of no time is written as `Infinity` and makes no column text.
        if number.is_infinite() {
            self.n_infinite += 1;
            return;
        }
        self.all_whole &= number == number.trunc();
        self.min = self.min.min(number + 0.0);
        self.max = self.max.max(number + 0.0);
    }

    fn remember(&mut self, text: &str) {
        if self.full_at.is_some() || self.distinct.contains(text) {
            return;
        }
        if self.distinct.len() == MOST_DISTINCT || text.len() > LONGEST_LEVEL {
            self.full_at = Some(self.n_present);
            self.distinct.clear();
        } else {
            self.distinct.insert(text.to_owned());
        }
    }

    fn kind(&self) -> ColumnType {
        match (self.all_numbers, self.all_whole) {
            _ if self.n_present > 0 && self.all_booleans => ColumnType::Boolean,
            (true, true) if self.min <= self.max => ColumnType::Integer,
            (true, _) => ColumnType::Number,
            (false, _) => ColumnType::Text,
        }
    }

    fn as_column(&self, n_rows: u64) -> Column {
        let mut column = match self.kind() {
            _ if self.n_present == 0 => self.with_domain(Domain::Any, "REVIEW: no value was seen."),
            ColumnType::Boolean => self.with_domain(Domain::Any, ""),
            ColumnType::Text => self.as_text(),
            ColumnType::Integer | ColumnType::Number => self.as_number(),
        };
        column.may_be_missing = self.n_present < n_rows;
        if self.n_infinite > 0 {
            column.description = format!(
                "REVIEW: {} infinite values; add how they are written to `missing_tokens`. {}",
                self.n_infinite, column.description
            );
        }
        column
    }

    fn as_text(&self) -> Column {
        if self.full_at.is_none() && self.distinct.len() <= FEW_TEXTS {
            return self.with_domain(Domain::Levels(self.distinct.iter().cloned().collect()), "");
        }
        let n_distinct = self.full_at.map_or(self.distinct.len(), |_| MOST_DISTINCT) as u64;
        if 2 * n_distinct < self.full_at.unwrap_or(self.n_present) {
            return self.with_domain(
                Domain::Any,
                "REVIEW: many levels, taken from training data.",
            );
        }
        let n_seen = self.full_at.unwrap_or(self.n_present);
        let review = format!(
            "REVIEW: {n_distinct} of the first {n_seen} texts differ, too many to learn from."
        );
        let mut column = self.with_domain(Domain::Any, &review);
        column.never_use = true;
        column
    }

    fn as_number(&self) -> Column {
        let values = self.numbers();
        if self.kind() == ColumnType::Integer && (1..=FEW_INTEGERS).contains(&values.len()) {
            return self.with_domain(Domain::Values(values), "");
        }
        if self.min > self.max {
            return self.with_domain(Domain::Any, "REVIEW: no finite value was seen.");
        }
        let range = Domain::Range {
            min: Some(self.min),
            max: Some(self.max),
        };
        self.with_domain(
            range,
            "REVIEW: the range is what was seen; widen it to what can be.",
        )
    }

    /// The distinct finite numbers, ascending; empty when they were too many.
    fn numbers(&self) -> Vec<f64> {
        let parsed = self.distinct.iter().filter_map(|text| text.parse().ok());
        let mut numbers: Vec<f64> = parsed
            .filter(|n: &f64| n.is_finite())
            .map(|n| n + 0.0)
            .collect();
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        numbers
    }

    fn with_domain(&self, domain: Domain, description: &str) -> Column {
        Column {
            name: self.name.clone(),
            kind: self.kind(),
            domain,
            unknown_levels: UnknownLevels::default(),
            may_be_missing: false,
            never_use: false,
            description: description.to_owned(),
        }
    }

    /// Tells the values of a target apart.
    fn sides(&self, threats: &[String]) -> Result<Sides, String> {
        let name = &self.name;
        if self.full_at.is_some() || self.distinct.len() < 2 {
            let n = match self.full_at {
                Some(_) => format!("more than {MOST_DISTINCT}"),
                None => self.distinct.len().to_string(),
            };
            return Err(format!(
                "target: column `{name}` has {n} distinct values, a target has 2 to {MOST_DISTINCT}: \
                 name another column, --target COLUMN"
            ));
        }
        if let Some(unknown) = threats.iter().find(|t| !self.distinct.contains(*t)) {
            let shown: Vec<&str> = self.distinct.iter().map(String::as_str).take(20).collect();
            return Err(format!(
                "target: `{unknown}` is no value of column `{name}`; there are {}",
                shown.join(", ")
            ));
        }
        if threats.is_empty() {
            return Ok(self.guessed_sides());
        }
        let is_benign = |value: &&String| !threats.contains(value);
        let benign: Vec<String> = self.distinct.iter().filter(is_benign).cloned().collect();
        if benign.is_empty() {
            return Err(format!(
                "target: every value of column `{name}` is named as a threat"
            ));
        }
        Ok(Sides {
            benign,
            is_guess: false,
            is_known: true,
        })
    }

    /// Returns the target's mapping with a sentence on what to review.
    fn as_target(&self, sides: &Sides) -> Result<(TargetSpec, String), String> {
        let name = &self.name;
        let benign = &sides.benign;
        let is_threat = |value: &&String| !benign.contains(value);
        let threats: Vec<&String> = self.distinct.iter().filter(is_threat).collect();
        if threats.is_empty() {
            return Err(format!(
                "target: every value of column `{name}` means harmless"
            ));
        }
        let label = match benign.as_slice() {
            [text] if text.parse::<f64>().is_err() => text.clone(),
            _ => "benign".to_owned(),
        };
        let taken = format!("column `{name}` was taken as the target");
        let shown = benign.join("`, `");
        let review = match (sides.is_known, sides.is_guess) {
            (false, _) => format!("REVIEW: {taken}."),
            (true, true) => format!("REVIEW: {taken}, and `{shown}` as benign, by its name."),
            (true, false) => format!("{taken}, and what is not named as a threat as benign."),
        };
        let spec = TargetSpec {
            column: name.clone(),
            threats: threats
                .iter()
                .map(|value| (family_name(value, threats.len()), vec![(*value).clone()]))
                .collect(),
            benign: [(label, benign.clone())].into(),
            classes: Default::default(),
            threat_name: None,
        };
        Ok((spec, review))
    }

    /// Takes values that are called harmless as such; where there are none, the first holds the place of
    /// what a person must say.
    fn guessed_sides(&self) -> Sides {
        let means_benign =
            |value: &&String| BENIGN_TEXTS.iter().any(|b| b.eq_ignore_ascii_case(value));
        let named: Vec<String> = self.distinct.iter().filter(means_benign).cloned().collect();
        let is_known = !named.is_empty();
        let benign = if is_known {
            named
        } else {
            self.distinct.first().cloned().into_iter().collect()
        };
        Sides {
            benign,
            is_guess: true,
            is_known,
        }
    }
}

/// A name for the threat of a value: the text itself, and for numbers `threat` or `threat_2`.
fn family_name(value: &str, n_families: usize) -> String {
    match (value.parse::<f64>(), n_families) {
        (Err(_), _) => value.to_owned(),
        (Ok(_), 1) => "threat".to_owned(),
        (Ok(_), _) => format!("threat_{value}"),
    }
}

#[cfg(test)]
mod tests;
