//! The file of rejected rows: their numbers in the source, their problems, their cells.

use std::path::PathBuf;

use artifact::{Failure, clock, create_directory};
use dataset::{RawBatch, RawColumn, Schema, Sink, TextColumn};
use formats::CsvWriter;

use super::PushArguments;

/// The file, made at the first rejected row.
pub(super) struct Quarantine {
    path: PathBuf,
    names: Vec<String>,
    sink: Option<Box<dyn Sink>>,
    first_problem: String,
}

impl Quarantine {
    pub(super) fn new(arguments: &PushArguments, schema: &Schema) -> Self {
        let name = format!("{}.csv", clock::compact(clock::now()));
        let path = arguments.place.artifacts.join("quarantine").join(name);
        let columns = schema.file_columns();
        Self {
            path: arguments.quarantine.clone().unwrap_or(path),
            names: [vec!["row".to_owned(), "problems".to_owned()], columns].concat(),
            sink: None,
            first_problem: String::new(),
        }
    }

    /// Takes rejected rows.
    pub(super) fn push(&mut self, rows: &RawBatch) -> Result<(), Failure> {
        if rows.n_rows() == 0 {
            return Ok(());
        }
        if self.sink.is_none() {
            let problem = rows.columns[1].text(0).unwrap_or_default();
            self.first_problem = format!("row {}: {problem}", rows.row_numbers[0]);
            self.sink = Some(self.create()?);
        }
        let sink = self.sink.as_mut().expect("it was made just now");
        Ok(sink.write(rows)?)
    }

    fn create(&self) -> Result<Box<dyn Sink>, Failure> {
        if let Some(directory) = self.path.parent().filter(|d| !d.as_os_str().is_empty()) {
            create_directory(directory)?;
        }
        let mut sink = Box::new(CsvWriter::create(&self.path, b',')?);
        // All names at once: a later batch may have a column that the first one lacks.
        let columns = vec![RawColumn::Text(TextColumn::new()); self.names.len()];
        sink.write(&RawBatch {
            names: self.names.clone(),
            columns,
            ..RawBatch::default()
        })?;
        Ok(sink)
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

/// Makes rows of quarantine of some rows of a batch, with the reason of each.
pub(super) fn rows(batch: &RawBatch, rejected: &[(usize, String)]) -> RawBatch {
    let rows: Vec<usize> = rejected.iter().map(|(row, _)| *row).collect();
    let chosen = batch.select(&rows);
    let number = |n: &u64| n.to_string();
    let numbers: Vec<String> = chosen.row_numbers.iter().map(number).collect();
    let texts = |texts: &mut dyn Iterator<Item = &str>| RawColumn::Text(texts.map(Some).collect());
    let mut columns = vec![
        texts(&mut numbers.iter().map(String::as_str)),
        texts(&mut rejected.iter().map(|(_, reason)| reason.as_str())),
    ];
    columns.extend(chosen.columns);
    let mut names = vec!["row".to_owned(), "problems".to_owned()];
    names.extend(chosen.names);
    RawBatch {
        names,
        columns,
        row_numbers: chosen.row_numbers,
        defects: Vec::new(),
    }
}

/// Puts rows of quarantine behind others, as texts.
pub(super) fn joined(first: RawBatch, second: RawBatch) -> RawBatch {
    if second.n_rows() == 0 {
        return first;
    }
    if first.n_rows() == 0 {
        return second;
    }
    let column = |name: &String| {
        let mut texts = TextColumn::new();
        for batch in [&first, &second] {
            let place = batch.position(name);
            for row in 0..batch.n_rows() {
                let text = place.and_then(|at| batch.columns[at].text(row));
                texts.push(text.as_deref());
            }
        }
        RawColumn::Text(texts)
    };
    RawBatch {
        // The second one has every column of the schema.
        columns: second.names.iter().map(column).collect(),
        names: second.names.clone(),
        row_numbers: [first.row_numbers, second.row_numbers.clone()].concat(),
        defects: Vec::new(),
    }
}
