//! The quarantine file: bad rows with their numbers in the source and all their problems.

use dataset::{Cells, MISSING_CODE, Provenance, RawDataset, format_number};

use crate::rows::Judged;

/// Writes the bad rows as CSV: `row`, `problems`, then the cells as they were read, in row-number order.
pub(crate) fn to_csv(
    raw: &RawDataset,
    provenance: &Provenance,
    judged: &Judged,
) -> Result<Vec<u8>, csv::Error> {
    let number = |row: usize| provenance.row_numbers.get(row).copied().unwrap_or_default();
    let mut rows: Vec<_> = judged.bad.iter().collect();
    rows.sort_by_key(|(row, _)| number(**row));
    let unparsed = UnparsedTexts::of(raw);

    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = raw.columns.iter().map(|c| c.name.as_str());
    writer.write_record(["row", "problems"].into_iter().chain(names))?;
    for (&row, problems) in rows {
        let texts: Vec<&str> = problems.iter().map(|p| p.text.as_str()).collect();
        let mut record = vec![number(row).to_string(), texts.join("; ")];
        record.extend((0..raw.columns.len()).map(|column| unparsed.cell(raw, column, row)));
        writer.write_record(&record)?;
    }
    Ok(writer
        .into_inner()
        .expect("writing to memory does not fail"))
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
