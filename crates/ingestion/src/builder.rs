//! From batches to typed columns: memory is bounded by the columns, not by the text.

use std::collections::{BTreeMap, BTreeSet};

use dataset::{
    Cells, Column, ColumnType, IngestedColumn, MISSING_CODE, Provenance, RawBatch, RawColumn,
    RawDataset, Schema,
    cell::{Cell, read_number, read_text},
    format_number,
};

use crate::IngestionError;

/// Distinct texts that a column may have.
const MAX_TEXTS: usize = 16 << 20;

/// Collects batches under a schema.
pub(crate) struct DatasetBuilder<'a> {
    schema: &'a Schema,
    columns: Vec<ColumnBuilder>,
    names_found: Vec<String>,
    row_numbers: Vec<u64>,
    defects: Vec<(u64, String)>,
}

struct ColumnBuilder {
    name: String,
    /// The declaration, unless cells are kept as text: of text columns and of the target.
    numeric: Option<Column>,
    values: Vec<f64>,
    unparsed: Vec<(u64, String)>,
    dictionary: BTreeMap<String, u32>,
    codes: Vec<u32>,
}

impl<'a> DatasetBuilder<'a> {
    pub(crate) fn new(schema: &'a Schema) -> Self {
        let columns = schema
            .file_columns()
            .into_iter()
            .map(|name| {
                let is_target = name == schema.target.column;
                let numeric = schema
                    .column(&name)
                    .filter(|c| !is_target && c.kind != ColumnType::Text)
                    .cloned();
                ColumnBuilder {
                    name,
                    numeric,
                    values: Vec::new(),
                    unparsed: Vec::new(),
                    dictionary: BTreeMap::new(),
                    codes: Vec::new(),
                }
            })
            .collect();
        Self {
            schema,
            columns,
            names_found: Vec::new(),
            row_numbers: Vec::new(),
            defects: Vec::new(),
        }
    }

    pub(crate) fn n_rows(&self) -> u64 {
        self.row_numbers.len() as u64
    }

    /// Takes the rows of a batch, up to `limit` rows in all.
    pub(crate) fn push(&mut self, batch: &RawBatch, limit: u64) -> Result<(), IngestionError> {
        self.note_names(batch);
        let before = self.n_rows();
        let take = (limit - before).min(batch.n_rows() as u64) as usize;
        for column in &mut self.columns {
            let cells = batch.position(&column.name).map(|at| &batch.columns[at]);
            column.push(self.schema, cells, before, take)?;
        }
        self.row_numbers.extend(&batch.row_numbers[..take]);
        let defects = batch.defects.iter().filter(|(row, _)| *row < take);
        self.defects
            .extend(defects.map(|(row, reason)| (before + *row as u64, reason.clone())));
        Ok(())
    }

    /// Keeps the names of all batches: those of the first, then what later ones add.
    fn note_names(&mut self, batch: &RawBatch) {
        if self.names_found.is_empty() {
            self.names_found.clone_from(&batch.names);
            return;
        }
        if batch.names != self.names_found {
            let new = batch
                .names
                .iter()
                .filter(|name| !self.names_found.contains(name));
            let new: Vec<String> = new.cloned().collect();
            self.names_found.extend(new);
        }
    }

    /// Ends the collection; rows are still in the source's order.
    pub(crate) fn finish(self, simulated: bool, source: String) -> (RawDataset, Provenance) {
        let n_rows = self.n_rows();
        let known = self.schema.file_columns();
        let unknown: BTreeSet<&String> = self
            .names_found
            .iter()
            .filter(|name| !known.contains(name))
            .collect();
        let unknown_names = unknown.into_iter().cloned().collect();
        let order = self
            .names_found
            .iter()
            .filter_map(|n| known.iter().position(|k| k == n));
        let provenance = Provenance {
            source,
            unknown_names,
            reordered: !order.is_sorted(),
            row_numbers: self.row_numbers,
            names_found: self.names_found,
        };
        let (found, absent): (Vec<_>, Vec<_>) = self
            .columns
            .into_iter()
            .partition(|c| provenance.names_found.contains(&c.name));
        let raw = RawDataset {
            schema: self.schema.clone(),
            n_rows,
            columns: found.into_iter().map(ColumnBuilder::finish).collect(),
            absent: absent.into_iter().map(|c| c.name).collect(),
            defects: self.defects,
            simulated,
        };
        (raw, provenance)
    }
}

impl ColumnBuilder {
    fn push(
        &mut self,
        schema: &Schema,
        cells: Option<&RawColumn>,
        before: u64,
        take: usize,
    ) -> Result<(), IngestionError> {
        match self.numeric.clone() {
            Some(column) => self.push_numbers(schema, &column, cells, before, take),
            None => self.push_texts(schema, cells, take)?,
        }
        Ok(())
    }

    fn push_numbers(
        &mut self,
        schema: &Schema,
        column: &Column,
        cells: Option<&RawColumn>,
        before: u64,
        take: usize,
    ) {
        for row in 0..take {
            let (cell, text) = match cells {
                None => (Cell::Missing, None),
                Some(RawColumn::Number(numbers)) => (read_number(numbers[row]), None),
                Some(RawColumn::Text(texts)) => match texts.get(row) {
                    None => (Cell::Missing, None),
                    Some(text) => (read_text(schema, column, text), Some(text.trim())),
                },
            };
            self.values.push(match cell {
                Cell::Value(value) => value,
                Cell::Missing => f64::NAN,
                Cell::Unreadable => {
                    self.unparsed
                        .push((before + row as u64, text.unwrap_or("inf").to_owned()));
                    f64::NAN
                }
            });
        }
    }

    fn push_texts(
        &mut self,
        schema: &Schema,
        cells: Option<&RawColumn>,
        take: usize,
    ) -> Result<(), IngestionError> {
        for row in 0..take {
            let code = match cells {
                Some(RawColumn::Text(texts)) => match texts.get(row).map(str::trim) {
                    Some(text) if !schema.is_missing_token(text) => self.code(text),
                    _ => MISSING_CODE,
                },
                Some(RawColumn::Number(numbers)) if !numbers[row].is_nan() => {
                    self.code(&format_number(numbers[row]))
                }
                _ => MISSING_CODE,
            };
            self.codes.push(code);
        }
        if self.dictionary.len() > MAX_TEXTS {
            let column = self.name.clone();
            return Err(IngestionError::TooManyTexts {
                column,
                limit: MAX_TEXTS,
            });
        }
        Ok(())
    }

    /// Returns the code of a text in the order of first appearance.
    fn code(&mut self, text: &str) -> u32 {
        if let Some(code) = self.dictionary.get(text) {
            return *code;
        }
        let code = self.dictionary.len() as u32;
        self.dictionary.insert(text.to_owned(), code);
        code
    }

    /// Renumbers the texts in ascending order.
    fn finish(self) -> IngestedColumn {
        let cells = if self.numeric.is_some() {
            Cells::Numbers {
                values: self.values,
                unparsed: self.unparsed,
            }
        } else {
            let mut new_code = vec![0; self.dictionary.len()];
            for (ascending, first_seen) in self.dictionary.values().enumerate() {
                new_code[*first_seen as usize] = ascending as u32;
            }
            let renumber = |code: u32| match code {
                MISSING_CODE => MISSING_CODE,
                code => new_code[code as usize],
            };
            Cells::Texts {
                codes: self.codes.into_iter().map(renumber).collect(),
                dictionary: self.dictionary.into_keys().collect(),
            }
        };
        IngestedColumn {
            name: self.name,
            cells,
        }
    }
}
