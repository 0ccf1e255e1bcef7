use dataset::{
    EncoderKind, ImputerKind, KnnParameters, PreprocessorSpec, RawBatch, RawColumn, ScalerKind,
    TableColumn, profile::Profile,
};

use super::*;
use crate::{
    Classifier, TrainingSummary,
    calibration::Calibration,
    linear::LinearClassifier,
    preprocessor::Preprocessor,
    scoring,
    threshold::Thresholds,
    trees::{Aggregation, Node, Split, Tree, TreeEnsemble},
};

const SCHEMA: &str = "
name: mixed
columns:
  - {name: size, type: number}
  - {name: service, type: text, levels: [dns, ftp, http], unknown_levels: accept}
  - {name: root, type: boolean}
derived:
  - {name: log_size, log1p: size}
target: {column: y, benign: {good: [a]}, threats: {bad: [b]THREATS}, classes: families}
";
const FEATURES: [&str; 6] = [
    "size",
    "service=dns",
    "service=ftp",
    "service=http",
    "root",
    "log_size",
];
const NAN: f64 = f64::NAN;

fn schema(n_classes: usize) -> Schema {
    let more = [", worse: [c]", ", worst: [d]"];
    let threats = more[..n_classes - 2].concat();
    Schema::parse(&SCHEMA.replace("THREATS", &threats), "test").unwrap()
}

fn table() -> Table {
    let column = |name: &str, values: [f64; 6]| TableColumn {
        name: name.to_owned(),
        values: values.to_vec(),
    };
    Table::new(
        6,
        vec![
            column("size", [0.0, 10.0, 100.0, 40.0, 7.0, 3.0]),
            column("service", [0.0, 1.0, 2.0, 3.0, NAN, 2.0]),
            column("root", [0.0, 1.0, 0.0, 1.0, NAN, 0.0]),
        ],
    )
}

fn bundle(n_classes: usize, classifier: Classifier) -> ModelBundle {
    let schema = schema(n_classes);
    let spec = PreprocessorSpec {
        imputer: ImputerKind::Median,
        knn: KnnParameters::default(),
        encoder: EncoderKind::OneHotText,
        scaler: ScalerKind::Standard,
    };
    let mut training = table();
    dataset::derived::append(&schema, &mut training);
    let bundle = ModelBundle {
        simulated: false,
        preprocessor: Preprocessor::fit(&spec, &schema, &training).unwrap(),
        classifier,
        calibration: Calibration::Platt { a: -0.5, b: 1.0 },
        thresholds: Thresholds {
            operating: 0.5,
            f1: 0.5,
        },
        profile: Profile::of(&schema, &training),
        training: TrainingSummary {
            family: "test".to_owned(),
            candidate: "test".to_owned(),
            parameters: "{}".to_owned(),
            n_rows: 6,
            n_groups: 6,
            seed: 1,
            cross_validation: Vec::new(),
            importance: Vec::new(),
            inputs: Vec::new(),
        },
        schema,
    };
    artifact::Artifact::check(&bundle).unwrap();
    assert_eq!(bundle.preprocessor.feature_names(), FEATURES);
    bundle
}

/// Trees that ask for `first`, then on the right for `second`.
fn tree(first: u16, second: u16, values: &[f32]) -> Tree {
    let split = |feature, left| {
        Node::split(Split {
            feature,
            threshold: 0.1,
            missing_left: true,
            left,
        })
    };
    let nodes = vec![
        split(first, 1),
        Node::leaf(0),
        split(second, 3),
        Node::leaf(1),
        Node::leaf(2),
    ];
    Tree::new(nodes, vec![6.0, 2.0, 4.0, 3.0, 1.0], values.to_vec())
}

fn trees(n_classes: usize, aggregation: Aggregation, trees: Vec<Tree>) -> Classifier {
    Classifier::Trees(TreeEnsemble::new(6, n_classes, aggregation, trees, vec![0.0; 6]).unwrap())
}

fn boosting(n_classes: usize) -> Classifier {
    let n_outputs = if n_classes == 2 { 1 } else { n_classes };
    let base = (0..n_outputs).map(|k| 0.1 * k as f64).collect();
    let leaf = |i: usize, leaf: usize| ((i * 3 + leaf) as f32 * 2.3).sin();
    let own = (0..2 * n_outputs).map(|i| {
        tree(
            (i % 6) as u16,
            ((i + 2) % 6) as u16,
            &[leaf(i, 0), leaf(i, 1), leaf(i, 2)],
        )
    });
    trees(n_classes, Aggregation::Boosting { base }, own.collect())
}

fn forest(n_classes: usize) -> Classifier {
    let leaf = |at: usize| {
        let shares = (0..n_classes).map(move |k| ((at + 2 * k) % 5 + 1) as f32);
        let total: f32 = shares.clone().sum();
        shares.map(move |share| share / total)
    };
    let values = |i: usize| (0..3).flat_map(|at| leaf(i + at)).collect::<Vec<f32>>();
    let own = (0..4).map(|i| tree(i as u16, (i + 2) as u16, &values(i)));
    trees(n_classes, Aggregation::Averaging, own.collect())
}

fn linear(n_classes: usize) -> Classifier {
    let n_outputs = if n_classes == 2 { 1 } else { n_classes };
    Classifier::Linear(LinearClassifier {
        n_features: 6,
        n_classes,
        coefficients: (0..6 * n_outputs).map(|at| (at as f64).cos()).collect(),
        intercepts: (0..n_outputs).map(|k| 0.3 - k as f64).collect(),
        background: vec![0.0, 0.2, 0.2, 0.4, 0.0, 0.0],
    })
}

/// Returns the raw score that an explanation must sum to, from the class probabilities.
fn raw_score(space: Space, probabilities: &[f64]) -> f64 {
    let threat = probabilities[1..].iter().copied().fold(0.0, f64::max);
    match space {
        Space::LogOdds => (threat / probabilities[0]).ln(),
        Space::Probability => 1.0 - probabilities[0],
    }
}

/// Explains all rows and compares sums with scoring, and columns with the features they come from.
fn check(n_classes: usize, classifier: Classifier, space: Space) {
    let bundle = bundle(n_classes, classifier);
    let explanations = bundle.explain(&table()).unwrap();
    let features = bundle
        .preprocessor
        .transform(&bundle.complete(&table()))
        .unwrap();
    let probabilities = bundle.classifier.predict_proba(&features);
    for row in 0..6 {
        let explanation = explanations.row(row);
        let expected = raw_score(space, probabilities.row(row).as_slice().unwrap());
        assert_eq!(explanation.space, space);
        assert!(
            (explanation.score - expected).abs() < 1e-12,
            "{n_classes} {row}: {explanation:?}, not {expected}"
        );
        let sum: f64 = explanation.reasons.iter().map(|r| r.contribution).sum();
        assert!((explanation.base + sum - expected).abs() < 1e-12);
        assert!(
            explanation
                .reasons
                .is_sorted_by(|a, b| a.contribution.abs() >= b.contribution.abs())
        );
        assert_eq!(explanations.reasons(row, 2), explanation.reasons[..2]);
    }
    assert_eq!(explanations.contributions().dim(), (6, 4));
}

#[test]
fn bases_and_contributions_of_columns_sum_to_the_raw_score_whatever_the_calibration() {
    for n_classes in [2, 3, 4] {
        check(n_classes, boosting(n_classes), Space::LogOdds);
        check(n_classes, linear(n_classes), Space::LogOdds);
        check(n_classes, forest(n_classes), Space::Probability);
    }
}

#[test]
fn the_levels_of_a_column_are_summed() {
    let bundle = bundle(2, linear(2));
    let explanations = bundle.explain(&table()).unwrap();
    let features = bundle
        .preprocessor
        .transform(&bundle.complete(&table()))
        .unwrap();
    let parts = bundle.classifier.contributions(&features).values;
    for row in 0..6 {
        let of = |feature: usize| parts[[row, feature]];
        let service = of(1) + of(2) + of(3);
        let columns = explanations.contributions().row(row).to_vec();
        assert_eq!(columns, [of(0), service, of(4), of(5)]);
    }
    assert!(
        explanations
            .columns()
            .eq(["size", "service", "root", "log_size"])
    );
}

#[test]
fn a_linear_term_is_the_coefficient_times_the_distance_from_the_training_mean() {
    let Classifier::Linear(linear) = linear(3) else {
        unreachable!("it was made linear")
    };
    let x = Array2::from_shape_fn((2, 6), |(row, feature)| (row * 6 + feature) as f32);
    let parts = linear.contributions(x.view());
    for (output, feature) in [(0, 0), (1, 3), (2, 5)] {
        let distance = 6.0 + feature as f64 - linear.background[feature];
        let expected = linear.coefficients[output * 6 + feature] * distance;
        assert_eq!(parts.values[[1, output * 6 + feature]], expected);
    }
}

/// Compares the reasons of one row, as people read them.
fn reads(row: usize, expected: &[&str]) {
    let leaf = vec![-1.0, 0.5, 2.0];
    let own = vec![tree(0, 3, &leaf), tree(4, 5, &leaf)];
    let bundle = bundle(2, trees(2, Aggregation::Boosting { base: vec![0.0] }, own));
    let explanations = bundle.explain(&table()).unwrap();
    let found: Vec<String> = explanations
        .reasons(row, 9)
        .iter()
        .map(Reason::to_string)
        .collect();
    assert_eq!(found, expected);
    assert_eq!(explanations.row(row).threat, "bad");
}

#[test]
fn reasons_name_the_column_its_raw_value_and_its_origin() {
    reads(
        2,
        &[
            "root=false (-1.625)",
            "service=http (+0.938)",
            "size=100 (+0.813)",
            "log_size [log1p(size)]=4.61512051684126 (+0.375)",
        ],
    );
}

#[test]
fn missing_and_unknown_values_are_named_as_such() {
    let unknown = "service=unknown level (-0.312)";
    reads(
        3,
        &[
            "log_size [log1p(size)]=3.713572066704308 (+0.938)",
            "root=true (+0.813)",
            "size=40 (+0.563)",
            unknown,
        ],
    );
    reads(
        4,
        &[
            "size=7 (-1.625)",
            "root=missing (-1.125)",
            "service=missing (+0.375)",
            "log_size [log1p(size)]=2.0794415416798357 (-0.125)",
        ],
    );
}

#[test]
fn rows_that_are_not_scored_have_no_reasons() {
    let bundle = bundle(2, forest(2));
    let cells = |texts: [Option<&str>; 3]| RawColumn::Text(texts.into_iter().collect());
    let batch = RawBatch {
        names: ["size", "service", "root"].map(str::to_owned).to_vec(),
        columns: vec![
            cells([Some("3"), Some("huge"), Some("4")]),
            cells([Some("dns"), Some("dns"), Some("gopher")]),
            cells([Some("no"), Some("no"), Some("yes")]),
        ],
        row_numbers: vec![1, 2, 3],
        defects: Vec::new(),
        ..RawBatch::default()
    };
    let reasons = scoring::reasons(&bundle, &batch, 1).unwrap();
    let first = |text: &Option<String>| {
        text.as_deref()
            .map(|t| t.split(' ').next().unwrap().to_owned())
    };
    let columns: Vec<Option<String>> = reasons.iter().map(first).collect();
    let expected = [Some("service=dns"), None, Some("service=unknown")];
    assert_eq!(columns, expected.map(|text| text.map(str::to_owned)));
}

#[test]
fn no_rows_have_no_explanations() {
    let bundle = bundle(2, forest(2));
    let explanations = bundle.explain(&table().select(&[])).unwrap();
    assert_eq!(explanations.contributions().dim(), (0, 4));
}

#[test]
fn an_explanation_is_plain_json() {
    let bundle = bundle(3, boosting(3));
    let explanation = bundle.explain(&table()).unwrap().row(0);
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["space"], "log_odds");
    assert_eq!(json["reasons"].as_array().unwrap().len(), 4);
}
