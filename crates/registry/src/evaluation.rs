//! Stage `evaluation`: the bundle that would serve, on rows that it has not seen.

mod comparison;
mod holdout_metrics;

use artifact::{Artifact, Context, Digest, Stage};
use dataset::{Label, Table};
use holdout::HoldoutSet;
use model::{
    ModelBundle, Scores, TrainingGroups,
    metrics::{Confusion, ConfusionMatrix, PrPoint, RankedScores, ReliabilityBin, RocPoint},
    resampling::GroupBootstrap,
};
use serde::{Deserialize, Serialize};

pub use comparison::Comparison;
pub use holdout_metrics::{Decision, HoldoutMetrics};

use crate::{Incumbent, RegistryError};

const CURVE_POINTS: usize = 200;
const CANARY_ROWS: usize = 16;

/// Configuration of the stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Resamples of groups behind every interval: 0, or 100 to 100,000.
    pub resamples: u32,
    /// Least number of groups that neither model has trained on for a comparison.
    pub min_comparable_groups: usize,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            resamples: 1_000,
            min_comparable_groups: 500,
        }
    }
}

impl EvaluationConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`RegistryError::Resamples`].
    pub fn check(&self) -> Result<(), RegistryError> {
        match self.resamples {
            0 | 100..=100_000 => Ok(()),
            n => Err(RegistryError::Resamples { n }),
        }
    }
}

/// How good a bundle is on the holdout, and how it compares with the champion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Digest of the bundle that was evaluated.
    pub bundle: Digest,
    /// Whether it learned from generated rows.
    pub simulated: bool,
    /// Holdout rows.
    pub n_rows: u64,
    /// Distinct feature vectors among them.
    pub n_groups: u64,
    /// Threats among them.
    pub n_threats: u64,
    /// Rows whose feature vector also stands in training (only in a given holdout).
    pub n_overlapping: u64,
    /// All metrics, decisions at the operating threshold.
    pub metrics: HoldoutMetrics,
    /// The same without overlapping rows, when there are any.
    pub without_overlap: Option<HoldoutMetrics>,
    /// Decisions at the operating threshold.
    pub at_operating: Confusion,
    /// Decisions at the F1-optimal threshold.
    pub at_f1: Confusion,
    /// Classes of the schema, benign first; rows truth, columns decided.
    pub class_names: Vec<String>,
    /// Confusion matrix of the classes.
    pub classes: ConfusionMatrix,
    /// Recall by threat family.
    pub families: Vec<FamilyRecall>,
    /// Accuracy of always saying the training data's majority class.
    pub majority_accuracy: f64,
    /// Curves for the report.
    pub curves: Curves,
    /// Against the champion.
    pub comparison: Comparison,
    /// Some rows with the probabilities that they must get.
    pub canary: Canary,
}

/// How many rows of a threat family were caught.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FamilyRecall {
    /// Name of the family; benign stands first, with its share of rows rightly let pass.
    pub family: String,
    /// Rows of the family in the holdout.
    pub rows: u64,
    /// Share flagged at the operating threshold (for benign: let pass).
    pub at_operating: f64,
    /// The same at the F1-optimal threshold.
    pub at_f1: f64,
}

/// Curves of the holdout, at most 200 points each.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// ROC.
    pub roc: Vec<RocPoint>,
    /// Precision and recall.
    pub pr: Vec<PrPoint>,
    /// Calibration.
    pub reliability: Vec<ReliabilityBin>,
}

/// Rows whose probabilities are known, to query a bundle that was written and read back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// Feature columns of at most 16 rows.
    pub table: Table,
    /// Threat probability of each row.
    pub threat: Vec<f64>,
}

impl Artifact for Evaluation {
    const KIND: &'static str = "evaluation";
    const LAYOUT: u16 = 1;
    artifact::payload!();
}

/// The evaluation stage.
pub struct Evaluating {
    config: EvaluationConfig,
}

impl Evaluating {
    /// Makes the stage.
    pub fn new(config: EvaluationConfig) -> Self {
        Self { config }
    }
}

impl Stage for Evaluating {
    const NAME: &'static str = "evaluation";
    const ORDER: u8 = 5;
    type Config = EvaluationConfig;
    type Inputs = (ModelBundle, HoldoutSet, Incumbent);
    type Outputs = (Evaluation,);
    type Error = RegistryError;

    fn config(&self) -> &EvaluationConfig {
        &self.config
    }

    fn run(
        &self,
        (bundle, holdout, incumbent): Self::Inputs,
        context: &mut Context,
    ) -> Result<Self::Outputs, RegistryError> {
        let digest = context.input::<ModelBundle>();
        let digest = digest.ok_or(RegistryError::UnknownBundle)?;
        let evaluation = evaluate(
            &self.config,
            (digest, &bundle),
            &holdout,
            &incumbent,
            context.seed,
        )?;
        context.count("rows", holdout.records.n_rows());
        context.report("evaluation", &evaluation);
        Ok((evaluation,))
    }
}

/// The holdout as the metrics want it.
pub(crate) struct Truth {
    pub labels: Vec<Label>,
    pub threats: Vec<bool>,
}

fn evaluate(
    config: &EvaluationConfig,
    (digest, bundle): (Digest, &ModelBundle),
    holdout: &HoldoutSet,
    incumbent: &Incumbent,
    seed: u64,
) -> Result<Evaluation, RegistryError> {
    config.check()?;
    let n = config.resamples;
    let records = &holdout.records;
    if records.n_rows() == 0 {
        return Err(RegistryError::EmptyHoldout);
    }
    let labels = records.labels(&bundle.schema);
    let threats: Vec<bool> = labels.iter().map(|label| label.is_threat()).collect();
    let truth = Truth { labels, threats };
    let scores = bundle.score(&records.table)?;
    let ranked = RankedScores::new(&scores.threat, &truth.threats);
    let bootstrap = GroupBootstrap::new(&records.groups, n, seed);
    let overlapping = holdout.overlaps_training.iter().filter(|&&o| o).count();
    let without_overlap = (overlapping > 0 && overlapping < records.n_rows()).then(|| {
        let rows: Vec<usize> = (0..records.n_rows())
            .filter(|&row| !holdout.overlaps_training[row])
            .collect();
        metrics_of_rows(bundle, holdout, &scores, &truth, &rows, (n, seed))
    });
    Ok(Evaluation {
        bundle: digest,
        simulated: bundle.simulated || holdout.simulated,
        n_rows: records.n_rows() as u64,
        n_groups: bootstrap.n_groups() as u64,
        n_threats: truth.threats.iter().filter(|&&t| t).count() as u64,
        n_overlapping: overlapping as u64,
        metrics: HoldoutMetrics::of(&ranked, &bundle.thresholds, &bootstrap),
        without_overlap,
        at_operating: ranked.confusion(bundle.thresholds.operating, None),
        at_f1: ranked.confusion(bundle.thresholds.f1, None),
        class_names: bundle.class_names().iter().map(str::to_owned).collect(),
        classes: class_matrix(bundle, &scores, &truth),
        families: families(bundle, holdout, &scores),
        majority_accuracy: majority(&truth.threats),
        curves: Curves {
            roc: ranked.roc_curve(CURVE_POINTS, None),
            pr: ranked.pr_curve(CURVE_POINTS, None),
            reliability: ranked.reliability(None),
        },
        comparison: comparison::compare(
            config,
            bundle,
            holdout,
            incumbent,
            (&scores, &truth),
            seed,
        )?,
        canary: canary(&records.table, &scores),
    })
}

fn metrics_of_rows(
    bundle: &ModelBundle,
    holdout: &HoldoutSet,
    scores: &Scores,
    truth: &Truth,
    rows: &[usize],
    (resamples, seed): (u32, u64),
) -> HoldoutMetrics {
    let pick: Vec<f64> = rows.iter().map(|&row| scores.threat[row]).collect();
    let threats: Vec<bool> = rows.iter().map(|&row| truth.threats[row]).collect();
    let groups: Vec<_> = rows
        .iter()
        .map(|&row| holdout.records.groups[row])
        .collect();
    let ranked = RankedScores::new(&pick, &threats);
    HoldoutMetrics::of(
        &ranked,
        &bundle.thresholds,
        &GroupBootstrap::new(&groups, resamples, seed),
    )
}

fn class_matrix(bundle: &ModelBundle, scores: &Scores, truth: &Truth) -> ConfusionMatrix {
    let decided: Vec<Label> = (0..truth.labels.len())
        .map(|row| bundle.verdict(scores, row))
        .collect();
    ConfusionMatrix::new(bundle.class_names().len(), &truth.labels, &decided, None)
}

fn families(bundle: &ModelBundle, holdout: &HoldoutSet, scores: &Scores) -> Vec<FamilyRecall> {
    let families = holdout.records.families(&bundle.schema);
    let names = bundle.schema.target.family_names();
    names
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let family = Label::from_class(class);
            let rows: Vec<usize> = (0..families.len())
                .filter(|&row| families[row] == family)
                .collect();
            let right = |threshold: f64| {
                let flagged =
                    |row: &&usize| (scores.threat[**row] >= threshold) == family.is_threat();
                rows.iter().filter(flagged).count() as f64 / rows.len() as f64
            };
            FamilyRecall {
                family: name.to_owned(),
                rows: rows.len() as u64,
                at_operating: right(bundle.thresholds.operating),
                at_f1: right(bundle.thresholds.f1),
            }
        })
        .filter(|family| family.rows > 0)
        .collect()
}

fn majority(threats: &[bool]) -> f64 {
    let share = threats.iter().filter(|&&t| t).count() as f64 / threats.len() as f64;
    share.max(1.0 - share)
}

fn canary(table: &Table, scores: &Scores) -> Canary {
    let rows: Vec<usize> = (0..table.n_rows().min(CANARY_ROWS)).collect();
    Canary {
        table: table.select(&rows),
        threat: scores.threat[..rows.len()].to_vec(),
    }
}

impl Canary {
    /// Queries a bundle that was written and read back; the probabilities must be the same, to the bit.
    ///
    /// # Errors
    /// A sentence with the first difference.
    pub fn query(&self, bundle: &ModelBundle) -> Result<(), String> {
        let scores = bundle.score(&self.table).map_err(|e| e.to_string())?;
        for (row, (got, expected)) in scores.threat.iter().zip(&self.threat).enumerate() {
            if got.to_bits() != expected.to_bits() {
                return Err(format!(
                    "canary row {row} scores {got} instead of {expected}"
                ));
            }
        }
        Ok(())
    }
}

/// Returns the groups that neither model has trained on.
pub(crate) fn unseen_rows(holdout: &HoldoutSet, champion: &TrainingGroups) -> Vec<usize> {
    let groups = &holdout.records.groups;
    (0..groups.len())
        .filter(|&row| !holdout.overlaps_training[row] && !champion.contains(groups[row]))
        .collect()
}
