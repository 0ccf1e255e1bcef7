use ndarray::Array2;
use rand_chacha::rand_core::Rng;

use super::*;
use crate::randomness::stream;

/// Fits rows, each of which `repeats` times, with sums in words of 64 and of 128 bits.
fn check(n_rows: usize, repeats: usize, n_classes: u16) {
    let mut rng = stream(5, 0);
    let mut x = Array2::from_shape_fn((n_rows, 4), |_| (rng.next_u32() >> 16) as f32);
    for row in 0..n_rows {
        let first = x.row(row - row % repeats).to_owned();
        x.row_mut(row).assign(&first);
    }
    let third = |value: f32| (value / 22_000.0) as u16;
    let mut label = |a, b| (third(a) * third(b) + (rng.next_u32() % 2) as u16) % n_classes;
    let rows = x.rows().into_iter();
    let labels: Vec<u16> = rows.map(|row| label(row[0], row[1])).collect();
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let boosting = GradientBoosting {
        n_estimators: 8,
        bagging_fraction: 0.8,
        ..Default::default()
    };
    let k = usize::from(n_classes);
    let cases = boosting.cases(&matrix, &labels, k, None).unwrap();
    let narrow = boosting.boost_in::<i64>(&matrix, &cases, k, 1, None);
    let wide = boosting.boost_in::<i128>(&matrix, &cases, k, 1, None);
    assert!(narrow.trees().iter().any(|tree| tree.nodes().len() > 3));
    assert_eq!(narrow, wide);
}

#[test]
fn wide_words_give_the_bytes_of_narrow_ones() {
    check(40_000, 1, 2);
    check(6_000, 1, 3);
    check(40_000, 4, 2);
}
