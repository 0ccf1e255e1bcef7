use std::collections::{BTreeMap, BTreeSet};

use artifact::Digest;
use dataset::{ColumnType, Schema};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::sampler::Mixture;
use super::*;
use crate::recipe::Link;

const SCHEMAS: [(&str, &str); 2] = [
    ("nsl_kdd", include_str!("../../../../schema/nsl_kdd.yaml")),
    ("phishing", include_str!("../../../../schema/phishing.yaml")),
];

fn source(name: &str, rows: u64, seed: u64) -> SynthSource {
    SynthSource::new(Recipe::embedded(name).unwrap(), rows, seed).unwrap()
}

/// Rows as text, the target last.
fn rows_of(mut source: SynthSource) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    while let Some(batch) = source.next_batch().unwrap() {
        assert_eq!(batch.row_numbers[0], rows.len() as u64 + 1);
        for row in 0..batch.n_rows() {
            let cell = |column: &RawColumn| match column {
                RawColumn::Text(text) => text.get(row).unwrap_or("?").to_owned(),
                RawColumn::Number(numbers) => dataset::format_number(numbers[row]),
            };
            rows.push(batch.columns.iter().map(cell).collect());
        }
    }
    rows
}

fn digest(source: SynthSource) -> Digest {
    Digest::of(format!("{:?}", rows_of(source)).as_bytes())
}

#[test]
fn the_same_seed_gives_the_same_rows_at_any_batch_size() {
    let expected = digest(source("phishing", 20_000, 7));
    for batch_rows in [1, 999, 100_000] {
        let source = source("phishing", 20_000, 7).with_batch_rows(batch_rows);
        assert_eq!(digest(source), expected, "batches of {batch_rows}");
    }
    assert_ne!(digest(source("phishing", 20_000, 8)), expected);
}

#[test]
fn batches_and_blocks_stay_bounded_and_sum_to_what_was_asked() {
    let mut source = source("phishing", 50_001, 1);
    let mut total = 0;
    while let Some(batch) = source.next_batch().unwrap() {
        assert!(batch.n_rows() <= BATCH_ROWS && batch.n_rows() > 0);
        assert!(source.block.rows().len() <= BLOCK_ROWS as usize);
        total += batch.n_rows();
    }
    assert_eq!(total, 50_001);
    assert!(source.next_batch().unwrap().is_none());
}

#[test]
fn the_source_says_that_it_is_simulated() {
    let source = source("phishing", 5, 3);
    assert!(source.is_simulated());
    assert_eq!(source.description(), "synth://phishing?rows=5&seed=3");
}

#[test]
fn every_value_lies_in_the_domain_of_the_schema() {
    for (name, text) in SCHEMAS {
        let schema = Schema::parse(text, name).unwrap();
        let mut source = source(name, 20_000, 5);
        let mut seen = 0;
        while let Some(batch) = source.next_batch().unwrap() {
            let expected: Vec<&str> = schema.features().map(|c| c.name.as_str()).collect();
            assert_eq!(batch.names[..expected.len()], expected);
            assert_eq!(
                batch.names[expected.len()..],
                [schema.target.column.as_str()]
            );
            for (column, cells) in schema.features().zip(&batch.columns) {
                check_cells(column, cells);
            }
            let Some(RawColumn::Text(target)) = batch.columns.last() else {
                panic!("the target is text");
            };
            assert!(
                target
                    .iter()
                    .all(|v| schema.target.family_of(v.unwrap()).is_some())
            );
            seen += batch.n_rows();
        }
        assert_eq!(seen, 20_000);
    }
}

fn check_cells(column: &dataset::Column, cells: &RawColumn) {
    let name = &column.name;
    match cells {
        RawColumn::Text(text) => {
            let levels = column.levels().unwrap();
            assert!(
                text.iter().all(|t| levels.iter().any(|l| l == t.unwrap())),
                "{name}"
            );
        }
        RawColumn::Number(numbers) => {
            let is_whole = |x: &f64| column.kind != ColumnType::Integer || x.fract() == 0.0;
            let is_right = |x: &f64| x.is_finite() && column.domain.contains(*x) && is_whole(x);
            assert!(numbers.iter().all(is_right), "{name}");
        }
    }
}

#[test]
fn repeated_rows_conflicts_and_the_class_prior_have_their_real_shares() {
    for seed in 1..=4 {
        let rows = rows_of(source("phishing", 11_055, seed));
        let distinct: BTreeSet<&Vec<String>> = rows.iter().collect();
        let repeated = 1.0 - distinct.len() as f64 / rows.len() as f64;
        assert!(
            (repeated - 0.4709).abs() < 0.02,
            "seed {seed}: {repeated} repeated"
        );
        let mut labels: BTreeMap<&[String], BTreeSet<&String>> = BTreeMap::new();
        for row in &rows {
            labels.entry(&row[..30]).or_default().insert(&row[30]);
        }
        let conflicting = labels.values().filter(|labels| labels.len() > 1).count();
        assert!(
            (60..=68).contains(&conflicting),
            "seed {seed}: {conflicting} conflicting"
        );
        let threats = rows.iter().filter(|row| row[30] == "-1").count();
        assert!(
            (4897..=4899).contains(&threats),
            "seed {seed}: {threats} threats"
        );
    }
}

#[test]
fn a_rare_target_value_is_not_lost_over_many_blocks() {
    let rows = rows_of(source("nsl_kdd", 125_973, 1));
    let count = |value: &str| rows.iter().filter(|row| row[41] == value).count();
    assert!(
        (41_205..=41_223).contains(&count("neptune")),
        "{}",
        count("neptune")
    );
    assert!(
        (12..=28).contains(&count("warezmaster")),
        "{}",
        count("warezmaster")
    );
}

/// Marginal distribution of each column under a component, by passing probabilities down its tree.
fn exact_marginals(recipe: &Recipe, links: &[Link]) -> BTreeMap<String, Vec<f64>> {
    let mut marginals: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for link in links {
        let column = recipe
            .columns
            .iter()
            .find(|c| c.name == link.column)
            .unwrap();
        let parents = match &link.parent {
            Some(parent) => marginals[parent].clone(),
            None => vec![1.0],
        };
        let shares = (0..column.n_levels()).map(|level| {
            let share = |(parent, probability): (usize, &f64)| {
                let given = link.given.get(parent).and_then(Option::as_ref);
                probability * given.unwrap_or(&link.marginal).share(level)
            };
            parents.iter().enumerate().map(share).sum()
        });
        marginals.insert(link.column.clone(), shares.collect());
    }
    marginals
}

/// Marginal distribution of each column of a pool, in the recipe's order of columns.
fn marginals_of_pool(recipe: &Recipe, pool: usize) -> Vec<Vec<f64>> {
    let components = &recipe.pools[pool].components;
    let rows: f64 = components.iter().map(|c| f64::from(c.rows)).sum();
    let mut sums: Vec<Vec<f64>> = recipe
        .columns
        .iter()
        .map(|c| vec![0.0; c.n_levels()])
        .collect();
    for component in components {
        let marginals = exact_marginals(recipe, &component.links);
        for (column, sum) in recipe.columns.iter().zip(&mut sums) {
            let weight = f64::from(component.rows) / rows;
            let each = sum.iter_mut().zip(&marginals[&column.name]);
            each.for_each(|(sum, share)| *sum += weight * share);
        }
    }
    sums
}

#[test]
fn marginals_of_many_draws_are_those_of_the_recipe() {
    const DRAWS: usize = 40_000;
    for (name, _) in SCHEMAS {
        let sampler = Sampler::new(Recipe::embedded(name).unwrap());
        let recipe = sampler.recipe();
        let n_tests = (recipe.pools.len() * recipe.columns.len()) as f64;
        for pool in 0..recipe.pools.len() {
            let mut rng = ChaCha8Rng::seed_from_u64(11);
            let draws: Vec<Vec<u16>> = (0..DRAWS)
                .map(|_| sampler.draw_levels(Mixture::Pool(pool), &mut rng))
                .collect();
            for (column, expected) in marginals_of_pool(recipe, pool).iter().enumerate() {
                let mut counts = vec![0.0; expected.len()];
                draws
                    .iter()
                    .for_each(|levels| counts[usize::from(levels[column])] += 1.0);
                let p = chi_squared_p(&counts, expected, DRAWS as f64);
                assert!(
                    p > 0.001 / n_tests,
                    "{name}, pool {pool}, column {column}: p = {p}"
                );
            }
        }
    }
}

/// Levels expected fewer than 5 times are taken together.
fn chi_squared_p(counts: &[f64], shares: &[f64], draws: f64) -> f64 {
    let (mut cells, mut rest) = (Vec::new(), (0.0, 0.0));
    for (count, share) in counts.iter().zip(shares) {
        match share * draws {
            expected if expected >= 5.0 => cells.push((*count, expected)),
            expected => rest = (rest.0 + count, rest.1 + expected),
        }
    }
    assert!(
        rest.1 > 0.0 || rest.0 == 0.0,
        "an impossible level was drawn"
    );
    if rest.1 >= 1.0 {
        cells.push(rest);
    }
    let statistic: f64 = cells.iter().map(|(n, e)| (n - e) * (n - e) / e).sum();
    match cells.len() {
        0 | 1 => 1.0,
        n => 1.0 - ChiSquared::new(n as f64 - 1.0).unwrap().cdf(statistic),
    }
}

#[test]
fn the_probabilities_of_all_vectors_sum_to_one() {
    let text = "{schema: s, target: y, smoothing: 1.0, min_support: 10,
        columns: [{name: a, numbers: 0 1}, {name: b, texts: [x, y], missing: true}],
        conflicts: {minority_rows: 0, repeats: '', components: []},
        pools: [{class: c, values: {v: 9}, repeats: '1:9', components: [
            {rows: 6, links: ['a = 3 7', 'b <- a = 1 1 2 | 1 | ']},
            {rows: 3, links: ['b = 1 1 2', 'a <- b = 5 5 | 1 | 2 3 | ']}]}]}";
    let sampler = Sampler::new(Recipe::parse(text, "test").unwrap());
    let vectors = (0..2).flat_map(|a| (0..3).map(move |b| [a, b]));
    let sum: f64 = vectors
        .map(|v| sampler.probability(Mixture::Pool(0), &v))
        .sum();
    assert!((sum - 1.0).abs() < 1e-12, "{sum}");
}

#[test]
fn a_recipe_with_one_possible_vector_still_ends() {
    let text = "{schema: s, target: y, smoothing: 1.0, min_support: 10,
        columns: [{name: a, numbers: 4}],
        conflicts: {minority_rows: 0, repeats: '', components: []},
        pools: [{class: c, values: {v: 9}, repeats: '1:9', components: [
            {rows: 6, links: ['a = 1']}]}]}";
    let recipe = Recipe::parse(text, "test").unwrap();
    let rows = rows_of(SynthSource::new(recipe, 100, 1).unwrap());
    assert_eq!(rows, vec![vec!["4".to_owned(), "v".to_owned()]; 100]);
}
