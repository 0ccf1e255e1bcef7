//! How a file to be scored is laid out: it may lack what only training needs.

use std::path::Path;

use artifact::{ErrorKind, Failure};
use dataset::Schema;
use formats::{FileFormat, Layout};

/// Tells the format of a file to be scored.
///
/// Files of a data set without a line of names are told by their first line: it has the names after
/// all, or as many cells as there are columns, with or without the target and never-used ones.
pub fn of_input(path: &Path, schema: &Schema) -> Result<FileFormat, Failure> {
    let named = Layout {
        header: None,
        ..Layout::of(&schema.file, Vec::new())
    };
    let format = FileFormat::of_path(path, &named)?;
    if schema.file.header || !matches!(format, FileFormat::Csv { .. }) {
        return Ok(format);
    }
    let first = formats::open(path, &format)?.next_batch()?;
    let cells = first.map(|batch| batch.names).unwrap_or_default();
    if schema.features().all(|column| cells.contains(&column.name)) {
        return Ok(format);
    }
    let header = Some(names_for(cells.len(), path, schema)?);
    Ok(FileFormat::of_path(path, &Layout { header, ..named })?)
}

/// Tells whether an output is made of the input's bytes: from Parquet to Parquet.
pub fn is_copied(output: &Path, input: &FileFormat) -> bool {
    let output = FileFormat::of_path(output, &Layout::default());
    *input == FileFormat::Parquet && output.is_ok_and(|format| format == FileFormat::Parquet)
}

/// Names the columns of a file of this width; all of the data set's when none of its kinds has it.
fn names_for(width: usize, path: &Path, schema: &Schema) -> Result<Vec<String>, Failure> {
    let all = schema.file_columns();
    let is_target = |name: &String| *name == schema.target.column;
    let is_never_used = |name: &String| schema.column(name).is_some_and(|c| c.never_use);
    let without = |leave_out: &dyn Fn(&String) -> bool| -> Vec<String> {
        all.iter()
            .filter(|name| !leave_out(name))
            .cloned()
            .collect()
    };
    let kinds = [
        all.clone(),
        without(&is_never_used),
        without(&is_target),
        without(&|name| is_target(name) || is_never_used(name)),
    ];
    let mut fitting = kinds.iter().filter(|names| names.len() == width);
    let Some(first) = fitting.next() else {
        return Ok(all);
    };
    let places = |names: &[String]| -> Vec<Option<usize>> {
        let features = schema.features();
        features
            .map(|column| names.iter().position(|name| *name == column.name))
            .collect()
    };
    if fitting.any(|other| places(other) != places(first)) {
        let message = format!(
            "{}: {width} cells a row may lack the target or another column: give it a line of names",
            path.display()
        );
        return Err(Failure::new(ErrorKind::Rejected, message));
    }
    Ok(first.clone())
}
