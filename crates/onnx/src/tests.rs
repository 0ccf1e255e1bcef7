#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod reader;

use std::collections::{BTreeMap, BTreeSet};

use artifact::Digest;
use dataset::{
    EncoderKind, ImputerKind, PreprocessorSpec, ScalerKind, Schema, Table, TableColumn, derived,
    profile::Profile,
};
use expect_test::{Expect, expect};
use model::{
    Classifier, ModelBundle, TrainingSummary,
    calibration::Calibration,
    linear::LinearClassifier,
    preprocessor::Preprocessor,
    threshold::Thresholds,
    trees::{Aggregation, Node, Split, Tree, TreeEnsemble},
};

use super::{ExportError, Exported, Inputs, Origin, export, export_for};
use reader::Fields;

const SCHEMA: &str = "
name: flows
columns:
  - {name: bytes, type: integer, min: 0, may_be_missing: true}
  - {name: port, type: integer, values: [-1, 1]}
  - {name: service, type: text, levels: [dns, http], unknown_levels: accept}
target: {column: y, benign: {normal: [n]}, threats: {dos: [d], probe: [p]}}
derived:
  - {name: size, log1p: bytes}
";

fn origin() -> Origin {
    Origin {
        model: "flows".to_owned(),
        version: 3,
        bundle: Digest::of(b"a bundle"),
    }
}

fn schema(text: &str) -> Schema {
    Schema::parse(text, "test").unwrap()
}

/// Four rows of columns `bytes`, `port`, `service`, and of what is derived from them.
fn table(schema: &Schema) -> Table {
    let cells = [
        [0.0, 10.0, f64::NAN, 200.0],
        [-1.0, 1.0, 1.0, -1.0],
        [0.0, 1.0, 1.0, 2.0],
    ];
    let columns = schema
        .features()
        .zip(cells)
        .map(|(column, cells)| TableColumn {
            name: column.name.clone(),
            values: cells.to_vec(),
        });
    let mut table = Table::new(4, columns.collect());
    derived::append(schema, &mut table);
    table
}

fn bundle(
    schema: Schema,
    spec: PreprocessorSpec,
    classifier: impl Fn(usize, usize) -> Classifier,
) -> ModelBundle {
    let table = table(&schema);
    let preprocessor = Preprocessor::fit(&spec, &schema, &table).unwrap();
    let n_classes = schema.target.class_names().len();
    ModelBundle {
        profile: Profile::of(&schema, &table),
        classifier: classifier(preprocessor.n_features(), n_classes),
        preprocessor,
        schema,
        simulated: false,
        calibration: Calibration::Platt { a: -1.5, b: 0.25 },
        thresholds: Thresholds {
            operating: 0.75,
            f1: 0.5,
        },
        training: TrainingSummary {
            family: "gradient_boosting".to_owned(),
            candidate: "gradient_boosting(n_estimators=1)".to_owned(),
            parameters: "{}".to_owned(),
            n_rows: 4,
            n_groups: 4,
            seed: 1,
            cross_validation: Vec::new(),
            importance: Vec::new(),
            inputs: Vec::new(),
        },
    }
}

/// One split with its leaves' values, one or one a class for each.
fn stump(values: &[f32]) -> Tree {
    let split = Split {
        feature: 0,
        threshold: 0.1,
        missing_left: true,
        left: 1,
    };
    let nodes = vec![Node::split(split), Node::leaf(0), Node::leaf(1)];
    Tree::new(nodes, vec![4.0, 3.0, 1.0], values.to_vec())
}

fn boosted(n_features: usize, n_classes: usize) -> Classifier {
    let base = if n_classes == 2 {
        vec![-0.5]
    } else {
        vec![-0.5; n_classes]
    };
    let trees = vec![stump(&[-1.25, 0.3]); base.len()];
    let aggregation = Aggregation::Boosting { base };
    let importance = vec![0.0; n_features];
    Classifier::Trees(
        TreeEnsemble::new(n_features, n_classes, aggregation, trees, importance).unwrap(),
    )
}

fn linear(n_features: usize, n_classes: usize) -> Classifier {
    let outputs = if n_classes == 2 { 1 } else { n_classes };
    Classifier::Linear(LinearClassifier {
        n_features,
        n_classes,
        coefficients: (0..outputs * n_features).map(|at| at as f64).collect(),
        intercepts: vec![0.5; outputs],
        background: vec![0.0; n_features],
    })
}

fn trees_bundle() -> ModelBundle {
    bundle(schema(SCHEMA), PreprocessorSpec::default(), boosted)
}

fn scaled() -> PreprocessorSpec {
    PreprocessorSpec {
        imputer: ImputerKind::Median,
        encoder: EncoderKind::OneHotLevels,
        scaler: ScalerKind::Standard,
        ..PreprocessorSpec::default()
    }
}

fn exported(bundle: &ModelBundle) -> Exported {
    export(bundle, &origin()).unwrap()
}

/// Lists a graph: inputs, an operator a line, outputs.
fn check_listing(bundle: &ModelBundle, expected: &Expect) {
    let bytes = exported(bundle).bytes;
    let graph = Fields::of(&bytes).message(7);
    let mut text = String::new();
    for input in graph.messages(11) {
        text += &format!("in {}\n", value(&input));
    }
    for node in graph.messages(1) {
        let (inputs, output) = (node.texts(1).join(", "), node.text(2));
        text += &format!("{output} = {}({inputs})\n", node.text(4));
    }
    for output in graph.messages(12) {
        text += &format!("out {}\n", value(&output));
    }
    expected.assert_eq(&text);
}

/// Writes a value's name, type and shape.
fn value(info: &Fields) -> String {
    let tensor = info.message(2).message(1);
    let element = match tensor.ints(1)[0] {
        7 => "long",
        8 => "text",
        11 => "double",
        other => panic!("element type {other}"),
    };
    let dims = tensor.message(2).messages(1);
    let dims: Vec<String> = dims
        .iter()
        .map(|dim| match dim.ints(1).first() {
            Some(width) => width.to_string(),
            None => dim.text(2).to_owned(),
        })
        .collect();
    format!("{}: {element}[{}]", info.text(1), dims.join(", "))
}

#[test]
fn trees_over_ordinal_codes_read_like_this() {
    check_listing(
        &trees_bundle(),
        &expect![[r#"
            in bytes: double[rows, 1]
            in port: double[rows, 1]
            in service: text[rows, 1]
            columns/LabelEncoder_3 = LabelEncoder(service)
            columns/Cast_4 = Cast(columns/LabelEncoder_3)
            columns/Equal_6 = Equal(columns/Cast_4, constants/5)
            columns/Where_8 = Where(columns/Equal_6, constants/7, columns/Cast_4)
            derived/Abs_10 = Abs(bytes)
            derived/Add_11 = Add(derived/Abs_10, constants/9)
            derived/Sub_12 = Sub(derived/Add_11, constants/9)
            derived/Log_13 = Log(derived/Add_11)
            derived/Div_14 = Div(derived/Abs_10, derived/Sub_12)
            derived/Mul_15 = Mul(derived/Log_13, derived/Div_14)
            derived/Equal_17 = Equal(derived/Sub_12, constants/16)
            derived/Where_18 = Where(derived/Equal_17, derived/Abs_10, derived/Mul_15)
            derived/Sign_19 = Sign(bytes)
            derived/Mul_20 = Mul(derived/Where_18, derived/Sign_19)
            derived/IsInf_21 = IsInf(derived/Mul_20)
            derived/Where_22 = Where(derived/IsInf_21, constants/7, derived/Mul_20)
            columns/Concat_23 = Concat(bytes, port, columns/Where_8, derived/Where_22)
            columns/IsNaN_24 = IsNaN(columns/Concat_23)
            limits/Less_27 = Less(columns/Concat_23, constants/25)
            limits/Greater_28 = Greater(columns/Concat_23, constants/26)
            limits/Or_29 = Or(limits/Less_27, limits/Greater_28)
            limits/And_31 = And(columns/IsNaN_24, constants/30)
            limits/Or_32 = Or(limits/Or_29, limits/And_31)
            limits/Floor_33 = Floor(columns/Concat_23)
            limits/Sub_34 = Sub(columns/Concat_23, limits/Floor_33)
            limits/Greater_36 = Greater(limits/Sub_34, constants/35)
            limits/Or_37 = Or(limits/Or_32, limits/Greater_36)
            limits/Cast_38 = Cast(limits/Or_37)
            limits/ReduceMax_39 = ReduceMax(limits/Cast_38)
            limits/Cast_40 = Cast(limits/ReduceMax_39)
            limits/Gather_42 = Gather(columns/Concat_23, constants/41)
            limits/Gather_43 = Gather(columns/IsNaN_24, constants/41)
            limits/Unsqueeze_45 = Unsqueeze(limits/Gather_42, constants/44)
            limits/Equal_47 = Equal(limits/Unsqueeze_45, constants/46)
            limits/Cast_48 = Cast(limits/Equal_47)
            limits/ReduceMax_49 = ReduceMax(limits/Cast_48)
            limits/Cast_50 = Cast(limits/ReduceMax_49)
            limits/Or_51 = Or(limits/Cast_50, limits/Gather_43)
            limits/Not_52 = Not(limits/Or_51)
            limits/Cast_53 = Cast(limits/Not_52)
            limits/ReduceMax_54 = ReduceMax(limits/Cast_53)
            limits/Cast_55 = Cast(limits/ReduceMax_54)
            limits/Or_56 = Or(limits/Cast_40, limits/Cast_55)
            features/Greater_59 = Greater(columns/Concat_23, constants/57)
            features/Where_60 = Where(features/Greater_59, constants/57, columns/Concat_23)
            features/Less_61 = Less(features/Where_60, constants/58)
            features/Where_62 = Where(features/Less_61, constants/58, features/Where_60)
            features/Cast_63 = Cast(features/Where_62)
            features/Cast_64 = Cast(features/Cast_63)
            classifier/TreeEnsembleRegressor_65 = TreeEnsembleRegressor(features/Cast_64)
            classifier/Cast_66 = Cast(classifier/TreeEnsembleRegressor_65)
            classifier/Add_68 = Add(classifier/Cast_66, constants/67)
            classifier/Neg_69 = Neg(classifier/Add_68)
            classifier/Exp_70 = Exp(classifier/Add_68)
            classifier/Add_71 = Add(constants/9, classifier/Exp_70)
            classifier/Div_72 = Div(constants/9, classifier/Add_71)
            classifier/Exp_73 = Exp(classifier/Neg_69)
            classifier/Add_74 = Add(constants/9, classifier/Exp_73)
            classifier/Div_75 = Div(constants/9, classifier/Add_74)
            calibration/Mul_78 = Mul(classifier/Div_75, constants/76)
            calibration/Add_79 = Add(calibration/Mul_78, constants/77)
            calibration/Log_80 = Log(calibration/Add_79)
            calibration/Mul_81 = Mul(classifier/Div_72, constants/76)
            calibration/Add_82 = Add(calibration/Mul_81, constants/77)
            calibration/Log_83 = Log(calibration/Add_82)
            calibration/Sub_84 = Sub(calibration/Log_80, calibration/Log_83)
            calibration/Mul_87 = Mul(calibration/Sub_84, constants/85)
            calibration/Add_88 = Add(calibration/Mul_87, constants/86)
            calibration/Exp_89 = Exp(calibration/Add_88)
            calibration/Add_90 = Add(constants/9, calibration/Exp_89)
            calibration/Div_91 = Div(constants/9, calibration/Add_90)
            verdict/IsNaN_92 = IsNaN(classifier/Div_75)
            verdict/Or_93 = Or(limits/Or_56, verdict/IsNaN_92)
            verdict/Where_94 = Where(verdict/Or_93, constants/7, calibration/Div_91)
            verdict/Less_96 = Less(verdict/Where_94, constants/95)
            verdict/Where_97 = Where(verdict/Less_96, constants/16, constants/9)
            verdict/Where_98 = Where(verdict/Or_93, constants/5, verdict/Where_97)
            threat_probability = Reshape(verdict/Where_94, constants/99)
            verdict/Cast_101 = Cast(verdict/Where_98)
            verdict/LabelEncoder_102 = LabelEncoder(verdict/Cast_101)
            label = Reshape(verdict/LabelEncoder_102, constants/99)
            out threat_probability: double[rows]
            out label: text[rows]
        "#]],
    );
}

#[test]
fn a_weighted_sum_over_one_hot_levels_of_several_families_reads_like_this() {
    let text = SCHEMA.replace("column: y,", "column: y, classes: families,");
    let bundle = bundle(schema(&text), scaled(), linear);
    check_listing(
        &bundle,
        &expect![[r#"
            in bytes: double[rows, 1]
            in port: double[rows, 1]
            in service: text[rows, 1]
            columns/LabelEncoder_3 = LabelEncoder(service)
            columns/Cast_4 = Cast(columns/LabelEncoder_3)
            columns/Equal_6 = Equal(columns/Cast_4, constants/5)
            columns/Where_8 = Where(columns/Equal_6, constants/7, columns/Cast_4)
            derived/Abs_10 = Abs(bytes)
            derived/Add_11 = Add(derived/Abs_10, constants/9)
            derived/Sub_12 = Sub(derived/Add_11, constants/9)
            derived/Log_13 = Log(derived/Add_11)
            derived/Div_14 = Div(derived/Abs_10, derived/Sub_12)
            derived/Mul_15 = Mul(derived/Log_13, derived/Div_14)
            derived/Equal_17 = Equal(derived/Sub_12, constants/16)
            derived/Where_18 = Where(derived/Equal_17, derived/Abs_10, derived/Mul_15)
            derived/Sign_19 = Sign(bytes)
            derived/Mul_20 = Mul(derived/Where_18, derived/Sign_19)
            derived/IsInf_21 = IsInf(derived/Mul_20)
            derived/Where_22 = Where(derived/IsInf_21, constants/7, derived/Mul_20)
            columns/Concat_23 = Concat(bytes, port, columns/Where_8, derived/Where_22)
            columns/IsNaN_24 = IsNaN(columns/Concat_23)
            limits/Less_27 = Less(columns/Concat_23, constants/25)
            limits/Greater_28 = Greater(columns/Concat_23, constants/26)
            limits/Or_29 = Or(limits/Less_27, limits/Greater_28)
            limits/And_31 = And(columns/IsNaN_24, constants/30)
            limits/Or_32 = Or(limits/Or_29, limits/And_31)
            limits/Floor_33 = Floor(columns/Concat_23)
            limits/Sub_34 = Sub(columns/Concat_23, limits/Floor_33)
            limits/Greater_36 = Greater(limits/Sub_34, constants/35)
            limits/Or_37 = Or(limits/Or_32, limits/Greater_36)
            limits/Cast_38 = Cast(limits/Or_37)
            limits/ReduceMax_39 = ReduceMax(limits/Cast_38)
            limits/Cast_40 = Cast(limits/ReduceMax_39)
            limits/Gather_42 = Gather(columns/Concat_23, constants/41)
            limits/Gather_43 = Gather(columns/IsNaN_24, constants/41)
            limits/Unsqueeze_45 = Unsqueeze(limits/Gather_42, constants/44)
            limits/Equal_47 = Equal(limits/Unsqueeze_45, constants/46)
            limits/Cast_48 = Cast(limits/Equal_47)
            limits/ReduceMax_49 = ReduceMax(limits/Cast_48)
            limits/Cast_50 = Cast(limits/ReduceMax_49)
            limits/Or_51 = Or(limits/Cast_50, limits/Gather_43)
            limits/Not_52 = Not(limits/Or_51)
            limits/Cast_53 = Cast(limits/Not_52)
            limits/ReduceMax_54 = ReduceMax(limits/Cast_53)
            limits/Cast_55 = Cast(limits/ReduceMax_54)
            limits/Or_56 = Or(limits/Cast_40, limits/Cast_55)
            features/Where_58 = Where(columns/IsNaN_24, constants/57, columns/Concat_23)
            features/Gather_60 = Gather(features/Where_58, constants/59)
            features/Equal_62 = Equal(features/Gather_60, constants/61)
            features/Cast_63 = Cast(features/Equal_62)
            features/Sub_65 = Sub(features/Gather_60, constants/64)
            features/Div_67 = Div(features/Sub_65, constants/66)
            features/Where_69 = Where(constants/68, features/Cast_63, features/Div_67)
            features/Greater_72 = Greater(features/Where_69, constants/70)
            features/Where_73 = Where(features/Greater_72, constants/70, features/Where_69)
            features/Less_74 = Less(features/Where_73, constants/71)
            features/Where_75 = Where(features/Less_74, constants/71, features/Where_73)
            features/Cast_76 = Cast(features/Where_75)
            features/Cast_77 = Cast(features/Cast_76)
            classifier/MatMul_79 = MatMul(features/Cast_77, constants/78)
            classifier/Add_81 = Add(classifier/MatMul_79, constants/80)
            classifier/Softmax_82 = Softmax(classifier/Add_81)
            classifier/Gather_84 = Gather(classifier/Softmax_82, constants/83)
            classifier/Gather_86 = Gather(classifier/Softmax_82, constants/85)
            classifier/ReduceSum_87 = ReduceSum(classifier/Gather_86, constants/41)
            calibration/Mul_90 = Mul(classifier/ReduceSum_87, constants/88)
            calibration/Add_91 = Add(calibration/Mul_90, constants/89)
            calibration/Log_92 = Log(calibration/Add_91)
            calibration/Mul_93 = Mul(classifier/Gather_84, constants/88)
            calibration/Add_94 = Add(calibration/Mul_93, constants/89)
            calibration/Log_95 = Log(calibration/Add_94)
            calibration/Sub_96 = Sub(calibration/Log_92, calibration/Log_95)
            calibration/Mul_99 = Mul(calibration/Sub_96, constants/97)
            calibration/Add_100 = Add(calibration/Mul_99, constants/98)
            calibration/Exp_101 = Exp(calibration/Add_100)
            calibration/Add_102 = Add(constants/9, calibration/Exp_101)
            calibration/Div_103 = Div(constants/9, calibration/Add_102)
            verdict/IsNaN_104 = IsNaN(classifier/ReduceSum_87)
            verdict/Or_105 = Or(limits/Or_56, verdict/IsNaN_104)
            verdict/Where_106 = Where(verdict/Or_105, constants/7, calibration/Div_103)
            verdict/Div_107 = Div(classifier/Gather_86, classifier/ReduceSum_87)
            verdict/Equal_108 = Equal(classifier/ReduceSum_87, constants/16)
            verdict/Where_109 = Where(verdict/Equal_108, constants/16, verdict/Div_107)
            verdict/Mul_110 = Mul(verdict/Where_109, verdict/Where_106)
            verdict/Less_112 = Less(verdict/Where_106, constants/111)
            verdict/ArgMax_113 = ArgMax(verdict/Mul_110)
            verdict/Cast_114 = Cast(verdict/ArgMax_113)
            verdict/Add_115 = Add(verdict/Cast_114, constants/9)
            verdict/Where_116 = Where(verdict/Less_112, constants/16, verdict/Add_115)
            verdict/Where_117 = Where(verdict/Or_105, constants/5, verdict/Where_116)
            threat_probability = Reshape(verdict/Where_106, constants/118)
            verdict/Cast_120 = Cast(verdict/Where_117)
            verdict/LabelEncoder_121 = LabelEncoder(verdict/Cast_120)
            label = Reshape(verdict/LabelEncoder_121, constants/118)
            verdict/Sub_123 = Sub(constants/9, verdict/Where_106)
            probabilities = Concat(verdict/Sub_123, verdict/Mul_110)
            out threat_probability: double[rows]
            out label: text[rows]
            out probabilities: double[rows, 3]
        "#]],
    );
}

#[test]
fn rows_of_a_data_frame_come_and_leave_as_vectors() {
    let ends = |bundle: &ModelBundle| {
        let bytes = export_for(Inputs::Frame, bundle, &origin()).unwrap().bytes;
        let graph = Fields::of(&bytes).message(7);
        let (inputs, outputs) = (graph.messages(11), graph.messages(12));
        let all: Vec<String> = inputs.iter().chain(&outputs).map(value).collect();
        all.join("\n")
    };
    let families = SCHEMA.replace("column: y,", "column: y, classes: families,");
    let families = bundle(schema(&families), scaled(), linear);
    expect![[r#"
        bytes: double[rows]
        port: long[rows]
        service: text[rows]
        threat_probability: double[rows]
        label: text[rows]"#]]
    .assert_eq(&ends(&families));
    // MLflow gives the only column of a frame as a table of one column.
    let one = SCHEMA.replace("  - {name: port, type: integer, values: [-1, 1]}\n", "");
    let one = one.replace(
        "  - {name: service, type: text, levels: [dns, http], unknown_levels: accept}\n",
        "",
    );
    let one = bundle(schema(&one), scaled(), linear);
    expect![[r#"
        bytes: double[rows, 1]
        threat_probability: double[rows]
        label: text[rows]"#]]
    .assert_eq(&ends(&one));
}

#[test]
fn the_same_bundle_gives_the_same_bytes_wherever_and_whenever() {
    let first = exported(&trees_bundle());
    assert_eq!(first, exported(&trees_bundle()));
    // A new digest here is a new layout for whoever has stored one: say so in docs/onnx.md.
    expect!["de78a278254e582a680568e52d16b88cdda80aaa04e84e0904776fc301b2f887"]
        .assert_eq(&Digest::of(&first.bytes).to_string());
}

#[test]
fn the_model_says_where_it_comes_from_and_which_operators_it_needs() {
    let bytes = exported(&trees_bundle()).bytes;
    let model = Fields::of(&bytes);
    assert_eq!((model.ints(1), model.text(2)), (vec![8], "netsec"));
    assert_eq!(model.ints(5), [3]);
    let sets = model.messages(8);
    let sets: Vec<_> = sets.iter().map(|s| (s.text(1), s.ints(2)[0])).collect();
    assert_eq!(sets, [("", 17), ("ai.onnx.ml", 3)]);
    let entries = model.messages(14);
    let metadata: BTreeMap<_, _> = entries.iter().map(|e| (e.text(1), e.text(2))).collect();
    assert_eq!(metadata["model"], "flows");
    assert_eq!(metadata["version"], "3");
    assert_eq!(metadata["bundle"], Digest::of(b"a bundle").to_string());
    assert_eq!(metadata["dataset"], "flows");
    assert_eq!(metadata["columns"], r#"["bytes","port","service"]"#);
    assert_eq!(metadata["classes"], r#"["normal","threat"]"#);
    assert_eq!(metadata["operating_threshold"], "0.75");
    assert_eq!(metadata["notes"], "[]");
}

#[test]
fn every_value_is_made_once_and_before_it_is_used() {
    let listed = |text: &str| {
        let bytes = exported(&bundle(schema(text), scaled(), boosted)).bytes;
        let graph = Fields::of(&bytes).message(7);
        let mut known: BTreeSet<String> = BTreeSet::new();
        let mut make = |name: &str| assert!(known.insert(name.to_owned()), "{name} is made twice");
        graph.messages(11).iter().for_each(|v| make(v.text(1)));
        graph.messages(5).iter().for_each(|v| make(v.text(8)));
        for node in graph.messages(1) {
            for input in node.texts(1) {
                assert!(known.contains(input), "{input} is used before it is made");
            }
            let output = node.text(2).to_owned();
            assert!(known.insert(output.clone()), "{output} is made twice");
        }
        for output in graph.messages(12) {
            assert!(
                known.contains(output.text(1)),
                "{} is not made",
                output.text(1)
            );
        }
        known
    };
    // A column may bear the very name that an operator's value would have had.
    let usual = listed(SCHEMA);
    let mut names = usual.iter();
    let taken = names.find(|name| name.starts_with("limits/")).unwrap();
    let hostile = listed(&SCHEMA.replace("name: port", &format!("name: {taken}")));
    assert!(hostile.contains(&format!("{taken}_")), "{hostile:?}");
}

#[test]
fn the_trees_are_those_of_the_bundle() {
    let bytes = exported(&trees_bundle()).bytes;
    let nodes = Fields::of(&bytes).message(7).messages(1);
    let is_trees = |node: &&Fields| node.text(4) == "TreeEnsembleRegressor";
    let trees = nodes.iter().find(is_trees).unwrap();
    let attributes = trees.messages(5);
    let attributes: BTreeMap<_, _> = attributes.iter().map(|a| (a.text(1), a)).collect();
    let ints = |name: &str| attributes[name].ints(8);
    let doubles = |name: &str| attributes[name].message(5).doubles();
    let modes = attributes["nodes_modes"].texts(9);
    assert_eq!(modes, ["BRANCH_LEQ", "LEAF", "LEAF"]);
    assert_eq!(ints("nodes_truenodeids"), [1, 0, 0]);
    assert_eq!(ints("nodes_falsenodeids"), [2, 0, 0]);
    assert_eq!(ints("nodes_missing_value_tracks_true"), [1, 0, 0]);
    assert_eq!(ints("target_nodeids"), [1, 2]);
    assert_eq!(
        doubles("nodes_values_as_tensor"),
        [f64::from(0.1f32), 0.0, 0.0]
    );
    let leaves = [-1.25, f64::from(0.3f32)];
    assert_eq!(doubles("target_weights_as_tensor"), leaves);
}

#[test]
fn an_export_for_complete_rows_only_says_so() {
    let spec = PreprocessorSpec {
        imputer: ImputerKind::Knn,
        ..PreprocessorSpec::default()
    };
    let exported = exported(&bundle(schema(SCHEMA), spec, boosted));
    let [note] = &exported.notes[..] else {
        panic!("one note, not {:?}", exported.notes)
    };
    assert!(note.starts_with("for complete rows only"), "{note}");
    assert_eq!(Fields::of(&exported.bytes).text(6), note);
}

#[test]
fn an_export_of_a_simulated_model_says_so() {
    let mut bundle = trees_bundle();
    bundle.simulated = true;
    assert!(exported(&bundle).notes[0].contains("SIMULATED"));
}

#[test]
fn a_column_that_cannot_be_an_input_is_named() {
    for name in ["label", "threat_probability", "probabilities"] {
        let text = SCHEMA.replace("name: port", &format!("name: {name}"));
        let bundle = bundle(schema(&text), PreprocessorSpec::default(), boosted);
        let error = export(&bundle, &origin()).unwrap_err();
        let column = name.to_owned();
        assert_eq!(error, ExportError::InputName { column });
    }
}
