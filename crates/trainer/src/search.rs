//! The search: candidates compared under grouped folds, the best one refitted, calibrated, bundled.

use std::collections::{BTreeMap, BTreeSet};

use artifact::Context;
use dataset::{GroupKey, ImputerKind, Label, PreprocessorSpec, TrainingSet, profile::Profile};
use model::{
    Classifier, ModelBundle, TrainingSummary, calibration::Calibration, preprocessor::Preprocessor,
    threshold::Thresholds,
};

use crate::{
    CalibrationKind, CandidateReport, Learner, MetricSummary, SelectionMetric, TrainingConfig,
    TrainingError, TrainingReport, baselines,
    cross_validation::{self, Outcome},
    folds::{grouped_stratified, row_wise_stratified},
    prepared::training_side,
};

/// Searches, refits the best candidate on all training rows, and assembles the bundle.
pub(crate) fn run(
    config: &TrainingConfig,
    set: &TrainingSet,
    context: &Context,
) -> Result<(ModelBundle, TrainingReport), TrainingError> {
    let candidates = config.candidates()?;
    let labels = set.records.labels(&set.schema);
    check_groups(config, set, &labels)?;
    check_imputation(config, set)?;
    let seed = context.seed;

    let grouped = grouped_stratified(&set.records.groups, &labels, config.folds, seed);
    let folds = cross_validation::prepare(set, &labels, &grouped, config.folds, &config.families)?;
    let (outcomes, baselines) = rayon::join(
        || cross_validation::run(&candidates, &folds, &labels, (context, "search")),
        || baselines::score(config, set, &labels, &grouped, context),
    );
    let (outcomes, baselines) = (outcomes?, baselines?);
    let best = select(config.select_by, &outcomes);
    let (name, learner) = &candidates[best];
    tracing::info!(candidate = %name, "candidate chosen");

    let (refit, row_wise) = rayon::join(
        || refit(set, &labels, name, learner, seed),
        || score_row_wise(config, set, &labels, &candidates[best], context),
    );
    let (refit, row_wise) = (refit?, row_wise?);
    let (calibration, thresholds) = calibrate(config, &outcomes[best], &labels);
    let report = TrainingReport {
        selected_by: serde_json::to_value(config.select_by)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default(),
        folds: config.folds,
        candidates: reports(&candidates, &outcomes),
        baseline_rows: baselines.n_rows,
        baselines: baselines.reports,
        chosen: name.clone(),
        parameters: serde_json::to_value(learner).unwrap_or_default(),
        grouped_cv: outcomes[best].summary.clone(),
        row_wise_cv: row_wise,
        thresholds,
        importance: refit.importance.clone(),
    };
    let bundle = ModelBundle {
        schema: set.schema.clone(),
        simulated: set.simulated,
        calibration,
        thresholds,
        profile: Profile::of(&set.schema, &set.records.table.features_of(&set.schema)),
        training: TrainingSummary {
            family: learner.family().name().to_owned(),
            candidate: name.clone(),
            parameters: serde_json::to_string(learner).unwrap_or_default(),
            n_rows: set.records.n_rows() as u64,
            n_groups: distinct(&set.records.groups) as u64,
            seed,
            cross_validation: spreads(&outcomes[best].summary),
            importance: refit.importance,
            inputs: context.inputs.clone(),
        },
        preprocessor: refit.preprocessor,
        classifier: refit.classifier,
    };
    Ok((bundle, report))
}

/// Checks that every class has a group for every fold.
fn check_groups(
    config: &TrainingConfig,
    set: &TrainingSet,
    labels: &[Label],
) -> Result<(), TrainingError> {
    let mut groups: BTreeMap<Label, BTreeSet<GroupKey>> = BTreeMap::new();
    for (label, group) in labels.iter().zip(&set.records.groups) {
        groups.entry(*label).or_default().insert(*group);
    }
    let names = set.schema.target.class_names();
    for class in 0..names.len() {
        let label = Label::from_class(class);
        let n = groups.get(&label).map_or(0, BTreeSet::len);
        if n < config.folds {
            return Err(TrainingError::TooFewGroups {
                folds: config.folds,
                class: names.name(label).to_owned(),
                groups: n,
            });
        }
    }
    Ok(())
}

/// Checks that no missing cell would reach what takes none.
fn check_imputation(config: &TrainingConfig, set: &TrainingSet) -> Result<(), TrainingError> {
    let may_be_missing =
        !set.schema.derived.is_empty() || set.schema.features().any(|c| c.may_be_missing);
    let specs = &set.preprocessing;
    let is_linear = config.families.iter().any(|family| family.is_linear());
    let takers = [
        (
            "linear",
            is_linear,
            &specs.linear,
            "leave logistic_regression out",
        ),
        (
            "baselines",
            config.baseline_rows > 0,
            &specs.baselines,
            "set training.baseline_rows=0",
        ),
    ];
    let left_so = |(_, runs, spec, _): &&(_, bool, &PreprocessorSpec, _)| {
        *runs && spec.imputer == ImputerKind::None
    };
    match takers.iter().find(left_so).filter(|_| may_be_missing) {
        Some(&(section, .., instead)) => Err(TrainingError::NotImputed { section, instead }),
        None => Ok(()),
    }
}

/// Returns the best candidate; the first of equals, and never one whose metric is undefined.
fn select(metric: SelectionMetric, outcomes: &[Outcome]) -> usize {
    let value = |outcome: &Outcome| {
        let value = match metric {
            SelectionMetric::AveragePrecision => outcome.summary.mean("average_precision"),
            SelectionMetric::RocAuc => outcome.summary.mean("roc_auc"),
            SelectionMetric::RecallAtFpr1pct => outcome.summary.mean("recall_at_fpr_1pct"),
            SelectionMetric::F1 => outcome.summary.mean("f1"),
            SelectionMetric::LogLoss => -outcome.summary.mean("log_loss"),
        };
        if value.is_nan() {
            f64::NEG_INFINITY
        } else {
            value
        }
    };
    (0..outcomes.len()).fold(0, |best, at| {
        if value(&outcomes[at]) > value(&outcomes[best]) {
            at
        } else {
            best
        }
    })
}

fn reports(candidates: &[(String, Learner)], outcomes: &[Outcome]) -> Vec<CandidateReport> {
    let one = |((name, learner), outcome): (&(String, Learner), &Outcome)| CandidateReport {
        name: name.clone(),
        family: learner.family().name().to_owned(),
        cv: outcome.summary.clone(),
        folds: outcome.folds.clone(),
        log_loss_by_round: outcome.log_loss_by_round.clone(),
        fit_seconds: outcome.fit_seconds,
    };
    candidates.iter().zip(outcomes).map(one).collect()
}

/// Scores the chosen candidate under folds that ignore groups, to show what that would leak.
fn score_row_wise(
    config: &TrainingConfig,
    set: &TrainingSet,
    labels: &[Label],
    candidate: &(String, Learner),
    context: &Context,
) -> Result<MetricSummary, TrainingError> {
    let rows = row_wise_stratified(labels, config.folds, context.seed);
    let families = [candidate.1.family()];
    let folds = cross_validation::prepare(set, labels, &rows, config.folds, &families)?;
    let candidate = std::slice::from_ref(candidate);
    let outcome = cross_validation::run(candidate, &folds, labels, (context, "row-wise"))?;
    Ok(outcome
        .into_iter()
        .next()
        .map_or_else(|| MetricSummary::of(&[]), |o| o.summary))
}

/// Calibrates on out-of-fold scores and chooses the thresholds on the calibrated ones.
fn calibrate(
    config: &TrainingConfig,
    outcome: &Outcome,
    labels: &[Label],
) -> (Calibration, Thresholds) {
    let truth: Vec<bool> = labels.iter().map(|label| label.is_threat()).collect();
    let calibration = match config.calibration {
        CalibrationKind::Platt => Calibration::fit_platt(&outcome.out_of_fold, &truth),
        CalibrationKind::Isotonic => Calibration::fit_isotonic(&outcome.out_of_fold, &truth),
        CalibrationKind::None => Calibration::None,
    };
    let calibrated: Vec<f64> = outcome
        .out_of_fold
        .iter()
        .map(|&s| calibration.apply(s))
        .collect();
    let thresholds = Thresholds::choose(&calibrated, &truth, config.max_fpr);
    (calibration, thresholds)
}

struct Refit {
    preprocessor: Preprocessor,
    classifier: Classifier,
    importance: Vec<(String, f64)>,
}

fn refit(
    set: &TrainingSet,
    labels: &[Label],
    name: &str,
    learner: &Learner,
    seed: u64,
) -> Result<Refit, TrainingError> {
    let rows: Vec<usize> = (0..labels.len()).collect();
    let side = training_side(set, labels, &rows, &[learner.family()])?;
    let classifier = learner.fit(name, &side, seed)?;
    let preprocessor = side.into_preprocessor(learner.family());
    let importance = rank_importance(preprocessor.feature_names(), &classifier);
    Ok(Refit {
        preprocessor,
        classifier,
        importance,
    })
}

fn rank_importance(names: &[String], classifier: &Classifier) -> Vec<(String, f64)> {
    let mut ranked: Vec<(String, f64)> =
        names.iter().cloned().zip(classifier.importance()).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    ranked
}

fn distinct(groups: &[GroupKey]) -> usize {
    groups.iter().collect::<BTreeSet<_>>().len()
}

fn spreads(summary: &MetricSummary) -> Vec<(String, f64, f64)> {
    summary
        .0
        .iter()
        .map(|(name, spread)| (name.clone(), spread.mean, spread.std))
        .collect()
}
