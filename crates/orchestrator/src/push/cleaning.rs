//! Rows as a source gives them to records that are fit to be pushed: typed, trimmed, checked.

mod rounding;

use std::collections::{BTreeMap, BTreeSet};

use artifact::{Digest, Failure};
use clap::ValueEnum;
use dataset::{
    Cells, ColumnType, MISSING_CODE, Provenance, RawBatch, RawColumn, RawDataset, Schema, Source,
    SourceError, Tally, TextColumn, record_digests,
};
use ingestion::IngestionConfig;
use rounding::rounded_cells;

use super::quarantine::Rejected;

/// What is done with rows that are equal in every column.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Duplicates {
    Keep,
    Drop,
}

/// Cleans batches, one after another.
///
/// Its memory does not grow with the rows unless duplicates are to be told, or keys: then 32 bytes and
/// some more are kept for each distinct one.
pub(super) struct Cleaner {
    schema: Schema,
    duplicates: Duplicates,
    key: Vec<String>,
    records: BTreeSet<Digest>,
    /// Of each key the number of its first row, and the record.
    keys: BTreeMap<Digest, (u64, Digest)>,
    pub(super) tally: Tally,
    pub(super) digest: Digest,
    pub(super) n_duplicates: u64,
    pub(super) unknown_names: BTreeSet<String>,
}

/// A batch after cleaning.
pub(super) struct Cleaned {
    /// Typed cells under the names of the schema, in the source's order.
    pub accepted: RawBatch,
    /// Cells as they came.
    pub rejected: Rejected,
}

impl Cleaner {
    pub(super) fn new(mut schema: Schema, duplicates: Duplicates, key: Vec<String>) -> Self {
        // What nobody learns from is loaded all the same, so that it has to be what the schema says;
        // that it may be missing is part of not being used.
        for column in schema.columns.iter_mut().filter(|c| c.never_use) {
            column.never_use = false;
            column.may_be_missing = true;
        }
        Self {
            schema,
            duplicates,
            key,
            records: BTreeSet::new(),
            keys: BTreeMap::new(),
            tally: Tally::default(),
            digest: Digest::of(b""),
            n_duplicates: 0,
            unknown_names: BTreeSet::new(),
        }
    }

    /// Reads cells as ingestion does and judges rows as validation does.
    pub(super) fn clean(&mut self, batch: RawBatch) -> Result<Cleaned, Failure> {
        let mut judged = batch.clone();
        let rounded = rounded_cells(&batch, &self.schema, &self.key);
        judged.defects.extend(rounded);
        let mut source = OneBatch(Some(judged));
        let config = IngestionConfig::default();
        let schema = self.schema.clone();
        let (raw, provenance) = ingestion::ingest(&mut source, schema, &config, &|_, _, _| {})?;
        let screening = validation::screen(&raw, &provenance);
        self.unknown_names
            .extend(provenance.unknown_names.iter().cloned());
        let typed = self.typed(&raw, &provenance, &screening.bad);
        let (accepted, mut rejected) = self.distinct(typed);
        rejected.extend(problems_of(&screening.quarantine));
        Ok(Cleaned {
            accepted,
            rejected: as_they_came(&batch, rejected),
        })
    }

    /// Makes typed rows of those that are not bad, in the source's order.
    fn typed(&self, raw: &RawDataset, provenance: &Provenance, bad: &BTreeSet<usize>) -> RawBatch {
        let mut rows: Vec<usize> = (0..raw.n_rows as usize)
            .filter(|row| !bad.contains(row))
            .collect();
        rows.sort_by_key(|&row| provenance.row_numbers[row]);
        let names = self.schema.file_columns();
        let column = |name: &String| match raw.cells(name) {
            None => RawColumn::Text(rows.iter().map(|_| None).collect()),
            Some(cells) => typed_cells(cells, self.is_boolean(name), &rows),
        };
        RawBatch {
            columns: names.iter().map(column).collect(),
            names,
            row_numbers: rows
                .iter()
                .map(|&row| provenance.row_numbers[row])
                .collect(),
            defects: Vec::new(),
            ..RawBatch::default()
        }
    }

    fn is_boolean(&self, name: &str) -> bool {
        let kind = self.schema.column(name).map(|c| c.kind);
        kind == Some(ColumnType::Boolean)
    }

    /// Leaves out duplicates, and gives apart the numbers of the rows whose key another record has, each
    /// with the reason.
    fn distinct(&mut self, batch: RawBatch) -> (RawBatch, BTreeMap<u64, String>) {
        let digests = record_digests(&batch);
        let keys = self.key_digests(&batch);
        let (mut kept, mut conflicts) = (Vec::new(), BTreeMap::new());
        for (row, &record) in digests.iter().enumerate() {
            let number = batch.row_numbers[row];
            let verdict = match &keys {
                None => self.judge_duplicate(record),
                Some(keys) => self.judge_key(number, record, keys[row]),
            };
            match verdict {
                Verdict::Keep => {
                    self.tally.add(record);
                    self.digest = chained(self.digest, number, record);
                    kept.push(row);
                }
                Verdict::Duplicate => self.n_duplicates += 1,
                Verdict::Conflict(reason) => {
                    conflicts.insert(number, reason);
                }
            }
        }
        (batch.select(&kept), conflicts)
    }

    fn judge_duplicate(&mut self, record: Digest) -> Verdict {
        match self.duplicates {
            Duplicates::Drop if !self.records.insert(record) => Verdict::Duplicate,
            _ => Verdict::Keep,
        }
    }

    fn judge_key(&mut self, number: u64, record: Digest, key: Option<Digest>) -> Verdict {
        let Some(key) = key else {
            return Verdict::Conflict(format!(
                "a value of the key ({}) is missing",
                self.key.join(", ")
            ));
        };
        match self.keys.get(&key) {
            None => {
                self.keys.insert(key, (number, record));
                Verdict::Keep
            }
            Some((_, first)) if *first == record => Verdict::Duplicate,
            Some((first, _)) => {
                Verdict::Conflict(format!("row {first} has the same key and other values"))
            }
        }
    }

    /// Digests the key of each row; `None` where a part of it is missing.
    fn key_digests(&self, batch: &RawBatch) -> Option<Vec<Option<Digest>>> {
        if self.key.is_empty() {
            return None;
        }
        let places: Vec<usize> = self
            .key
            .iter()
            .filter_map(|name| batch.position(name))
            .collect();
        let part = RawBatch {
            names: places.iter().map(|&at| batch.names[at].clone()).collect(),
            columns: places.iter().map(|&at| batch.columns[at].clone()).collect(),
            row_numbers: batch.row_numbers.clone(),
            defects: Vec::new(),
            ..RawBatch::default()
        };
        let is_whole = |row: usize| part.columns.iter().all(|c| c.text(row).is_some());
        let digests = record_digests(&part).into_iter().enumerate();
        Some(digests.map(|(row, d)| is_whole(row).then_some(d)).collect())
    }
}

/// Returns the problems that validation has found, by the numbers of the rows.
fn problems_of(quarantine: &RawBatch) -> impl Iterator<Item = (u64, String)> {
    let at = quarantine.position("problems");
    let numbers = quarantine.row_numbers.iter().enumerate();
    numbers.map(move |(row, number)| {
        let text = at.and_then(|at| quarantine.columns[at].text(row));
        (*number, text.unwrap_or_default().into_owned())
    })
}

/// Takes rows out of a batch by their numbers, in its order.
fn as_they_came(batch: &RawBatch, mut rejected: BTreeMap<u64, String>) -> Rejected {
    let numbers = batch.row_numbers.iter().enumerate();
    let of_rows = numbers.filter_map(|(row, number)| Some((row, rejected.remove(number)?)));
    let of_rows = of_rows.collect();
    Rejected::of(batch, of_rows)
}

enum Verdict {
    Keep,
    Duplicate,
    Conflict(String),
}

fn chained(before: Digest, number: u64, record: Digest) -> Digest {
    let mut bytes = [0; 72];
    bytes[..32].copy_from_slice(before.as_bytes());
    bytes[32..40].copy_from_slice(&number.to_le_bytes());
    bytes[40..].copy_from_slice(record.as_bytes());
    Digest::of(&bytes)
}

fn typed_cells(cells: &Cells, is_boolean: bool, rows: &[usize]) -> RawColumn {
    match cells {
        Cells::Numbers { values, .. } if is_boolean => {
            let word = |value: f64| if value == 0.0 { "false" } else { "true" };
            let cell = |&row: &usize| (!values[row].is_nan()).then(|| word(values[row]));
            RawColumn::Text(rows.iter().map(cell).collect())
        }
        Cells::Numbers { values, .. } => {
            RawColumn::Number(rows.iter().map(|&row| values[row]).collect())
        }
        Cells::Texts { dictionary, codes } => {
            let text =
                |code: u32| (code != MISSING_CODE).then(|| dictionary[code as usize].as_str());
            let texts: TextColumn = rows.iter().map(|&row| text(codes[row])).collect();
            RawColumn::Text(texts)
        }
    }
}

/// A batch as a source of its own.
struct OneBatch(Option<RawBatch>);

impl Source for OneBatch {
    fn description(&self) -> &str {
        "the batch"
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        Ok(self.0.take())
    }
}

#[cfg(test)]
mod tests;
