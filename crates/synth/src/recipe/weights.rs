//! Whole-number weights of a distribution, and the histogram of how often vectors occur.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Weights of the levels of a column; probabilities are their shares of the total.
///
/// Whole numbers make draws exact on every platform. Written `820 180`, with `_14` for 14 zeros in a
/// row; trailing zeros are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    parts: Vec<u32>,
    total: u32,
}

impl Weights {
    /// What distributions are rounded to.
    pub const PARTS: u32 = 1000;

    /// Rounds a distribution to parts of [`Weights::PARTS`] by largest remainders (ties: first).
    ///
    /// `shares` are finite, not negative and not all zero; they need not sum to 1.
    pub fn round(shares: &[f64]) -> Self {
        let sum: f64 = shares.iter().sum();
        let exact: Vec<f64> = shares
            .iter()
            .map(|share| share / sum * f64::from(Self::PARTS))
            .collect();
        let mut parts: Vec<u32> = exact.iter().map(|x| *x as u32).collect();
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by(|&a, &b| {
            exact[b]
                .fract()
                .total_cmp(&exact[a].fract())
                .then(a.cmp(&b))
        });
        let missing = Self::PARTS.saturating_sub(parts.iter().sum());
        for &level in order.iter().take(missing as usize) {
            parts[level] += 1;
        }
        Self::new(parts).expect("the parts of a distribution sum to 1000")
    }

    /// Makes weights; trailing zeros are dropped.
    ///
    /// # Errors
    /// A sentence, when they sum to zero or to more than 2³² − 1.
    pub fn new(mut parts: Vec<u32>) -> Result<Self, String> {
        while parts.last() == Some(&0) {
            parts.pop();
        }
        let total = parts
            .iter()
            .try_fold(0_u32, |sum, part| sum.checked_add(*part))
            .ok_or("weights sum to more than 4294967295")?;
        match total {
            0 => Err("weights sum to zero".to_owned()),
            _ => Ok(Self { parts, total }),
        }
    }

    /// Returns the sum.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// Returns the number of levels up to the last one of a weight above zero.
    pub fn n_levels(&self) -> usize {
        self.parts.len()
    }

    /// Returns the probability of a level.
    pub fn share(&self, level: usize) -> f64 {
        f64::from(self.parts.get(level).copied().unwrap_or(0)) / f64::from(self.total)
    }

    /// Returns the level on which a ticket in `0..total` falls.
    pub fn pick(&self, mut ticket: u32) -> usize {
        for (level, &part) in self.parts.iter().enumerate() {
            match ticket.checked_sub(part) {
                Some(rest) => ticket = rest,
                None => return level,
            }
        }
        self.parts.len() - 1
    }
}

impl FromStr for Weights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = |token: &str| format!("`{token}` is neither a weight nor a run of zeros as `_3`");
        let mut parts = Vec::new();
        for token in text.split_whitespace() {
            match token.strip_prefix('_') {
                Some(run) => {
                    let run: u16 = run.parse().map_err(|_| bad(token))?;
                    parts.resize(parts.len() + usize::from(run), 0);
                }
                None => parts.push(token.parse().map_err(|_| bad(token))?),
            }
        }
        Self::new(parts)
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self
            .parts
            .chunk_by(|a, b| *a == 0 && *b == 0)
            .map(|run| match run {
                [0, 0, ..] => format!("_{}", run.len()),
                _ => run[0].to_string(),
            });
        f.write_str(&runs.collect::<Vec<_>>().join(" "))
    }
}

/// Number of feature vectors by how many rows they have, written `1:3171 2:1487`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repeats(BTreeMap<u32, u32>);

impl Repeats {
    /// Counts vectors, given the rows of each.
    pub fn count(rows_of_vectors: impl IntoIterator<Item = u32>) -> Self {
        let mut histogram = BTreeMap::new();
        for rows in rows_of_vectors {
            *histogram.entry(rows).or_insert(0) += 1;
        }
        Self(histogram)
    }

    /// Returns the number of vectors.
    pub fn n_vectors(&self) -> u64 {
        self.0.values().map(|&vectors| u64::from(vectors)).sum()
    }

    /// Returns the number of rows.
    pub fn n_rows(&self) -> u64 {
        let rows = |(&rows, &vectors): (&u32, &u32)| u64::from(rows) * u64::from(vectors);
        self.0.iter().map(rows).sum()
    }

    /// Returns the fewest rows of a vector; `None` without vectors.
    pub fn least(&self) -> Option<u32> {
        self.0.keys().next().copied()
    }

    /// Returns how many rows the vector has on which a ticket in `0..n_vectors` falls.
    pub fn pick(&self, mut ticket: u64) -> u32 {
        for (&rows, &vectors) in &self.0 {
            match ticket.checked_sub(u64::from(vectors)) {
                Some(rest) => ticket = rest,
                None => return rows,
            }
        }
        1
    }
}

impl TryFrom<String> for Repeats {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let entry = |token: &str| {
            let (rows, vectors) = token.split_once(':')?;
            Some((rows.parse().ok()?, vectors.parse().ok()?))
        };
        text.split_whitespace()
            .map(|token| entry(token).ok_or_else(|| format!("`{token}` is not `rows:vectors`")))
            .collect::<Result<_, String>>()
            .map(Self)
    }
}

impl From<Repeats> for String {
    fn from(repeats: Repeats) -> Self {
        let entries = repeats.0.iter().map(|(rows, n)| format!("{rows}:{n}"));
        entries.collect::<Vec<_>>().join(" ")
    }
}
