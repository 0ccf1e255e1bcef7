use ndarray::array;

use super::LinearClassifier;

fn binary() -> LinearClassifier {
    LinearClassifier {
        n_features: 2,
        n_classes: 2,
        coefficients: vec![2.0, -1.0],
        intercepts: vec![0.5],
        background: vec![1.0, 0.5],
    }
}

fn three_classes() -> LinearClassifier {
    LinearClassifier {
        n_features: 2,
        n_classes: 3,
        coefficients: vec![1.0, 0.0, 0.0, 2.0, -1.0, -4.0],
        intercepts: vec![0.0, 0.0, 1000.0],
        background: vec![0.0, 0.0],
    }
}

#[test]
fn two_classes_share_one_sigmoid() {
    let p = binary().predict_proba(array![[1.0, 2.0], [0.0, 0.5]].view());
    let expected = 1.0 / (1.0 + (-0.5f64).exp());
    assert!((p[[0, 1]] - expected).abs() < 1e-15);
    assert_eq!(p.row(1).to_vec(), [0.5, 0.5]);
}

#[test]
fn several_classes_share_one_softmax_of_any_size() {
    let mut classifier = three_classes();
    let p = classifier.predict_proba(array![[1.0, 1.0]].view());
    assert_eq!(p.row(0).to_vec(), [0.0, 0.0, 1.0]);
    classifier.intercepts[2] = 5.0;
    let p = classifier.predict_proba(array![[1.0, 1.0]].view());
    let weights = [1.0f64.exp(), 2.0f64.exp(), 1.0];
    for (p, w) in p.iter().zip(weights) {
        assert!((p - w / weights.iter().sum::<f64>()).abs() < 1e-15);
    }
}

#[test]
fn a_transposed_matrix_scores_like_its_copy() {
    let columns = array![[1.0f32, 0.0, 3.0], [2.0, 0.5, -1.0]];
    let rows = columns.t().as_standard_layout().into_owned();
    let classifier = binary();
    assert_eq!(
        classifier.predict_proba(columns.t()),
        classifier.predict_proba(rows.view())
    );
}

#[test]
fn importance_is_the_mean_absolute_coefficient() {
    assert_eq!(binary().importance(), [2.0, 1.0]);
    assert_eq!(three_classes().importance(), [2.0 / 3.0, 2.0]);
}

#[test]
fn damaged_classifiers_are_refused() {
    let check = |damage: fn(&mut LinearClassifier)| {
        let mut classifier = three_classes();
        classifier.check().unwrap();
        damage(&mut classifier);
        assert!(classifier.check().is_err(), "{classifier:?}");
    };
    check(|c| c.n_classes = 1);
    check(|c| c.n_classes = 2);
    check(|c| c.n_features = usize::MAX);
    check(|c| c.intercepts.truncate(2));
    check(|c| c.coefficients[0] = f64::NAN);
    check(|c| c.intercepts[0] = f64::INFINITY);
    check(|c| c.background.truncate(1));
    check(|c| c.background[0] = f64::NAN);
}
