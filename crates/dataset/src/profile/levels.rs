//! Columns of few distinct values: a count a level, or a count a bucket where the levels are many.

use std::{borrow::Cow, collections::BTreeMap};

use artifact::Digest;
use serde::{Deserialize, Serialize};

use super::{Bar, BarRange, MergeError, Scale, SketchPoint, Values};
use crate::{Column, format_number};

/// The most levels that are counted one by one.
pub const MAX_LEVELS: usize = 256;

/// The number of buckets into which the texts of a column with more levels are hashed.
pub const N_BUCKETS: usize = 256;

/// Text of the code after the last level.
const UNKNOWN: &str = "(unknown)";

/// A value and the number of rows that hold it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevelCount {
    /// The value in the table; for text its position among the schema's levels.
    pub value: f64,
    /// The level's text, `(unknown)` for the code after the last; the number as text otherwise.
    pub text: String,
    /// Number of rows, at least 1.
    pub count: u64,
}

/// Makes counts of the points of an exact sketch; texts come from the column's levels.
pub(super) fn of_points(points: &[SketchPoint], column: Option<&Column>) -> Vec<LevelCount> {
    let texts = column.and_then(Column::levels);
    points
        .iter()
        .map(|p| LevelCount {
            value: p.value,
            text: match texts {
                Some(texts) => texts
                    .get(p.value as usize)
                    .map_or_else(|| UNKNOWN.to_owned(), Clone::clone),
                None => format_number(p.value),
            },
            count: p.at_most - p.below,
        })
        .collect()
}

/// Keeps levels where they are few, and hashes them otherwise.
pub(super) fn bounded(levels: Vec<LevelCount>) -> Values {
    if levels.len() <= MAX_LEVELS {
        Values::Levels(levels)
    } else {
        Values::Hashed(hash(&levels))
    }
}

fn hash(levels: &[LevelCount]) -> Vec<u64> {
    let mut buckets = vec![0; N_BUCKETS];
    for level in levels {
        let bucket = Digest::of(level.text.as_bytes()).prefix() % N_BUCKETS as u64;
        buckets[bucket as usize] += level.count;
    }
    buckets
}

/// Returns the values as buckets; `None` for numbers.
pub(crate) fn hashed(values: &Values) -> Option<Cow<'_, [u64]>> {
    match values {
        Values::Levels(levels) => Some(Cow::Owned(hash(levels))),
        Values::Hashed(buckets) => Some(Cow::Borrowed(buckets)),
        Values::Numbers(_) => None,
    }
}

/// Aligns two lists of levels by their texts.
pub(crate) fn align(left: &[LevelCount], right: &[LevelCount]) -> Vec<(u64, u64)> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for level in left {
        counts.entry(&level.text).or_default().0 += level.count;
    }
    for level in right {
        counts.entry(&level.text).or_default().1 += level.count;
    }
    counts.into_values().collect()
}

pub(super) fn merge(
    column: &str,
    left: &[LevelCount],
    right: &[LevelCount],
) -> Result<Vec<LevelCount>, MergeError> {
    let mut merged: Vec<LevelCount> = left.iter().chain(right).cloned().collect();
    merged.sort_by(|a, b| a.value.total_cmp(&b.value));
    if let Some(pair) = merged
        .windows(2)
        .find(|p| p[0].value == p[1].value && p[0].text != p[1].text)
    {
        return Err(MergeError::Level {
            column: column.to_owned(),
            value: format_number(pair[0].value),
            left: pair[0].text.clone(),
            right: pair[1].text.clone(),
        });
    }
    merged.dedup_by(|next, kept| {
        let same = next.value == kept.value;
        kept.count += if same { next.count } else { 0 };
        same
    });
    Ok(merged)
}

/// A bar a level; from the `n_bars`-th most frequent on they share the last one.
pub(super) fn bars(levels: &[LevelCount], n_bars: usize) -> Vec<Bar> {
    let mut order: Vec<usize> = (0..levels.len()).collect();
    if levels.len() > n_bars {
        order.sort_by_key(|&i| std::cmp::Reverse(levels[i].count));
        order.truncate(n_bars - 1);
        order.sort_unstable();
    }
    let shown = order.len();
    let mut bars: Vec<Bar> = order
        .into_iter()
        .map(|i| Bar {
            label: levels[i].text.clone(),
            range: BarRange::Level,
            count: 0,
        })
        .collect();
    bars.extend((shown < levels.len()).then(others));
    bars
}

pub(super) fn others() -> Bar {
    Bar {
        label: "others".to_owned(),
        range: BarRange::Others,
        count: 0,
    }
}

pub(super) fn counts_in(levels: &[LevelCount], bars: &[Bar]) -> Vec<u64> {
    let of = |label: &str| {
        levels
            .iter()
            .filter(|l| l.text == label)
            .map(|l| l.count)
            .sum()
    };
    let total: u64 = levels.iter().map(|l| l.count).sum();
    let is_level = |bar: &&Bar| bar.range == BarRange::Level;
    let listed: u64 = bars.iter().filter(is_level).map(|b| of(&b.label)).sum();
    bars.iter()
        .map(|bar| match bar.range {
            BarRange::Level => of(&bar.label),
            BarRange::Others => total - listed,
            BarRange::Numbers(..) => 0,
        })
        .collect()
}

pub(super) fn all_in_others(n: u64, bars: &[Bar]) -> Vec<u64> {
    bars.iter()
        .map(|bar| if bar.range == BarRange::Others { n } else { 0 })
        .collect()
}

/// Returns the number of values counted, and what is wrong with the counts.
pub(super) fn problem(levels: &[LevelCount]) -> (u64, Option<String>) {
    let Some(total) = sum(levels.iter().map(|l| l.count)) else {
        return (0, Some("counts beyond 64 bits".to_owned()));
    };
    let wrong = levels.iter().find(|l| !l.value.is_finite() || l.count == 0);
    let problem = match wrong {
        _ if levels.len() > MAX_LEVELS => {
            Some(format!("{} levels, at most {MAX_LEVELS}", levels.len()))
        }
        Some(level) => Some(format!(
            "level {} is counted {} times",
            level.value, level.count
        )),
        None if !levels.is_sorted_by(|a, b| a.value < b.value) => {
            Some("levels are not ascending".to_owned())
        }
        None => None,
    };
    (total, problem)
}

pub(super) fn buckets_problem(buckets: &[u64], scale: Scale) -> (u64, Option<String>) {
    match sum(buckets.iter().copied()) {
        None => (0, Some("counts beyond 64 bits".to_owned())),
        Some(total) if scale != Scale::Text => (total, Some("numbers are hashed".to_owned())),
        Some(total) => {
            let wrong = buckets.len() != N_BUCKETS;
            (
                total,
                wrong.then(|| format!("{} of {N_BUCKETS} buckets", buckets.len())),
            )
        }
    }
}

fn sum(mut counts: impl Iterator<Item = u64>) -> Option<u64> {
    counts.try_fold(0u64, u64::checked_add)
}
