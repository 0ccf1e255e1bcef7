//! Drift: whether fresh data still looks like the data that a model was trained on.
//!
//! Every column is tested with what suits it, and a column has drifted only when a p-value, adjusted
//! for all columns, and the effect size of the same test both say so: at 100,000 rows every p-value
//! rejects, and at 50 rows every effect is large.

mod statistics;

use serde::{Deserialize, Serialize};

pub use statistics::{
    ChiSquared2xK, PooledCounts, benjamini_hochberg, chi_squared_test, fisher_exact_p_value,
    jensen_shannon_distance, ks_p_value, ks_statistic, pool_rare, wasserstein_distance,
};

use crate::profile::{
    ColumnProfile, Profile, QuantileSketch, Scale, Values,
    levels::{align, hashed},
};

/// When a difference counts as drift.
///
/// The default effect sizes are those that monitoring tools agree on (Evidently's for data sets of
/// over 1,000 rows): 0.1 is a binary column going from 50 % to 62 %, or from 1 % to 4 %; a mean that
/// moves by a tenth of a standard deviation; a tenth of the rows on another side of some value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DriftConfig {
    /// Probability of any alarm when nothing has drifted, over all columns together, in (0, 1).
    pub false_alarm_rate: f64,
    /// Least Jensen–Shannon distance (base 2) of levels, and of missing against present, in [0, 1].
    pub jensen_shannon: f64,
    /// Least Wasserstein distance of numbers, in standard deviations of the reference.
    pub wasserstein_in_std: f64,
    /// Least Kolmogorov–Smirnov statistic of numbers, in [0, 1]. Either of the two suffices: one
    /// outlier in the reference makes its standard deviation, and so the other measure, useless.
    pub kolmogorov_smirnov: f64,
}

impl Default for DriftConfig {
    fn default() -> Self {
        Self {
            false_alarm_rate: 0.05,
            jensen_shannon: 0.1,
            wasserstein_in_std: 0.1,
            kolmogorov_smirnov: 0.1,
        }
    }
}

impl DriftConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<(), String> {
        if !(self.false_alarm_rate > 0.0 && self.false_alarm_rate < 1.0) {
            let rate = self.false_alarm_rate;
            return Err(format!("false_alarm_rate {rate} is not between 0 and 1"));
        }
        let effects = [
            ("jensen_shannon", self.jensen_shannon),
            ("wasserstein_in_std", self.wasserstein_in_std),
            ("kolmogorov_smirnov", self.kolmogorov_smirnov),
        ];
        match effects
            .iter()
            .find(|(_, least)| !(0.0..f64::INFINITY).contains(least))
        {
            Some((name, least)) => Err(format!("{name} {least} is not at least 0")),
            None => Ok(()),
        }
    }
}

/// Compares fresh data with a reference, column by column.
///
/// Columns are matched by name. A column's values are tested by chi-squared where both sides have
/// levels (or hashed levels; the rarest by Fisher's test), and by Kolmogorov–Smirnov where a side has
/// quantiles or most levels of numbers are rare; where a cell is missing on any side, the share of
/// missing cells is tested as two levels. All p-values are adjusted together. Without a reference, or
/// with one of no rows, the verdict is [`DriftVerdict::NoReference`]; fresh data of no rows is stable.
pub fn compare(reference: Option<&Profile>, fresh: &Profile, config: &DriftConfig) -> DriftReport {
    let mut report = DriftReport {
        verdict: DriftVerdict::NoReference,
        false_alarm_rate: config.false_alarm_rate,
        rows_reference: reference.map_or(0, |r| r.n_rows),
        rows_fresh: fresh.n_rows,
        columns: Vec::new(),
        not_compared: Vec::new(),
    };
    let Some(reference) = reference.filter(|r| r.n_rows > 0) else {
        return report;
    };
    for column in &reference.columns {
        match fresh.column(&column.name) {
            Some(fresh) if is_comparable(column, fresh) => {
                report.columns.push(ColumnDrift::of(column, fresh, config));
            }
            _ => report.not_compared.push(column.name.clone()),
        }
    }
    let is_new = |c: &&ColumnProfile| reference.column(&c.name).is_none();
    let new = fresh.columns.iter().filter(is_new);
    report.not_compared.extend(new.map(|c| c.name.clone()));
    report.decide();
    report
}

fn is_comparable(reference: &ColumnProfile, fresh: &ColumnProfile) -> bool {
    (reference.scale == Scale::Text) == (fresh.scale == Scale::Text)
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftReport {
    /// Whether any column has drifted.
    pub verdict: DriftVerdict,
    /// The configured probability of any alarm when nothing has drifted.
    pub false_alarm_rate: f64,
    /// Rows of the reference.
    pub rows_reference: u64,
    /// Rows of the fresh data.
    pub rows_fresh: u64,
    /// One entry a column of both sides, in the reference's order.
    pub columns: Vec<ColumnDrift>,
    /// Columns that only one side has, or that are text on one side only.
    pub not_compared: Vec<String>,
}

/// The verdict over all columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftVerdict {
    /// There is nothing to compare with.
    NoReference,
    /// No column has drifted.
    Stable,
    /// At least one column has drifted.
    Drifted,
}

/// What was found about one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnDrift {
    /// Name of the column.
    pub name: String,
    /// Whether its values or its share of missing cells have drifted.
    pub drifted: bool,
    /// The test of its values; `None` when a side has none.
    pub values: Option<Finding>,
    /// The test of its share of missing cells; `None` when no cell is missing on either side.
    pub missing: Option<Finding>,
    /// Share of missing cells in the reference, in [0, 1].
    pub missing_share_reference: f64,
    /// Share of missing cells in the fresh data, in [0, 1].
    pub missing_share_fresh: f64,
}

/// One test of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The test.
    pub test: Test,
    /// Its statistic.
    pub statistic: f64,
    /// Bound of the statistic's error where sketches stood for the values; 0 where it is exact.
    pub statistic_error: f64,
    /// The p-value.
    pub p_value: f64,
    /// The p-value adjusted for all tests of the report.
    pub p_adjusted: f64,
    /// The effect size; of two that apply, the one that exceeds its threshold further.
    pub effect: f64,
    /// What the effect size is.
    pub effect_name: Effect,
    /// The effect size from which on it counts as drift.
    pub effect_threshold: f64,
    /// Whether both the adjusted p-value and the effect say drift.
    pub drifted: bool,
}

/// A test of two distributions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Pearson's, rare levels pooled.
    ChiSquared,
    /// Fisher's, of the rarest levels (or missing cells) against all others. Its statistic is their
    /// number in the fresh data.
    FisherExact,
    /// The two-sample test.
    KolmogorovSmirnov,
}

/// A measure of how far two distributions are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Jensen–Shannon distance, base 2.
    JensenShannon,
    /// Wasserstein distance in standard deviations of the reference.
    WassersteinInStd,
    /// Greatest difference of the distribution functions.
    KolmogorovSmirnov,
}

impl DriftReport {
    /// Returns the columns that have drifted, in the reference's order.
    pub fn drifted(&self) -> impl Iterator<Item = &ColumnDrift> {
        self.columns.iter().filter(|c| c.drifted)
    }

    /// Adjusts all p-values together, then lets each test speak, then each column, then all.
    fn decide(&mut self) {
        let rate = self.false_alarm_rate;
        let mut findings: Vec<&mut Finding> = self
            .columns
            .iter_mut()
            .flat_map(ColumnDrift::findings_mut)
            .collect();
        let p_values: Vec<f64> = findings.iter().map(|f| f.p_value).collect();
        for (finding, p_adjusted) in findings.iter_mut().zip(benjamini_hochberg(&p_values)) {
            finding.p_adjusted = p_adjusted;
            finding.drifted = p_adjusted <= rate && finding.effect >= finding.effect_threshold;
        }
        for column in &mut self.columns {
            let any = column.findings_mut().any(|f| f.drifted);
            column.drifted = any;
        }
        self.verdict = if self.drifted().next().is_some() {
            DriftVerdict::Drifted
        } else {
            DriftVerdict::Stable
        };
    }
}

impl ColumnDrift {
    fn of(reference: &ColumnProfile, fresh: &ColumnProfile, config: &DriftConfig) -> Self {
        Self {
            name: reference.name.clone(),
            drifted: false,
            values: compare_values(reference, fresh, config),
            missing: compare_missing(reference, fresh, config),
            missing_share_reference: reference.missing_share(),
            missing_share_fresh: fresh.missing_share(),
        }
    }

    fn findings_mut(&mut self) -> impl Iterator<Item = &mut Finding> {
        self.values.iter_mut().chain(&mut self.missing)
    }
}

fn compare_missing(
    reference: &ColumnProfile,
    fresh: &ColumnProfile,
    config: &DriftConfig,
) -> Option<Finding> {
    let missing = (reference.n_missing, fresh.n_missing);
    let present = (reference.n_present(), fresh.n_present());
    let tested = missing != (0, 0) && reference.n > 0 && fresh.n > 0;
    tested.then(|| compare_counts(&[missing, present], config))
}

fn compare_values(
    reference: &ColumnProfile,
    fresh: &ColumnProfile,
    config: &DriftConfig,
) -> Option<Finding> {
    if reference.n_present() == 0 || fresh.n_present() == 0 {
        return None;
    }
    let is_text = reference.scale == Scale::Text;
    if let Some(pairs) = counts_by_level(reference, fresh).filter(|p| is_text || !is_sparse(p)) {
        return Some(compare_counts(&pairs, config));
    }
    let std = reference.moments().unwrap_or_default().std;
    Some(compare_numbers(
        &*reference.distribution()?,
        &*fresh.distribution()?,
        std,
        config,
    ))
}

/// Counts of both sides a level or a bucket; `None` when a side has quantiles.
fn counts_by_level(reference: &ColumnProfile, fresh: &ColumnProfile) -> Option<Vec<(u64, u64)>> {
    if let (Values::Levels(a), Values::Levels(b)) = (&reference.values, &fresh.values) {
        return Some(align(a, b));
    }
    if reference.scale != Scale::Text {
        return None;
    }
    let (a, b) = (hashed(&reference.values)?, hashed(&fresh.values)?);
    Some(a.iter().copied().zip(b.iter().copied()).collect())
}

/// Whether most rows hold rare levels, so that the order of numbers tells more than their counts.
fn is_sparse(pairs: &[(u64, u64)]) -> bool {
    let total: u64 = pairs.iter().map(|(a, b)| a + b).sum();
    2 * pool_rare(pairs).n_rare > total
}

/// Tests the cells by chi-squared and the rest of the rare levels by Fisher's test; of two p-values
/// the smaller one counts, doubled.
fn compare_counts(pairs: &[(u64, u64)], config: &DriftConfig) -> Finding {
    let pooled = pool_rare(pairs);
    let common = chi_squared_test(&pooled.cells);
    let mut finding = Finding {
        test: Test::ChiSquared,
        statistic: common.statistic,
        statistic_error: 0.0,
        p_value: common.p_value,
        p_adjusted: 1.0,
        effect: jensen_shannon_distance(pairs),
        effect_name: Effect::JensenShannon,
        effect_threshold: config.jensen_shannon,
        drifted: false,
    };
    if pooled.rest != (0, 0) {
        let others = pooled
            .cells
            .iter()
            .fold((0, 0), |s, c| (s.0 + c.0, s.1 + c.1));
        let rare = fisher_exact_p_value(pooled.rest, others);
        if rare < common.p_value {
            finding.test = Test::FisherExact;
            finding.statistic = pooled.rest.1 as f64;
        }
        let n_tests = if common.degrees > 0 { 2.0 } else { 1.0 };
        finding.p_value = (n_tests * rare.min(common.p_value)).min(1.0);
    }
    finding
}

fn compare_numbers(
    a: &QuantileSketch,
    b: &QuantileSketch,
    std: f64,
    config: &DriftConfig,
) -> Finding {
    let statistic = ks_statistic(a, b);
    let mut finding = Finding {
        test: Test::KolmogorovSmirnov,
        statistic,
        statistic_error: (a.rank_error() + b.rank_error()).min(1.0),
        p_value: ks_p_value(statistic, a.n(), b.n()),
        p_adjusted: 1.0,
        effect: statistic,
        effect_name: Effect::KolmogorovSmirnov,
        effect_threshold: config.kolmogorov_smirnov,
        drifted: false,
    };
    if std > 0.0 {
        let moved = wasserstein_distance(a, b, std);
        if moved * config.kolmogorov_smirnov > statistic * config.wasserstein_in_std {
            finding.effect = moved;
            finding.effect_name = Effect::WassersteinInStd;
            finding.effect_threshold = config.wasserstein_in_std;
        }
    }
    finding
}

#[cfg(test)]
mod tests;
