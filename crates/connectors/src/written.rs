//! Records as files hold them: made whole before they are written, counted when they are read back.

use dataset::{
    ColumnType, RawBatch, RawColumn, Schema, SinkError, Source, SourceError, Tally, TextColumn,
};

/// Returns a batch with every column of the schema: a file is of the columns of its first rows.
pub(crate) fn whole(batch: &RawBatch, schema: &Schema) -> RawBatch {
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
    whole
}

/// Counts and digests rows; a text without characters is how files write a missing cell.
pub(crate) fn tally(source: &mut dyn Source) -> Result<Tally, SinkError> {
    let mut tally = Tally::default();
    while let Some(mut batch) = source.next_batch().map_err(as_sink_error)? {
        for column in &mut batch.columns {
            if let RawColumn::Text(texts) = column {
                *texts = filled(texts);
            }
        }
        tally.add_batch(&batch);
    }
    Ok(tally)
}

fn filled(texts: &TextColumn) -> TextColumn {
    let cells = texts.iter();
    cells
        .map(|cell| cell.filter(|text| !text.is_empty()))
        .collect()
}

/// Says what reading back has failed with as what loading has.
pub(crate) fn as_sink_error(error: SourceError) -> SinkError {
    match error {
        SourceError::Unavailable { location, reason } => {
            SinkError::Unavailable { location, reason }
        }
        SourceError::Malformed { location, reason }
        | SourceError::Unsupported { location, reason } => SinkError::Rejected { location, reason },
    }
}
