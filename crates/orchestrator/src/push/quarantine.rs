//! The file of rejected rows: their numbers in the source, their problems, and their cells as they came.

use std::path::{Path, PathBuf};

use artifact::{Failure, clock, create_directory};
use dataset::{RawBatch, RawColumn, Schema, Sink, TextColumn, free_name};
use formats::CsvWriter;

use super::PushArguments;

/// Rows that are not pushed.
pub(super) struct Rejected {
    /// Under the names that they have in the source.
    pub rows: RawBatch,
    /// Why, one for each row.
    pub reasons: Vec<String>,
}

impl Rejected {
    /// Takes rows (index in the batch) out of a batch, with the reason of each.
    pub(super) fn of(batch: &RawBatch, rejected: Vec<(usize, String)>) -> Self {
        let (rows, reasons): (Vec<usize>, Vec<String>) = rejected.into_iter().unzip();
        Self {
            rows: batch.select(&rows),
            reasons,
        }
    }
}

/// The file, made at the first rejected row.
pub(super) struct Quarantine {
    path: PathBuf,
    /// The columns of the schema, and then those of the source that the file begins with.
    columns: Vec<String>,
    sink: Option<Box<dyn Sink>>,
    first_problem: String,
}

impl Quarantine {
    pub(super) fn new(arguments: &PushArguments, schema: &Schema) -> Self {
        let directory = arguments.place.artifacts.join("quarantine");
        let path = arguments.quarantine.clone();
        Self {
            path: path.unwrap_or_else(|| unused(&directory)),
            columns: schema.file_columns(),
            sink: None,
            first_problem: String::new(),
        }
    }

    /// Takes rejected rows.
    pub(super) fn push(&mut self, rejected: &Rejected) -> Result<(), Failure> {
        let Some(reason) = rejected.reasons.first() else {
            return Ok(());
        };
        if self.sink.is_none() {
            self.first_problem = format!("row {}: {reason}", rejected.rows.row_numbers[0]);
            self.begin(&rejected.rows.names)?;
        }
        let batch = self.batch(rejected);
        let sink = self.sink.as_mut().expect("it was made just now");
        Ok(sink.write(&batch)?)
    }

    fn begin(&mut self, found: &[String]) -> Result<(), Failure> {
        if let Some(directory) = self.path.parent().filter(|d| !d.as_os_str().is_empty()) {
            create_directory(directory)?;
        }
        // A file keeps the columns that it begins with. What the schema knows is among them, also where
        // only a later batch has it.
        for name in found {
            if !self.columns.contains(name) {
                self.columns.push(name.clone());
            }
        }
        self.sink = Some(Box::new(CsvWriter::create(&self.path, b',')?));
        Ok(())
    }

    fn batch(&self, Rejected { rows, reasons }: &Rejected) -> RawBatch {
        let numbers: Vec<String> = rows.row_numbers.iter().map(u64::to_string).collect();
        let texts = |texts: &[String]| {
            let cells = texts.iter().map(|text| Some(text.as_str()));
            RawColumn::Text(cells.collect())
        };
        let cells = |name: &String| match rows.position(name) {
            Some(at) => rows.columns[at].clone(),
            None => RawColumn::Text(reasons.iter().map(|_| None).collect::<TextColumn>()),
        };
        let is_taken = |name: &str| self.columns.iter().any(|taken| taken == name);
        let ours = ["row", "problems"].map(|name| free_name(name, "_", is_taken));
        let mut columns = vec![texts(&numbers), texts(reasons)];
        columns.extend(self.columns.iter().map(cells));
        RawBatch {
            names: [&ours[..], &self.columns].concat(),
            columns,
            row_numbers: rows.row_numbers.clone(),
            defects: Vec::new(),
            ..RawBatch::default()
        }
    }

    /// Returns the first problem, for people.
    pub(super) fn first_problem(&self) -> &str {
        &self.first_problem
    }

    /// Makes the file visible; returns its path when there is one.
    pub(super) fn finish(&mut self) -> Result<Option<PathBuf>, Failure> {
        let Some(sink) = self.sink.take() else {
            return Ok(None);
        };
        sink.finish()?;
        Ok(Some(self.path.clone()))
    }
}

/// Names a file that no other push names, though it begins in the same second.
fn unused(directory: &Path) -> PathBuf {
    let now = clock::now();
    let nanoseconds = now.timestamp_subsec_nanos();
    let name = format!(
        "{}-{nanoseconds:09}-{}.csv",
        clock::compact(now),
        std::process::id()
    );
    directory.join(name)
}
