//! `netsec predict`: a file in, the same rows with verdicts out.

mod layout;
mod survey;

use std::{collections::BTreeMap, path::PathBuf};

use artifact::{ErrorKind, Failure, printable};
use clap::Args;
use dataset::{Sink, Source};
use formats::{FileFormat, Layout, ParquetExtension};
use model::{
    ModelBundle,
    scoring::{self, Prediction},
    verdict_columns::{USUAL_NAMES, VerdictColumns, append_reasons},
};
use registry::Registry;
use serde_json::json;

use crate::{
    cli::Place,
    output::{note, print, refuse_same_file},
    registries::registry,
};
use survey::Survey;

#[derive(Args)]
pub struct PredictArguments {
    /// Registered model; the only one there is by default, and `phishing` where there are several
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// File to score: .csv, .jsonl, .arff (each also with .gz) or .parquet
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// File to write: the input's columns, label, threat_probability, model_version, problem and imputed
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Append `reasons`: the K columns that speak most for a threat (+) or against it (-)
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    explain: Option<u64>,
    #[command(flatten)]
    place: Place,
}

/// Scores every row of the input; exits with 65 when none could be scored.
pub fn run(arguments: &PredictArguments) -> Result<u8, Failure> {
    refuse_same_file(&arguments.input, &arguments.output)?;
    let registry = registry(&arguments.place)?;
    let model = model_name(&registry, arguments.model.as_deref())?;
    let (entry, bundle) = registry.champion(&model)?;
    let format = layout::of_input(&arguments.input, &bundle.schema)?;
    let survey = Survey::of(&arguments.input, &format)?;
    let mut scoring = Scoring {
        source: formats::open(&arguments.input, &format)?,
        sink: create(arguments, &format, &bundle)?,
        bundle: &bundle,
        version: entry.version.to_string(),
        explain: arguments.explain.map(|k| k as usize),
        survey,
        columns: None,
        keeps_bytes: layout::is_copied(&arguments.output, &format),
        lost: Vec::new(),
        counts: Counts::default(),
    };
    scoring.score_all()?;
    let Scoring {
        sink,
        columns,
        counts,
        lost,
        ..
    } = scoring;
    sink.finish()?;
    for (name, reason) in lost {
        note(&printable(&format!(
            "column `{name}` is empty in the output: {reason}"
        )));
    }
    if bundle.simulated {
        note("the model has learned from simulated data, not from real traffic");
    }
    let columns = columns.unwrap_or_else(|| VerdictColumns::beside(&[]));
    let names = columns.names();
    print(&if arguments.place.json {
        counts.to_json(&model, entry.version, names)
    } else {
        counts.to_text(entry.version, names)
    })?;
    Ok(if counts.scored() > 0 {
        0
    } else {
        ErrorKind::Rejected.exit_code()
    })
}

/// Returns the model that is meant when none is named.
fn model_name(registry: &Registry, given: Option<&str>) -> Result<String, Failure> {
    if let Some(name) = given {
        return Ok(name.to_owned());
    }
    Ok(match registry.names()?.as_slice() {
        [only] => only.clone(),
        _ => "phishing".to_owned(),
    })
}

/// Makes the output, delimited as the data set's files are, always with a line of names. From Parquet
/// to Parquet the input's columns keep their types.
fn create(
    arguments: &PredictArguments,
    input: &FileFormat,
    bundle: &ModelBundle,
) -> Result<Box<dyn Sink>, Failure> {
    let path = &arguments.output;
    let layout = Layout {
        header: None,
        ..Layout::of(&bundle.schema.file, Vec::new())
    };
    let output = FileFormat::to_write(path, &layout)?;
    if layout::is_copied(path, input) {
        return Ok(Box::new(ParquetExtension::create(path, &arguments.input)?));
    }
    Ok(formats::create(path, &output)?)
}

struct Scoring<'a> {
    source: Box<dyn Source>,
    sink: Box<dyn Sink>,
    bundle: &'a ModelBundle,
    version: String,
    explain: Option<usize>,
    survey: Option<Survey>,
    columns: Option<VerdictColumns>,
    /// Whether the output has the input's bytes, also of what could not be read.
    keeps_bytes: bool,
    /// Columns that are empty in the output, with the reason.
    lost: Vec<(String, String)>,
    counts: Counts,
}

impl Scoring<'_> {
    /// Scores batch by batch: memory is that of one.
    fn score_all(&mut self) -> Result<(), Failure> {
        while let Some(mut batch) = self.source.next_batch()? {
            let predictions = scoring::predict(self.bundle, &batch)?;
            self.counts.add(&predictions, &batch.row_numbers);
            let reasons = self
                .explain
                .map(|k| scoring::reasons(self.bundle, &batch, k))
                .transpose()?;
            if self.keeps_bytes {
                batch.defects.clear();
            } else if self.lost.is_empty() {
                let unread = batch.unread_columns();
                let unread = unread.map(|(at, why)| (batch.names[at].clone(), why.to_owned()));
                self.lost = unread.collect();
            }
            if let Some(survey) = &self.survey {
                survey.conform(&mut batch);
            }
            let columns = self
                .columns
                .get_or_insert_with(|| VerdictColumns::beside(&batch.names));
            columns.append(&mut batch, &predictions, &self.version);
            if let Some(reasons) = reasons {
                append_reasons(&mut batch, &reasons);
            }
            self.sink.write(&batch)?;
        }
        Ok(())
    }
}

/// Different problems that are counted apart.
const MOST_PROBLEMS: usize = 1000;

#[derive(Default)]
struct Counts {
    rows: usize,
    threats: usize,
    refused: usize,
    /// The rows that have each problem, and the first of them.
    problems: BTreeMap<String, (usize, u64)>,
}

impl Counts {
    fn add(&mut self, predictions: &[Prediction], row_numbers: &[u64]) {
        self.rows += predictions.len();
        for (prediction, row) in predictions.iter().zip(row_numbers) {
            match prediction {
                Prediction::Scored { is_threat, .. } => self.threats += usize::from(*is_threat),
                Prediction::Refused { problems } => {
                    self.refused += 1;
                    problems
                        .iter()
                        .for_each(|problem| self.add_problem(problem, *row));
                }
            }
        }
    }

    fn add_problem(&mut self, problem: &str, row: u64) {
        if let Some((n, _)) = self.problems.get_mut(problem) {
            *n += 1;
        } else if self.problems.len() < MOST_PROBLEMS {
            self.problems.insert(problem.to_owned(), (1, row));
        }
    }

    fn scored(&self) -> usize {
        self.rows - self.refused
    }

    /// Returns the most frequent problems, with the rows that have each and the first of these.
    fn frequent_problems(&self) -> Vec<(&str, usize, u64)> {
        let all = self.problems.iter();
        let mut problems: Vec<_> = all
            .map(|(text, (n, row))| (text.as_str(), *n, *row))
            .collect();
        problems.sort_by_key(|(_, n, _)| std::cmp::Reverse(*n));
        problems.truncate(3);
        problems
    }

    fn to_json(&self, model: &str, version: u64, names: &[String; USUAL_NAMES.len()]) -> String {
        let problems = self.frequent_problems();
        let problem = |(text, rows, first): &(&str, usize, u64)| json!({"problem": text, "rows": rows, "first_row": first});
        json!({
            "model": model,
            "version": version,
            "rows": self.rows,
            "scored": self.scored(),
            "threats": self.threats,
            "refused": self.refused,
            "problems": problems.iter().map(problem).collect::<Vec<_>>(),
            "columns": USUAL_NAMES.into_iter().zip(names).collect::<BTreeMap<_, _>>(),
        })
        .to_string()
    }

    fn to_text(&self, version: u64, names: &[String; USUAL_NAMES.len()]) -> String {
        let (rows, scored, threats) = (self.rows, self.scored(), self.threats);
        let mut text = format!(
            "{rows} rows: {scored} scored by version {version}, {threats} threats; {} refused",
            self.refused
        );
        for (problem, rows, first) in self.frequent_problems() {
            let problem = printable(problem);
            text += &format!("\n  {rows} rows, the first is row {first}: {problem}");
        }
        for (usual, name) in USUAL_NAMES.iter().zip(names).filter(|(u, n)| *u != n) {
            text += &format!("\n  the input has a column `{usual}`: ours is `{name}`");
        }
        text
    }
}
