use dataset::NeighbourWeights;
use proptest::prelude::*;

use super::super::tests::{Rows, assert_close};
use super::*;

#[derive(Deserialize)]
struct Fixture {
    knn: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    k: usize,
    weights: NeighbourWeights,
    fit: Rows,
    rows: Rows,
    /// Null where scikit-learn has to choose among donors at equal distance.
    expected: Rows,
}

fn values(rows: &Rows) -> Vec<f64> {
    rows.iter()
        .flatten()
        .map(|v| v.unwrap_or(f64::NAN))
        .collect()
}

fn fitted(k: usize, weights: NeighbourWeights, rows: &[f64], width: usize) -> KnnImputer {
    let column = |at: usize| rows.iter().skip(at).step_by(width).copied().collect();
    let columns: Vec<Vec<f64>> = (0..width).map(column).collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    KnnImputer::fit(KnnParameters { k, weights }, (0..width).collect(), &columns)
}

/// Fills one row from training rows, uniformly weighted.
fn check<const N: usize>(k: usize, training: &[[f64; N]], mut row: [f64; N], expected: [f64; N]) {
    let knn = fitted(k, NeighbourWeights::Uniform, training.as_flattened(), N);
    knn.fill(&mut row, N);
    assert_eq!(format!("{row:?}"), format!("{expected:?}"));
}

const NAN: f64 = f64::NAN;

#[test]
fn decided_cells_equal_those_of_scikit_learn() {
    let text = include_str!("../../../tests/fixtures/preprocessing.json");
    let fixture: Fixture = serde_json::from_str(text).unwrap();
    for case in fixture.knn {
        let width = case.fit[0].len();
        let knn = fitted(case.k, case.weights, &values(&case.fit), width);
        let mut rows = values(&case.rows);
        knn.fill(&mut rows, width);
        let columns = case.fit.iter().map(|row| row[0]);
        let present: Vec<f64> = columns.flatten().collect();
        let first_mean = present.iter().sum::<f64>() / present.len() as f64;
        for (at, expected) in case.expected.iter().flatten().enumerate() {
            // A row without any value: the mean is the caller's to fill in.
            let lost = case.rows[at / width].iter().all(Option::is_none);
            match expected {
                Some(mean) if lost && at % width == 0 => assert_close("mean", first_mean, *mean),
                Some(expected) if !lost => assert_close(&case.name, rows[at], *expected),
                _ => {}
            }
        }
    }
}

#[test]
fn of_donors_at_equal_distance_the_earlier_row_counts() {
    check(
        1,
        &[[2.0, 7.0], [0.0, 8.0], [2.0, 9.0]],
        [1.0, NAN],
        [1.0, 7.0],
    );
    check(
        2,
        &[[2.0, 7.0], [0.0, 8.0], [1.0, 9.0]],
        [1.0, NAN],
        [1.0, 8.0],
    );
}

#[test]
fn a_donor_must_have_the_value_and_share_a_column() {
    check(
        1,
        &[[1.0, NAN], [NAN, 5.0], [9.0, 6.0]],
        [1.0, NAN],
        [1.0, 6.0],
    );
    check(1, &[[1.0, NAN], [NAN, 5.0]], [1.0, NAN], [1.0, NAN]);
}

#[test]
fn fewer_donors_than_asked_for_are_all_taken() {
    check(9, &[[1.0, 4.0], [3.0, 6.0]], [1.0, NAN], [1.0, 5.0]);
}

#[test]
fn a_distance_is_per_shared_column() {
    // 4 over two shared columns is nearer than 3 over one.
    let training = [[1.0, 3.0_f64.sqrt(), NAN, 7.0], [1.0, 2.0, 0.0, 8.0]];
    check(1, &training, [NAN, 0.0, 0.0, NAN], [1.0, 0.0, 0.0, 8.0]);
}

#[test]
fn donors_at_distance_zero_count_alone_when_weighted() {
    let training = [1.0, 4.0, 1.0, 6.0, 1.5, 100.0];
    let knn = fitted(3, NeighbourWeights::Distance, &training, 2);
    let mut row = [1.0, NAN];
    knn.fill(&mut row, 2);
    assert_eq!(row[1], 5.0);
}

#[test]
fn huge_and_tiny_values_neither_overflow_nor_vanish() {
    check(
        1,
        &[[1e200, 7.0], [-1e300, 8.0]],
        [1e200, NAN],
        [1e200, 7.0],
    );
    check(1, &[[3e-30, 7.0], [1e-30, 8.0]], [0.0, NAN], [0.0, 8.0]);
    check(
        1,
        &[[1e9 + 3.0, 7.0], [1e9 + 1.0, 8.0]],
        [1e9, NAN],
        [1e9, 8.0],
    );
}

/// The definition, without tiles, filters or bytes.
fn by_definition(k: usize, training: &[f64], row: &[f64], column: usize) -> Option<f64> {
    let mut donors: Vec<(f64, f64)> = Vec::new();
    for donor in training
        .chunks(row.len())
        .filter(|donor| !donor[column].is_nan())
    {
        let differences = donor.iter().zip(row).map(|(a, b)| a - b);
        let squares: Vec<f64> = differences.filter(|d| !d.is_nan()).map(|d| d * d).collect();
        if !squares.is_empty() {
            donors.push((
                squares.iter().sum::<f64>() / squares.len() as f64,
                donor[column],
            ));
        }
    }
    donors.sort_by(|a, b| a.0.total_cmp(&b.0));
    donors.truncate(k);
    let n = donors.len();
    (n > 0).then(|| donors.iter().fold(0.0, |sum, (_, value)| sum + value) / n as f64)
}

/// Tables of up to 300 rows (several chunks of both kinds) whose sums of squares are exact.
fn any_table(cell: impl Strategy<Value = f64> + Clone) -> impl Strategy<Value = (usize, Vec<f64>)> {
    (2..8_usize, 1..300_usize).prop_flat_map(move |(width, n)| {
        let cell = prop_oneof![4 => cell.clone(), 1 => Just(NAN)];
        (Just(width), prop::collection::vec(cell, width * n))
    })
}

fn assert_by_definition(k: usize, width: usize, cells: &[f64]) {
    let (training, rows) = cells.split_at(cells.len() / width / 2 * width);
    let training = if training.is_empty() { rows } else { training };
    let mut filled = rows.to_vec();
    fitted(k, NeighbourWeights::Uniform, training, width).fill(&mut filled, width);
    for (at, cell) in rows.iter().enumerate().filter(|(_, cell)| cell.is_nan()) {
        let row = &rows[at / width * width..][..width];
        let expected = by_definition(k, training, row, at % width).unwrap_or(*cell);
        assert_eq!(
            format!("{}", filled[at]),
            format!("{expected}"),
            "cell {at}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(128)
    })]

    #[test]
    fn codes_are_filled_by_definition(
        k in 1..6_usize, t in any_table((-1..2_i32).prop_map(f64::from)),
    ) {
        assert_by_definition(k, t.0, &t.1);
    }

    #[test]
    fn whole_numbers_too_wide_for_bytes_are_filled_by_definition(
        k in 1..6_usize, t in any_table((0..15_i32).prop_map(f64::from)),
    ) {
        assert_by_definition(k, t.0, &t.1);
    }

    #[test]
    fn fractions_are_filled_by_definition(
        k in 1..6_usize, t in any_table((-99..99_i32).prop_map(|v| f64::from(v) / 4.0)),
    ) {
        assert_by_definition(k, t.0, &t.1);
    }

    #[test]
    fn numbers_that_f32_cannot_tell_apart_are_filled_by_definition(
        k in 1..6_usize,
        t in any_table((0..5_i32, 0..2_i32).prop_map(|(v, far)| {
            // Seven squares of it add up to less than 2^53.
            f64::from(v) + f64::from(far) * 33_554_432.0
        })),
    ) {
        assert_by_definition(k, t.0, &t.1);
    }
}
