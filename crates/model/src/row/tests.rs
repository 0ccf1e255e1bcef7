use dataset::{
    EncoderKind, ImputerKind, KnnParameters, PreprocessorSpec, ScalerKind, Schema, Table,
    TableColumn, profile::Profile,
};

use super::*;
use crate::{
    Classifier, TrainingSummary,
    calibration::Calibration,
    linear::LinearClassifier,
    preprocessor::Preprocessor,
    threshold::Thresholds,
    trees::{Aggregation, Node, Split, Tree, TreeEnsemble},
};

const PLAIN: &str = "
name: plain
columns:
  - {name: size, type: number, may_be_missing: true}
  - {name: service, type: text, levels: [dns, ftp, http], unknown_levels: accept}
target: {column: y, benign: {good: [a]}, threats: {bad: [b], worse: [c]}, classes: families}
";
const DERIVED: &str =
    "derived: [{name: log_size, log1p: size}, {name: twice, product: [size, size]}]";
const NAN: f64 = f64::NAN;

fn table() -> Table {
    let column = |name: &str, values: [f64; 5]| TableColumn {
        name: name.to_owned(),
        values: values.to_vec(),
    };
    let size = column("size", [0.0, 10.0, NAN, 1e5, 7.0]);
    Table::new(5, vec![size, column("service", [0.0, 1.0, 2.0, 3.0, 2.0])])
}

fn trees(n_features: usize) -> Classifier {
    let split = Node::split(Split {
        feature: 0,
        threshold: 0.2,
        missing_left: true,
        left: 1,
    });
    let nodes = vec![split, Node::leaf(0), Node::leaf(1)];
    let values = vec![0.7, 0.2, 0.1, 0.1, 0.3, 0.6];
    let tree = Tree::new(nodes, vec![5.0, 2.0, 3.0], values);
    let importance = vec![0.0; n_features];
    let ensemble = TreeEnsemble::new(
        n_features,
        3,
        Aggregation::Averaging,
        vec![tree],
        importance,
    );
    Classifier::Trees(ensemble.unwrap())
}

fn linear(n_features: usize) -> Classifier {
    Classifier::Linear(LinearClassifier {
        n_features,
        n_classes: 3,
        coefficients: (0..3 * n_features).map(|i| (i as f64).sin()).collect(),
        intercepts: vec![0.1, -0.2, 0.3],
        background: vec![0.0; n_features],
    })
}

fn check(schema: &str, imputer: ImputerKind, classifier: fn(usize) -> Classifier) {
    let schema = Schema::parse(schema, "test").unwrap();
    let mut training = table();
    dataset::derived::append(&schema, &mut training);
    let spec = PreprocessorSpec {
        imputer,
        knn: KnnParameters::default(),
        encoder: EncoderKind::OneHotText,
        scaler: ScalerKind::Standard,
    };
    let preprocessor = Preprocessor::fit(&spec, &schema, &training).unwrap();
    let bundle = ModelBundle {
        simulated: false,
        classifier: classifier(preprocessor.n_features()),
        preprocessor,
        calibration: Calibration::Platt { a: -0.9, b: 0.1 },
        thresholds: Thresholds {
            operating: 0.5,
            f1: 0.5,
        },
        profile: Profile::of(&schema, &training),
        training: TrainingSummary {
            family: "test".to_owned(),
            candidate: "test".to_owned(),
            parameters: "{}".to_owned(),
            n_rows: 5,
            n_groups: 5,
            seed: 1,
            cross_validation: Vec::new(),
            importance: Vec::new(),
            inputs: Vec::new(),
        },
        schema,
    };
    let scores = bundle.score(&table()).unwrap();
    let scorer = RowScorer::new(&bundle).unwrap();
    let mut scratch = RowScratch::default();
    let table = table();
    let mut threats = Vec::new();
    for row in 0..table.n_rows() {
        let cells: Vec<f64> = table.columns().iter().map(|c| c.values[row]).collect();
        let score = scorer.score(&bundle, &cells, &mut scratch).unwrap();
        assert_eq!(
            score.threat.to_bits(),
            scores.threat[row].to_bits(),
            "row {row}"
        );
        assert_eq!(score.label, bundle.verdict(&scores, row), "row {row}");
        threats.push(score.threat);
    }
    threats.dedup();
    assert!(threats.len() > 1, "every row scores the same");
}

#[test]
fn a_row_scores_as_it_does_among_others() {
    check(PLAIN, ImputerKind::None, trees);
    check(PLAIN, ImputerKind::Median, linear);
    check(PLAIN, ImputerKind::Knn, linear);
}

#[test]
fn derived_columns_are_computed_for_a_row_too() {
    let schema = format!("{PLAIN}{DERIVED}\n");
    check(&schema, ImputerKind::None, trees);
    check(&schema, ImputerKind::Median, linear);
}
