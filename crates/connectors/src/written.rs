//! Records as files hold them: made whole before they are written, counted when they are read back.

use dataset::{
    ColumnType, RawBatch, RawColumn, Schema, SinkError, Source, SourceError, Tally, TextColumn,
};
use formats::FileFormat;

/// Returns a batch with every column of the schema: a file is of the columns of its first rows. In delimited
/// text, which has no missing cells, they are marked by one of the schema's tokens unless an empty cell does.
pub(crate) fn whole(batch: &RawBatch, schema: &Schema, format: &FileFormat) -> RawBatch {
    let mut whole = batch.clone();
    let n_rows = batch.n_rows();
    for name in schema.file_columns() {
        if batch.position(&name).is_some() {
            continue;
        }
        let kind = schema.column(&name).map(|column| column.kind);
        whole.columns.push(match kind {
            Some(ColumnType::Number) => RawColumn::Number(vec![f64::NAN; n_rows]),
            _ => RawColumn::Text((0..n_rows).map(|_| None).collect()),
        });
        whole.names.push(name);
    }
    if let (FileFormat::Csv { .. }, Some(mark)) = (format, missing_mark(schema)) {
        whole.columns.iter_mut().for_each(|c| mark_missing(c, mark));
    }
    whole
}

/// Returns what stands for a missing cell where an empty one is a text without characters.
fn missing_mark(schema: &Schema) -> Option<&str> {
    let tokens = || schema.missing_tokens.first();
    (!schema.is_missing_token(""))
        .then(tokens)?
        .map(String::as_str)
}

fn mark_missing(column: &mut RawColumn, mark: &str) {
    if (0..column.len()).any(|row| column.is_missing(row)) {
        let mut marked = TextColumn::new();
        (0..column.len())
            .for_each(|row| marked.push(Some(column.text(row).as_deref().unwrap_or(mark))));
        *column = RawColumn::Text(marked);
    }
}

/// Returns a batch with the texts of numeric columns as numbers are written here: how a server writes one
/// (`2.00`) is no other value.
#[cfg(any(feature = "dynamodb", feature = "mongodb", feature = "sql"))]
pub(crate) fn numeric(mut batch: RawBatch, schema: &Schema) -> RawBatch {
    for (name, column) in batch.names.iter().zip(&mut batch.columns) {
        let kind = schema.column(name).map(|column| column.kind);
        if let RawColumn::Text(texts) = column
            && matches!(kind, Some(ColumnType::Integer | ColumnType::Number))
            // It is pushed as a text, whatever its column.
            && *name != schema.target.column
        {
            *texts = with_numbers(texts);
        }
    }
    batch
}

#[cfg(any(feature = "dynamodb", feature = "mongodb", feature = "sql"))]
fn with_numbers(texts: &TextColumn) -> TextColumn {
    let mut numbers = TextColumn::new();
    for text in texts.iter() {
        let number = text.and_then(|text| text.parse().ok());
        match number.filter(|number: &f64| number.is_finite()) {
            // Its sign is not pushed, so that it need not come back.
            Some(number) => numbers.push(Some(&dataset::format_number(number + 0.0))),
            None => numbers.push(text),
        }
    }
    numbers
}

/// Counts and digests rows as the schema reads them: what means a missing cell is one.
pub(crate) fn tally(source: &mut dyn Source, schema: &Schema) -> Result<Tally, SinkError> {
    let mut tally = Tally::default();
    while let Some(mut batch) = source.next_batch().map_err(as_sink_error)? {
        for column in &mut batch.columns {
            if let RawColumn::Text(texts) = column {
                *texts = filled(texts, schema);
            }
        }
        tally.add_batch(&batch);
    }
    Ok(tally)
}

fn filled(texts: &TextColumn, schema: &Schema) -> TextColumn {
    let cells = texts.iter();
    cells
        .map(|cell| cell.filter(|text| !schema.is_missing_token(text)))
        .collect()
}

/// Says what reading back has failed with as what loading has. Whether that lasts, it does not tell: then it
/// must not cost what was loaded.
pub(crate) fn as_sink_error(error: SourceError) -> SinkError {
    match error {
        SourceError::Unavailable { location, reason } => SinkError::Unread {
            location,
            reason,
            is_transient: true,
        },
        SourceError::Malformed { location, reason }
        | SourceError::Unsupported { location, reason } => SinkError::Rejected { location, reason },
    }
}
