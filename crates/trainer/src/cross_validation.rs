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

/// A curve over more rounds than this has every second one, every third and so on.
const CURVE_POINTS: usize = 100;

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
    /// Mean log-loss of the folds after some numbers of rounds; of boosting alone.
    pub log_loss_by_round: Vec<(usize, f64)>,
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
            let scored = fit.run(candidates, fold, &folds[fold], labels, context)?;
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
    log_loss_by_round: Vec<(usize, f64)>,
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

    /// Returns the log-loss by round of the fit, which is that of its last member.
    fn curve(
        &self,
        candidates: &[(String, Learner)],
        classifiers: &[Classifier],
        side: &ScoredSide,
        labels: &[Label],
    ) -> Vec<(usize, f64)> {
        let (Some(&last), Some(Classifier::Trees(trees))) =
            (self.members.last(), classifiers.last())
        else {
            return Vec::new();
        };
        let learner = &candidates[last].1;
        let step = (learner.rounds() as usize).div_ceil(CURVE_POINTS);
        let features = side.features(learner.family()).values();
        trees.log_loss_by_round(features, &truth_of(side, labels), step)
    }

    /// Fits once, scores each member, and shares the time among them by their rounds.
    fn run(
        &self,
        candidates: &[(String, Learner)],
        fold: usize,
        sides: &Fold,
        labels: &[Label],
        context: &Context,
    ) -> Result<Vec<Scored>, TrainingError> {
        let members: Vec<&(String, Learner)> =
            self.members.iter().map(|m| &candidates[*m]).collect();
        let stopwatch = context.stopwatch();
        let classifiers = Learner::fit_shared(&members, &sides.training, context.seed)?;
        let seconds = stopwatch.seconds();
        let curve = self.curve(candidates, &classifiers, &sides.scored, labels);
        let one = |(&candidate, classifier): (&usize, &Classifier)| {
            let learner = &candidates[candidate].1;
            Scored {
                candidate,
                fold,
                scores: score(learner, classifier, &sides.scored),
                log_loss_by_round: curve
                    .iter()
                    .copied()
                    .filter(|(round, _)| *round <= learner.rounds() as usize)
                    .collect(),
                seconds: seconds * learner.share_of_time(&members),
            }
        };
        Ok(self.members.iter().zip(&classifiers).map(one).collect())
    }
}

fn score(learner: &Learner, classifier: &Classifier, side: &ScoredSide) -> Vec<f64> {
    classifier.threat_scores(side.features(learner.family()))
}

fn truth_of(side: &ScoredSide, labels: &[Label]) -> Vec<bool> {
    let rows = side.rows.iter();
    rows.map(|&row| labels[row].is_threat()).collect()
}

fn gather(scored: &[Scored], folds: &[Fold], labels: &[Label]) -> Outcome {
    let mut out_of_fold = vec![f64::NAN; labels.len()];
    let mut metrics = Vec::with_capacity(folds.len());
    for of_fold in scored {
        let side = &folds[of_fold.fold].scored;
        let truth = truth_of(side, labels);
        metrics.push(FoldMetrics::of(&of_fold.scores, &truth));
        side.rows
            .iter()
            .zip(&of_fold.scores)
            .for_each(|(&row, &score)| out_of_fold[row] = score);
    }
    let seconds = scored.iter().map(|of_fold| of_fold.seconds).sum::<f64>();
    Outcome {
        summary: MetricSummary::of(&metrics),
        folds: FoldMetrics::by_metric(&metrics),
        log_loss_by_round: mean_curve(scored),
        out_of_fold,
        fit_seconds: seconds / scored.len() as f64,
    }
}

/// Returns the mean of the folds' curves, where all have a point: a fit may end before its last round.
fn mean_curve(scored: &[Scored]) -> Vec<(usize, f64)> {
    let mut by_round: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (round, loss) in scored.iter().flat_map(|s| &s.log_loss_by_round) {
        by_round.entry(*round).or_default().push(*loss);
    }
    by_round.retain(|_, losses| losses.len() == scored.len());
    let mean = |losses: Vec<f64>| losses.iter().sum::<f64>() / losses.len() as f64;
    let means = by_round.into_iter();
    means.map(|(round, losses)| (round, mean(losses))).collect()
}

#[cfg(test)]
mod tests;
