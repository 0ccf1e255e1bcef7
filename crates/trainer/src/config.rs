//! Configuration of the search.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Family, Learner, TrainingError};

/// Values to try for each parameter of a family; every combination is a candidate.
pub type Grid = BTreeMap<String, Vec<Value>>;

/// One grid, or several whose candidates come one after another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a grid is a map of parameters to lists of values, such as {max_depth: [3, 8]}"
)]
pub enum Grids {
    /// One grid.
    One(Grid),
    /// Several, for values that belong together.
    Several(Vec<Grid>),
}

impl Grids {
    fn as_slice(&self) -> &[Grid] {
        match self {
            Self::One(grid) => std::slice::from_ref(grid),
            Self::Several(grids) => grids,
        }
    }
}

/// Configuration of the training stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Number of grouped stratified folds, at least 2.
    pub folds: usize,
    /// What the best candidate is chosen by, as the mean over the folds.
    pub select_by: SelectionMetric,
    /// Highest false-positive rate of the operating threshold, in (0, 1).
    pub max_fpr: f64,
    /// How raw scores become probabilities.
    pub calibration: CalibrationKind,
    /// Families that take part, in the order in which ties are decided.
    pub families: Vec<Family>,
    /// Parameter values to try, by family.
    pub search: BTreeMap<Family, Grids>,
    /// Rows on which k-NN and naive Bayes are scored as baselines, at most 5,000; 0 leaves them out.
    pub baseline_rows: usize,
}

/// What candidates are compared by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectionMetric {
    /// Area under the precision-recall curve of the threat.
    #[default]
    AveragePrecision,
    /// Area under the ROC curve.
    RocAuc,
    /// Highest recall at a false-positive rate of at most 1 %.
    #[serde(rename = "recall_at_fpr_1pct")]
    RecallAtFpr1pct,
    /// F1 of the threat at 0.5.
    F1,
    /// Logarithmic loss, the least.
    LogLoss,
}

/// How raw scores become probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationKind {
    /// Platt scaling.
    #[default]
    Platt,
    /// Isotonic regression.
    Isotonic,
    /// Raw scores as they are.
    None,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            folds: 5,
            select_by: SelectionMetric::default(),
            max_fpr: 0.01,
            calibration: CalibrationKind::default(),
            families: vec![
                Family::LogisticRegression,
                Family::DecisionTree,
                Family::RandomForest,
                Family::ExtraTrees,
                Family::GradientBoosting,
            ],
            search: default_search(),
            baseline_rows: 1_000,
        }
    }
}

fn default_search() -> BTreeMap<Family, Grids> {
    let grid = |parameters: Value| -> Grids {
        serde_json::from_value(parameters).expect("the default grids are lists by name")
    };
    BTreeMap::from([
        (
            Family::LogisticRegression,
            grid(json!({"c": [0.03, 0.3, 3.0, 30.0]})),
        ),
        (
            Family::DecisionTree,
            grid(json!({"max_depth": [8, 20], "min_samples_leaf": [2, 10]})),
        ),
        (
            Family::RandomForest,
            grid(json!({
                "n_estimators": [100],
                "max_features": ["sqrt"],
                "min_samples_leaf": [1, 2],
            })),
        ),
        (
            Family::ExtraTrees,
            grid(json!({
                "n_estimators": [100],
                "max_features": ["sqrt"],
                "min_samples_leaf": [1, 2],
            })),
        ),
        (
            Family::GradientBoosting,
            // With all features to choose from, trees agree sooner: more rounds gained nothing.
            grid(json!([
                {
                    "n_estimators": [50, 100, 200],
                    "learning_rate": [0.1],
                    "num_leaves": [15, 31],
                    "min_sum_hessian_in_leaf": [0.1],
                },
                {
                    "n_estimators": [100, 200, 400],
                    "learning_rate": [0.1],
                    "num_leaves": [15, 31],
                    "feature_fraction": [0.3],
                    "min_sum_hessian_in_leaf": [0.1],
                },
            ])),
        ),
    ])
}

impl TrainingConfig {
    /// Checks all values and unfolds the search space into candidates with their names.
    ///
    /// # Errors
    /// [`TrainingError::Config`] with the key at fault, or with the candidate's name its learner's own.
    pub fn candidates(&self) -> Result<Vec<(String, Learner)>, TrainingError> {
        self.check()?;
        // What is not searched now is checked as well: a slip in it would show much later.
        let mut idle = self.search.keys().filter(|f| !self.families.contains(f));
        idle.try_for_each(|family| self.unfold(*family).map(drop))?;
        let mut candidates: Vec<(String, Learner)> = Vec::new();
        for family in &self.families {
            for (name, learner) in self.unfold(*family)? {
                // Grids may overlap, and what is left out has a default that another names.
                if !candidates.iter().any(|(_, known)| *known == learner) {
                    candidates.push((name, learner));
                }
            }
        }
        Ok(candidates)
    }

    /// Unfolds the grids of a family.
    fn unfold(&self, family: Family) -> Result<Vec<(String, Learner)>, TrainingError> {
        let whole = Grids::One(Grid::new());
        let grids = self.search.get(&family).unwrap_or(&whole).as_slice();
        let learner = |combination: Vec<(String, Value)>| {
            let name = name_of(family, &combination);
            let value = Value::Object(combination.into_iter().collect());
            let parsed = Learner::parse(family, value);
            let learner = parsed.map_err(|problem| TrainingError::Config {
                key: format!("search.{}", family.name()),
                problem,
            })?;
            learner.check(&name)?;
            Ok((name, learner))
        };
        grids.iter().flat_map(combinations).map(learner).collect()
    }

    /// Checks what depends on the number of classes that are learned: the weights of classes.
    ///
    /// # Errors
    /// As [`Self::candidates`].
    pub fn check_classes(&self, n_classes: usize) -> Result<(), TrainingError> {
        for (name, learner) in self.candidates()? {
            let weights = learner.class_weight();
            let checked = weights.map_or(Ok(()), |weights| weights.check(n_classes));
            checked.map_err(|source| TrainingError::trees(&name, source))?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TrainingError> {
        let bad = |key: &str, problem: String| {
            Err(TrainingError::Config {
                key: key.to_owned(),
                problem,
            })
        };
        if !(2..=100).contains(&self.folds) {
            return bad("folds", format!("{} is not between 2 and 100", self.folds));
        }
        if !(self.max_fpr > 0.0 && self.max_fpr < 1.0) {
            return bad(
                "max_fpr",
                format!("{} is not between 0 and 1", self.max_fpr),
            );
        }
        if self.families.is_empty() {
            return bad("families", "name at least one".to_owned());
        }
        let mut families = self.families.iter().enumerate();
        if let Some((_, family)) = families.find(|(i, f)| self.families[..*i].contains(f)) {
            return bad("families", format!("`{}` is listed twice", family.name()));
        }
        for (family, grids) in &self.search {
            check_grids(*family, grids.as_slice())?;
        }
        if self.baseline_rows > 5_000 {
            return bad(
                "baseline_rows",
                format!("{} is over 5,000", self.baseline_rows),
            );
        }
        Ok(())
    }
}

/// Candidates of a family at most: each is fitted once a fold.
const MAX_CANDIDATES: usize = 10_000;

fn check_grids(family: Family, grids: &[Grid]) -> Result<(), TrainingError> {
    let bad = |name: &str, problem: String| {
        let key = format!("search.{}{name}", family.name());
        Err(TrainingError::Config { key, problem })
    };
    if grids.is_empty() {
        return bad("", "list at least one grid, or leave it out".to_owned());
    }
    for (name, values) in grids.iter().flatten() {
        let name = format!(".{name}");
        if values.is_empty() {
            return bad(&name, "list at least one value, or leave it out".to_owned());
        }
        let mut later = values.iter().enumerate();
        if let Some((_, value)) = later.find(|(i, v)| values[..*i].iter().any(|w| same(v, w))) {
            return bad(&name, format!("{value} is listed twice"));
        }
    }
    let of_grid = |grid: &Grid| grid.values().map(Vec::len).fold(1, usize::saturating_mul);
    let n = grids.iter().map(of_grid).fold(0, usize::saturating_add);
    if n > MAX_CANDIDATES {
        return bad("", format!("{n} candidates, at most {MAX_CANDIDATES}"));
    }
    Ok(())
}

/// Tells whether two values mean the same: 3 is 3.0.
fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && a.as_f64() == b.as_f64())
}

/// Returns every combination of the grid's values, in the order of names and lists.
fn combinations(grid: &Grid) -> Vec<Vec<(String, Value)>> {
    grid.iter().fold(vec![Vec::new()], |sofar, (name, values)| {
        let extend = |head: &Vec<(String, Value)>| {
            let head = head.clone();
            values
                .iter()
                .map(move |value| {
                    let mut next = head.clone();
                    next.push((name.clone(), value.clone()));
                    next
                })
                .collect::<Vec<_>>()
        };
        sofar.iter().flat_map(extend).collect()
    })
}

fn name_of(family: Family, combination: &[(String, Value)]) -> String {
    let parts: Vec<String> = combination
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        })
        .collect();
    format!("{}({})", family.name(), parts.join(", "))
}
