use super::*;
use crate::{BinnedMatrix, randomness::stream};
use ndarray::Array2;
use rand_chacha::rand_core::Rng;

/// Sums all items over the lanes of some features and of all, and compares the cells of the former.
fn check(n_rows: usize, n_features: usize, chosen: &[u16], narrow: bool) {
    let mut rng = stream(1, 0);
    let x = Array2::from_shape_fn((n_rows, n_features), |(_, c)| {
        (rng.next_u32() as usize % (2 + c % 5 * 60)) as f32
    });
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let n_cases = if narrow { 1 << 20 } else { 1 };
    let steps = Steps::new(n_rows as f64, 1.0, n_rows, n_cases, 1);
    assert_eq!(steps.is_narrow(), narrow);
    let layout = Layout::new::<i64>(matrix.columns(), matrix.bins(), steps);
    let all: Vec<u16> = (0..n_features as u16).collect();
    let slope = |case: u32| [f64::from(case % 7) / 7.0 - 0.5, 0.25];
    let items: Vec<Item> = (0..n_rows as u32)
        .map(|case| match narrow {
            true => steps.item(case, slope(case), 0),
            false => Steps::plain_item(case),
        })
        .collect();
    let wide: Vec<Cell<i64>> = (0..n_rows as u32)
        .map(|case| steps.cell(slope(case), 1))
        .collect();
    let sum = |features: &[u16]| {
        let mut histogram = vec![[7; 2]; layout.n_cells()];
        let chosen = layout.choose(features);
        let mut lanes = Lanes::default();
        layout.sum(&items, &chosen, &wide, &mut lanes, &mut histogram);
        histogram
    };
    let (some, whole) = (sum(chosen), sum(&all));
    for feature in chosen {
        let cells = layout.cells(&some, *feature);
        assert_eq!(cells, layout.cells(&whole, *feature), "feature {feature}");
        let rows: i64 = cells
            .chunks(2)
            .map(|c| steps.hessians().count(c[1]) as i64)
            .sum();
        assert_eq!(rows, n_rows as i64);
    }
}

#[test]
fn chosen_lanes_hold_what_all_lanes_would() {
    for narrow in [false, true] {
        check(3_000, 40, &[0, 3, 17, 18, 39], narrow);
        check(3_000, 40, &[5], narrow);
        check(9_000, 5, &[0, 1, 2, 3, 4], narrow);
    }
}
