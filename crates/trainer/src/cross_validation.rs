//! Cross-validation: every candidate on every fold, in parallel, with everything fitted inside the fold.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use artifact::Progress;
use dataset::{Label, TrainingSet};
use model::Classifier;
use rayon::prelude::*;

use crate::{
    Learner, TrainingError,
    prepared::{ScoredSide, TrainingSide, scored_side, training_side},
    report::{FoldMetrics, MetricSummary},
};

/// One fold made ready.
pub(crate) struct Fold {
    pub training: TrainingSide,
    pub scored: ScoredSide,
}

/// What cross-validation says of one candidate.
pub(crate) struct Outcome {
    pub summary: MetricSummary,
    /// Raw threat score of every row, by the model that has not seen it.
    pub out_of_fold: Vec<f64>,
    /// Mean over the folds.
    pub fit_seconds: f64,
}

/// Prepares every fold: fits the preprocessors on its training side and transforms both sides.
pub(crate) fn prepare(
    set: &TrainingSet,
    labels: &[Label],
    fold_of_row: &[u8],
    folds: usize,
) -> Result<Vec<Fold>, TrainingError> {
    (0..folds)
        .into_par_iter()
        .map(|fold| {
            let (scored, fitted): (Vec<usize>, Vec<usize>) =
                (0..labels.len()).partition(|&row| usize::from(fold_of_row[row]) == fold);
            let training = training_side(set, labels, &fitted)?;
            let scored = scored_side(set, &training, scored)?;
            Ok(Fold { training, scored })
        })
        .collect()
}

/// Fits and scores every candidate on every fold.
///
/// The result does not depend on the number of threads: each task is seeded by the stage's seed alone
/// and results are put together in order.
pub(crate) fn run(
    candidates: &[(String, Learner)],
    folds: &[Fold],
    labels: &[Label],
    seed: u64,
    progress: (&Progress<'_>, &str),
) -> Result<Vec<Outcome>, TrainingError> {
    let total = (candidates.len() * folds.len()) as u64;
    let done = AtomicU64::new(0);
    let tasks: Vec<(usize, usize)> = (0..candidates.len())
        .rev() // The later families are the slower ones: starting with them keeps threads busy to the end.
        .flat_map(|candidate| (0..folds.len()).map(move |fold| (candidate, fold)))
        .collect();
    let mut scored: Vec<((usize, usize), Vec<f64>, f64)> = tasks
        .into_par_iter()
        .with_max_len(1)
        .map(|(candidate, fold)| {
            let (name, learner) = &candidates[candidate];
            let start = Instant::now();
            let classifier = learner.fit(name, &folds[fold].training, seed)?;
            let seconds = start.elapsed().as_secs_f64();
            let scores = score(learner, &classifier, &folds[fold].scored);
            let (report, what) = progress;
            report(what, done.fetch_add(1, Ordering::Relaxed) + 1, total);
            Ok(((candidate, fold), scores, seconds))
        })
        .collect::<Result<_, TrainingError>>()?;
    scored.sort_by_key(|(task, ..)| *task);
    Ok(scored
        .chunks(folds.len())
        .map(|of_candidate| gather(of_candidate, folds, labels))
        .collect())
}

fn score(learner: &Learner, classifier: &Classifier, side: &ScoredSide) -> Vec<f64> {
    let features = if learner.family().is_linear() {
        &side.linear
    } else {
        &side.trees
    };
    classifier.threat_scores(features)
}

fn gather(scored: &[((usize, usize), Vec<f64>, f64)], folds: &[Fold], labels: &[Label]) -> Outcome {
    let mut out_of_fold = vec![f64::NAN; labels.len()];
    let mut metrics = Vec::with_capacity(folds.len());
    for ((_, fold), scores, _) in scored {
        let rows = &folds[*fold].scored.rows;
        let truth: Vec<bool> = rows.iter().map(|&row| labels[row].is_threat()).collect();
        metrics.push(FoldMetrics::of(scores, &truth));
        rows.iter()
            .zip(scores)
            .for_each(|(&row, &score)| out_of_fold[row] = score);
    }
    let seconds = scored.iter().map(|(_, _, seconds)| seconds).sum::<f64>();
    Outcome {
        summary: MetricSummary::of(&metrics),
        out_of_fold,
        fit_seconds: seconds / scored.len() as f64,
    }
}
