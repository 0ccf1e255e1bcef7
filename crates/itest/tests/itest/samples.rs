//! A tiny value of every kind of artifact, with every variant and every optional part in some of them.

use std::collections::BTreeMap;

use artifact::{ArtifactRecord, Digest};
use dataset::{
    Cells, GroupKey, ImputerKind, IngestedColumn, Label, MISSING_CODE, Preprocessing,
    PreprocessorSpec, Provenance, RawDataset, Records, ReferenceProfile, Schema, Table,
    TableColumn, Target, TrainingSet, ValidatedDataset, profile::Profile,
};
use holdout::{GivenHoldout, HoldoutSet};
use model::{
    Classifier, ModelBundle, TrainingGroups, TrainingSummary,
    calibration::Calibration,
    linear::LinearClassifier,
    metrics::{Confusion, ConfusionMatrix, PrPoint, ReliabilityBin, RocPoint},
    preprocessor::Preprocessor,
    resampling::Interval,
    threshold::Thresholds,
    trees::{Aggregation, Node, Split, Tree, TreeEnsemble},
};
use registry::{
    Canary, Comparison, Curves, Evaluation, FamilyRecall, HoldoutMetrics, Incumbent,
    PromotionRecord,
};

pub fn schema() -> Schema {
    let text = "
name: sample
columns:
  - {name: port, type: integer, min: 0, max: 65535, may_be_missing: true}
  - {name: service, type: text, levels: [dns, http], unknown_levels: accept}
  - {name: flag, type: integer, values: [-1, 1]}
target: {column: label, benign: {normal: ['0']}, threats: {scan: ['1'], worm: ['2']}}
derived:
  - {name: log_port, log1p: port}
";
    Schema::parse(text, "a sample").unwrap()
}

pub fn table() -> Table {
    let column = |name: &str, values: [f64; 4]| TableColumn {
        name: name.to_owned(),
        values: values.to_vec(),
    };
    Table::new(
        4,
        vec![
            column("port", [22.0, 80.0, f64::NAN, 443.0]),
            column("service", [0.0, 1.0, 1.0, 2.0]),
            column("flag", [-1.0, 1.0, 1.0, -1.0]),
        ],
    )
}

/// The table with the schema's derived columns, as the trainer sees it.
pub fn derived_table() -> Table {
    let mut table = table();
    dataset::derived::append(&schema(), &mut table);
    table
}

pub fn records() -> Records {
    Records {
        table: table(),
        target: Target {
            values: ["0", "1", "2"].map(str::to_owned).to_vec(),
            codes: vec![0, 1, 2, 0],
        },
        groups: [3, 5, 7, u64::MAX].map(GroupKey).to_vec(),
    }
}

pub fn raw_dataset() -> RawDataset {
    let column = |name: &str, cells| IngestedColumn {
        name: name.to_owned(),
        cells,
    };
    RawDataset {
        schema: schema(),
        n_rows: 3,
        columns: vec![
            column(
                "port",
                Cells::Numbers {
                    values: vec![22.0, f64::NAN, 80.5],
                    unparsed: vec![(1, "many".to_owned())],
                },
            ),
            column(
                "label",
                Cells::Texts {
                    dictionary: vec!["0".to_owned(), "1".to_owned()],
                    codes: vec![1, MISSING_CODE, 0],
                },
            ),
        ],
        absent: vec!["service".to_owned(), "flag".to_owned()],
        defects: vec![(2, "2 cells for 4 names".to_owned())],
        simulated: true,
    }
}

pub fn provenance() -> Provenance {
    Provenance {
        source: "records.csv".to_owned(),
        names_found: vec!["label".to_owned(), "port".to_owned(), "extra".to_owned()],
        unknown_names: vec!["extra".to_owned()],
        reordered: true,
        row_numbers: vec![3, 1, 300],
    }
}

pub fn validated_dataset() -> ValidatedDataset {
    ValidatedDataset::passed_gate(schema(), records(), false)
}

pub fn given_holdout() -> GivenHoldout {
    GivenHoldout {
        dataset: Some(validated_dataset()),
    }
}

pub fn training_set() -> TrainingSet {
    let records = Records {
        table: derived_table(),
        ..records()
    };
    TrainingSet::without_holdout(schema(), records, Preprocessing::default(), true)
}

pub fn holdout_set() -> HoldoutSet {
    HoldoutSet::adopt(schema(), records(), vec![false, true, false, false], false)
}

/// The kinds of bundle that differ in what they hold.
pub fn bundles() -> BTreeMap<&'static str, ModelBundle> {
    let preprocessing = Preprocessing::default();
    let knn = PreprocessorSpec {
        imputer: ImputerKind::Knn,
        ..preprocessing.linear
    };
    BTreeMap::from([
        ("boosted", bundle(preprocessing.trees, boosted)),
        ("forest", bundle(preprocessing.trees, forest)),
        ("linear", bundle(preprocessing.linear, linear)),
        ("linear_knn", bundle(knn, linear)),
    ])
}

pub fn model_bundle() -> ModelBundle {
    bundle(Preprocessing::default().trees, boosted)
}

fn bundle(spec: PreprocessorSpec, classifier: fn(usize) -> Classifier) -> ModelBundle {
    let (schema, table) = (schema(), derived_table());
    let preprocessor = Preprocessor::fit(&spec, &schema, &table).unwrap();
    let classifier = classifier(preprocessor.n_features());
    let calibration = match &classifier {
        Classifier::Linear(_) => Calibration::Isotonic {
            points: vec![(0.25, 0.0), (0.5, 0.5), (0.75, 1.0)],
        },
        Classifier::Trees(_) => Calibration::Platt { a: -1.5, b: 0.25 },
    };
    ModelBundle {
        profile: Profile::of(&schema, &table),
        schema,
        simulated: true,
        preprocessor,
        classifier,
        calibration,
        thresholds: Thresholds {
            operating: 0.75,
            f1: 0.5,
        },
        training: TrainingSummary {
            family: "gradient_boosting".to_owned(),
            candidate: "gradient_boosting(n_estimators=1)".to_owned(),
            parameters: r#"{"n_estimators":1}"#.to_owned(),
            n_rows: 4,
            n_groups: 3,
            seed: 42,
            cross_validation: vec![("pr_auc".to_owned(), 0.9, 0.01)],
            importance: vec![("port".to_owned(), 1.0)],
            inputs: vec![ArtifactRecord {
                kind: "training-set".to_owned(),
                digest: Digest::of(b"a training set"),
            }],
        },
    }
}

fn boosted(n_features: usize) -> Classifier {
    let base = Aggregation::Boosting { base: vec![-0.5] };
    trees(n_features, base, vec![-0.25, 0.5])
}

fn forest(n_features: usize) -> Classifier {
    trees(
        n_features,
        Aggregation::Averaging,
        vec![0.75, 0.25, 0.0, 1.0],
    )
}

/// An ensemble of one tree with one split on the first feature.
fn trees(n_features: usize, aggregation: Aggregation, values: Vec<f32>) -> Classifier {
    let split = Split {
        feature: 0,
        threshold: 79.5,
        missing_left: true,
        left: 1,
    };
    let nodes = vec![Node::split(split), Node::leaf(0), Node::leaf(1)];
    let tree = Tree::new(nodes, vec![4.0, 2.0, 2.0], values);
    let mut importance = vec![0.0; n_features];
    importance[0] = 1.0;
    let ensemble = TreeEnsemble::new(n_features, 2, aggregation, vec![tree], importance);
    Classifier::Trees(ensemble.unwrap())
}

fn linear(n_features: usize) -> Classifier {
    Classifier::Linear(LinearClassifier {
        n_features,
        n_classes: 2,
        coefficients: (0..n_features).map(|i| i as f64 * 0.25 - 0.5).collect(),
        intercepts: vec![0.125],
        background: vec![0.5; n_features],
    })
}

pub fn training_groups() -> TrainingGroups {
    TrainingGroups::of(&[9, 3, u64::MAX].map(GroupKey))
}

pub fn incumbent() -> Incumbent {
    Incumbent::Champion(7, model_bundle(), training_groups())
}

pub fn reference_profile() -> ReferenceProfile {
    ReferenceProfile {
        version: Some(7),
        profile: Some(Profile::of(&schema(), &table())),
    }
}

pub fn evaluation() -> Evaluation {
    let decisions = |tp| Confusion {
        tp,
        fp: 2,
        tn: 3,
        fn_: 4,
    };
    let classes = [0, 1, 1, 0].map(Label::from_class);
    Evaluation {
        bundle: Digest::of(b"a bundle"),
        simulated: false,
        n_rows: 4,
        n_groups: 3,
        n_threats: 2,
        n_overlapping: 1,
        metrics: holdout_metrics(0.5),
        without_overlap: Some(holdout_metrics(0.625)),
        at_operating: decisions(1),
        at_f1: decisions(9),
        class_names: vec!["normal".to_owned(), "threat".to_owned()],
        classes: ConfusionMatrix::new(2, &classes, &[0, 1, 0, 0].map(Label::from_class), None),
        families: vec![FamilyRecall {
            family: "scan".to_owned(),
            rows: 2,
            at_operating: 0.25,
            at_f1: 0.75,
        }],
        majority_accuracy: 0.5,
        curves: curves(),
        comparison: Comparison::Compared {
            version: 6,
            groups: 501,
            champion_pr_auc: 0.875,
            candidate_pr_auc: 0.9375,
            difference: Interval {
                value: 0.0625,
                low: -0.03125,
                high: 0.125,
            },
        },
        canary: Canary {
            table: table(),
            threat: vec![0.125, 0.25, 0.375, 0.5],
        },
    }
}

fn curves() -> Curves {
    Curves {
        roc: vec![RocPoint {
            threshold: 0.5,
            fpr: 0.25,
            recall: 0.75,
        }],
        pr: vec![PrPoint {
            threshold: 0.5,
            recall: 0.75,
            precision: 0.875,
        }],
        reliability: vec![ReliabilityBin {
            low: 0.0,
            high: 0.1,
            mean_score: 0.05,
            threat_share: 0.0625,
            count: 16,
        }],
    }
}

/// Metrics that all differ from each other.
fn holdout_metrics(first: f64) -> HoldoutMetrics {
    let metric = |n: f64| Interval {
        value: first + n / 32.0,
        low: first + n / 32.0 - 0.125,
        high: first + n / 32.0 + 0.0625,
    };
    HoldoutMetrics {
        accuracy: metric(0.0),
        precision: metric(1.0),
        recall: metric(2.0),
        f1: metric(3.0),
        fpr: metric(4.0),
        roc_auc: metric(5.0),
        pr_auc: metric(6.0),
        recall_at_fpr_1pct: metric(7.0),
        log_loss: metric(8.0),
        brier: metric(9.0),
        ece: metric(10.0),
    }
}

pub fn promotion_record() -> PromotionRecord {
    PromotionRecord {
        model: "sample".to_owned(),
        promoted: true,
        unchanged: false,
        serving: false,
        version: Some(8),
        champion: Some(7),
        reasons: vec!["recall on the holdout is 0.4, at least 0.5 is asked".to_owned()],
    }
}
