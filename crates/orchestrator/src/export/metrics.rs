//! `netsec export metrics`: figures as JSON, curves as CSV.

use std::{fmt::Display, path::PathBuf};

use artifact::{Failure, Run, create_directory, write_atomic};
use clap::Args;
use registry::{Evaluation, HoldoutMetrics};
use serde_json::{Map, Value, json};
use trainer::{MetricSummary, TrainingReport};
use transformation::SplitReport;
use validation::ValidationReport;

use crate::{cli::Place, inspect::find_run, output::print};

#[derive(Args)]
pub struct MetricsArguments {
    /// Run directory, or its name under the artifacts directory; the newest finished one by default
    #[arg(long, value_name = "RUN")]
    run: Option<PathBuf>,
    /// Directory to write metrics.json and plots/*.csv into
    #[arg(long, value_name = "DIR", default_value = ".")]
    to: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Name of the file with the figures.
pub const METRICS: &str = "metrics.json";

/// Points as a table, and how they are drawn.
pub struct Curve {
    pub name: &'static str,
    pub title: &'static str,
    pub x: &'static str,
    pub y: &'static str,
    pub csv: String,
}

/// Writes the files, replacing those of an earlier run, and names them.
pub fn run(arguments: &MetricsArguments) -> Result<(), Failure> {
    let run = match &arguments.run {
        Some(run) => Run::open(&find_run(run, Some(&arguments.place.artifacts))?, 0)?,
        None => super::newest(&arguments.place)?,
    };
    let evaluation: Evaluation = run.get()?;
    let mut files = vec![(METRICS.to_owned(), figures(&run, &evaluation)?)];
    files.extend(
        curves(&evaluation)
            .into_iter()
            .map(|curve| (curve.name.to_owned(), curve.csv)),
    );
    let mut written = Vec::new();
    for (name, text) in files {
        let path = arguments.to.join(name);
        create_directory(path.parent().unwrap_or(&arguments.to))?;
        write_atomic(&path, text.as_bytes())?;
        written.push(path.display().to_string());
    }
    print(&match arguments.place.json {
        true => json!({ "run": run.directory(), "written": written }).to_string(),
        false => written.join("\n"),
    })
}

/// Returns the figures of a run, by what they were measured on; those that are undefined are left out.
pub fn figures(run: &Run, evaluation: &Evaluation) -> Result<String, Failure> {
    let mut all = Map::new();
    if let Some(report) = run.report::<TrainingReport>("04-training", "training.json")? {
        summary(&mut all, "cv", &report.grouped_cv);
        summary(&mut all, "row_wise_cv", &report.row_wise_cv);
        set(
            &mut all,
            "threshold",
            "operating",
            report.thresholds.operating,
        );
        set(&mut all, "threshold", "f1", report.thresholds.f1);
    }
    if let Some(report) = run.report::<ValidationReport>("02-validation", "validation.json")? {
        count(&mut all, "total", report.rows.total as u64);
        count(&mut all, "quarantined", report.rows.quarantined as u64);
    }
    if let Some(report) = run.report::<SplitReport>("03-transformation", "transformation.json")? {
        count(&mut all, "train", report.train.rows as u64);
        count(&mut all, "holdout", report.holdout.rows as u64);
    }
    holdout(&mut all, &evaluation.metrics);
    Ok(format!("{:#}\n", Value::Object(all)))
}

fn summary(all: &mut Map<String, Value>, group: &str, summary: &MetricSummary) {
    for (name, spread) in &summary.0 {
        set(all, group, name, spread.mean);
    }
}

fn holdout(all: &mut Map<String, Value>, metrics: &HoldoutMetrics) {
    for (name, interval) in metrics.named() {
        set(all, "holdout", name, interval.value);
        set(all, "holdout_low", name, interval.low);
        set(all, "holdout_high", name, interval.high);
    }
}

fn count(all: &mut Map<String, Value>, name: &str, n: u64) {
    group(all, "rows").insert(name.to_owned(), json!(n));
}

fn set(all: &mut Map<String, Value>, into: &str, name: &str, value: f64) {
    if value.is_finite() {
        group(all, into).insert(name.to_owned(), json!(value));
    }
}

fn group<'a>(all: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let group = all.entry(name).or_insert_with(|| json!({}));
    group
        .as_object_mut()
        .expect("groups are made as objects here")
}

/// Returns the curves of the holdout that are defined.
pub fn curves(evaluation: &Evaluation) -> Vec<Curve> {
    let curves = &evaluation.curves;
    let roc = curves.roc.iter().map(|p| [p.fpr, p.recall, p.threshold]);
    let pr = curves
        .pr
        .iter()
        .map(|p| [p.recall, p.precision, p.threshold]);
    let bins = curves.reliability.iter();
    let bins = bins.map(|b| [b.mean_score, b.threat_share, b.low, b.high, b.count as f64]);
    let all = [
        Curve {
            name: "plots/roc.csv",
            title: "ROC on the holdout",
            x: "fpr",
            y: "recall",
            csv: table(["fpr", "recall", "threshold"], roc),
        },
        Curve {
            name: "plots/precision_recall.csv",
            title: "Precision and recall on the holdout",
            x: "recall",
            y: "precision",
            csv: table(["recall", "precision", "threshold"], pr),
        },
        Curve {
            name: "plots/calibration.csv",
            title: "Calibration on the holdout",
            x: "mean_score",
            y: "threat_share",
            csv: table(["mean_score", "threat_share", "low", "high", "rows"], bins),
        },
    ];
    // A table without rows is no curve.
    all.into_iter()
        .filter(|curve| curve.csv.lines().count() > 1)
        .collect()
}

fn table<const N: usize>(names: [&str; N], rows: impl Iterator<Item = [f64; N]>) -> String {
    rows.fold(line(&names), |text, row| text + &line(&row))
}

fn line<T: Display>(cells: &[T]) -> String {
    let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
    cells.join(",") + "\n"
}
