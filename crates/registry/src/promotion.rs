//! Stage `promotion`: whether the candidate becomes the champion, and the entry that says so.

use artifact::{Artifact, Context, Stage, clock};
use dataset::Schema;
use model::{ModelBundle, TrainingGroups, resampling::Interval};
use serde::{Deserialize, Serialize};

use crate::{Action, Comparison, Entry, Evaluation, History, Registry, RegistryError, Seal};

/// Configuration of the stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromotionConfig {
    /// How much worse than the champion the candidate may be: the lower 95 % bound of the paired
    /// PR AUC difference must be at least the negative of this.
    pub margin: f64,
}

impl Default for PromotionConfig {
    fn default() -> Self {
        Self { margin: 0.005 }
    }
}

impl PromotionConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`RegistryError::Margin`].
    pub fn check(&self) -> Result<(), RegistryError> {
        let margin = self.margin;
        if (0.0..=1.0).contains(&margin) {
            Ok(())
        } else {
            Err(RegistryError::Margin { margin })
        }
    }
}

/// Somebody's decision to set the rules aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Why; recorded in the history.
    pub why: String,
}

/// The promotion stage.
pub struct Promotion {
    config: PromotionConfig,
    registry: Registry,
    name: String,
    run: String,
    now: clock::Timestamp,
    forced: Option<Override>,
}

/// What came of asking the bundle as it was written.
enum Written {
    Sound,
    /// It answers otherwise than it did.
    Odd(String),
    /// No trusted key has signed it.
    Unsigned(String),
}

/// What speaks against the candidate.
#[derive(Clone, Copy)]
struct Case<'a> {
    /// What the rules say, which may be set aside.
    against: &'a [String],
    /// That nobody vouches for it.
    unsigned: Option<&'a str>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionRecord {
    /// Name of the registered model.
    pub model: String,
    /// Whether the candidate became the champion.
    pub promoted: bool,
    /// Whether an identical bundle is registered already.
    pub unchanged: bool,
    /// Whether the candidate's bundle is the champion after all.
    pub serving: bool,
    /// The version that was made; none for an identical bundle.
    pub version: Option<u64>,
    /// The champion's version after all.
    pub champion: Option<u64>,
    /// Why it was declined, what was set aside, or what it was promoted over.
    pub reasons: Vec<String>,
}

impl Artifact for PromotionRecord {
    const KIND: &'static str = "promotion-record";
    const LAYOUT: u16 = 2;
    artifact::payload!();
}

impl Promotion {
    /// Makes the stage: the registered model's name, the run's name, and the present moment for the
    /// history's entry.
    pub fn new(
        config: PromotionConfig,
        registry: Registry,
        name: impl Into<String>,
        run: impl Into<String>,
        now: clock::Timestamp,
    ) -> Self {
        Self {
            config,
            registry,
            name: name.into(),
            run: run.into(),
            now,
            forced: None,
        }
    }

    /// Sets the rules aside; what they say is still recorded.
    pub fn forced(mut self, forced: Option<Override>) -> Self {
        self.forced = forced;
        self
    }
}

impl Stage for Promotion {
    const NAME: &'static str = "promotion";
    const ORDER: u8 = 6;
    type Config = PromotionConfig;
    type Inputs = (ModelBundle, TrainingGroups, Evaluation);
    type Outputs = (PromotionRecord,);
    type Error = RegistryError;

    fn config(&self) -> &PromotionConfig {
        &self.config
    }

    fn run(
        &self,
        (bundle, groups, evaluation): Self::Inputs,
        context: &mut Context,
    ) -> Result<Self::Outputs, RegistryError> {
        let record = self.decide(&bundle, &groups, &evaluation)?;
        context.report("promotion", &record);
        Ok((record,))
    }
}

impl Promotion {
    fn decide(
        &self,
        bundle: &ModelBundle,
        groups: &TrainingGroups,
        evaluation: &Evaluation,
    ) -> Result<PromotionRecord, RegistryError> {
        self.config.check()?;
        let written = self.registry.write(bundle)?;
        if evaluation.bundle != written {
            return Err(RegistryError::OtherEvaluation {
                evaluated: evaluation.bundle.short(),
                bundle: written.short(),
            });
        }
        let draft = Entry {
            sequence: 0,
            previous: None,
            model: None,
            at: clock::rfc3339(self.now),
            action: Action::Declined,
            version: 0,
            bundle: written,
            training_groups: self.registry.write(groups)?,
            evaluation: self.registry.write(evaluation)?,
            run: self.run.clone(),
            simulated: bundle.simulated,
            reasons: Vec::new(),
            why: self.forced.as_ref().map(|f| f.why.clone()),
        };
        let mut against: Vec<String> = too_little(evaluation).into_iter().collect();
        against.extend(minima(&bundle.schema, evaluation));
        against.extend(against_champion(&self.config, &evaluation.comparison));
        self.seal(&draft)?;
        let mut unsigned = None;
        match self.query_written(&draft, evaluation)? {
            Written::Sound => {}
            Written::Odd(reason) => against.push(reason),
            Written::Unsigned(reason) => unsigned = Some(reason),
        }
        let case = Case {
            against: &against,
            unsigned: unsigned.as_deref(),
        };
        let appended = self.registry.append(&self.name, |history| {
            Ok(self.entry(history, &draft, case, evaluation))
        })?;
        let history = self.registry.history(&self.name)?;
        Ok(self.record(&history, appended, &draft))
    }

    /// Vouches for what is new. A signature that somebody has withdrawn does not come back by training the same
    /// again.
    fn seal(&self, draft: &Entry) -> Result<(), RegistryError> {
        let history = self.registry.history(&self.name)?;
        if !history.decisions().any(|e| is_of(e, draft)) {
            self.registry.seal(&self.name, draft)?;
        }
        Ok(())
    }

    /// Loads the bundle as written and queries it, as a server would.
    fn query_written(
        &self,
        draft: &Entry,
        evaluation: &Evaluation,
    ) -> Result<Written, RegistryError> {
        match self.registry.bundle(&self.name, draft) {
            Ok(written) => Ok(match evaluation.canary.query(&written) {
                Ok(()) if !self.registry.vouches() => Written::Unsigned(
                    "no trusted key signs its promotion: set NETSEC_SIGNING_KEY, or promote it by hand".to_owned(),
                ),
                Ok(()) => Written::Sound,
                Err(reason) => Written::Odd(reason),
            }),
            Err(RegistryError::Untrusted { seal, .. }) => {
                Ok(Written::Unsigned(self.unsigned(draft, &seal)?))
            }
            Err(error) => Err(error),
        }
    }

    /// Says why no trusted key has signed the version: there is no such key here, or somebody was first to name it.
    fn unsigned(&self, draft: &Entry, seal: &Seal) -> Result<String, RegistryError> {
        let name = &self.name;
        if !self.registry.vouches() {
            return Ok(format!(
                "the version {seal}: set NETSEC_SIGNING_KEY to a trusted key, or sign version and entry once they are looked at \
                 (`netsec models sign {name} --version N --entry K`, as `netsec models history {name}` numbers them) and \
                 promote it by hand"
            ));
        }
        let history = self.registry.history(name)?;
        let first = history.decisions().find(|e| is_of(e, draft));
        Ok(first.map_or_else(
            || format!("the version {seal}: `netsec models verify {name}` says more"),
            |Entry { sequence, version, .. }| {
                format!(
                    "the version {seal}, and a run signs nothing that the history names before it: if one of you has made entry \
                     {sequence}, `netsec models sign {name} --version {version} --entry {sequence}` signs both, and it can \
                     be promoted by hand"
                )
            },
        ))
    }

    /// Writes the entry for the history as it stands; none when the bundle is known already.
    fn entry(
        &self,
        history: &History,
        draft: &Entry,
        case: Case<'_>,
        evaluation: &Evaluation,
    ) -> Option<Entry> {
        let known = history.with_bundle(draft.bundle);
        let taken_away = known.and_then(|known| history.withdrawal(known.version));
        let is_withdrawn = |note: &Entry| known.is_some_and(|e| note.withdraws(e.version));
        if taken_away.is_some_and(is_withdrawn) {
            return None;
        }
        let mut reasons = case.against.to_vec();
        reasons.extend(moved_champion(history, &evaluation.comparison));
        let is_good_enough = reasons.is_empty() || self.forced.is_some();
        // Nobody would load it: that is no rule to be set aside.
        let promoted = is_good_enough && case.unsigned.is_none();
        reasons.extend(case.unsigned.map(str::to_owned));
        let is_champion = history.champion().is_some_and(|c| c.bundle == draft.bundle);
        // What was declined may pass another time; a former champion comes back by a rollback alone.
        let nothing_new = |known: &Entry| match known.action {
            Action::Declined => !promoted && known.reasons == reasons,
            _ => self.forced.is_none(),
        };
        // Of one of which no decision counts, nothing is known: else whoever forges an entry would ban what it names.
        let decided = known.filter(|_| taken_away.is_none());
        if is_champion || decided.is_some_and(nothing_new) {
            return None;
        }
        Some(Entry {
            action: if promoted {
                Action::Promoted
            } else {
                Action::Declined
            },
            version: known.map_or(history.next_version(), |k| k.version),
            reasons,
            ..draft.clone()
        })
    }

    fn record(&self, history: &History, appended: Option<Entry>, draft: &Entry) -> PromotionRecord {
        let champion = history.champion().map(|c| c.version);
        let serving = history.champion().is_some_and(|c| c.bundle == draft.bundle);
        let Some(entry) = appended else {
            let known = history.with_bundle(draft.bundle);
            return PromotionRecord {
                model: self.name.clone(),
                promoted: false,
                unchanged: true,
                serving,
                version: None,
                champion,
                reasons: known
                    .map(|known| self.same_bundle(history, known, serving))
                    .into_iter()
                    .collect(),
            };
        };
        PromotionRecord {
            model: self.name.clone(),
            promoted: entry.action == Action::Promoted,
            unchanged: false,
            serving,
            version: Some(entry.version),
            champion,
            reasons: entry.reasons,
        }
    }

    /// Says which version a bundle is already, and what makes it the champion when it is not.
    fn same_bundle(&self, history: &History, known: &Entry, serving: bool) -> String {
        let (name, version) = (&self.name, known.version);
        if let Some(note) = history.withdrawal(version) {
            let why = note.why.as_deref().unwrap_or_default();
            return format!(
                "this very bundle, version {version}, was withdrawn ({why}) and does not come back: other rows or \
                 another --seed make another"
            );
        }
        match known.action {
            _ if serving => format!("version {version}, the champion, is this very bundle"),
            Action::Declined => format!(
                "version {version}, declined for the same reasons ({}), is this very bundle",
                known.reasons.join("; ")
            ),
            _ => format!(
                "version {version}, a former champion, is this very bundle: `netsec models rollback \
                 {name} --to {version}` makes it the champion again"
            ),
        }
    }
}

/// Returns whether an entry is about the same evaluated bundle as another.
fn is_of(entry: &Entry, other: &Entry) -> bool {
    (entry.bundle, entry.evaluation) == (other.bundle, other.evaluation)
}

/// Rows of each class below which no holdout tells anything, whatever its metrics say.
const LEAST_OF_A_CLASS: u64 = 10;

/// Says when the holdout is no evidence: hardly any rows, or none that training has not seen.
fn too_little(evaluation: &Evaluation) -> Option<String> {
    let Evaluation {
        n_rows,
        n_threats,
        n_overlapping,
        ..
    } = *evaluation;
    if n_overlapping == n_rows {
        return Some(format!(
            "all {n_rows} holdout rows have feature vectors that training has seen: give others"
        ));
    }
    let n_benign = n_rows - n_threats;
    (n_threats.min(n_benign) < LEAST_OF_A_CLASS).then(|| {
        format!(
            "the holdout has {n_threats} threats and {n_benign} benign rows, at least \
             {LEAST_OF_A_CLASS} of each are asked"
        )
    })
}

/// Lists the schema's minima that the evaluation misses, and the one that holds without any: a ROC AUC
/// above that of chance.
fn minima(schema: &Schema, evaluation: &Evaluation) -> Vec<String> {
    let asked = &schema.promotion;
    // Rows of a given holdout that also stand in training prove nothing.
    let unseen = evaluation.without_overlap.as_ref();
    let got = unseen.unwrap_or(&evaluation.metrics);
    let least = |name: &str, got: f64, least: Option<f64>| {
        // An undefined metric fails as well.
        let least = least.filter(|least| got.is_nan() || got < *least)?;
        Some(format!(
            "{name} on the holdout is {got:.4}, at least {least} is asked"
        ))
    };
    let most = |name: &str, got: f64, most: Option<f64>| {
        let most = most.filter(|most| got.is_nan() || got > *most)?;
        Some(format!(
            "{name} on the holdout is {got:.4}, at most {most} is allowed"
        ))
    };
    let n_threats = evaluation.n_threats as f64;
    let n_benign = evaluation.n_rows as f64 - n_threats;
    [
        chance(got.roc_auc, n_threats, n_benign),
        least("PR AUC", got.pr_auc.value, asked.pr_auc),
        least("ROC AUC", got.roc_auc.value, asked.roc_auc),
        least(
            "recall at the operating threshold",
            got.recall.value,
            asked.recall,
        ),
        most("the false-positive rate", got.fpr.value, asked.max_fpr),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Says when a model cannot be told from a coin: the lower 95 % bound of its ROC AUC is not above 0.5. Without
/// resamples the bound is that of independent rows (Hanley and McNeil 1982).
fn chance(roc_auc: Interval, n_threats: f64, n_benign: f64) -> Option<String> {
    let value = roc_auc.value;
    let low = if roc_auc.low.is_nan() {
        value - 1.96 * standard_error(value, n_threats, n_benign)
    } else {
        roc_auc.low
    };
    let told = low > 0.5;
    (!told).then(|| {
        format!(
            "no better than chance: ROC AUC on the holdout is {value:.4}, its lower 95 % bound \
             {low:.4}, more than 0.5 is asked"
        )
    })
}

/// Returns the standard error of a ROC AUC over independent rows (Hanley and McNeil 1982).
fn standard_error(auc: f64, n_threats: f64, n_benign: f64) -> f64 {
    let square = auc * auc;
    let two_threats = auc / (2.0 - auc) - square;
    let two_benign = 2.0 * square / (1.0 + auc) - square;
    let variance =
        auc * (1.0 - auc) + (n_threats - 1.0) * two_threats + (n_benign - 1.0) * two_benign;
    (variance / (n_threats * n_benign)).sqrt()
}

fn against_champion(config: &PromotionConfig, comparison: &Comparison) -> Option<String> {
    match comparison {
        Comparison::NoChampion => None,
        Comparison::NotComparable {
            version, reason, ..
        } => Some(format!(
            "not comparable with champion version {version}: {reason}"
        )),
        Comparison::Compared {
            version,
            groups,
            difference,
            ..
        } => {
            let allowed = -config.margin;
            if difference.low >= allowed {
                return None;
            }
            let (value, low) = (difference.value, difference.low);
            Some(format!(
                "PR AUC against champion version {version} on {groups} unseen groups: {value:+.4}, \
                 lower 95 % bound {low:+.4}, at least {allowed:+.4} is asked"
            ))
        }
    }
}

/// Says when the champion is no longer the one that the candidate was compared with.
fn moved_champion(history: &History, comparison: &Comparison) -> Option<String> {
    let compared = match comparison {
        Comparison::NoChampion => None,
        Comparison::NotComparable { version, .. } | Comparison::Compared { version, .. } => {
            Some(*version)
        }
    };
    let now = history.champion().map(|c| c.version);
    let name = |version: Option<u64>| version.map_or("none".to_owned(), |v| format!("version {v}"));
    (compared != now).then(|| {
        format!(
            "the champion changed during the run, from {} to {}: run again, from the stage `champion` on",
            name(compared),
            name(now)
        )
    })
}
