//! Lays rows out as Parquet and reads them back exactly.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use artifact::Artifact;
use dataset::{
    Cells, IngestedColumn, MISSING_CODE, Provenance, RawBatch, RawColumn, RawDataset, Schema,
    SinkError, exact_integer, format_number, free_name,
};
use formats::{FileFormat, ParquetColumn, parquet_bytes};
use serde::{Deserialize, Serialize};

/// What the Parquet file cannot say of a [`RawDataset`] and its [`Provenance`].
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    source: String,
    rows: u64,
    columns: Vec<ColumnDescription>,
    absent: Vec<String>,
    simulated: bool,
    names_found: Vec<String>,
    unknown_names: Vec<String>,
    reordered: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnDescription {
    name: String,
    kind: Kind,
    /// Rows whose text is no number: such a column of numbers is stored as text.
    unparsed: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Numbers,
    Texts,
}

impl Description {
    pub(super) fn of(raw: &RawDataset, provenance: &Provenance) -> Self {
        let describe = |column: &IngestedColumn| {
            let (kind, unparsed) = match &column.cells {
                Cells::Numbers { unparsed, .. } => (Kind::Numbers, unparsed.as_slice()),
                Cells::Texts { .. } => (Kind::Texts, &[][..]),
            };
            ColumnDescription {
                name: column.name.clone(),
                kind,
                unparsed: unparsed.iter().map(|(row, _)| *row).collect(),
            }
        };
        Self {
            source: provenance.source.clone(),
            rows: raw.n_rows,
            columns: raw.columns.iter().map(describe).collect(),
            absent: raw.absent.clone(),
            simulated: raw.simulated,
            names_found: provenance.names_found.clone(),
            unknown_names: provenance.unknown_names.clone(),
            reordered: provenance.reordered,
        }
    }
}

/// Writes the columns under their names, and after them each row's number in the source and the
/// reason of its defect.
pub(super) fn to_parquet(raw: &RawDataset, provenance: &Provenance) -> Result<Vec<u8>, SinkError> {
    let mut columns: Vec<(String, ParquetColumn<'_>)> = raw
        .columns
        .iter()
        .map(|column| (column.name.clone(), parquet_column(&column.cells)))
        .collect();
    let numbers = provenance.row_numbers.iter().map(|n| Some(*n as i64));
    let mut defects = vec![None; raw.n_rows as usize];
    for (row, reason) in &raw.defects {
        defects[*row as usize] = Some(reason.clone());
    }
    for (name, column) in [
        ("_row_number", ParquetColumn::Int64(numbers.collect())),
        ("_defect", ParquetColumn::Text(defects)),
    ] {
        let free = free_name(name, "_", |name| raw.cells(name).is_some());
        columns.push((free, column));
    }
    parquet_bytes(&columns)
}

fn parquet_column(cells: &Cells) -> ParquetColumn<'_> {
    let is_whole = |v: &f64| v.is_nan() || exact_integer(*v).is_some();
    match cells {
        Cells::Texts { dictionary, codes } => ParquetColumn::Coded { dictionary, codes },
        Cells::Numbers { values, unparsed } if unparsed.is_empty() => {
            if values.iter().all(is_whole) {
                ParquetColumn::WholeSlice(values)
            } else {
                ParquetColumn::DoubleSlice(values)
            }
        }
        Cells::Numbers { values, unparsed } => {
            let shown = |v: &f64| (!v.is_nan()).then(|| format_number(*v));
            let mut texts: Vec<Option<String>> = values.iter().map(shown).collect();
            for (row, text) in unparsed {
                texts[*row as usize] = Some(text.clone());
            }
            ParquetColumn::Text(texts)
        }
    }
}

/// Reads a snapshot back; an error says what does not fit its description.
pub(super) fn read(
    path: &Path,
    description: Description,
    schema: &Schema,
) -> Result<(RawDataset, Provenance), String> {
    let mut source = formats::open(path, &FileFormat::Parquet).map_err(|e| e.to_string())?;
    let mut reading = Reading::of(&description);
    while let Some(batch) = source.next_batch().map_err(|e| e.to_string())? {
        reading.push(&batch)?;
    }
    if reading.row_numbers.len() as u64 != description.rows {
        let (found, described) = (reading.row_numbers.len(), description.rows);
        return Err(format!("{found} rows where {described} are described"));
    }
    let columns = reading.columns.into_iter().map(Column::finish);
    let raw = RawDataset {
        schema: schema.clone(),
        n_rows: description.rows,
        columns: columns.collect::<Result<_, _>>()?,
        absent: description.absent,
        defects: reading.defects,
        simulated: description.simulated,
    };
    raw.check()?;
    let provenance = Provenance {
        source: description.source,
        names_found: description.names_found,
        unknown_names: description.unknown_names,
        reordered: description.reordered,
        row_numbers: reading.row_numbers,
    };
    Ok((raw, provenance))
}

/// The columns of a snapshot while it is read.
struct Reading {
    columns: Vec<Column>,
    row_numbers: Vec<u64>,
    defects: Vec<(u64, String)>,
}

struct Column {
    name: String,
    unparsed_rows: BTreeSet<u64>,
    cells: Cells,
    /// Codes in the order in which texts were met; rows being sorted, mostly that of the texts.
    codes: BTreeMap<String, u32>,
}

impl Reading {
    fn of(description: &Description) -> Self {
        let column = |c: &ColumnDescription| Column {
            name: c.name.clone(),
            unparsed_rows: c.unparsed.iter().copied().collect(),
            cells: match c.kind {
                Kind::Numbers => Cells::Numbers {
                    values: Vec::new(),
                    unparsed: Vec::new(),
                },
                Kind::Texts => Cells::Texts {
                    dictionary: Vec::new(),
                    codes: Vec::new(),
                },
            },
            codes: BTreeMap::new(),
        };
        Self {
            columns: description.columns.iter().map(column).collect(),
            row_numbers: Vec::new(),
            defects: Vec::new(),
        }
    }

    fn push(&mut self, batch: &RawBatch) -> Result<(), String> {
        let expected = self.columns.len() + 2;
        if batch.columns.len() != expected {
            let found = batch.columns.len();
            return Err(format!("{found} columns where {expected} are described"));
        }
        let (own, extra) = batch.columns.split_at(self.columns.len());
        for (at, (column, cells)) in self.columns.iter_mut().zip(own).enumerate() {
            if batch.names[at] != column.name {
                return Err(format!(
                    "column `{}` stands where `{}` is described",
                    batch.names[at], column.name
                ));
            }
            column.push(cells)?;
        }
        match extra {
            [RawColumn::Number(numbers), RawColumn::Text(defects)] => {
                let first = self.row_numbers.len() as u64;
                self.row_numbers.extend(numbers.iter().map(|n| *n as u64));
                for (row, reason) in defects.iter().enumerate() {
                    let note = reason.map(|r| (first + row as u64, r.to_owned()));
                    self.defects.extend(note);
                }
                Ok(())
            }
            // Row numbers of no rows have no type to show.
            [other, _] if other.is_empty() => Ok(()),
            _ => Err("row numbers and defects are of other types".to_owned()),
        }
    }
}

impl Column {
    fn push(&mut self, cells: &RawColumn) -> Result<(), String> {
        match (&mut self.cells, cells) {
            (Cells::Numbers { values, .. }, RawColumn::Number(numbers)) => {
                values.extend(numbers);
                Ok(())
            }
            (Cells::Numbers { .. }, RawColumn::Text(texts)) => {
                texts.iter().try_for_each(|text| self.push_number(text))
            }
            (Cells::Texts { codes, .. }, RawColumn::Text(texts)) => {
                codes.extend(texts.iter().map(|text| code(&mut self.codes, text)));
                Ok(())
            }
            (Cells::Texts { .. }, RawColumn::Number(numbers)) if numbers.is_empty() => Ok(()),
            (Cells::Texts { .. }, RawColumn::Number(_)) => {
                Err(format!("`{}` holds numbers, not text", self.name))
            }
        }
    }

    /// Adds a number that is stored as text because others of its column are unreadable.
    fn push_number(&mut self, text: Option<&str>) -> Result<(), String> {
        let Cells::Numbers { values, unparsed } = &mut self.cells else {
            return Err(format!("`{}` is no column of numbers", self.name));
        };
        let row = values.len() as u64;
        values.push(match text {
            None => f64::NAN,
            Some(text) if self.unparsed_rows.contains(&row) => {
                unparsed.push((row, text.to_owned()));
                f64::NAN
            }
            Some(text) => text
                .parse()
                .map_err(|_| format!("`{}`, row {row}: `{text}`", self.name))?,
        });
        Ok(())
    }

    fn finish(mut self) -> Result<IngestedColumn, String> {
        match &mut self.cells {
            Cells::Numbers { unparsed, .. } => {
                if unparsed.len() != self.unparsed_rows.len() {
                    return Err(format!("`{}` lacks unreadable cells", self.name));
                }
            }
            Cells::Texts { dictionary, codes } => {
                let mut ranks = vec![0; self.codes.len()];
                for (rank, (text, code)) in self.codes.into_iter().enumerate() {
                    ranks[code as usize] = rank as u32;
                    dictionary.push(text);
                }
                for code in codes.iter_mut().filter(|code| **code != MISSING_CODE) {
                    *code = ranks[*code as usize];
                }
            }
        }
        Ok(IngestedColumn {
            name: self.name,
            cells: self.cells,
        })
    }
}

fn code(codes: &mut BTreeMap<String, u32>, text: Option<&str>) -> u32 {
    let Some(text) = text else {
        return MISSING_CODE;
    };
    if let Some(&code) = codes.get(text) {
        return code;
    }
    let code = codes.len() as u32;
    codes.insert(text.to_owned(), code);
    code
}
