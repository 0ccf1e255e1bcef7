//! Baselines from `smartcore`: k nearest neighbours and Gaussian naive Bayes, scored on a sample.
//!
//! They say what the data gives away cheaply; they are never refitted, bundled or promoted.

mod naive_bayes;

use artifact::Context;
use dataset::{Label, TrainingSet};
use model::{FeatureMatrix, preprocessor::Preprocessor};
use naive_bayes::NaiveBayes;
use rayon::prelude::*;
use smartcore::{
    algorithm::neighbour::KNNAlgorithmName,
    linalg::basic::matrix::DenseMatrix,
    neighbors::knn_classifier::{KNNClassifier, KNNClassifierParameters},
};

use crate::{CandidateReport, MetricSummary, TrainingConfig, TrainingError, report::FoldMetrics};

const N_NEIGHBOURS: usize = 5;

/// What the baselines reached, and on how many rows.
pub(crate) struct Baselines {
    pub reports: Vec<CandidateReport>,
    pub n_rows: usize,
}

#[derive(Clone, Copy)]
enum Baseline {
    Neighbours,
    NaiveBayes,
}

struct FoldData {
    train: FeatureMatrix,
    train_classes: Vec<u32>,
    test: FeatureMatrix,
    truth: Vec<bool>,
}

/// Scores both baselines under the grouped folds, on the groups of smallest key up to the configured
/// number of rows.
pub(crate) fn score(
    config: &TrainingConfig,
    set: &TrainingSet,
    labels: &[Label],
    fold_of_row: &[u8],
    context: &Context,
) -> Result<Baselines, TrainingError> {
    let mut rows: Vec<usize> = (0..labels.len()).collect();
    rows.sort_by_key(|&row| (set.records.groups[row], row));
    rows.truncate(config.baseline_rows);
    if rows.is_empty() {
        return Ok(Baselines {
            reports: Vec::new(),
            n_rows: 0,
        });
    }
    let folds: Vec<FoldData> = (0..config.folds)
        .into_par_iter()
        .map(|fold| {
            prepare(set, labels, &rows, |row| {
                usize::from(fold_of_row[row]) == fold
            })
        })
        .collect::<Result<_, _>>()?;
    // A sample may leave a fold with one class: nothing can be said of it there.
    let usable: Vec<&FoldData> = folds
        .iter()
        .filter(|fold| fold.has_both_classes())
        .collect();
    if usable.is_empty() {
        return Ok(Baselines {
            reports: Vec::new(),
            n_rows: rows.len(),
        });
    }
    let reports = [Baseline::Neighbours, Baseline::NaiveBayes]
        .into_iter()
        .map(|baseline| report(baseline, &usable, context))
        .collect::<Result<_, _>>()?;
    Ok(Baselines {
        reports,
        n_rows: rows.len(),
    })
}

fn prepare(
    set: &TrainingSet,
    labels: &[Label],
    rows: &[usize],
    is_scored: impl Fn(usize) -> bool,
) -> Result<FoldData, TrainingError> {
    let wrap = |source| TrainingError::Preprocessing {
        family: "baselines",
        source,
    };
    let (scored, fitted): (Vec<usize>, Vec<usize>) = rows.iter().partition(|row| is_scored(**row));
    let table = set.records.table.select(&fitted);
    let preprocessor =
        Preprocessor::fit(&set.preprocessing.baselines, &set.schema, &table).map_err(wrap)?;
    Ok(FoldData {
        train: preprocessor.transform(&table).map_err(wrap)?,
        train_classes: fitted
            .iter()
            .map(|&row| u32::from(labels[row].is_threat()))
            .collect(),
        test: preprocessor
            .transform(&set.records.table.select(&scored))
            .map_err(wrap)?,
        truth: scored.iter().map(|&row| labels[row].is_threat()).collect(),
    })
}

impl FoldData {
    fn has_both_classes(&self) -> bool {
        let threats = self.truth.iter().filter(|&&t| t).count();
        let learned = self.train_classes.iter().filter(|&&c| c == 1).count();
        threats > 0
            && threats < self.truth.len()
            && learned > 0
            && learned < self.train_classes.len()
    }
}

fn report(
    baseline: Baseline,
    folds: &[&FoldData],
    context: &Context,
) -> Result<CandidateReport, TrainingError> {
    let stopwatch = context.stopwatch();
    let metrics: Vec<FoldMetrics> = folds
        .par_iter()
        .map(|fold| Ok(FoldMetrics::of(&baseline.scores(fold)?, &fold.truth)))
        .collect::<Result<_, TrainingError>>()?;
    Ok(CandidateReport {
        name: baseline.name().to_owned(),
        family: "baseline".to_owned(),
        cv: MetricSummary::of(&metrics),
        folds: FoldMetrics::by_metric(&metrics),
        log_loss_by_round: Vec::new(),
        fit_seconds: stopwatch.seconds() / folds.len() as f64,
    })
}

impl Baseline {
    fn name(self) -> &'static str {
        match self {
            Self::Neighbours => "k_nearest_neighbours(k=5)",
            Self::NaiveBayes => "gaussian_naive_bayes()",
        }
    }

    fn scores(self, fold: &FoldData) -> Result<Vec<f64>, TrainingError> {
        let wrap = |e: smartcore::error::Failed| TrainingError::Baseline {
            name: self.name(),
            reason: e.to_string(),
        };
        match self {
            Self::Neighbours => {
                let y = &fold.train_classes;
                let x = dense(fold.train.values()).map_err(wrap)?;
                let test = dense(fold.test.values()).map_err(wrap)?;
                let parameters = KNNClassifierParameters::default()
                    .with_k(N_NEIGHBOURS.min(y.len()))
                    .with_algorithm(KNNAlgorithmName::LinearSearch);
                let knn = KNNClassifier::fit(&x, y, parameters).map_err(wrap)?;
                let rows = knn.predict_proba(&test).map_err(wrap)?;
                Ok(rows
                    .into_iter()
                    .map(|p| p.last().copied().unwrap_or(0.0))
                    .collect())
            }
            Self::NaiveBayes => NaiveBayes::fit(fold)
                .map(|nb| nb.posteriors(&fold.test))
                .map_err(wrap),
        }
    }
}

fn dense(
    values: ndarray::ArrayView2<'_, f32>,
) -> Result<DenseMatrix<f64>, smartcore::error::Failed> {
    let flat = values.iter().map(|&v| f64::from(v)).collect();
    DenseMatrix::new(values.nrows(), values.ncols(), flat, false)
}
