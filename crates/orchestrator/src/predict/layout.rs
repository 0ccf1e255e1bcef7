//! How a file to be scored is laid out: it may lack what only training needs.

use std::path::Path;

use artifact::Failure;
use dataset::Schema;
use formats::{FileFormat, Layout};

use crate::output::note;

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
    let header = Some(names_for(cells.len(), path, schema));
    Ok(FileFormat::of_path(path, &Layout { header, ..named })?)
}

/// Tells whether an output is made of the input's bytes: from Parquet to Parquet.
pub fn is_copied(output: &Path, input: &FileFormat) -> bool {
    let output = FileFormat::of_path(output, &Layout::default());
    *input == FileFormat::Parquet && output.is_ok_and(|format| format == FileFormat::Parquet)
}

/// Names the columns of a file of this width; all of the data set's when none of its kinds has it.
///
/// Where a width is that of several kinds, the file lacks the target rather than a never-used column, and
/// that is said: files to be scored come without their outcome.
fn names_for(width: usize, path: &Path, schema: &Schema) -> Vec<String> {
    let all = schema.file_columns();
    let is_target = |name: &String| *name == schema.target.column;
    let is_never_used = |name: &String| schema.column(name).is_some_and(|c| c.never_use);
    let without = |leave_out: &dyn Fn(&String) -> bool| -> Vec<String> {
        let mut names = all.clone();
        names.retain(|name| !leave_out(name));
        names
    };
    let kinds = [
        all.clone(),
        without(&is_target),
        without(&is_never_used),
        without(&|name| is_target(name) || is_never_used(name)),
    ];
    let mut fitting = kinds.iter().filter(|names| names.len() == width);
    let Some(first) = fitting.next() else {
        return all;
    };
    let places = |names: &[String]| -> Vec<Option<usize>> {
        let place = |name: &String| names.iter().position(|other| other == name);
        schema
            .features()
            .map(|column| place(&column.name))
            .collect()
    };
    if fitting.any(|other| places(other) != places(first)) {
        note(&format!(
            "{}: rows of {width} cells are taken to lack `{}` alone; a line of names would say it",
            path.display(),
            schema.target.column
        ));
    }
    first.clone()
}
