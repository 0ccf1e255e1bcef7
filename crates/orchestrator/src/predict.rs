//! `netsec predict`: a file in, the same rows with verdicts out.

mod layout;
mod survey;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use artifact::{ErrorKind, Failure};
use clap::Args;
use dataset::{RawBatch, RawColumn, Sink, Source, free_name};
use formats::{FileFormat, Layout, ParquetExtension};
use model::{
    ModelBundle,
    scoring::{self, Prediction},
};
use registry::Registry;
use serde_json::json;

use crate::{
    cli::Place,
    output::{note, print},
    pipeline::registry,
};
use survey::Survey;

#[derive(Args)]
pub struct PredictArguments {
    /// Registered model; the only one there is by default, and `phishing` where there are several
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// File to score: .csv, .jsonl (each also with .gz) or .parquet
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// File to write: the input's columns, label, threat_probability, model_version and problem
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
    let registry = registry(&arguments.place);
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
        names: None,
        counts: Counts::default(),
    };
    scoring.score_all()?;
    let Scoring {
        sink,
        names,
        counts,
        ..
    } = scoring;
    sink.finish()?;
    if bundle.simulated {
        note("the model has learned from simulated data, not from real traffic");
    }
    let names = names.unwrap_or_else(|| appended_names(&[]));
    print(&if arguments.place.json {
        counts.to_json(&model, entry.version, &names)
    } else {
        counts.to_text(entry.version, &names)
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

/// Refuses to replace the input: what a refused row held may not stand in the output.
fn refuse_same_file(input: &Path, output: &Path) -> Result<(), Failure> {
    match (input.canonicalize(), output.canonicalize()) {
        (Ok(input), Ok(output)) if input == output => Err(Failure::new(
            ErrorKind::Usage,
            format!(
                "{} is the input as well: write to another file",
                output.display()
            ),
        )),
        _ => Ok(()),
    }
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
    let output = FileFormat::of_path(path, &layout)?;
    if (input, &output) == (&FileFormat::Parquet, &FileFormat::Parquet) {
        return Ok(Box::new(ParquetExtension::create(path, &arguments.input)?));
    }
    Ok(formats::create(path, &output)?)
}

/// The names that the four appended columns have.
type Appended = [String; 4];

const APPENDED: [&str; 4] = ["label", "threat_probability", "model_version", "problem"];

/// Names the appended columns so that none is called as one of the input's.
fn appended_names(input: &[String]) -> Appended {
    APPENDED.map(|name| appended_name(name, input))
}

fn appended_name(name: &str, input: &[String]) -> String {
    // In Parquet, `label.id` is a part of `label`.
    let is_taken = |name: &str| {
        let mut taken = input.iter().map(|n| (n.as_str(), n.split('.').next()));
        taken.any(|(whole, outermost)| whole == name || outermost == Some(name))
    };
    free_name(name, "predicted_", is_taken)
}

struct Scoring<'a> {
    source: Box<dyn Source>,
    sink: Box<dyn Sink>,
    bundle: &'a ModelBundle,
    version: String,
    explain: Option<usize>,
    survey: Option<Survey>,
    names: Option<Appended>,
    counts: Counts,
}

impl Scoring<'_> {
    /// Scores batch by batch: memory is that of one.
    fn score_all(&mut self) -> Result<(), Failure> {
        while let Some(mut batch) = self.source.next_batch()? {
            let predictions = scoring::predict(self.bundle, &batch)?;
            self.counts.add(&predictions);
            let reasons = self
                .explain
                .map(|k| scoring::reasons(self.bundle, &batch, k))
                .transpose()?;
            if let Some(survey) = &self.survey {
                survey.conform(&mut batch);
            }
            let names = &*self
                .names
                .get_or_insert_with(|| appended_names(&batch.names));
            append(&mut batch, names, &predictions, &self.version);
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
    problems: BTreeMap<String, usize>,
}

impl Counts {
    fn add(&mut self, predictions: &[Prediction]) {
        self.rows += predictions.len();
        for prediction in predictions {
            match prediction {
                Prediction::Scored { is_threat, .. } => self.threats += usize::from(*is_threat),
                Prediction::Refused { problems } => {
                    self.refused += 1;
                    problems
                        .iter()
                        .for_each(|problem| self.add_problem(problem));
                }
            }
        }
    }

    fn add_problem(&mut self, problem: &str) {
        if let Some(n) = self.problems.get_mut(problem) {
            *n += 1;
        } else if self.problems.len() < MOST_PROBLEMS {
            self.problems.insert(problem.to_owned(), 1);
        }
    }

    fn scored(&self) -> usize {
        self.rows - self.refused
    }

    /// Returns the most frequent problems, with the rows that have each.
    fn frequent_problems(&self) -> Vec<(&str, usize)> {
        let all = self.problems.iter();
        let mut problems: Vec<(&str, usize)> = all.map(|(text, n)| (text.as_str(), *n)).collect();
        problems.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        problems.truncate(3);
        problems
    }

    fn to_json(&self, model: &str, version: u64, names: &Appended) -> String {
        let problems = self.frequent_problems();
        let problem = |(text, rows): &(&str, usize)| json!({"problem": text, "rows": rows});
        json!({
            "model": model,
            "version": version,
            "rows": self.rows,
            "scored": self.scored(),
            "threats": self.threats,
            "refused": self.refused,
            "problems": problems.iter().map(problem).collect::<Vec<_>>(),
            "columns": APPENDED.into_iter().zip(names).collect::<BTreeMap<_, _>>(),
        })
        .to_string()
    }

    fn to_text(&self, version: u64, names: &Appended) -> String {
        let (rows, scored, threats) = (self.rows, self.scored(), self.threats);
        let mut text = format!(
            "{rows} rows: {scored} scored by version {version}, {threats} threats; {} refused",
            self.refused
        );
        for (problem, rows) in self.frequent_problems() {
            text += &format!("\n  {rows} rows: {problem}");
        }
        for (usual, name) in APPENDED.iter().zip(names).filter(|(u, n)| *u != n) {
            text += &format!("\n  the input has a column `{usual}`: ours is `{name}`");
        }
        text
    }
}

/// Appends the verdicts to a batch.
fn append(batch: &mut RawBatch, names: &Appended, predictions: &[Prediction], version: &str) {
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
        RawColumn::Text(label.collect()),
        RawColumn::Number(probability.collect()),
        RawColumn::Text(predictions.iter().map(|_| Some(version)).collect()),
        RawColumn::Text(problems.iter().map(Option::as_deref).collect()),
    ];
    batch.names.extend(names.iter().cloned());
    batch.columns.extend(columns);
    // A row that could not be taken apart has said so in its problem.
    batch.defects.clear();
}

/// Appends the reasons of each verdict; empty for a row that was refused.
fn append_reasons(batch: &mut RawBatch, reasons: &[Option<String>]) {
    let name = appended_name("reasons", &batch.names);
    batch.names.push(name);
    let texts = reasons.iter().map(Option::as_deref).collect();
    batch.columns.push(RawColumn::Text(texts));
}
