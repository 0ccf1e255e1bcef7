//! The recipe: aggregated statistics of a data set from which rows of the same kind can be drawn.

mod check;
mod column;
mod weights;

use std::collections::BTreeMap;

use artifact::yaml;
use dataset::schema::FileLayout;
use serde::{Deserialize, Serialize};

pub use column::{Column, Interval, Levels};
pub use weights::{Repeats, Weights};

use crate::SynthError;

/// The recipes that are part of the program, ascending by name.
const EMBEDDED: [(&str, &str); 2] = [
    ("nsl_kdd", include_str!("../recipes/nsl_kdd.yaml")),
    ("phishing", include_str!("../recipes/phishing.yaml")),
];

/// Statistics of a data set, enough to draw rows like its own and too few to give any of them back.
///
/// Rows of one pool of target values follow a mixture of Chow-Liu trees (Chow and Liu 1968; Meilă and
/// Jordan 2000): each column depends on at most one other. How often a feature vector repeats, and
/// how many vectors bear several labels, is drawn apart from what the vector is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the schema whose rows these are.
    pub schema: String,
    /// Name of the target column.
    pub target: String,
    /// How its delimited text is laid out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub file: FileLayout,
    /// The columns of its delimited text in their order, where no line names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_columns: Vec<String>,
    /// Pseudo-rows that Laplace smoothing added to each distribution, spread over the levels seen.
    pub smoothing: f64,
    /// Fewest rows that a conditional distribution may rest on; below it the marginal one stands in.
    pub min_support: u32,
    /// Feature columns in the schema's order.
    pub columns: Vec<Column>,
    /// Vectors under several classes.
    pub conflicts: Conflicts,
    /// Target values that share their statistics; a rare value is pooled with its family.
    pub pools: Vec<Pool>,
}

/// Feature vectors that occur under more than one class.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflicts {
    /// Rows of such vectors that bear another class than most rows of their vector.
    pub minority_rows: u32,
    /// How often such a vector occurs.
    pub repeats: Repeats,
    /// Their own mixture; empty when there are no such vectors, or too few to describe.
    pub components: Vec<Component>,
}

/// Target values that share their statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Name of the class that the values belong to.
    pub class: String,
    /// Rows of each target value, those of vectors under several classes included: the class prior.
    pub values: BTreeMap<String, u32>,
    /// How often a vector under one class occurs.
    pub repeats: Repeats,
    /// The mixture that vectors under this class alone follow.
    pub components: Vec<Component>,
}

/// One tree of a mixture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Rows that it stands for, rounded.
    pub rows: u32,
    /// One link a column, parents before children.
    pub links: Vec<Link>,
}

/// The distribution of a column's levels, given the level of its parent.
///
/// Written `child <- parent = m m m | a a a | | c c c`: the marginal distribution, then one for each
/// level of the parent; where that is left empty, the marginal one stands in. The root has neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Link {
    /// Name of the column.
    pub column: String,
    /// Name of the column it depends on; `None` at the root.
    pub parent: Option<String>,
    /// Distribution whatever the parent's level.
    pub marginal: Weights,
    /// Distribution for each level of the parent; `None` where too few rows speak.
    pub given: Vec<Option<Weights>>,
}

fn is_default(file: &FileLayout) -> bool {
    *file == FileLayout::default()
}

/// Returns the names of the embedded recipes, ascending.
pub fn names() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|(name, _)| *name)
}

/// Returns the names of the embedded recipes for a message.
pub(crate) fn known() -> String {
    names().collect::<Vec<_>>().join(", ")
}

impl Recipe {
    /// Returns the embedded recipe of this name.
    ///
    /// # Errors
    /// [`SynthError::UnknownRecipe`], listing the known ones.
    pub fn embedded(name: &str) -> Result<Self, SynthError> {
        match EMBEDDED.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(text, &format!("`{name}` (embedded)")),
            None => Err(SynthError::UnknownRecipe {
                name: name.to_owned(),
                known: known(),
            }),
        }
    }

    /// Parses and checks a recipe; `origin` (a path, or a name) stands in the error.
    ///
    /// # Errors
    /// [`SynthError::Recipe`] with the first problem.
    pub fn parse(text: &str, origin: &str) -> Result<Self, SynthError> {
        let failed = |problem| SynthError::Recipe {
            origin: origin.to_owned(),
            problem,
        };
        let recipe: Self = yaml::parse(text).map_err(failed)?;
        recipe.check().map_err(failed)?;
        Ok(recipe)
    }

    /// Writes the recipe as YAML, which [`Recipe::parse`] reads back as the same recipe.
    ///
    /// # Errors
    /// [`SynthError::Recipe`] when a name cannot be written.
    pub fn to_yaml(&self) -> Result<String, SynthError> {
        yaml::to_text(self).map_err(|problem| SynthError::Recipe {
            origin: self.schema.clone(),
            problem,
        })
    }

    /// Returns the number of rows that it was fitted on.
    pub fn n_rows(&self) -> u64 {
        self.values().map(|(_, _, rows)| u64::from(rows)).sum()
    }

    /// Returns the mixtures of the pools and, last, that of vectors under several classes.
    pub(crate) fn mixtures(&self) -> impl Iterator<Item = &[Component]> {
        let pools = self.pools.iter().map(|pool| pool.components.as_slice());
        pools.chain([self.conflicts.components.as_slice()])
    }

    /// Returns each target value with the index of its pool and its rows.
    pub fn values(&self) -> impl Iterator<Item = (usize, &str, u32)> {
        self.pools.iter().enumerate().flat_map(|(pool, p)| {
            p.values
                .iter()
                .map(move |(value, rows)| (pool, value.as_str(), *rows))
        })
    }
}

impl TryFrom<String> for Link {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (head, cells) = text
            .rsplit_once(" = ")
            .ok_or_else(|| format!("`{text}` is not `column <- parent = weights | …`"))?;
        let (column, parent) = match head.split_once(" <- ") {
            Some((column, parent)) => (column, Some(parent.to_owned())),
            None => (head, None),
        };
        let mut cells = cells.split('|').map(str::trim);
        let marginal = cells.next().unwrap_or_default().parse()?;
        let given = cells
            .map(|cell| (!cell.is_empty()).then(|| cell.parse()).transpose())
            .collect::<Result<_, String>>()?;
        Ok(Self {
            column: column.to_owned(),
            parent,
            marginal,
            given,
        })
    }
}

impl From<Link> for String {
    fn from(link: Link) -> Self {
        let mut text = link.column;
        if let Some(parent) = &link.parent {
            text.push_str(&format!(" <- {parent}"));
        }
        text.push_str(&format!(" = {}", link.marginal));
        for cell in &link.given {
            match cell {
                Some(weights) => text.push_str(&format!(" | {weights}")),
                None => text.push_str(" |"),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
