//! `netsec predict`: a file in, the same rows with verdicts out.

use std::{path::Path, path::PathBuf};

use artifact::{ErrorKind, Failure};
use clap::Args;
use dataset::{RawBatch, RawColumn, Schema};
use formats::{FileFormat, Layout};
use model::scoring::{self, Prediction};
use serde_json::json;

use crate::{
    cli::Place,
    pipeline::{print, registry},
};

#[derive(Args)]
pub struct PredictArguments {
    /// Registered model
    #[arg(long, default_value = "phishing", value_name = "NAME")]
    model: String,
    /// File to score: .csv, .jsonl (each also with .gz) or .parquet
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// File to write, in any of these formats
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Default)]
struct Counts {
    rows: usize,
    threats: usize,
    refused: usize,
}

/// Scores every row of the input; exits with 65 when none could be scored.
pub fn run(arguments: &PredictArguments) -> Result<u8, Failure> {
    let (entry, bundle) = registry(&arguments.place).champion(&arguments.model)?;
    let version = entry.version.to_string();
    let mut source = formats::open(
        &arguments.input,
        &format_of(&arguments.input, &bundle.schema)?,
    )?;
    let mut sink = formats::create(
        &arguments.output,
        &format_of(&arguments.output, &bundle.schema)?,
    )?;
    let mut counts = Counts::default();
    while let Some(mut batch) = source.next_batch()? {
        let predictions = scoring::predict(&bundle, &batch)?;
        counts.add(&predictions);
        append(&mut batch, &predictions, &version);
        sink.write(&batch)?;
    }
    sink.finish()?;
    let Counts {
        rows,
        threats,
        refused,
    } = counts;
    let text = if arguments.place.json {
        json!({"rows": rows, "threats": threats, "refused": refused, "version": entry.version})
            .to_string()
    } else {
        let scored = rows - refused;
        format!(
            "{rows} rows: {scored} scored by version {version}, {threats} threats; {refused} refused"
        )
    };
    print(&text)?;
    Ok(if rows > refused {
        0
    } else {
        ErrorKind::Rejected.exit_code()
    })
}

fn format_of(path: &Path, schema: &Schema) -> Result<FileFormat, Failure> {
    Ok(FileFormat::of_path(
        path,
        &Layout::of(&schema.file, schema.file_columns()),
    )?)
}

impl Counts {
    fn add(&mut self, predictions: &[Prediction]) {
        self.rows += predictions.len();
        for prediction in predictions {
            match prediction {
                Prediction::Scored { is_threat, .. } => self.threats += usize::from(*is_threat),
                Prediction::Refused { .. } => self.refused += 1,
            }
        }
    }
}

/// Appends `label`, `threat_probability`, `model_version` and `problem` to a batch.
fn append(batch: &mut RawBatch, predictions: &[Prediction], version: &str) {
    let label = predictions.iter().map(|p| match p {
        Prediction::Scored { label, .. } => Some(label.as_str()),
        Prediction::Refused { .. } => None,
    });
    let probability = predictions.iter().map(|p| match p {
        Prediction::Scored {
            threat_probability, ..
        } => *threat_probability,
        Prediction::Refused { .. } => f64::NAN,
    });
    let problems: Vec<Option<String>> = predictions
        .iter()
        .map(|p| match p {
            Prediction::Scored { .. } => None,
            Prediction::Refused { problems } => Some(problems.join("; ")),
        })
        .collect();
    let columns = [
        ("label", RawColumn::Text(label.collect())),
        (
            "threat_probability",
            RawColumn::Number(probability.collect()),
        ),
        (
            "model_version",
            RawColumn::Text(predictions.iter().map(|_| Some(version)).collect()),
        ),
        (
            "problem",
            RawColumn::Text(problems.iter().map(Option::as_deref).collect()),
        ),
    ];
    for (name, column) in columns {
        batch.names.push(name.to_owned());
        batch.columns.push(column);
    }
    // A row that could not be taken apart has said so in its problem.
    batch.defects.clear();
}
