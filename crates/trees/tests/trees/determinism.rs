use artifact::Digest;
use model::trees::TreeEnsemble;
use ndarray::ArrayView2;
use trees::{
    BinnedMatrix, ClassWeight, DecisionTree, ExtraTrees, GradientBoosting, MaxFeatures,
    RandomForest, TreesError,
};

use crate::rows::{categories, rings, sample};

/// Compares the digest of what `fit` gives at 1, 2 and 8 threads and on a second run.
fn check(
    name: &str,
    x: ArrayView2<'_, f32>,
    categorical: &[u16],
    fit: impl Fn(&BinnedMatrix) -> Result<TreeEnsemble, TreesError> + Sync,
) {
    let at = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let fitted = pool.install(|| fit(&BinnedMatrix::with_categories(x, categorical).unwrap()));
        let fitted = fitted.unwrap();
        assert!(fitted.n_trees() > 0, "{name}");
        Digest::of(serde_json::to_string(&fitted).unwrap().as_bytes())
    };
    let one = at(1);
    for threads in [1, 2, 8] {
        assert_eq!(at(threads), one, "{name} at {threads} threads");
    }
}

fn weights(n_rows: usize) -> Vec<f32> {
    (0..n_rows)
        .map(|row| [0.0, 0.3, 1.0, 2.5][row % 4])
        .collect()
}

#[test]
fn forests_have_the_same_bytes_at_any_number_of_threads() {
    let (x, y) = sample(3_000);
    let weights = weights(y.len());
    let weights = Some(&weights[..]);
    let balanced = Some(ClassWeight::BALANCED);
    let tree = DecisionTree {
        max_features: MaxFeatures::Fraction(0.5),
        class_weight: balanced.clone(),
        ..Default::default()
    };
    check("decision tree", x.view(), &[], |m| {
        tree.fit(m, &y, 2, weights, 3)
    });
    let forest = RandomForest {
        n_estimators: 20,
        class_weight: balanced.clone(),
        ..Default::default()
    };
    check("random forest", x.view(), &[], |m| {
        forest.fit(m, &y, 2, weights, 3)
    });
    let extra = ExtraTrees {
        n_estimators: 20,
        bootstrap: true,
        class_weight: balanced,
        ..Default::default()
    };
    check("extra trees", x.view(), &[], |m| {
        extra.fit(m, &y, 2, weights, 3)
    });
    let (x, y) = rings(2_000);
    check("three classes", x.view(), &[], |m| {
        forest.fit(m, &y, 3, None, 3)
    });
}

#[test]
fn boosting_has_the_same_bytes_at_any_number_of_threads() {
    let bagged = GradientBoosting {
        n_estimators: 12,
        bagging_fraction: 0.7,
        feature_fraction: 0.7,
        class_weight: Some(ClassWeight::Each(vec![1.0, 2.0])),
        ..Default::default()
    };
    // Few rows are summed in wide cells, many in narrow words and by several threads.
    for n_rows in [3_000, 60_000] {
        let (x, y) = sample(n_rows);
        let weights = weights(y.len());
        check("bagged", x.view(), &[], |m| {
            bagged.fit(m, &y, 2, Some(&weights), 3)
        });
    }
    let plain = GradientBoosting {
        n_estimators: 12,
        ..Default::default()
    };
    let (x, y) = categories(40_000);
    check("categories", x.view(), &[0], |m| {
        plain.fit(m, &y, 2, None, 3)
    });
    let (x, y) = rings(40_000);
    check("softmax", x.view(), &[], |m| plain.fit(m, &y, 3, None, 3));
    let folds: Vec<u8> = (0..y.len()).map(|row| (row % 3) as u8).collect();
    check("folds", x.view(), &[], |m| {
        Ok(plain.fit_with_folds(m, &y, 3, None, 3, &folds)?.0)
    });
}

#[test]
fn repeated_rows_are_learned_from_as_weights_are() {
    let (x, y) = sample(1_500);
    // Of few levels, so that repetition does not move a column's cuts.
    let x = x.mapv(|value| (value * 100.0).round());
    let rows: Vec<usize> = (0..y.len())
        .flat_map(|row| vec![row; 1 + row % 3])
        .collect();
    let repeated = x.select(ndarray::Axis(0), &rows);
    let labels: Vec<u16> = rows.iter().map(|row| y[*row]).collect();
    let weights: Vec<f32> = (0..y.len()).map(|row| (1 + row % 3) as f32).collect();
    let boosting = GradientBoosting {
        n_estimators: 10,
        min_data_in_leaf: 1,
        ..Default::default()
    };
    let weighted = boosting
        .fit(
            &BinnedMatrix::new(x.view()).unwrap(),
            &y,
            2,
            Some(&weights),
            1,
        )
        .unwrap();
    let repeated = boosting
        .fit(
            &BinnedMatrix::new(repeated.view()).unwrap(),
            &labels,
            2,
            None,
            1,
        )
        .unwrap();
    let (a, b) = (
        weighted.predict_proba(x.view()),
        repeated.predict_proba(x.view()),
    );
    let apart = a
        .iter()
        .zip(&b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    assert!(apart < 1e-6, "{apart}");
}
