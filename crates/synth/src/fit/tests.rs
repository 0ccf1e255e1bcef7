use std::collections::BTreeSet;

use dataset::{RawColumn, Source as _, Table, TableColumn, Target};

use super::*;
use crate::recipe::Levels;
use crate::source::SynthSource;

const PHISHING: &str = include_str!("../../../../schema/phishing.yaml");

const MIXED: &str = "
name: mixed
columns:
  - {name: size, type: number, min: 0}
  - {name: proto, type: text, levels: [icmp, tcp, udp]}
  - {name: flag, type: integer, values: [-1, 1], may_be_missing: true}
target:
  column: label
  benign: {normal: [normal]}
  threats: {dos: [smurf, neptune], probe: [nmap]}
";

fn schema(text: &str) -> Schema {
    Schema::parse(text, "test").unwrap()
}

fn records(columns: Vec<(&str, Vec<f64>)>, targets: &[&str]) -> Records {
    let columns = columns.into_iter().map(|(name, values)| TableColumn {
        name: name.to_owned(),
        values,
    });
    let table = Table::new(targets.len(), columns.collect());
    let values: BTreeSet<&str> = targets.iter().copied().collect();
    let code = |target: &&str| values.iter().position(|v| v == target).unwrap() as u16;
    Records {
        groups: GroupKey::of_rows(&schema(PHISHING), &table),
        target: Target {
            codes: targets.iter().map(code).collect(),
            values: values.iter().map(|&v| v.to_owned()).collect(),
        },
        table,
    }
}

/// Rows of [`MIXED`]: `proto` follows `flag`, sizes are all distinct.
fn mixed(n_normal: usize, others: &[(&'static str, usize)]) -> Records {
    let mut targets = vec!["normal"; n_normal];
    others
        .iter()
        .for_each(|&(value, n)| targets.extend(vec![value; n]));
    let rows = 0..targets.len();
    let flag = |row: usize| [-1.0, 1.0, f64::NAN][row % 3];
    let columns = vec![
        (
            "size",
            rows.clone()
                .map(|row| (row * 37 % 1000) as f64 / 4.0)
                .collect(),
        ),
        ("proto", rows.clone().map(|row| (row % 3) as f64).collect()),
        ("flag", rows.map(flag).collect()),
    ];
    records(columns, &targets)
}

fn phishing_rows(n_rows: u64, seed: u64) -> Records {
    rows_of(Recipe::embedded("phishing").unwrap(), n_rows, seed)
}

fn rows_of(recipe: Recipe, n_rows: u64, seed: u64) -> Records {
    let mut source = SynthSource::new(recipe, n_rows, seed).unwrap();
    let (mut names, mut columns, mut targets) = (Vec::new(), vec![Vec::new(); 30], Vec::new());
    while let Some(batch) = source.next_batch().unwrap() {
        for (column, cells) in columns.iter_mut().zip(&batch.columns) {
            let RawColumn::Number(numbers) = cells else {
                panic!("phishing has numbers alone")
            };
            column.extend_from_slice(numbers);
        }
        let Some(RawColumn::Text(target)) = batch.columns.last() else {
            panic!("the target is text")
        };
        targets.extend(target.iter().map(|t| t.unwrap().to_owned()));
        names = batch.names;
    }
    let columns = names.iter().map(String::as_str).zip(columns).collect();
    records(
        columns,
        &targets.iter().map(String::as_str).collect::<Vec<_>>(),
    )
}

/// Largest and mean difference between the shares of levels in rows, per class.
fn marginal_gaps(left: &Records, right: &Records) -> (f64, f64) {
    let mut gaps = Vec::new();
    for class in 0..2 {
        for (a, b) in left.table.columns().iter().zip(right.table.columns()) {
            for level in [-1.0, 0.0, 1.0] {
                let share = |r: &Records, values: &[f64]| {
                    let own = values
                        .iter()
                        .zip(&r.target.codes)
                        .filter(|(_, c)| **c == class);
                    let hits = own.clone().filter(|(v, _)| **v == level).count();
                    hits as f64 / own.count() as f64
                };
                gaps.push((share(left, &a.values) - share(right, &b.values)).abs());
            }
        }
    }
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    (gaps.into_iter().fold(0.0, f64::max), mean)
}

#[test]
fn fitting_drawn_rows_recovers_what_they_were_drawn_from() {
    let drawn = phishing_rows(11_055, 3);
    let recipe = Recipe::fit(&schema(PHISHING), &drawn, &FitOptions::default()).unwrap();
    let original = Recipe::embedded("phishing").unwrap();
    assert_eq!(recipe.columns, original.columns);
    let prior = |r: &Recipe| {
        r.values()
            .map(|(_, v, n)| (v.to_owned(), n))
            .collect::<BTreeMap<_, _>>()
    };
    for (value, rows) in prior(&original) {
        assert!(rows.abs_diff(prior(&recipe)[&value]) <= 1, "{value}");
    }
    let conflicts = recipe.conflicts.repeats.n_vectors();
    assert!((60..=68).contains(&conflicts), "{conflicts}");
    let repeats = |r: &Recipe| {
        let pools = r.pools.iter().map(|p| &p.repeats);
        let (rows, vectors) = pools.fold((0, 0), |(rows, vectors), r| {
            (rows + r.n_rows(), vectors + r.n_vectors())
        });
        rows as f64 / vectors as f64
    };
    assert!((repeats(&recipe) - repeats(&original)).abs() < 0.06);
}

#[test]
fn marginals_of_rows_survive_fitting_and_drawing_again() {
    let first = phishing_rows(11_055, 3);
    let recipe = Recipe::fit(&schema(PHISHING), &first, &FitOptions::default()).unwrap();
    let second = rows_of(recipe, 11_055, 4);
    let (largest, mean) = marginal_gaps(&first, &second);
    assert!(largest < 0.05 && mean < 0.01, "{largest}, {mean}");
}

#[test]
fn the_same_rows_in_another_order_give_the_same_recipe() {
    let rows = phishing_rows(3_000, 3);
    let reversed = rows.select(&(0..3_000).rev().collect::<Vec<_>>());
    let fit = |rows| Recipe::fit(&schema(PHISHING), rows, &FitOptions::default()).unwrap();
    assert_eq!(fit(&rows).to_yaml(), fit(&reversed).to_yaml());
}

#[test]
fn a_tree_links_the_columns_that_depend_on_each_other() {
    let rows = mixed(600, &[("smurf", 100)]);
    let options = FitOptions {
        components: 1,
        bins: 4,
    };
    let recipe = Recipe::fit(&schema(MIXED), &rows, &options).unwrap();
    let benign = recipe.pools.iter().find(|p| p.class == "normal").unwrap();
    let flag = benign.components[0]
        .links
        .iter()
        .find(|l| l.column == "flag")
        .unwrap();
    assert_eq!(flag.parent.as_deref(), Some("proto"));
    let likeliest = |level: usize| {
        let given = flag.given[level].as_ref().unwrap();
        (0..3)
            .max_by(|&a, &b| given.share(a).total_cmp(&given.share(b)))
            .unwrap()
    };
    assert_eq!([0, 1, 2].map(likeliest), [0, 1, 2]);
}

#[test]
fn an_open_number_is_cut_to_disjoint_intervals_of_about_equal_rows() {
    let recipe = Recipe::fit(
        &schema(MIXED),
        &mixed(800, &[("smurf", 200)]),
        &FitOptions::default(),
    );
    let recipe = recipe.unwrap();
    let Levels::Numbers {
        intervals,
        decimals,
    } = &recipe.columns[0].levels
    else {
        panic!("sizes are numbers")
    };
    assert_eq!((intervals.len(), *decimals), (8, 2));
    assert!(intervals.is_sorted_by(|a, b| a.high < b.low));
    assert_eq!((intervals[0].low, intervals[7].high), (0.0, 249.75));
    assert!(recipe.columns[2].missing && !recipe.columns[1].missing);
}

#[test]
fn a_rare_value_joins_its_family_then_its_class() {
    let pools = |others: &[(&'static str, usize)]| {
        let recipe = Recipe::fit(&schema(MIXED), &mixed(200, others), &FitOptions::default())?;
        let names = |p: &Pool| p.values.keys().cloned().collect::<Vec<_>>().join("+");
        Ok::<_, SynthError>(recipe.pools.iter().map(names).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(
        pools(&[("neptune", 60), ("nmap", 90), ("smurf", 5)]).unwrap(),
        "normal neptune+smurf nmap"
    );
    assert_eq!(
        pools(&[("neptune", 60), ("nmap", 3)]).unwrap(),
        "normal neptune+nmap"
    );
    let refused = pools(&[("nmap", 3)]).unwrap_err().to_string();
    assert!(
        refused.contains("class `threat` has 3 rows, at least 50"),
        "{refused}"
    );
}

#[test]
fn no_conditional_distribution_rests_on_a_few_rows() {
    // The first row is the only one of its proto: that the level occurs may be seen, what else its
    // row holds may not.
    let proto = |row: usize| if row == 0 { 2.0 } else { (row % 2) as f64 };
    let columns = vec![
        (
            "size",
            (0..600).map(|row| (row * 37 % 1000) as f64).collect(),
        ),
        ("proto", (0..600).map(proto).collect()),
        (
            "flag",
            (0..600)
                .map(|row| if proto(row) > 0.0 { 1.0 } else { -1.0 })
                .collect(),
        ),
    ];
    let targets = [["normal"; 300], ["smurf"; 300]].concat();
    let rows = records(columns, &targets);
    let recipe = Recipe::fit(&schema(MIXED), &rows, &FitOptions::default()).unwrap();
    let children_of_proto: Vec<&Link> = recipe
        .pools
        .iter()
        .flat_map(|p| &p.components)
        .flat_map(|c| &c.links)
        .filter(|l| l.parent.as_deref() == Some("proto"))
        .collect();
    assert!(!children_of_proto.is_empty());
    assert!(children_of_proto.iter().all(|link| link.given[2].is_none()));
}

#[test]
fn text_without_levels_is_refused() {
    let open = schema(&MIXED.replace(", levels: [icmp, tcp, udp]", ""));
    let error = Recipe::fit(
        &open,
        &mixed(100, &[("smurf", 100)]),
        &FitOptions::default(),
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("column `proto` is text without levels")
    );
}

#[test]
fn vectors_under_two_classes_have_their_own_statistics() {
    let flags: Vec<f64> = (0..400)
        .map(|row| if row < 160 { 1.0 } else { -1.0 })
        .collect();
    // Sizes 0..80 occur under both classes with flag 1, the others under one with flag -1.
    let sizes: Vec<f64> = (0..400)
        .map(|row| {
            if row < 160 {
                f64::from(row % 80)
            } else {
                f64::from(row)
            }
        })
        .collect();
    let targets: Vec<&str> = (0..400)
        .map(|row| {
            if !(80..280).contains(&row) {
                "normal"
            } else {
                "smurf"
            }
        })
        .collect();
    let columns = vec![("size", sizes), ("proto", vec![0.0; 400]), ("flag", flags)];
    let recipe = Recipe::fit(
        &schema(MIXED),
        &records(columns, &targets),
        &FitOptions::default(),
    );
    let conflicts = recipe.unwrap().conflicts;
    assert_eq!(
        (conflicts.repeats.n_vectors(), conflicts.minority_rows),
        (80, 80)
    );
    let links = &conflicts.components[0].links;
    let flag = links.iter().find(|l| l.column == "flag").unwrap();
    assert_eq!(flag.marginal.to_string(), "0 1000");
}
