//! Reads a source to its end and puts its rows into canonical order.

use std::collections::BTreeMap;

use artifact::Progress;
use dataset::{
    Cells, Defect, Extent, IngestedColumn, MAX_ROWS, Provenance, RawBatch, RawDataset, Schema,
    Source, SourceError,
};

use crate::{IngestionConfig, IngestionError, builder::Builder, order::canonical_order};

/// Reads all rows of a source under a schema.
///
/// Memory is that of the typed columns and of their distinct texts, not that of the source. A column
/// named twice in the source is read where it stands first.
///
/// # Errors
/// [`IngestionError::Source`], [`IngestionError::Batch`], [`IngestionError::TooManyRows`].
pub fn ingest(
    source: &mut dyn Source,
    schema: Schema,
    config: &IngestionConfig,
    progress: &Progress<'_>,
) -> Result<(RawDataset, Provenance), IngestionError> {
    let mut reading = Reading::new(schema, source.description());
    let limit = config.max_rows.unwrap_or(u64::MAX);
    while reading.n_rows() < limit {
        let Some(batch) = source.next_batch()? else {
            break;
        };
        reading.push(&batch, limit)?;
        progress("rows read", reading.n_rows(), 0);
    }
    let (raw, provenance) = reading.finish(source.is_simulated());
    tracing::info!(
        rows = raw.n_rows,
        defects = raw.defects.len(),
        absent = raw.absent.len(),
        unknown = provenance.unknown_names.len(),
        "source read"
    );
    Ok((raw, provenance))
}

/// What has been read so far, rows in the source's order.
struct Reading {
    schema: Schema,
    location: String,
    columns: Vec<Reader>,
    names: Names,
    row_numbers: Vec<u64>,
    defects: Vec<(u64, String)>,
}

/// A column of the schema while it is read.
struct Reader {
    name: String,
    builder: Builder,
    is_found: bool,
}

impl Reading {
    fn new(schema: Schema, location: &str) -> Self {
        let reader = |name: String| Reader {
            builder: Builder::new(&schema, schema.column(&name)),
            name,
            is_found: false,
        };
        Self {
            columns: schema.file_columns().into_iter().map(reader).collect(),
            schema,
            location: location.to_owned(),
            names: Names::default(),
            row_numbers: Vec::new(),
            defects: Vec::new(),
        }
    }

    fn n_rows(&self) -> u64 {
        self.row_numbers.len() as u64
    }

    fn push(&mut self, batch: &RawBatch, limit: u64) -> Result<(), IngestionError> {
        self.check(batch)?;
        self.refuse_unread(batch)?;
        let before = self.row_numbers.len();
        let n = (batch.n_rows() as u64).min(limit - before as u64) as usize;
        if before as u64 + n as u64 > MAX_ROWS {
            return Err(IngestionError::TooManyRows {
                location: self.location.clone(),
                limit: MAX_ROWS,
            });
        }
        self.names.see(&batch.names);
        for reader in &mut self.columns {
            if let Some(position) = self.names.position(&reader.name) {
                reader.is_found = true;
                reader.builder.pad(before);
                reader
                    .builder
                    .push(&self.schema, &batch.columns[position], n);
            }
        }
        self.row_numbers.extend(&batch.row_numbers[..n]);
        let problems = batch.row_problems(|name| self.is_used(name));
        let kept = problems.into_iter().filter(|(row, _)| *row < n);
        self.defects
            .extend(kept.map(|(row, reasons)| ((before + row) as u64, reasons.join("; "))));
        Ok(())
    }

    /// Returns whether a column is learned from, or is what is to be learned.
    fn is_used(&self, name: &str) -> bool {
        let target = &self.schema.target.column;
        name == target || self.schema.column(name).is_some_and(|c| !c.never_use)
    }

    fn refuse_unread(&self, batch: &RawBatch) -> Result<(), SourceError> {
        let mut unread = batch.unread_columns();
        match unread.find(|(at, _)| self.is_used(&batch.names[*at])) {
            None => Ok(()),
            Some((at, reason)) => Err(SourceError::Malformed {
                location: self.location.clone(),
                reason: format!("column `{}`: {reason}", batch.names[at]),
            }),
        }
    }

    fn check(&self, batch: &RawBatch) -> Result<(), IngestionError> {
        let n = batch.n_rows();
        let reason = if batch.names.len() != batch.columns.len() {
            let (names, columns) = (batch.names.len(), batch.columns.len());
            format!("{names} names for {columns} columns")
        } else if let Some(at) = batch.columns.iter().position(|c| c.len() != n) {
            let (name, len) = (&batch.names[at], batch.columns[at].len());
            format!("column `{name}` has {len} of {n} rows")
        } else if batch.defects.iter().any(|defect| !fits(batch, defect)) {
            format!("a defect lies outside its {n} rows")
        } else {
            return Ok(());
        };
        Err(IngestionError::Batch {
            location: self.location.clone(),
            reason,
        })
    }

    fn finish(self, simulated: bool) -> (RawDataset, Provenance) {
        let n_rows = self.row_numbers.len();
        let (found, lacking): (Vec<Reader>, Vec<Reader>) =
            self.columns.into_iter().partition(|reader| reader.is_found);
        let columns: Vec<IngestedColumn> = found
            .into_iter()
            .map(|mut reader| {
                reader.builder.pad(n_rows);
                IngestedColumn {
                    name: reader.name,
                    cells: reader.builder.finish(),
                }
            })
            .collect();
        let cells: Vec<&Cells> = columns.iter().map(|c| &c.cells).collect();
        let order = canonical_order(&cells, &self.defects, n_rows as u32);
        let positions = Positions::of(&order);
        let provenance = self.names.provenance(
            &self.schema,
            self.location,
            order
                .iter()
                .map(|&row| self.row_numbers[row as usize])
                .collect(),
        );
        let raw = RawDataset {
            schema: self.schema,
            n_rows: n_rows as u64,
            columns: columns
                .into_iter()
                .map(|column| reorder(column, &order, &positions))
                .collect(),
            absent: lacking.into_iter().map(|reader| reader.name).collect(),
            defects: positions.apply(self.defects),
            simulated,
        };
        (raw, provenance)
    }
}

fn fits(batch: &RawBatch, defect: &Defect) -> bool {
    let (rows, columns) = (batch.n_rows(), batch.columns.len());
    match defect.extent {
        Extent::Row(row) => row < rows,
        Extent::Cell { row, column } => row < rows && column < columns,
        Extent::Column(column) => column < columns,
    }
}

fn reorder(column: IngestedColumn, order: &[u32], positions: &Positions) -> IngestedColumn {
    let cells = match column.cells {
        Cells::Numbers { values, unparsed } => Cells::Numbers {
            values: order.iter().map(|&row| values[row as usize]).collect(),
            unparsed: positions.apply(unparsed),
        },
        Cells::Texts { dictionary, codes } => Cells::Texts {
            dictionary,
            codes: order.iter().map(|&row| codes[row as usize]).collect(),
        },
    };
    IngestedColumn {
        name: column.name,
        cells,
    }
}

/// Canonical position of each row of the source.
struct Positions(Vec<u32>);

impl Positions {
    fn of(order: &[u32]) -> Self {
        let mut positions = vec![0; order.len()];
        for (position, &row) in order.iter().enumerate() {
            positions[row as usize] = position as u32;
        }
        Self(positions)
    }

    fn apply(&self, mut notes: Vec<(u64, String)>) -> Vec<(u64, String)> {
        for (row, _) in &mut notes {
            *row = u64::from(self.0[*row as usize]);
        }
        notes.sort_unstable_by_key(|(row, _)| *row);
        notes
    }
}

/// The names of all batches, in the order in which they were first seen.
#[derive(Default)]
struct Names {
    /// Of the batch last seen.
    last: Vec<String>,
    /// Where each stands first in it.
    positions: BTreeMap<String, usize>,
    /// All, as often as the batch that has them most often.
    found: Vec<String>,
}

impl Names {
    fn see(&mut self, names: &[String]) {
        if self.last == names && !self.found.is_empty() {
            return;
        }
        self.last = names.to_vec();
        self.positions.clear();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in &self.found {
            *counts.entry(name).or_default() += 1;
        }
        let mut new = Vec::new();
        for (position, name) in names.iter().enumerate() {
            self.positions.entry(name.clone()).or_insert(position);
            match counts.get_mut(name.as_str()) {
                Some(left) if *left > 0 => *left -= 1,
                _ => new.push(name.clone()),
            }
        }
        self.found.extend(new);
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    fn provenance(self, schema: &Schema, source: String, row_numbers: Vec<u64>) -> Provenance {
        let places: BTreeMap<String, usize> = schema
            .file_columns()
            .into_iter()
            .enumerate()
            .map(|(place, name)| (name, place))
            .collect();
        let known: Vec<usize> = self
            .found
            .iter()
            .filter_map(|name| places.get(name).copied())
            .collect();
        Provenance {
            source,
            unknown_names: self
                .found
                .iter()
                .filter(|name| !places.contains_key(*name))
                .cloned()
                .collect(),
            reordered: !known.is_sorted(),
            names_found: self.found,
            row_numbers,
        }
    }
}
