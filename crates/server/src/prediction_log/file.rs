//! One file of the log: its name, its columns, and how many of them are kept.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use artifact::{clock, is_temporary};
use dataset::{Column, ColumnType, SinkError, free_name};
use formats::{ParquetColumn, ParquetGroups};

use super::Logged;
use crate::{detector::Detector, intake::Block};

/// What a level stands as that the model does not know.
const UNKNOWN: &str = "(unknown)";
const PREFIX: &str = "predictions-";
/// How much longer than its age a file may be written.
const GRACE: Duration = Duration::from_secs(60);

/// A file of predictions of one version of a model.
pub struct LogFile {
    pub detector: Arc<Detector>,
    pub began: Instant,
    /// Nothing before the first row group.
    pub groups: Option<ParquetGroups>,
    /// Rows that have been written: they are there once the file is whole.
    pub n_rows: u64,
}

impl LogFile {
    /// Returns how many bytes it has so far.
    pub fn n_bytes(&self) -> u64 {
        self.groups.as_ref().map_or(0, ParquetGroups::n_bytes)
    }

    /// Writes blocks of its model as a row group.
    pub fn write(&mut self, blocks: &[Block<Logged>], names: &mut Names) -> Result<(), SinkError> {
        let dictionaries = dictionaries(&self.detector);
        let columns = columns(&self.detector, &dictionaries, blocks);
        match &mut self.groups {
            Some(groups) => groups.write(&columns)?,
            None => {
                let path = names.next(&self.detector);
                self.groups = Some(ParquetGroups::create(&path, &columns)?);
            }
        }
        self.n_rows += blocks
            .iter()
            .map(|block| block.rows.len() as u64)
            .sum::<u64>();
        Ok(())
    }

    /// Makes the file whole.
    pub fn finish(self) -> Result<(), SinkError> {
        self.groups.map_or(Ok(()), ParquetGroups::finish)
    }
}

/// Returns the texts of each column by code; none for a column of numbers.
fn dictionaries(detector: &Detector) -> Vec<Vec<String>> {
    let texts = |column: &Column| -> Vec<String> {
        let levels = column.levels().unwrap_or_default().iter().cloned();
        levels.chain([UNKNOWN.to_owned()]).collect()
    };
    detector.columns().iter().map(texts).collect()
}

/// Makes the columns of a row group: when, by whom, the cells as the model has them, the verdict.
fn columns<'a>(
    detector: &'a Detector,
    dictionaries: &'a [Vec<String>],
    blocks: &[Block<Logged>],
) -> Vec<(String, ParquetColumn<'a>)> {
    let rows = || blocks.iter().flat_map(|block| &block.rows);
    let n = rows().count();
    let version = i64::try_from(detector.entry.version).ok();
    let classes = detector.bundle.class_names();
    let label = |row: &Logged| Some(classes.name(row.score.label).to_owned());
    let is_threat = |row: &Logged| Some(row.score.label.is_threat());
    let ours = |name: &str| {
        let is_taken = |name: &str| detector.columns().iter().any(|c| c.name == name);
        free_name(name, "log_", is_taken)
    };
    let mut all = vec![
        (
            ours("time"),
            ParquetColumn::Moment(rows().map(|row| row.at).collect()),
        ),
        (
            ours("model_version"),
            ParquetColumn::Int64(vec![version; n]),
        ),
        (
            ours("label"),
            ParquetColumn::Text(rows().map(label).collect()),
        ),
        (
            ours("threat"),
            ParquetColumn::Boolean(rows().map(is_threat).collect()),
        ),
        (
            ours("threat_probability"),
            ParquetColumn::Double(rows().map(|row| row.score.threat).collect()),
        ),
    ];
    let width = detector.columns().len();
    for (at, (column, dictionary)) in detector.columns().iter().zip(dictionaries).enumerate() {
        let cells = blocks
            .iter()
            .flat_map(|block| block.cells.iter().skip(at).step_by(width).copied());
        all.push((column.name.clone(), typed(column, dictionary, cells)));
    }
    all
}

fn typed<'a>(
    column: &Column,
    dictionary: &'a [String],
    cells: impl Iterator<Item = f64>,
) -> ParquetColumn<'a> {
    let there = |cell: f64| (!cell.is_nan()).then_some(cell);
    match column.kind {
        ColumnType::Number => ParquetColumn::Double(cells.collect()),
        ColumnType::Integer => {
            ParquetColumn::Int64(cells.map(|cell| there(cell).map(|c| c as i64)).collect())
        }
        ColumnType::Boolean => {
            ParquetColumn::Boolean(cells.map(|cell| there(cell).map(|c| c != 0.0)).collect())
        }
        ColumnType::Text => {
            let text = |cell: f64| dictionary.get(there(cell)? as usize).cloned();
            ParquetColumn::Text(cells.map(text).collect())
        }
    }
}

/// Names of files, in the order of their time, that no other process gives.
pub struct Names {
    directory: PathBuf,
    instance: String,
    n: u64,
}

impl Names {
    pub fn new(directory: &Path, instance: [u8; 4]) -> Self {
        Self {
            directory: directory.to_owned(),
            instance: instance.iter().map(|byte| format!("{byte:02x}")).collect(),
            n: 0,
        }
    }

    fn next(&mut self, detector: &Detector) -> PathBuf {
        self.n += 1;
        let (began, instance, n) = (clock::compact(clock::now()), &self.instance, self.n);
        let (model, version) = (&detector.name, detector.entry.version);
        let name = format!("{PREFIX}{began}-{instance}-{n:06}-{model}-v{version}.parquet");
        self.directory.join(name)
    }

    /// Removes all but the latest files, and what services that were killed have left behind: what is written grows
    /// until it is `age` old. What cannot be removed is tried again the next time.
    pub fn keep(&self, most: usize, age: Duration) {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        let mut ours = Vec::new();
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name.starts_with(PREFIX) && name.ends_with(".parquet") {
                ours.push(name);
            } else if is_left_over(&entry, &name, age) {
                let _ = fs::remove_file(entry.path());
            }
        }
        ours.sort_unstable();
        let n_old = ours.len().saturating_sub(most);
        for name in &ours[..n_old] {
            let _ = fs::remove_file(self.directory.join(name));
        }
    }
}

/// Returns whether a file of the log was begun and is not written any more. Which process has begun it does not tell:
/// two containers may share the log.
fn is_left_over(entry: &fs::DirEntry, name: &str, age: Duration) -> bool {
    let meant = name.strip_prefix('.').unwrap_or_default();
    if !meant.starts_with(PREFIX) || !is_temporary(name) {
        return false;
    }
    let written = entry.metadata().and_then(|found| found.modified());
    let idle = written.ok().and_then(|written| written.elapsed().ok());
    idle.is_some_and(|idle| idle > age + GRACE)
}
