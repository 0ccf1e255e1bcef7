//! What a finished run says: one JSON object for programs, a table for people.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use artifact::{Failure, Run, StoreError};
use dataset::{Schema, ValidatedDataset, drift::DriftReport};
use model::resampling::Interval;
use registry::{Comparison, Decision, Evaluation, PromotionRecord};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use trainer::{CandidateReport, TrainingReport};
use transformation::SplitReport;
use validation::{RowCounts, ValidationReport};

use crate::{config::Config, intake::SnapshotUsed};

/// Everything that `netsec run` tells.
pub struct Summary {
    run: String,
    report: String,
    config: Config,
    dataset: String,
    simulated: bool,
    rows: RowCounts,
    /// Columns to learn from that the source does not have.
    missing_columns: Vec<String>,
    drift: DriftReport,
    split: SplitReport,
    training: TrainingReport,
    evaluation: Evaluation,
    pub verdict: PromotionRecord,
    seconds: BTreeMap<String, f64>,
    partitions: Value,
    /// The snapshot that the rows came from, if they did.
    pub snapshot: Option<SnapshotUsed>,
}

impl Summary {
    /// Gathers the reports of a finished run; `seconds` is its wall time.
    pub fn of(run: &Run, config: &Config, name: &str, seconds: f64) -> Result<Self, Failure> {
        let validation: ValidationReport = stage_report(run, "02-validation", "validation.json")?;
        let validated: ValidatedDataset = run.get()?;
        let mut times: BTreeMap<String, f64> = run
            .manifests()?
            .into_iter()
            .map(|(_, m)| (m.stage, m.seconds))
            .collect();
        times.insert("total".to_owned(), seconds);
        let step = run.directory().join("03-transformation");
        let partition = |file: &str| {
            let path = step.join(file);
            if path.is_file() {
                json!(path)
            } else {
                Value::Null
            }
        };
        tracing::info!(run = %run.name(), model = name, "run finished");
        Ok(Self {
            run: run.directory().display().to_string(),
            report: run
                .directory()
                .join(report::FILE_NAME)
                .display()
                .to_string(),
            config: config.clone(),
            missing_columns: missing_features(&validated.schema, validation.columns.missing),
            dataset: validated.schema.name,
            simulated: validated.simulated,
            rows: validation.rows,
            drift: validation.drift,
            split: stage_report(run, "03-transformation", "transformation.json")?,
            training: stage_report(run, "04-training", "training.json")?,
            evaluation: run.get()?,
            verdict: run.get()?,
            seconds: times,
            snapshot: None,
            partitions: json!({
                "train": partition("train.parquet"),
                "holdout": partition("holdout.parquet"),
            }),
        })
    }

    /// Writes the object of `--json`.
    pub fn to_json(&self) -> String {
        let bundle = &self.training;
        let metrics: serde_json::Map<String, Value> = self
            .evaluation
            .metrics
            .named()
            .iter()
            .map(|(name, interval)| ((*name).to_owned(), json!(interval)))
            .collect();
        let means = |summary: &trainer::MetricSummary| -> BTreeMap<String, f64> {
            summary
                .0
                .iter()
                .map(|(name, spread)| (name.clone(), spread.mean))
                .collect()
        };
        let object = json!({
            "run": self.run,
            "report": self.report,
            "dataset": self.dataset,
            "model": self.verdict.model,
            "source": self.config.source,
            "simulated": self.simulated,
            "snapshot": self.snapshot,
            "rows": {
                "total": self.rows.total,
                "train": self.split.train.rows,
                "holdout": self.split.holdout.rows,
                "quarantined": self.rows.quarantined,
                "duplicates": self.rows.duplicates,
                "conflicting": self.rows.conflicting,
            },
            "missing_columns": self.missing_columns,
            "partitions": self.partitions,
            "candidates": bundle.candidates,
            "baselines": bundle.baselines,
            "chosen": bundle.chosen,
            "holdout": metrics,
            "holdout_without_overlap": self.evaluation.without_overlap,
            "holdout_at_f1_threshold": Decision::from(&self.evaluation.at_f1),
            "families": self.evaluation.families,
            "overlapping_rows": self.evaluation.n_overlapping,
            "row_wise_cv": means(&bundle.row_wise_cv),
            "grouped_cv": means(&bundle.grouped_cv),
            "threshold": bundle.thresholds,
            "drift": self.drift,
            "comparison": self.evaluation.comparison,
            "verdict": {
                "promoted": self.verdict.promoted,
                "unchanged": self.verdict.unchanged,
                "serving": self.verdict.serving,
                "reasons": self.verdict.reasons,
            },
            "version": self.verdict.version,
            "seconds": self.seconds,
        });
        object.to_string()
    }

    /// Writes the tables for people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.write_rows(&mut text);
        let _ = self.write_candidates(&mut text);
        let _ = self.write_holdout(&mut text);
        let _ = self.write_verdict(&mut text);
        text
    }

    fn write_rows(&self, out: &mut String) -> std::fmt::Result {
        let rows = &self.rows;
        writeln!(
            out,
            "\n{} rows: {} quarantined, {} repeated, {} conflicting\n{} to learn from, {} held out",
            rows.total,
            rows.quarantined,
            rows.duplicates,
            rows.conflicting,
            self.split.train.rows,
            self.split.holdout.rows,
        )?;
        if !self.missing_columns.is_empty() {
            let names = self.missing_columns.join(", ");
            writeln!(out, "columns that the source does not have: {names}")?;
        }
        let drifted = self.drift.columns.iter().filter(|column| column.drifted);
        let drifted: Vec<&str> = drifted.map(|column| column.name.as_str()).collect();
        match drifted.is_empty() {
            true => Ok(()),
            false => writeln!(
                out,
                "drifted from what the champion has learned from: {} (see the report)",
                drifted.join(", ")
            ),
        }
    }

    fn write_candidates(&self, out: &mut String) -> std::fmt::Result {
        let folds = self.training.folds;
        writeln!(
            out,
            "\nCandidates, mean over {folds} grouped folds (best first, * is chosen)"
        )?;
        writeln!(out, "  PR AUC    ROC     F1 fit s  candidate")?;
        let fixed = fixed_parameters(&self.training.candidates);
        let mut ranked: Vec<_> = self
            .training
            .candidates
            .iter()
            .chain(&self.training.baselines)
            .collect();
        let value = |c: &CandidateReport| c.cv.mean("average_precision");
        ranked.sort_by(|a, b| value(b).total_cmp(&value(a)));
        for c in ranked {
            let mark = if c.name == self.training.chosen {
                "*"
            } else {
                " "
            };
            writeln!(
                out,
                "{mark} {:>6.4} {:>6.4} {:>6.4} {:>5.3}  {}{}",
                value(c),
                c.cv.mean("roc_auc"),
                c.cv.mean("f1"),
                c.fit_seconds,
                short_name(&c.name, &fixed),
                if c.family == "baseline" {
                    " (baseline, on a sample)"
                } else {
                    ""
                },
            )?;
        }
        for (family, parameters) in fixed.iter().filter(|(_, p)| !p.is_empty()) {
            let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
            writeln!(out, "  every {family}: {}", parameters.join(", "))?;
        }
        Ok(())
    }

    fn write_holdout(&self, out: &mut String) -> std::fmt::Result {
        let e = &self.evaluation;
        writeln!(
            out,
            "\nHoldout: {} rows, {} distinct, {} threats (95 % intervals over groups)",
            e.n_rows, e.n_groups, e.n_threats
        )?;
        for (name, metric) in e.metrics.named() {
            writeln!(out, "  {name:<20} {metric}")?;
        }
        if e.n_overlapping > 0 {
            writeln!(
                out,
                "  {} of these rows have feature vectors that training has seen",
                e.n_overlapping
            )?;
        }
        if let Some(unseen) = &e.without_overlap {
            writeln!(out, "Without them, as the promotion is decided:")?;
            for (name, metric) in unseen.named() {
                writeln!(out, "  {name:<20} {metric}")?;
            }
        }
        let f1 = Decision::from(&e.at_f1);
        writeln!(
            out,
            "  at the F1 threshold  accuracy {:.4}, F1 {:.4}, FPR {:.4}",
            f1.accuracy, f1.f1, f1.fpr
        )?;
        writeln!(
            out,
            "  always the majority  accuracy {:.4}",
            e.majority_accuracy
        )?;
        for family in e.families.iter().filter(|_| e.families.len() > 2) {
            writeln!(
                out,
                "  {:<20} {} rows, right {:.4}",
                family.family, family.rows, family.at_operating
            )?;
        }
        let (grouped, row_wise) = (&self.training.grouped_cv, &self.training.row_wise_cv);
        writeln!(
            out,
            "\nWhat repeated rows would have pretended (cross-validation, chosen candidate)"
        )?;
        for metric in ["accuracy", "f1", "roc_auc"] {
            let (honest, leaky) = (grouped.mean(metric), row_wise.mean(metric));
            writeln!(
                out,
                "  {metric:<20} grouped {honest:.4}, row-wise {leaky:.4} ({:+.4})",
                leaky - honest
            )?;
        }
        Ok(())
    }

    fn write_verdict(&self, out: &mut String) -> std::fmt::Result {
        let v = &self.verdict;
        let version = v.version.map_or(String::new(), |n| format!(" version {n}"));
        let word = match (v.promoted, v.unchanged) {
            (true, _) => "promoted",
            (_, true) => "unchanged",
            _ => "declined",
        };
        writeln!(out, "\n{}{version}: {word}", v.model)?;
        for reason in &v.reasons {
            writeln!(out, "  - {reason}")?;
        }
        if let Comparison::Compared {
            version,
            groups,
            difference,
            ..
        } = &self.evaluation.comparison
        {
            let Interval { value, low, high } = difference;
            writeln!(
                out,
                "  PR AUC against version {version} on {groups} unseen groups: {value:+.4} [{low:+.4}, {high:+.4}]"
            )?;
        }
        write!(
            out,
            "{:.1} s in all\nrun    {}\nreport {}",
            self.seconds["total"], self.run, self.report
        )
    }
}

/// Leaves out what nothing is learned from.
fn missing_features(schema: &Schema, missing: Vec<String>) -> Vec<String> {
    let is_feature = |name: &String| schema.features().any(|column| column.name == *name);
    missing.into_iter().filter(is_feature).collect()
}

/// Takes the name of a candidate apart: its family, and its parameters as `name=value`.
fn parts(name: &str) -> (&str, Vec<&str>) {
    match name.strip_suffix(')').and_then(|n| n.split_once('(')) {
        Some((family, "")) => (family, Vec::new()),
        Some((family, parameters)) => (family, parameters.split(", ").collect()),
        None => (name, Vec::new()),
    }
}

/// Returns the parameters that all candidates of a family share, for families of several.
fn fixed_parameters(candidates: &[CandidateReport]) -> BTreeMap<&str, BTreeSet<String>> {
    let mut fixed: BTreeMap<&str, (usize, BTreeSet<String>)> = BTreeMap::new();
    for (family, parameters) in candidates.iter().map(|c| parts(&c.name)) {
        let own = || parameters.iter().map(|p| (*p).to_owned()).collect();
        let (n, shared) = fixed.entry(family).or_insert_with(|| (0, own()));
        *n += 1;
        shared.retain(|p| parameters.contains(&p.as_str()));
    }
    let several = fixed.into_iter().filter(|(_, (n, _))| *n > 1);
    several
        .map(|(family, (_, shared))| (family, shared))
        .collect()
}

/// Writes a candidate's name with the parameters alone that tell it from others of its family.
fn short_name(name: &str, fixed: &BTreeMap<&str, BTreeSet<String>>) -> String {
    let (family, parameters) = parts(name);
    let is_fixed = |p: &&str| fixed.get(family).is_some_and(|shared| shared.contains(*p));
    let own = parameters.into_iter().filter(|p| !is_fixed(p));
    let words: Vec<&str> = [family].into_iter().chain(own).collect();
    words.join(" ")
}

/// Reads the JSON report of a completed stage.
pub fn stage_report<T: DeserializeOwned>(run: &Run, step: &str, name: &str) -> Result<T, Failure> {
    let report = run.report(step, name)?;
    report.ok_or_else(|| {
        let reason = "is not there: run its stage again".to_owned();
        let path = run.directory().join(step).join(name);
        StoreError::Manifest { path, reason }.into()
    })
}
