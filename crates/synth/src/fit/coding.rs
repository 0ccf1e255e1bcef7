//! Rows as levels: each cell becomes the position of its text, its number or its interval.

use dataset::{ColumnType, Records, Schema};

use crate::SynthError;
use crate::recipe::{Column, Interval, Levels};

/// Most distinct numbers of a column that keeps them all.
const MOST_NUMBERS: usize = 16;
/// Most decimals that are looked for in the numbers of a column.
const MOST_DECIMALS: u8 = 12;
/// What a text outside the listed levels is written as.
const UNKNOWN: &str = "unknown";

/// The columns with the level of every cell, column by column.
pub(super) struct Coding {
    pub(super) columns: Vec<Column>,
    pub(super) codes: Vec<Vec<u16>>,
}

impl Coding {
    /// Codes the feature columns of a schema.
    pub(super) fn of(schema: &Schema, records: &Records, bins: usize) -> Result<Self, SynthError> {
        let (mut columns, mut codes) = (Vec::new(), Vec::new());
        for declared in schema.features() {
            let name = || declared.name.clone();
            let cells = records.table.column(&declared.name);
            let cells = cells.ok_or_else(|| SynthError::AbsentColumn { column: name() })?;
            let (levels, column_codes) = match declared.kind {
                ColumnType::Text => {
                    let levels = declared.levels();
                    let texts = levels.ok_or_else(|| SynthError::OpenText { column: name() })?;
                    code_texts(texts, cells)
                }
                kind => code_numbers(cells, kind == ColumnType::Number, bins),
            };
            columns.push(Column {
                name: name(),
                levels,
                missing: cells.iter().any(|cell| cell.is_nan()),
            });
            codes.push(column_codes);
        }
        Ok(Self { columns, codes })
    }
}

/// Keeps the texts that occur. A missing cell's code is one past the last level.
fn code_texts(texts: &[String], cells: &[f64]) -> (Levels, Vec<u16>) {
    let text_of = |cell: f64| texts.get(cell as usize).map_or(UNKNOWN, String::as_str);
    let present = cells.iter().filter(|cell| !cell.is_nan());
    let mut seen: Vec<&str> = present.map(|&cell| text_of(cell)).collect();
    seen.sort_unstable();
    seen.dedup();
    let code_of = |cell: &f64| match cell.is_nan() {
        true => seen.len() as u16,
        false => seen.partition_point(|text| *text < text_of(*cell)) as u16,
    };
    let codes = cells.iter().map(code_of).collect();
    let seen = seen.into_iter().map(str::to_owned).collect();
    (Levels::Texts(seen), codes)
}

/// Keeps few distinct numbers, or cuts many to intervals. A missing cell's code is one past the last.
fn code_numbers(cells: &[f64], fractions: bool, bins: usize) -> (Levels, Vec<u16>) {
    let mut sorted: Vec<f64> = cells
        .iter()
        .copied()
        .filter(|cell| !cell.is_nan())
        .collect();
    sorted.sort_by(f64::total_cmp);
    let runs: Vec<(f64, usize)> = sorted
        .chunk_by(|a, b| a == b)
        .map(|run| (run[0], run.len()))
        .collect();
    let intervals = match runs.len() <= MOST_NUMBERS {
        true => runs
            .iter()
            .map(|(number, _)| Interval::single(*number))
            .collect(),
        false => quantile_intervals(&runs, sorted.len().div_ceil(bins.max(1))),
    };
    let code_of = |cell: &f64| match cell.is_nan() {
        true => intervals.len() as u16,
        false => intervals.partition_point(|interval| interval.high < *cell) as u16,
    };
    let codes = cells.iter().map(code_of).collect();
    let decimals = if fractions { decimals(&runs) } else { 0 };
    let levels = Levels::Numbers {
        intervals,
        decimals,
    };
    (levels, codes)
}

/// Cuts ascending `(number, rows)` to intervals of about `target` rows; a number that has as many by
/// itself is an interval of its own.
fn quantile_intervals(runs: &[(f64, usize)], target: usize) -> Vec<Interval> {
    let mut intervals: Vec<Interval> = Vec::new();
    let mut rows_of_last = target;
    for &(number, rows) in runs {
        match intervals.last_mut() {
            Some(last) if rows_of_last < target && rows < target => {
                last.high = number;
                rows_of_last += rows;
            }
            _ => {
                intervals.push(Interval::single(number));
                rows_of_last = rows;
            }
        }
    }
    intervals
}

/// Returns how many digits after the point write all numbers exactly.
fn decimals(runs: &[(f64, usize)]) -> u8 {
    let is_exact = |digits: u8| {
        let scale = 10_f64.powi(i32::from(digits));
        runs.iter().all(|(x, _)| (x * scale).round() / scale == *x)
    };
    (0..MOST_DECIMALS)
        .find(|&digits| is_exact(digits))
        .unwrap_or(MOST_DECIMALS)
}
