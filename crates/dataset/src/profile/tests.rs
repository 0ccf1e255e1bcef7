use super::*;
use crate::drift::{ks_statistic, wasserstein_distance};

const SCHEMA: &str = "
name: sample
columns:
  - {name: size, type: number, may_be_missing: true}
  - {name: proto, type: text, levels: [icmp, tcp, udp], unknown_levels: accept}
  - {name: agent, type: text, levels: LEVELS}
  - {name: flag, type: boolean}
target: {column: label, benign: {normal: [a]}, threats: {dos: [b]}}
";

fn schema() -> Schema {
    let levels: Vec<String> = (0..400).map(|i| format!("agent{i:03}")).collect();
    let text = SCHEMA.replace("LEVELS", &format!("[{}]", levels.join(", ")));
    Schema::parse(&text, "test").unwrap()
}

fn profile_of(name: &str, values: &[f64]) -> Profile {
    let column = TableColumn {
        name: name.to_owned(),
        values: values.to_vec(),
    };
    let profile = Profile::of(&schema(), &Table::new(values.len(), vec![column]));
    assert_eq!(profile.check(), Ok(()));
    profile
}

fn column_of(name: &str, values: &[f64]) -> ColumnProfile {
    profile_of(name, values).columns.remove(0)
}

/// A permutation of n evenly spread numbers in (0, 1), by a multiplicative step.
fn spread(n: usize, step: usize) -> impl Iterator<Item = f64> {
    (0..n).map(move |i| ((i * step) % n) as f64 / n as f64 + 0.5 / n as f64)
}

/// Distributions that are hard to sketch, of 20,011 values each (a prime, so that steps permute).
fn hard() -> Vec<(&'static str, Vec<f64>)> {
    let n = 20_011;
    let heavy = |u: f64| u.powi(-4);
    let with_atoms = |u: f64| {
        if u < 0.4 {
            0.0
        } else if u < 0.6 {
            7.0
        } else {
            10.0 * u
        }
    };
    let clusters = |u: f64| (u * 40.0).floor() * 1000.0 + u;
    vec![
        ("even", spread(n, 7919).collect()),
        ("heavy", spread(n, 7919).map(heavy).collect()),
        ("atoms", spread(n, 7919).map(with_atoms).collect()),
        ("clusters", spread(n, 7919).map(clusters).collect()),
    ]
}

#[test]
fn sketches_keep_within_the_error_that_they_state() {
    for (name, values) in hard() {
        let exact = QuantileSketch::exact(&values);
        let sketch = exact.compressed();
        assert!(
            sketch.points().len() <= MAX_POINTS && exact.points().len() > 5000,
            "{name}"
        );
        assert!(
            sketch.rank_error() <= 1.0 / 190.0,
            "{name}: {}",
            sketch.rank_error()
        );
        let ks = ks_statistic(&exact, &sketch);
        assert!(ks <= sketch.rank_error() + 1e-12, "{name}: {ks}");
        let moved = wasserstein_distance(&exact, &sketch, 1.0);
        assert!(
            moved <= sketch.wasserstein_error() * (1.0 + 1e-9),
            "{name}: {moved}"
        );
        assert!(moved <= 0.01 * Moments::of(&values).std, "{name}: {moved}");
    }
}

#[test]
fn distances_of_two_sketches_keep_within_the_sum_of_their_errors() {
    for (name, values) in hard() {
        let other: Vec<f64> = values.iter().skip(9000).map(|v| 1.3 * v + 0.01).collect();
        let exact = [&values, &other].map(|v| QuantileSketch::exact(v));
        let [a, b] = [0, 1].map(|i| exact[i].compressed());
        let error = ks_statistic(&a, &b) - ks_statistic(&exact[0], &exact[1]);
        assert!(
            error.abs() <= a.rank_error() + b.rank_error(),
            "{name}: {error}"
        );
        let error =
            wasserstein_distance(&a, &b, 1.0) - wasserstein_distance(&exact[0], &exact[1], 1.0);
        let bound = a.wasserstein_error() + b.wasserstein_error();
        assert!(error.abs() <= bound, "{name}: {error} of {bound}");
    }
}

#[test]
fn merged_windows_keep_within_the_error_that_they_state() {
    for (name, values) in hard() {
        let windows: Vec<Profile> = values.chunks(5003).map(|w| profile_of("size", w)).collect();
        let halves = [windows[0].merge(&windows[1]), windows[2].merge(&windows[3])];
        let [first, second] = halves.map(Result::unwrap);
        let merged = first.merge(&second).unwrap();
        assert_eq!(merged.check(), Ok(()), "{name}");
        let whole = column_of("size", &values);
        let merged = &merged.columns[0];
        let exact = QuantileSketch::exact(&values);
        let sketch = merged.distribution().unwrap();
        let error = ks_statistic(&exact, &sketch);
        assert!(error <= sketch.rank_error(), "{name}: {error}");
        assert!(
            sketch.rank_error() < 0.03,
            "{name}: {}",
            sketch.rank_error()
        );
        assert_eq!(sketch.extremes(), exact.extremes(), "{name}");
        let (found, expected) = (merged.moments().unwrap(), whole.moments().unwrap());
        assert!((found.mean / expected.mean - 1.0).abs() < 1e-9, "{name}");
        assert!((found.std / expected.std - 1.0).abs() < 1e-9, "{name}");
    }
}

#[test]
fn merged_levels_are_those_of_all_rows() {
    let values: Vec<f64> = (0..1000).map(|i| f64::from(i % 7 % 4)).collect();
    for name in ["proto", "size"] {
        let (left, right) = (
            profile_of(name, &values[..300]),
            profile_of(name, &values[300..]),
        );
        assert_eq!(
            left.merge(&right).unwrap(),
            profile_of(name, &values),
            "{name}"
        );
    }
    let few: Vec<f64> = (0..20).map(f64::from).collect();
    let others: Vec<f64> = (15..40).map(f64::from).collect();
    let merged = profile_of("size", &few)
        .merge(&profile_of("size", &others))
        .unwrap();
    assert!(matches!(merged.columns[0].values, Values::Numbers(_)));
    let all = [few, others].concat();
    assert_eq!(
        *merged.columns[0].distribution().unwrap(),
        QuantileSketch::exact(&all)
    );
}

#[test]
fn profiles_of_different_columns_do_not_merge() {
    let (size, flag) = (profile_of("size", &[1.0]), profile_of("flag", &[1.0]));
    let empty = Profile {
        n_rows: 1,
        columns: Vec::new(),
    };
    assert!(matches!(size.merge(&flag), Err(MergeError::Column { .. })));
    assert!(matches!(
        size.merge(&empty),
        Err(MergeError::Columns { left: 1, right: 0 })
    ));
    let mut renamed = profile_of("proto", &[1.0]);
    let Values::Levels(levels) = &mut renamed.columns[0].values else {
        unreachable!()
    };
    levels[0].text = "sctp".to_owned();
    let error = profile_of("proto", &[1.0])
        .merge(&renamed)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "column `proto`: level 1 is `tcp` in one profile and `sctp` in the other"
    );
}

#[test]
fn levels_carry_their_texts() {
    let column = column_of("proto", &[1.0, 3.0, 1.0, f64::NAN]);
    let Values::Levels(levels) = &column.values else {
        panic!("{column:?}")
    };
    let found: Vec<_> = levels.iter().map(|l| (l.text.as_str(), l.count)).collect();
    assert_eq!(found, [("tcp", 2), ("(unknown)", 1)]);
    assert_eq!((column.n, column.n_missing, column.n_distinct), (4, 1, 2));
    assert_eq!(column.missing_share(), 0.25);
    assert_eq!(column.moments(), None);
}

#[test]
fn texts_of_very_many_levels_are_hashed_alike_whatever_side_has_fewer() {
    let many: Vec<f64> = (0..800).map(|i| f64::from(i % 400)).collect();
    let few: Vec<f64> = (0..800).map(|i| f64::from(i % 200)).collect();
    let (many, few) = (profile_of("agent", &many), profile_of("agent", &few));
    assert!(matches!(many.columns[0].values, Values::Hashed(_)));
    assert!(matches!(few.columns[0].values, Values::Levels(_)));
    let merged = many.merge(&few).unwrap();
    assert_eq!(merged, few.merge(&many).unwrap());
    assert_eq!(merged.check(), Ok(()));
    assert_eq!(
        many.columns[0]
            .histogram(5)
            .iter()
            .map(|b| b.count)
            .sum::<u64>(),
        800
    );
}

#[test]
fn moments_survive_numbers_whose_squares_do_not_fit() {
    let column = column_of(
        "size",
        &(0..100).map(|i| f64::from(i) * 1e306).collect::<Vec<_>>(),
    );
    let found = column.moments().unwrap();
    let expected = Moments::of(&(0..100).map(f64::from).collect::<Vec<_>>());
    assert!((found.mean / expected.mean / 1e306 - 1.0).abs() < 1e-12);
    assert!((found.std / expected.std / 1e306 - 1.0).abs() < 1e-12);
    let extremes = column_of("size", &[f64::MAX, f64::MIN]);
    let distance = wasserstein_distance(
        &extremes.distribution().unwrap(),
        &column.distribution().unwrap(),
        1.0,
    );
    assert!(distance.is_finite());
}

#[test]
fn empty_and_all_missing_columns_have_profiles() {
    for values in [&[][..], &[f64::NAN, f64::NAN]] {
        let column = column_of("size", values);
        assert_eq!((column.n_present(), column.n_distinct), (0, 0));
        assert_eq!(column.moments(), None);
        assert!(column.histogram(10).is_empty());
        let empty = profile_of("size", values);
        assert_eq!(empty.merge(&empty).unwrap().check(), Ok(()));
    }
}

#[test]
fn the_order_of_rows_does_not_reach_quantiles_and_levels() {
    let (values, mut turned): (Vec<f64>, Vec<f64>) = spread(5003, 1000).map(|u| (u, u)).unzip();
    turned.reverse();
    let quantiles = |v: &[f64]| column_of("size", v).distribution().unwrap().into_owned();
    assert_eq!(quantiles(&values), quantiles(&turned));
}

#[test]
fn histograms_hold_every_value_and_compare_side_by_side() {
    for (name, values) in hard() {
        let column = column_of("size", &values);
        let bars = column.histogram(20);
        assert!((2..=20).contains(&bars.len()), "{name}: {}", bars.len());
        assert_eq!(bars.iter().map(|b| b.count).sum::<u64>(), 20_011, "{name}");
        let other = column_of("size", &values.iter().map(|v| v - 1e6).collect::<Vec<_>>());
        assert_eq!(other.counts_in(&bars).iter().sum::<u64>(), 20_011, "{name}");
        assert!(other.counts_in(&bars)[0] > 15_000, "{name}: all lie below");
    }
}

#[test]
fn the_rarest_levels_share_the_last_bar() {
    let column = column_of("proto", &[0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0]);
    let bars: Vec<_> = column
        .histogram(3)
        .into_iter()
        .map(|b| (b.label, b.count))
        .collect();
    let expected = [("tcp", 2), ("udp", 3), ("others", 2)].map(|(l, n)| (l.to_owned(), n));
    assert_eq!(bars, expected);
}

#[test]
fn quantiles_are_between_points_on_a_straight_line() {
    let sketch = QuantileSketch::exact(&[1.0, 2.0, 2.0, 4.0]);
    let quantiles = [0.0, 0.25, 0.3, 0.75, 0.8, 1.0].map(|q| sketch.quantile(q).unwrap());
    assert_eq!(quantiles, [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]);
    assert_eq!(QuantileSketch::default().quantile(0.5), None);
    let even = QuantileSketch::exact(&spread(20_011, 7919).collect::<Vec<_>>()).compressed();
    for q in [0.1, 0.5, 0.9] {
        assert!((even.quantile(q).unwrap() - q).abs() < 1e-4);
    }
}

#[test]
fn damage_is_found() {
    let numbers: Vec<f64> = spread(500, 1).collect();
    let whole = Profile::of(
        &schema(),
        &Table::new(
            500,
            ["size", "proto"]
                .map(|name| TableColumn {
                    name: name.to_owned(),
                    values: if name == "size" {
                        numbers.clone()
                    } else {
                        vec![1.0; 500]
                    },
                })
                .to_vec(),
        ),
    );
    let check = |damage: fn(&mut Profile), message: &str| {
        let mut profile = whole.clone();
        damage(&mut profile);
        let found = profile.check().unwrap_err();
        assert!(found.contains(message), "{found}");
    };
    check(|p| p.n_rows = 1 << 60, "at most 2^53");
    check(|p| p.columns[0].n = 499, "499 of 500 rows");
    check(|p| p.columns[1].name = "size".to_owned(), "there twice");
    check(|p| p.columns[0].n_missing = 501, "501 of 500 cells missing");
    check(|p| p.columns[0].n_missing = 1, "500 of 499 values");
    check(|p| p.columns[1].n_distinct = 2, "1 of 2 levels");
    check(|p| p.columns[0].scale = Scale::Text, "text as numbers");
    check(|p| levels(p)[0].count = 499, "499 of 500 values");
    check(|p| levels(p)[0].count = 0, "counted 0 times");
    check(|p| levels(p)[0].value = f64::NAN, "level NaN");
    check(
        |p| numbers_of(p).moments.std = -1.0,
        "standard deviation -1",
    );
    check(|p| numbers_of(p).moments.mean = f64::NAN, "mean NaN");
}

#[test]
fn damaged_quantiles_are_found() {
    let column = column_of("size", &spread(500, 1).collect::<Vec<_>>());
    let check = |damage: fn(&mut serde_json::Value), message: &str| {
        let mut json = serde_json::to_value(&column).unwrap();
        damage(&mut json["values"]["numbers"]["quantiles"]);
        let damaged = Profile {
            n_rows: 500,
            columns: vec![serde_json::from_value(json).unwrap()],
        };
        let found = damaged.check().unwrap_err();
        assert!(found.contains(message), "{found}");
    };
    check(|q| q["points"][3]["value"] = 0.9.into(), "not ascending");
    check(|q| q["points"][3]["below"] = 0.into(), "not ascending");
    check(|q| q["points"][3]["below"] = 499.into(), "with counts 499");
    check(|q| q["points"][0]["below"] = 1.into(), "below the least");
    check(|q| q["slack"] = 501.into(), "501 of 500 ranks");
    check(
        |q| q["points"] = vec![q["points"][0].clone(); 300].into(),
        "300 quantiles",
    );
}

fn levels(profile: &mut Profile) -> &mut Vec<LevelCount> {
    match &mut profile.columns[1].values {
        Values::Levels(levels) => levels,
        other => panic!("{other:?}"),
    }
}

fn numbers_of(profile: &mut Profile) -> &mut NumberSummary {
    match &mut profile.columns[0].values {
        Values::Numbers(numbers) => numbers,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_profile_inside_an_artifact_is_small_and_survives() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample(Profile);
    impl artifact::Artifact for Sample {
        const KIND: &'static str = "sample";
        const LAYOUT: u16 = 1;
        artifact::payload!();

        fn check(&self) -> Result<(), String> {
            self.0.check()
        }
    }
    for (name, values) in hard() {
        let sample = Sample(profile_of("size", &values));
        let bytes = artifact::codec::encode(&sample).unwrap();
        assert!(bytes.len() < 5000, "{name}: {} bytes", bytes.len());
        assert_eq!(artifact::codec::decode::<Sample>(&bytes).unwrap(), sample);
    }
}
