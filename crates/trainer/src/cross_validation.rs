//! Cross-validation: every candidate on every fold, in parallel, with everything fitted inside the fold.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use artifact::Context;
use dataset::{Label, TrainingSet};
use model::Classifier;
use rayon::prelude::*;

use crate::{
    Family, Learner, TrainingError,
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
    /// Scores in each fold, by metric.
    pub folds: BTreeMap<String, Vec<f64>>,
    /// Raw threat score of every row, by the model that has not seen it.
    pub out_of_fold: Vec<f64>,
    /// Mean over the folds; of a shared fit, the part that its rounds are.
    pub fit_seconds: f64,
}

/// Prepares every fold: fits the preprocessors on its training side and transforms both sides.
pub(crate) fn prepare(
    set: &TrainingSet,
    labels: &[Label],
    fold_of_row: &[u8],
    folds: usize,
    families: &[Family],
) -> Result<Vec<Fold>, TrainingError> {
    (0..folds)
        .into_par_iter()
        .map(|fold| {
            let (scored, fitted): (Vec<usize>, Vec<usize>) =
                (0..labels.len()).partition(|&row| usize::from(fold_of_row[row]) == fold);
            let training = training_side(set, labels, &fitted, families)?;
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
    (context, what): (&Context, &str),
) -> Result<Vec<Outcome>, TrainingError> {
    let total = (candidates.len() * folds.len()) as u64;
    let done = AtomicU64::new(0);
    let shared = SharedFit::plan(candidates);
    let tasks: Vec<(&SharedFit, usize)> = shared
        .iter()
        .rev() // The later families are the slower ones: starting with them keeps threads busy to the end.
        .flat_map(|fit| (0..folds.len()).map(move |fold| (fit, fold)))
        .collect();
    let mut scored: Vec<Scored> = tasks
        .into_par_iter()
        .with_max_len(1)
        .map(|(fit, fold)| {
            let scored = fit.run(candidates, fold, &folds[fold], context)?;
            let finished = scored.len() as u64;
            let so_far = done.fetch_add(finished, Ordering::Relaxed) + finished;
            context.progress()(what, so_far, total);
            Ok(scored)
        })
        .collect::<Result<Vec<_>, TrainingError>>()?
        .into_iter()
        .flatten()
        .collect();
    scored.sort_by_key(|scored| (scored.candidate, scored.fold));
    Ok(scored
        .chunks(folds.len())
        .map(|of_candidate| gather(of_candidate, folds, labels))
        .collect())
}

/// The scores of one candidate on the scored side of one fold.
struct Scored {
    candidate: usize,
    fold: usize,
    scores: Vec<f64>,
    seconds: f64,
}

/// Candidates that one fit serves: those that differ in their number of rounds alone need the one of
/// the most rounds, those of logistic regression that differ in `c` alone go from one to the next.
struct SharedFit {
    /// The candidates, by their place in the search space: by rounds or by `c`, ascending.
    members: Vec<usize>,
}

impl SharedFit {
    fn plan(candidates: &[(String, Learner)]) -> Vec<Self> {
        let mut plan: Vec<Self> = Vec::new();
        for (at, (_, learner)) in candidates.iter().enumerate() {
            let alike = |fit: &&mut Self| candidates[fit.members[0]].1.shares_fit_with(learner);
            match plan.iter_mut().find(alike) {
                Some(fit) => fit.members.push(at),
                None => plan.push(Self { members: vec![at] }),
            }
        }
        for fit in &mut plan {
            let extent = |at: &usize| candidates[*at].1.extent();
            fit.members
                .sort_by(|a, b| extent(a).total_cmp(&extent(b)).then(a.cmp(b)));
        }
        plan
    }

    /// Fits once, scores each member, and shares the time among them by their rounds.
    fn run(
        &self,
        candidates: &[(String, Learner)],
        fold: usize,
        sides: &Fold,
        context: &Context,
    ) -> Result<Vec<Scored>, TrainingError> {
        let members: Vec<&(String, Learner)> =
            self.members.iter().map(|m| &candidates[*m]).collect();
        let stopwatch = context.stopwatch();
        let classifiers = Learner::fit_shared(&members, &sides.training, context.seed)?;
        let seconds = stopwatch.seconds();
        let one = |(&candidate, classifier): (&usize, &Classifier)| {
            let learner = &candidates[candidate].1;
            Scored {
                candidate,
                fold,
                scores: score(learner, classifier, &sides.scored),
                seconds: seconds * learner.share_of_time(&members),
            }
        };
        Ok(self.members.iter().zip(&classifiers).map(one).collect())
    }
}

fn score(learner: &Learner, classifier: &Classifier, side: &ScoredSide) -> Vec<f64> {
    classifier.threat_scores(side.features(learner.family()))
}

fn gather(scored: &[Scored], folds: &[Fold], labels: &[Label]) -> Outcome {
    let mut out_of_fold = vec![f64::NAN; labels.len()];
    let mut metrics = Vec::with_capacity(folds.len());
    for of_fold in scored {
        let rows = &folds[of_fold.fold].scored.rows;
        let truth: Vec<bool> = rows.iter().map(|&row| labels[row].is_threat()).collect();
        metrics.push(FoldMetrics::of(&of_fold.scores, &truth));
        rows.iter()
            .zip(&of_fold.scores)
            .for_each(|(&row, &score)| out_of_fold[row] = score);
    }
    let seconds = scored.iter().map(|of_fold| of_fold.seconds).sum::<f64>();
    Outcome {
        summary: MetricSummary::of(&metrics),
        folds: FoldMetrics::by_metric(&metrics),
        out_of_fold,
        fit_seconds: seconds / scored.len() as f64,
    }
}

#[cfg(test)]
mod tests;
