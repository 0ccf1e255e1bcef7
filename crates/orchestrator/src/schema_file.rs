//! `netsec schema infer`: a first schema file from data, for a person to edit.

use std::path::{Path, PathBuf};

use artifact::{ErrorKind, Failure, write_atomic};
use clap::{Args, Subcommand};
use dataset::{
    RawBatch, SourceUri,
    schema::{Draft, FileLayout, Inference, default_missing_tokens},
};
use formats::{FileFormat, Layout};
use serde_json::json;

use crate::output::{note, print};

/// Most columns for review, and values of the target, that are listed; the schema file has them all.
const NAMED: usize = 20;

#[derive(Subcommand)]
pub enum SchemaCommand {
    /// Write a first schema from a file of records, to be edited
    Infer(InferArguments),
}

#[derive(Args)]
pub struct InferArguments {
    /// Records: the path or file://… address of a .csv, .jsonl, .arff (each also with .gz) or
    /// .parquet
    file: SourceUri,
    /// Column to learn; by default one called label, class, target or result, else the last
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Value of the target that is a threat; may be given several times
    #[arg(long = "threat", value_name = "LABEL", allow_hyphen_values = true)]
    threats: Vec<String>,
    /// Name of the data set; by default that of the file
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The file has no line of names: columns are called column_1, column_2, …
    #[arg(long)]
    no_header: bool,
    /// Character between cells of delimited text
    #[arg(long, value_name = "CHAR", default_value = ",", value_parser = delimiter)]
    delimiter: char,
    /// Schema file to write; standard output by default
    #[arg(long, value_name = "PATH.yaml")]
    output: Option<PathBuf>,
    /// Overwrite the schema file
    #[arg(long)]
    force: bool,
    /// Print JSON for programs instead of text for people
    #[arg(long)]
    json: bool,
}

/// Parses a delimiter: one character, or what stands for a tab on most command lines.
fn delimiter(text: &str) -> Result<char, String> {
    let mut characters = text.chars();
    match (text, characters.next(), characters.next()) {
        ("\\t" | "tab", ..) => Ok('\t'),
        (_, Some(one), None) if one.is_ascii() => Ok(one),
        _ => Err("one ASCII character separates cells; `\\t` is a tab".to_owned()),
    }
}

/// Carries out a command on schema files.
pub fn run(command: &SchemaCommand) -> Result<u8, Failure> {
    let SchemaCommand::Infer(arguments) = command;
    if let Some(path) = &arguments.output {
        refuse_to_overwrite(path, arguments.force)?;
    }
    let draft = arguments.infer()?;
    let yaml = draft.to_yaml()?;
    if let Some(path) = &arguments.output {
        write_atomic(path, yaml.as_bytes())?;
    }
    match (&arguments.output, arguments.json) {
        (output, true) => print(&to_json(&draft, output.as_deref(), &yaml))?,
        (None, false) => print(yaml.trim_end())?,
        (Some(path), false) => print(&said(&draft, path))?,
    }
    if !draft.threat_is_known {
        note(&ask_for_threats(&draft));
    }
    Ok(0)
}

/// Asks which values of the target are threats.
fn ask_for_threats(draft: &Draft) -> String {
    let values = draft.target_values();
    let mut shown = values[..values.len().min(NAMED)].join(", ");
    if values.len() > NAMED {
        shown += &format!(" and {} more", values.len() - NAMED);
    }
    format!(
        "which values of `{}` are threats is for you to say; there are {shown}: give --threat LABEL \
         for each that is one, so that the others are harmless, or edit the line that begins with # EDIT",
        draft.schema.target.column
    )
}

/// Refuses to replace a file that somebody may have edited.
pub fn refuse_to_overwrite(path: &Path, force: bool) -> Result<(), Failure> {
    if force || !path.exists() {
        return Ok(());
    }
    let message = format!(
        "{} is there already: give --force to overwrite it",
        path.display()
    );
    Err(Failure::new(ErrorKind::Usage, message))
}

impl InferArguments {
    fn path(&self) -> Result<PathBuf, Failure> {
        let is_file = |path: &PathBuf| !path.is_dir();
        self.file.local_path().filter(is_file).ok_or_else(|| {
            let message = format!(
                "{}: a schema is inferred from a file of this machine: give its path",
                self.file
            );
            Failure::new(ErrorKind::Usage, message)
        })
    }

    fn infer(&self) -> Result<Draft, Failure> {
        let layout = Layout {
            delimiter: self.delimiter as u8,
            header: None,
        };
        let file = &self.path()?;
        let mut format = FileFormat::of_path(file, &layout)?;
        if self.no_header {
            number_columns(file, &mut format)?;
        }
        let mut source = formats::open(file, &format)?;
        let mut inference = Inference::new(default_missing_tokens());
        let mut names = None;
        while let Some(batch) = source.next_batch()? {
            names.get_or_insert_with(|| batch.names.clone());
            inference.observe(&batch);
        }
        if !self.no_header && is_delimited(&format) {
            let names = names.unwrap_or_default();
            warn_of_data(&names);
            warn_of_delimiter(&names, self.delimiter);
        }
        let name = self.name.clone().unwrap_or_else(|| name_of(file));
        let mut draft = inference.finish(&name, self.target.as_deref(), &self.threats)?;
        draft.schema.file = FileLayout {
            header: !self.no_header || !is_delimited(&format),
            delimiter: match format {
                // A name may say more than the flag: .tsv.
                FileFormat::Csv { delimiter, .. } => char::from(delimiter),
                _ => self.delimiter,
            },
        };
        Ok(draft)
    }
}

fn is_delimited(format: &FileFormat) -> bool {
    matches!(format, FileFormat::Csv { .. })
}

/// Names the columns of delimited text by their numbers.
fn number_columns(file: &Path, format: &mut FileFormat) -> Result<(), Failure> {
    let first: Option<RawBatch> = formats::open(file, format)?.next_batch()?;
    if let FileFormat::Csv { header, .. } = format {
        let n = first.map_or(0, |batch| batch.names.len());
        *header = Some((1..=n).map(|i| format!("column_{i}")).collect());
    }
    Ok(())
}

fn warn_of_data(names: &[String]) {
    if let Some(number) = names.iter().find(|name| name.trim().parse::<f64>().is_ok()) {
        note(&format!(
            "the first line names a column `{number}`: if it is a row, give --no-header"
        ));
    }
}

/// Says that all of a line went into one column when another delimiter stands in it.
fn warn_of_delimiter(names: &[String], delimiter: char) {
    let [line] = names else { return };
    let stands = |other: &char| *other != delimiter && line.contains(*other);
    if let Some(other) = [';', '\t', '|', ','].into_iter().find(stands) {
        note(&format!(
            "the first line is one column, in which {other:?} stands: if it is what separates cells, \
             give --delimiter {other:?}"
        ));
    }
}

/// Makes a data set's name of a file's: `KDDTrain+.txt` is `KDDTrain`.
fn name_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split('.').find(|part| !part.is_empty());
    let kept = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = stem.unwrap_or_default().chars().map(kept).collect();
    match name.trim_matches('_') {
        "" => "data".to_owned(),
        name => name.to_owned(),
    }
}

fn said(draft: &Draft, path: &Path) -> String {
    let schema = &draft.schema;
    let sides = |side: &std::collections::BTreeMap<String, Vec<String>>| {
        let values: Vec<&str> = side.values().flatten().map(String::as_str).collect();
        values.join(", ")
    };
    let target = &schema.target;
    let mut text = format!(
        "{}: {} columns, from {} rows; target `{}`",
        path.display(),
        schema.columns.len(),
        draft.n_rows,
        target.column
    );
    if draft.threat_is_known {
        text += &format!(
            "\nharmless: {}\nthreats: {}",
            sides(&target.benign),
            sides(&target.threats)
        );
    }
    let open = to_review(draft);
    if !open.is_empty() {
        let named = &open[..open.len().min(NAMED)];
        text += &format!("\nto review: {}", named.join(", "));
        if open.len() > NAMED {
            text += &format!(" and {} more", open.len() - NAMED);
        }
    }
    text
}

/// Returns the columns whose description asks for a look.
fn to_review(draft: &Draft) -> Vec<&str> {
    let asks = draft
        .schema
        .columns
        .iter()
        .filter(|c| c.description.contains("REVIEW"));
    asks.map(|c| c.name.as_str()).collect()
}

fn to_json(draft: &Draft, path: Option<&Path>, yaml: &str) -> String {
    let schema = &draft.schema;
    json!({
        "schema": path,
        "yaml": yaml,
        "name": schema.name,
        "rows": draft.n_rows,
        "columns": schema.columns.len(),
        "target": schema.target.column,
        "target_values": draft.target_values(),
        "threat_is_known": draft.threat_is_known,
        "review": to_review(draft),
    })
    .to_string()
}
