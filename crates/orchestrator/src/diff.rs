//! `netsec diff RUN RUN`: what differs between two runs, from their configuration to their verdict.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use artifact::{Failure, Manifest, Run};
use clap::Args;
use harness::RunConfig;
use registry::{Evaluation, PromotionRecord};
use serde::Serialize;
use serde_json::{Value, json};
use trainer::TrainingReport;
use validation::ValidationReport;

use crate::{cli::Place, inspect::find_run, output::print, summary::stage_report};

#[derive(Args)]
pub struct DiffArguments {
    /// Run directory, or its name under the artifacts directory
    a: PathBuf,
    /// The run to compare it with
    b: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Compares two runs, finished or not.
pub fn run(arguments: &DiffArguments) -> Result<u8, Failure> {
    let facts = |run: &PathBuf| {
        let directory = find_run(run, Some(&arguments.place.artifacts))?;
        Facts::of(&Run::open(&directory, 0)?)
    };
    let difference = Difference::between(&facts(&arguments.a)?, &facts(&arguments.b)?);
    print(&if arguments.place.json {
        json!(difference).to_string()
    } else {
        difference.to_text()
    })?;
    Ok(0)
}

/// What is known of a run: as much as its completed stages tell.
struct Facts {
    name: String,
    configuration: Value,
    stages: Vec<Manifest>,
    rows: Value,
    /// Mean average precision of each candidate.
    candidates: BTreeMap<String, f64>,
    chosen: Value,
    thresholds: Value,
    holdout: Value,
    verdict: Value,
}

impl Facts {
    fn of(run: &Run) -> Result<Self, Failure> {
        let stages: Vec<Manifest> = run.manifests()?.into_iter().map(|(_, m)| m).collect();
        let is_done = |stage: &str| stages.iter().any(|m| m.stage == stage);
        let rows = if is_done("validation") {
            let read: ValidationReport = stage_report(run, "02-validation", "validation.json")?;
            json!(read.rows)
        } else {
            Value::Null
        };
        let mut facts = Self {
            name: run.name(),
            configuration: RunConfig::of(run.directory())?.whole()?,
            rows,
            candidates: BTreeMap::new(),
            chosen: Value::Null,
            thresholds: Value::Null,
            holdout: Value::Null,
            verdict: Value::Null,
            stages: Vec::new(),
        };
        if is_done("training") {
            facts.take_training(stage_report(run, "04-training", "training.json")?);
        }
        if is_done("evaluation") {
            let evaluation: Evaluation = run.get()?;
            let metrics = evaluation.metrics.named();
            let values = metrics
                .iter()
                .map(|(name, m)| ((*name).to_owned(), json!(m.value)));
            facts.holdout = Value::Object(values.collect());
        }
        if is_done("promotion") {
            facts.verdict = json!(run.get::<PromotionRecord>()?);
        }
        facts.stages = stages;
        Ok(facts)
    }

    fn take_training(&mut self, report: TrainingReport) {
        let score = |c: &trainer::CandidateReport| (c.name.clone(), c.cv.mean("average_precision"));
        self.candidates = report.candidates.iter().map(score).collect();
        self.chosen = json!(report.chosen);
        self.thresholds = json!(report.thresholds);
    }
}

/// Two runs beside each other.
#[derive(Serialize)]
struct Difference {
    a: String,
    b: String,
    /// Keys whose values differ, and no others.
    configuration: Vec<Pair>,
    stages: Vec<StagePair>,
    /// The first stage that gave other artifacts, where rows came from not counted.
    first_difference: Option<String>,
    rows: Vec<Pair>,
    candidates: Vec<Pair>,
    chosen: Pair,
    thresholds: Vec<Pair>,
    holdout: Vec<Pair>,
    verdict: Vec<Pair>,
}

/// A value of both runs; null where a run has none.
#[derive(Serialize)]
struct Pair {
    key: String,
    a: Value,
    b: Value,
    /// `b - a`, for numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<f64>,
}

/// The artifacts of one stage.
#[derive(Serialize)]
struct StagePair {
    stage: String,
    equal: bool,
    /// Digest of each kind of artifact.
    outputs: Vec<Pair>,
}

/// Where each row came from differs, by its nature, between sources of the same rows.
const PROVENANCE: &str = "provenance";

impl Difference {
    fn between(a: &Facts, b: &Facts) -> Self {
        let stages = stage_pairs(&a.stages, &b.stages);
        let first = stages.iter().find(|stage| !stage.equal);
        let differing = |pairs: Vec<Pair>| pairs.into_iter().filter(|p| p.a != p.b).collect();
        Self {
            a: a.name.clone(),
            b: b.name.clone(),
            configuration: differing(pairs(&a.configuration, &b.configuration)),
            first_difference: first.map(|stage| stage.stage.clone()),
            stages,
            rows: pairs(&a.rows, &b.rows),
            candidates: pairs(&json!(a.candidates), &json!(b.candidates)),
            chosen: Pair::new("chosen", &a.chosen, &b.chosen),
            thresholds: pairs(&a.thresholds, &b.thresholds),
            holdout: pairs(&a.holdout, &b.holdout),
            verdict: pairs(&a.verdict, &b.verdict),
        }
    }

    fn to_text(&self) -> String {
        let mut text = format!("a  {}\nb  {}\n", self.a, self.b);
        // Writing to a String does not fail.
        let _ = self.write_stages(&mut text);
        let sections = [
            ("Configuration that differs", &self.configuration),
            ("Rows", &self.rows),
            ("Candidates, mean average precision", &self.candidates),
            ("Thresholds", &self.thresholds),
            ("Holdout", &self.holdout),
            ("Verdict", &self.verdict),
        ];
        for (title, pairs) in sections {
            let _ = write_pairs(&mut text, title, pairs);
        }
        let chosen = &self.chosen;
        let _ = write!(
            text,
            "\nChosen\n  a  {}\n  b  {}",
            shown(&chosen.a),
            shown(&chosen.b)
        );
        text
    }

    fn write_stages(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\nStages")?;
        for stage in &self.stages {
            let others = stage.outputs.iter().filter(|o| o.a != o.b);
            let others: Vec<&str> = others.map(|o| o.key.as_str()).collect();
            let word = if stage.equal { "equal" } else { "different" };
            let line = format!("  {:<15} {word:<10} {}", stage.stage, others.join(", "));
            writeln!(out, "{}", line.trim_end())?;
        }
        match &self.first_difference {
            Some(stage) => writeln!(out, "  the first that differs: {stage}"),
            None => writeln!(out, "  every stage gave the same"),
        }
    }
}

impl Pair {
    fn new(key: &str, a: &Value, b: &Value) -> Self {
        Self {
            key: key.to_owned(),
            difference: a.as_f64().zip(b.as_f64()).map(|(a, b)| b - a),
            a: a.clone(),
            b: b.clone(),
        }
    }
}

fn stage_pairs(a: &[Manifest], b: &[Manifest]) -> Vec<StagePair> {
    let digests = |manifests: &[Manifest], stage: &str| -> BTreeMap<String, String> {
        let of_stage = manifests.iter().filter(|m| m.stage == stage);
        let outputs = of_stage.flat_map(|m| &m.outputs);
        outputs
            .map(|o| (o.kind.clone(), o.digest.to_string()))
            .collect()
    };
    let mut names: Vec<&String> = a.iter().map(|m| &m.stage).collect();
    let new = b.iter().map(|m| &m.stage).filter(|s| !names.contains(s));
    names.extend(new.collect::<Vec<_>>());
    let pair = |stage: &String| {
        let outputs = pairs(&json!(digests(a, stage)), &json!(digests(b, stage)));
        StagePair {
            stage: stage.clone(),
            equal: outputs.iter().all(|o| o.a == o.b || o.key == PROVENANCE),
            outputs,
        }
    };
    names.into_iter().map(pair).collect()
}

/// Puts the values of two documents beside each other, by their dotted keys.
fn pairs(a: &Value, b: &Value) -> Vec<Pair> {
    let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
    flatten("", a, &mut left);
    flatten("", b, &mut right);
    let keys: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let value = |of: &BTreeMap<String, Value>, key| of.get(key).cloned().unwrap_or_default();
    keys.into_iter()
        .map(|key| Pair::new(key, &value(&left, key), &value(&right, key)))
        .collect()
}

fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let dot = if prefix.is_empty() { "" } else { "." };
                flatten(&format!("{prefix}{dot}{name}"), field, into);
            }
        }
        Value::Null => {}
        other => {
            into.insert(prefix.to_owned(), other.clone());
        }
    }
}

fn write_pairs(out: &mut String, title: &str, pairs: &[Pair]) -> std::fmt::Result {
    if pairs.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    for pair in pairs {
        let change = match pair.difference {
            Some(0.0) => "=".to_owned(),
            Some(difference) if pair.a.is_f64() || pair.b.is_f64() => format!("{difference:+.4}"),
            Some(difference) => format!("{difference:+}"),
            None if pair.a == pair.b => "=".to_owned(),
            None => String::new(),
        };
        let (a, b) = (shown(&pair.a), shown(&pair.b));
        if a.len() + b.len() > 40 {
            writeln!(out, "  {}\n    a  {a}\n    b  {b}", pair.key)?;
        } else {
            let mut key = pair.key.as_str();
            if key.len() > 40 {
                writeln!(out, "  {key}")?;
                key = "";
            }
            let line = format!("  {key:<40} {a:>11} {b:>11} {change:>10}");
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    Ok(())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            format!("{:.4}", number.as_f64().unwrap_or(f64::NAN))
        }
        other => other.to_string(),
    }
}
