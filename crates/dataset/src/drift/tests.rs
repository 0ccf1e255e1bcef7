use serde::Deserialize;

use super::*;
use crate::{Schema, Table, TableColumn};

#[derive(Deserialize)]
struct Fixture {
    samples: Vec<SampleCase>,
    exact: Vec<ExactCase>,
    counts: Vec<CountCase>,
    rare: Vec<RareCase>,
    adjusted: Vec<AdjustedCase>,
}

#[derive(Deserialize)]
struct SampleCase {
    name: String,
    a: Vec<f64>,
    b: Vec<f64>,
    ks: f64,
    p_limit: f64,
    wasserstein: f64,
}

#[derive(Deserialize)]
struct ExactCase {
    n: u64,
    m: u64,
    ks: f64,
    p_exact: f64,
}

#[derive(Deserialize)]
struct CountCase {
    name: String,
    a: Vec<u64>,
    b: Vec<u64>,
    statistic: f64,
    degrees: usize,
    p_value: f64,
    jensen_shannon: f64,
}

#[derive(Deserialize)]
struct RareCase {
    cell: (u64, u64),
    others: (u64, u64),
    p_value: f64,
    p_one_sided: f64,
}

#[derive(Deserialize)]
struct AdjustedCase {
    p: Vec<f64>,
    adjusted: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../tests/fixtures/drift.json")).unwrap()
}

#[track_caller]
fn check_near(what: &str, found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs();
    assert!(
        error <= tolerance * expected.abs().max(1.0),
        "{what}: {found}, expected {expected}"
    );
}

#[test]
fn distances_of_samples_are_those_of_scipy() {
    for case in fixture().samples {
        let (a, b) = (
            QuantileSketch::exact(&case.a),
            QuantileSketch::exact(&case.b),
        );
        check_near(&case.name, ks_statistic(&a, &b), case.ks, 1e-12);
        check_near(
            &case.name,
            ks_p_value(case.ks, a.n(), b.n()),
            case.p_limit,
            1e-12,
        );
        check_near(
            &case.name,
            wasserstein_distance(&a, &b, 1.0),
            case.wasserstein,
            1e-12,
        );
        check_near(
            &case.name,
            wasserstein_distance(&b, &a, 4.0),
            case.wasserstein / 4.0,
            1e-12,
        );
    }
}

#[test]
fn the_limiting_p_value_errs_towards_no_alarm() {
    let cases = fixture().exact;
    assert!(cases.len() > 50, "{} cases", cases.len());
    for ExactCase { n, m, ks, p_exact } in cases {
        let ratio = ks_p_value(ks, n, m) / p_exact;
        let most = if n == m { 1.04 } else { 1.26 };
        assert!(
            (0.99..most).contains(&ratio),
            "{n} and {m}, D {ks}: {ratio} of {p_exact}"
        );
    }
}

#[test]
fn counts_are_tested_as_by_scipy() {
    for case in fixture().counts {
        let pairs: Vec<_> = case.a.into_iter().zip(case.b).collect();
        let test = chi_squared_test(&pairs);
        assert_eq!(test.degrees, case.degrees, "{}", case.name);
        check_near(&case.name, test.statistic, case.statistic, 1e-12);
        check_near(&case.name, test.p_value, case.p_value, 1e-12);
        let distance = jensen_shannon_distance(&pairs);
        check_near(&case.name, distance, case.jensen_shannon, 1e-9);
    }
}

#[test]
fn tails_keep_their_relative_precision() {
    let case = fixture()
        .counts
        .into_iter()
        .find(|c| c.name == "far tail")
        .unwrap();
    let pairs: Vec<_> = case.a.into_iter().zip(case.b).collect();
    let ratio = chi_squared_test(&pairs).p_value / case.p_value;
    assert!((ratio - 1.0).abs() < 1e-6, "{ratio}");
}

#[test]
fn p_values_are_adjusted_as_by_scipy() {
    for case in fixture().adjusted {
        for (found, expected) in benjamini_hochberg(&case.p).iter().zip(&case.adjusted) {
            check_near("adjusted", *found, *expected, 1e-14);
        }
    }
    assert!(benjamini_hochberg(&[]).is_empty());
}

#[test]
fn rare_levels_are_packed_into_pools_that_are_not_rare() {
    let check = |pairs: &[(u64, u64)], cells: &[(u64, u64)], rest: (u64, u64)| {
        let pooled = pool_rare(pairs);
        assert_eq!((pooled.cells.as_slice(), pooled.rest), (cells, rest));
    };
    check(&[(50, 50), (5, 5)], &[(50, 50), (5, 5)], (0, 0));
    check(&[(50, 50), (2, 3), (3, 3)], &[(50, 50), (5, 6)], (0, 0));
    check(
        &[(50, 51), (1, 0), (4, 4), (1, 1)],
        &[(50, 51), (5, 5)],
        (1, 0),
    );
    check(&[(0, 0), (50, 50)], &[(50, 50)], (0, 0));
    check(&[], &[], (0, 0));
}

#[test]
fn the_exact_test_of_a_rare_cell_is_at_least_that_of_scipy() {
    for case in fixture().rare {
        let p = fisher_exact_p_value(case.cell, case.others);
        let range = case.p_value * (1.0 - 1e-9)..=(2.0 * case.p_value).min(1.0) * (1.0 + 1e-9);
        assert!(range.contains(&p), "{:?}: {p}, {}", case.cell, case.p_value);
        let doubled = (2.0 * case.p_one_sided).min(1.0);
        assert!(
            (p / doubled - 1.0).abs() < 1e-6,
            "{:?}: {p}, {doubled}",
            case.cell
        );
        let mirrored = fisher_exact_p_value(swapped(case.cell), swapped(case.others));
        check_near("mirrored", mirrored, p, 1e-9);
    }
}

fn swapped((a, b): (u64, u64)) -> (u64, u64) {
    (b, a)
}

/// SplitMix64, so that the tests need no crate of random numbers.
struct Stream(u64);

impl Stream {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn normals(&mut self, n: usize, mean: f64) -> Vec<f64> {
        (0..n).map(|_| mean + self.normal()).collect()
    }
}

fn schema(levels: &str) -> Schema {
    let text = "
name: sample
columns:
  - {name: size, type: number}
  - {name: proto, type: text, levels: LEVELS, unknown_levels: accept}
target: {column: label, benign: {normal: [a]}, threats: {dos: [b]}}
";
    Schema::parse(&text.replace("LEVELS", levels), "test").unwrap()
}

fn profile(columns: Vec<(&str, Vec<f64>)>) -> Profile {
    let n_rows = columns.first().map_or(0, |(_, values)| values.len());
    let columns = columns
        .into_iter()
        .map(|(name, values)| TableColumn {
            name: name.to_owned(),
            values,
        })
        .collect();
    let profile = Profile::of(&schema("[icmp, tcp, udp]"), &Table::new(n_rows, columns));
    assert_eq!(profile.check(), Ok(()));
    profile
}

fn compared(reference: Vec<f64>, fresh: Vec<f64>) -> ColumnDrift {
    compared_as("size", reference, fresh)
}

fn compared_as(name: &str, reference: Vec<f64>, fresh: Vec<f64>) -> ColumnDrift {
    let (reference, fresh) = (
        profile(vec![(name, reference)]),
        profile(vec![(name, fresh)]),
    );
    let mut report = compare(Some(&reference), &fresh, &DriftConfig::default());
    report.columns.remove(0)
}

/// Thirty columns of one law: normal, few levels of unequal share, and heavy-tailed with gaps.
fn columns(stream: &mut Stream, n: usize) -> Profile {
    let names: Vec<String> = (0..30).map(|i| format!("c{i}")).collect();
    let value = |stream: &mut Stream, column: usize| match column % 3 {
        0 => stream.normal(),
        1 => (6.0 * stream.uniform().powi(3)).floor(),
        _ if stream.uniform() < 0.1 => f64::NAN,
        _ => (3.0 * stream.normal()).exp(),
    };
    let columns = names
        .iter()
        .enumerate()
        .map(|(i, name)| (name.as_str(), (0..n).map(|_| value(stream, i)).collect()))
        .collect();
    profile(columns)
}

#[test]
fn false_alarms_come_at_the_configured_rate() {
    let without_effect = DriftConfig {
        jensen_shannon: 0.0,
        wasserstein_in_std: 0.0,
        kolmogorov_smirnov: 0.0,
        ..DriftConfig::default()
    };
    let mut stream = Stream(7);
    let repetitions = 400;
    let mut alarms = [0; 2];
    for _ in 0..repetitions {
        let (reference, fresh) = (columns(&mut stream, 700), columns(&mut stream, 400));
        for (alarms, config) in alarms
            .iter_mut()
            .zip([without_effect, DriftConfig::default()])
        {
            let verdict = compare(Some(&reference), &fresh, &config).verdict;
            *alarms += usize::from(verdict == DriftVerdict::Drifted);
        }
    }
    // Three standard errors of a share of 5 % in 400; below 1 % the test would have no power.
    let share = alarms.map(|n| n as f64 / f64::from(repetitions));
    println!(
        "false alarms: {} without effect sizes, {} with",
        share[0], share[1]
    );
    assert!((0.01..=0.083).contains(&share[0]), "{share:?}");
    assert!(share[1] <= share[0], "{share:?}");
}

#[test]
fn a_shifted_column_is_found_among_others() {
    let mut stream = Stream(11);
    let reference = columns(&mut stream, 2000);
    let mut fresh = columns(&mut stream, 500);
    fresh.columns[3] = ColumnProfile {
        name: "c3".to_owned(),
        ..profile(vec![("c", stream.normals(500, 0.5))]).columns[0].clone()
    };
    let report = compare(Some(&reference), &fresh, &DriftConfig::default());
    let drifted: Vec<_> = report.drifted().map(|c| c.name.as_str()).collect();
    assert_eq!(drifted, ["c3"]);
    let found = report.columns[3].values.as_ref().unwrap();
    assert_eq!(found.effect_name, Effect::WassersteinInStd);
    assert!((0.3..0.7).contains(&found.effect), "{found:?}");
}

#[test]
fn a_tiny_shift_of_many_rows_is_significant_but_no_drift() {
    let mut stream = Stream(13);
    let column = compared(stream.normals(100_000, 0.0), stream.normals(100_000, 0.03));
    let found = column.values.unwrap();
    assert!(found.p_adjusted < 0.01, "{found:?}");
    assert!(found.effect < 0.05 && !found.drifted, "{found:?}");
}

#[test]
fn a_large_effect_of_few_rows_is_no_drift() {
    let mut stream = Stream(17);
    let column = compared(stream.normals(1000, 0.0), stream.normals(8, 0.1));
    let found = column.values.unwrap();
    assert!(found.effect > 0.1 && found.p_value > 0.05, "{found:?}");
    assert!(!column.drifted);
}

#[test]
fn a_share_of_missing_cells_that_grows_is_drift() {
    let mut stream = Stream(19);
    let mut holed = stream.normals(1000, 0.0);
    holed[..50].fill(f64::NAN);
    let column = compared(stream.normals(1000, 0.0), holed);
    assert!(column.drifted && !column.values.unwrap().drifted);
    assert!(column.missing.unwrap().drifted);
    assert_eq!(
        (column.missing_share_reference, column.missing_share_fresh),
        (0.0, 0.05)
    );
}

#[test]
fn a_column_that_goes_all_missing_is_drift() {
    let mut stream = Stream(23);
    let column = compared(stream.normals(200, 0.0), vec![f64::NAN; 200]);
    assert_eq!(column.values, None);
    assert!(column.drifted);
    assert!(!compared(vec![f64::NAN; 9], vec![f64::NAN; 9]).drifted);
}

#[test]
fn a_constant_is_stable_until_it_is_none() {
    assert!(!compared(vec![3.0; 500], vec![3.0; 200]).drifted);
    assert!(compared(vec![3.0; 500], vec![4.0; 200]).drifted);
    let column = compared(vec![3.0; 500], Stream(29).normals(200, 3.0));
    assert_eq!(column.values.unwrap().test, Test::KolmogorovSmirnov);
    assert!(column.drifted);
}

#[test]
fn a_level_that_the_reference_never_held_is_drift() {
    let some = |n: usize, unknown: usize| {
        (0..n)
            .map(|i| if i < unknown { 3.0 } else { (i % 3) as f64 })
            .collect::<Vec<_>>()
    };
    assert!(!compared_as("proto", some(3000, 0), some(300, 0)).drifted);
    let column = compared_as("proto", some(3000, 0), some(600, 60));
    assert_eq!(column.values.as_ref().unwrap().test, Test::ChiSquared);
    assert!(column.drifted, "{column:?}");
    let column = compared_as("proto", some(100_000, 0), some(200, 10));
    assert_eq!(column.values.as_ref().unwrap().test, Test::FisherExact);
    assert!(column.drifted, "{column:?}");
}

#[test]
fn few_distinct_rare_numbers_are_compared_by_their_order() {
    let low: Vec<f64> = (0..20).map(f64::from).collect();
    let high: Vec<f64> = (100..120).map(f64::from).collect();
    let column = compared(low, high);
    assert_eq!(column.values.unwrap().test, Test::KolmogorovSmirnov);
    assert!(column.drifted);
}

#[test]
fn levels_that_schemas_number_differently_are_matched_by_text() {
    let proto = |levels: &str, values: [f64; 3]| {
        let values = values.into_iter().cycle().take(300).collect();
        let column = TableColumn {
            name: "proto".to_owned(),
            values,
        };
        Profile::of(&schema(levels), &Table::new(300, vec![column]))
    };
    let reference = proto("[tcp, udp]", [0.0, 1.0, 1.0]);
    let fresh = proto("[icmp, tcp, udp]", [1.0, 2.0, 2.0]);
    let report = compare(Some(&reference), &fresh, &DriftConfig::default());
    assert_eq!(report.columns[0].values.as_ref().unwrap().effect, 0.0);
}

#[test]
fn without_a_reference_there_is_no_verdict_on_drift() {
    let fresh = profile(vec![("size", vec![1.0])]);
    let empty = profile(vec![("size", vec![])]);
    let config = DriftConfig::default();
    assert_eq!(
        compare(None, &fresh, &config).verdict,
        DriftVerdict::NoReference
    );
    assert_eq!(
        compare(Some(&empty), &fresh, &config).verdict,
        DriftVerdict::NoReference
    );
    assert_eq!(
        compare(Some(&fresh), &empty, &config).verdict,
        DriftVerdict::Stable
    );
}

#[test]
fn columns_of_one_side_are_named_and_not_compared() {
    let reference = profile(vec![
        ("a", vec![1.0]),
        ("b", vec![1.0]),
        ("proto", vec![0.0]),
    ]);
    let mut fresh = profile(vec![
        ("b", vec![1.0]),
        ("c", vec![1.0]),
        ("proto", vec![0.0]),
    ]);
    fresh.columns[2].scale = Scale::Open;
    let report = compare(Some(&reference), &fresh, &DriftConfig::default());
    assert_eq!(report.not_compared, ["a", "proto", "c"]);
    assert_eq!(report.columns.len(), 1);
}

#[test]
fn the_report_is_plain_json() {
    let mut stream = Stream(31);
    let reference = profile(vec![("size", stream.normals(200, 0.0))]);
    let fresh = profile(vec![("size", stream.normals(200, 2.0))]);
    let report = compare(Some(&reference), &fresh, &DriftConfig::default());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["verdict"], "drifted");
    assert_eq!(json["columns"][0]["values"]["test"], "kolmogorov_smirnov");
    assert_eq!(json["columns"][0]["missing"], serde_json::Value::Null);
    assert_eq!(serde_json::from_value::<DriftReport>(json).unwrap(), report);
}

#[test]
fn thresholds_out_of_range_are_named() {
    assert_eq!(DriftConfig::default().check(), Ok(()));
    let check = |text: &str| {
        serde_json::from_str::<DriftConfig>(text)
            .unwrap()
            .check()
            .unwrap_err()
    };
    assert!(check(r#"{"false_alarm_rate": 1.5}"#).contains("false_alarm_rate 1.5"));
    assert!(check(r#"{"jensen_shannon": -0.1}"#).contains("jensen_shannon -0.1"));
    assert!(serde_json::from_str::<DriftConfig>(r#"{"rate": 0.1}"#).is_err());
}
