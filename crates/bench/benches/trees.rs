//! Times binning and the tree learners on generated rows: `cargo bench -p bench --bench trees`.

use std::hint::black_box;

use bench::{
    learners::{self, Family},
    rows::Rows,
};
use criterion::{Criterion, criterion_group, criterion_main};
use trees::BinnedMatrix;

fn binning(criterion: &mut Criterion) {
    let rows = Rows::generate(100_000, 30);
    let mut group = criterion.benchmark_group("trees");
    group.sample_size(10);
    group.bench_function("binning 100,000 x 30", |b| {
        b.iter(|| BinnedMatrix::new(black_box(rows.x.view())));
    });
}

fn fits(criterion: &mut Criterion) {
    let rows = Rows::generate(20_000, 30);
    let matrix = BinnedMatrix::new(rows.x.view()).expect("generated rows are finite");
    let mut group = criterion.benchmark_group("trees");
    group.sample_size(10);
    for family in [
        Family::Boosting,
        Family::RandomForest,
        Family::ExtraTrees,
        Family::DecisionTree,
    ] {
        group.bench_function(format!("{family:?}, 20,000 x 30, 20 trees"), |b| {
            b.iter(|| learners::fit(family, black_box(&matrix), &rows.y, 20, 31, 1));
        });
    }
}

criterion_group!(benches, binning, fits);
criterion_main!(benches);
