use ndarray::Array2;
use rand_chacha::rand_core::Rng;

use super::*;

/// Grows trees by sums in words of 64 and of 128 bits.
fn check(n_classes: usize, recipe: &Recipe<'_>) {
    let mut rng = stream(5, 0);
    let x = Array2::from_shape_fn((2_000, 4), |_| (rng.next_u32() >> 24) as f32);
    let labels: Vec<u16> = (0..x.nrows())
        .map(|row| ((x[[row, 0]] as u32 / 60 + rng.next_u32() % 2) as usize % n_classes) as u16)
        .collect();
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let weights: Vec<f32> = (0..x.nrows()).map(|row| 0.3 + (row % 7) as f32).collect();
    let cases = Cases::new(&matrix, &labels, n_classes, Some(&weights), None).unwrap();
    let bins = by_row(&cases.bins(&matrix), cases.len());
    let ground = Ground {
        columns: matrix.columns(),
        bins: &bins,
    };
    let trees = |grown: Vec<(GrownTree, Option<Seen>)>| -> Vec<(Tree, Vec<(u16, f64)>)> {
        let grown = grown.into_iter();
        grown.map(|(grown, _)| (grown.tree, grown.gains)).collect()
    };
    let narrow = trees(recipe.grow_in::<i64>(ground, &cases, n_classes, 1, false));
    let wide = trees(recipe.grow_in::<i128>(ground, &cases, n_classes, 1, false));
    assert!(narrow.iter().all(|(tree, _)| tree.nodes().len() > 100));
    assert_eq!(narrow, wide);
}

#[test]
fn wide_words_give_the_trees_of_narrow_ones() {
    let forest = RandomForest {
        n_estimators: 5,
        ..Default::default()
    };
    let extra = ExtraTrees {
        n_estimators: 5,
        ..Default::default()
    };
    for n_classes in [2, 3] {
        check(n_classes, &forest.recipe());
        check(n_classes, &extra.recipe());
    }
}
