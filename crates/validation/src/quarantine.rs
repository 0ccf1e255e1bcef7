//! The quarantine file: bad rows with their numbers in the source and all their problems.

use dataset::{
    Cells, MISSING_CODE, Provenance, RawBatch, RawColumn, RawDataset, TextColumn, format_number,
};

use crate::rows::Judged;

/// Writes the bad rows as CSV: `row`, `problems`, then the cells as they were read, in row-number order.
pub(crate) fn to_csv(
    raw: &RawDataset,
    provenance: &Provenance,
    judged: &Judged,
) -> Result<Vec<u8>, csv::Error> {
    let rows = rows(raw, provenance, judged);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&rows.names)?;
    for row in 0..rows.n_rows() {
        let cells = rows.columns.iter().map(|column| column.text(row));
        writer.write_record(cells.map(|cell| cell.unwrap_or_default().into_owned()))?;
    }
    Ok(writer
        .into_inner()
        .expect("writing to memory does not fail"))
}

/// Returns the bad rows as texts, as [`to_csv`] writes them.
pub(crate) fn rows(raw: &RawDataset, provenance: &Provenance, judged: &Judged) -> RawBatch {
    let number = |row: usize| provenance.row_numbers.get(row).copied().unwrap_or_default();
    let mut bad: Vec<_> = judged.bad.iter().collect();
    bad.sort_by_key(|(row, _)| number(**row));
    let unparsed = UnparsedTexts::of(raw);
    let mut names = vec!["row".to_owned(), "problems".to_owned()];
    names.extend(raw.columns.iter().map(|c| c.name.clone()));
    let mut columns = vec![TextColumn::new(); names.len()];
    for (row, problems) in bad.iter().map(|(row, problems)| (**row, problems)) {
        let texts: Vec<&str> = problems.iter().map(|p| p.text.as_str()).collect();
        columns[0].push(Some(&number(row).to_string()));
        columns[1].push(Some(&texts.join("; ")));
        for (column, cells) in columns[2..].iter_mut().enumerate() {
            cells.push(Some(&unparsed.cell(raw, column, row)));
        }
    }
    RawBatch {
        names,
        columns: columns.into_iter().map(RawColumn::Text).collect(),
        row_numbers: bad.iter().map(|(row, _)| number(**row)).collect(),
        defects: Vec::new(),
        ..RawBatch::default()
    }
}

/// The unreadable texts of each column by row.
struct UnparsedTexts<'a>(Vec<std::collections::BTreeMap<u64, &'a str>>);

impl<'a> UnparsedTexts<'a> {
    fn of(raw: &'a RawDataset) -> Self {
        let of_column = |cells: &'a Cells| match cells {
            Cells::Numbers { unparsed, .. } => unparsed
                .iter()
                .map(|(row, text)| (*row, text.as_str()))
                .collect(),
            Cells::Texts { .. } => Default::default(),
        };
        Self(raw.columns.iter().map(|c| of_column(&c.cells)).collect())
    }

    fn cell(&self, raw: &RawDataset, column: usize, row: usize) -> String {
        match &raw.columns[column].cells {
            Cells::Numbers { values, .. } => match self.0[column].get(&(row as u64)) {
                Some(text) => (*text).to_owned(),
                None if values[row].is_nan() => String::new(),
                None => format_number(values[row]),
            },
            Cells::Texts { codes, .. } if codes[row] == MISSING_CODE => String::new(),
            Cells::Texts { dictionary, codes } => dictionary[codes[row] as usize].clone(),
        }
    }
}
