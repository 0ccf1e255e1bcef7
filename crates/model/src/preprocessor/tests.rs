use std::ops::Range;

use artifact::{Artifact, codec};
use dataset::{EncoderKind, KnnParameters, NeighbourWeights, ScalerKind, TableColumn};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

pub(super) type Rows = Vec<Vec<Option<f64>>>;

const SCHEMA: &str = "
name: mixed
columns:
  - {name: size, type: number}
  - {name: port, type: integer, values: [-1, 0, 1]}
  - {name: constant, type: number}
  - {name: far, type: number}
  - {name: service, type: text, levels: [dns, ftp, http], unknown_levels: accept}
target: {column: y, benign: {good: [a]}, threats: {bad: [b]}}
";
const NAMES: [&str; 5] = ["size", "port", "constant", "far", "service"];

#[derive(Deserialize)]
pub(super) struct Fixture {
    fit: Rows,
    rows: Rows,
    pipelines: Vec<Pipeline>,
}

#[derive(Deserialize)]
struct Pipeline {
    imputer: ImputerKind,
    encoder: EncoderKind,
    scaler: ScalerKind,
    expected: Rows,
}

fn schema() -> Schema {
    Schema::parse(SCHEMA, "test").unwrap()
}

fn spec(imputer: ImputerKind, encoder: EncoderKind, scaler: ScalerKind) -> PreprocessorSpec {
    PreprocessorSpec {
        imputer,
        knn: KnnParameters {
            k: 4,
            weights: NeighbourWeights::Distance,
        },
        encoder,
        scaler,
    }
}

fn every_spec() -> Vec<PreprocessorSpec> {
    use {EncoderKind as E, ImputerKind as I, ScalerKind as S};
    let mut specs = Vec::new();
    for imputer in [I::None, I::Median, I::MostFrequent, I::Knn] {
        for encoder in [E::Ordinal, E::OneHotText, E::OneHotLevels] {
            for scaler in [S::None, S::Standard, S::MinMax, S::Robust] {
                specs.push(spec(imputer, encoder, scaler));
            }
        }
    }
    specs
}

fn table(rows: &[Vec<Option<f64>>]) -> Table {
    let column = |at: usize| rows.iter().map(move |row| row[at].unwrap_or(f64::NAN));
    let columns = NAMES.iter().enumerate().map(|(at, name)| TableColumn {
        name: (*name).to_owned(),
        values: column(at).collect(),
    });
    Table::new(rows.len(), columns.collect())
}

/// Rows of the fixture: 60 to fit on.
fn training() -> Table {
    table(&fixture().fit)
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../tests/fixtures/preprocessing.json")).unwrap()
}

fn fit(spec: &PreprocessorSpec, rows: &Table) -> Preprocessor {
    Preprocessor::fit(spec, &schema(), rows).unwrap()
}

fn features(spec: &PreprocessorSpec, rows: &[[f64; 5]]) -> String {
    let rows: Rows = rows.iter().map(|row| row.map(Some).to_vec()).collect();
    let matrix = fit(spec, &training()).transform(&table(&rows)).unwrap();
    let texts = (0..matrix.n_rows()).map(|row| matrix.row(row).to_string());
    texts.collect::<Vec<_>>().join("\n")
}

fn bits(matrix: &FeatureMatrix) -> Vec<u32> {
    matrix.values().iter().map(|v| v.to_bits()).collect()
}

pub(super) fn assert_close(what: &str, found: f64, expected: f64) {
    let close = (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
    assert!(
        close || (found.is_nan() && expected.is_nan()),
        "{what}: {found} is not {expected}"
    );
}

#[test]
fn pipelines_equal_those_of_scikit_learn() {
    let fixture = fixture();
    let rows = table(&fixture.rows);
    for p in &fixture.pipelines {
        let what = format!("{:?}, {:?}, {:?}", p.imputer, p.encoder, p.scaler);
        let fitted = fit(&spec(p.imputer, p.encoder, p.scaler), &training());
        let found = fitted.transform_to(&rows, |v| v).unwrap();
        assert_eq!(found.ncols(), p.expected[0].len(), "{what}");
        for (found, expected) in found.iter().zip(p.expected.iter().flatten()) {
            assert_close(&what, *found, expected.unwrap_or(f64::NAN));
        }
    }
}

#[test]
fn features_are_named_and_traced_to_their_columns() {
    let spec = spec(
        ImputerKind::Median,
        EncoderKind::OneHotLevels,
        ScalerKind::None,
    );
    let fitted = fit(&spec, &training());
    let names = fitted.feature_names().join(" ");
    assert_eq!(
        names,
        "size port=-1 port=0 port=1 constant far service=dns service=ftp service=http"
    );
    assert_eq!(fitted.source_columns(), [0, 1, 1, 1, 2, 3, 4, 4, 4]);
    assert!(fitted.input_columns().eq(NAMES));
}

#[test]
fn what_was_fitted_says_how_every_complete_row_is_transformed() {
    let mut rows = fixture().fit;
    rows.retain(|row| row.iter().all(Option::is_some));
    assert!(rows.len() > 3, "too few complete rows to show anything");
    for spec in every_spec() {
        let fitted = fit(&spec, &training());
        let matrix = fitted.transform_to(&table(&rows), |v| v).unwrap();
        for (row, features) in rows.iter().zip(matrix.rows()) {
            let row: Vec<f64> = row.iter().map(|cell| cell.unwrap()).collect();
            assert_eq!(said(&fitted, &row), features.to_vec(), "{spec:?}");
        }
    }
}

#[test]
fn what_was_fitted_says_what_a_missing_cell_takes() {
    for spec in every_spec() {
        if spec.imputer == ImputerKind::Knn {
            continue;
        }
        let fitted = fit(&spec, &training());
        let missing: Rows = vec![vec![None; NAMES.len()]];
        let matrix = fitted.transform_to(&table(&missing), |v| v).unwrap();
        let fills = fitted.fitted_columns().into_iter();
        let fills: Vec<f64> = fills.map(|c| c.fill.unwrap_or(f64::NAN)).collect();
        let features = said(&fitted, &fills);
        for (feature, found) in features.iter().zip(&matrix) {
            assert_close(&format!("{spec:?}"), *feature, *found);
        }
    }
}

/// Transforms a row by what the fitted columns say, and by nothing else.
fn said(fitted: &Preprocessor, row: &[f64]) -> Vec<f64> {
    let hot = |is: bool| f64::from(u8::from(is));
    let columns = fitted.fitted_columns().into_iter().zip(row);
    columns
        .flat_map(|(column, &cell)| match column.encoding {
            FittedEncoding::Scaled { centre, scale } => vec![(cell - centre) / scale],
            FittedEncoding::LevelOf(levels) => {
                (0..levels).map(|level| hot(level as f64 == cell)).collect()
            }
            FittedEncoding::ValueOf(values) => values.iter().map(|v| hot(*v == cell)).collect(),
        })
        .collect()
}

#[test]
fn unknown_and_missing_levels_are_zeros_throughout() {
    let spec = spec(
        ImputerKind::None,
        EncoderKind::OneHotLevels,
        ScalerKind::None,
    );
    let found = features(
        &spec,
        &[
            [1.0, f64::NAN, 1.0, 1.0, 3.0],
            [1.0, 0.0, 1.0, 1.0, f64::NAN],
        ],
    );
    assert_eq!(
        found,
        "[1, 0, 0, 0, 1, 1, 0, 0, 0]\n[1, 0, 1, 0, 1, 1, 0, 0, 0]"
    );
}

#[test]
fn a_number_between_two_listed_ones_goes_to_the_nearest_and_then_the_lesser() {
    let spec = spec(
        ImputerKind::Median,
        EncoderKind::OneHotLevels,
        ScalerKind::None,
    );
    let row = |port: f64| [1.0, port, 1.0, 1.0, 0.0];
    let found = features(&spec, &[row(0.6), row(0.5), row(-7.0), row(7.0)]);
    assert_eq!(
        found,
        "[1, 0, 0, 1, 1, 1, 1, 0, 0]\n[1, 0, 1, 0, 1, 1, 1, 0, 0]\n\
         [1, 1, 0, 0, 1, 1, 1, 0, 0]\n[1, 0, 0, 1, 1, 1, 1, 0, 0]"
    );
}

#[test]
fn a_column_without_any_value_keeps_its_place() {
    let empty = |text| table(&[vec![Some(2.0), None, Some(1.0), None, text], vec![None; 5]]);
    for spec in every_spec() {
        let (fitted, matrix) = Preprocessor::fit_transform(&spec, &schema(), &empty(None)).unwrap();
        assert_eq!(fitted.empty_columns(), ["port", "far", "service"]);
        assert_eq!(fitted.check(), Ok(()), "{spec:?}");
        let filled = spec.imputer != ImputerKind::None;
        assert_eq!(
            matrix.values().iter().all(|v| v.is_finite()),
            filled,
            "{spec:?}"
        );
    }
    let ordinal = spec(ImputerKind::Knn, EncoderKind::Ordinal, ScalerKind::None);
    let (_, matrix) = Preprocessor::fit_transform(&ordinal, &schema(), &empty(None)).unwrap();
    assert_eq!(matrix.row(1).to_string(), "[2, 0, 1, 0, 3]");
}

#[test]
fn values_beyond_f32_saturate() {
    let found = features(
        &PreprocessorSpec::default(),
        &[[1e300, 0.0, -1e300, f64::NAN, 0.0]],
    );
    assert_eq!(found, format!("[{}, 0, {}, NaN, 0]", f32::MAX, f32::MIN));
}

#[test]
fn fitting_and_transforming_at_once_changes_nothing() {
    let rows = training();
    for spec in every_spec() {
        let (fitted, matrix) = Preprocessor::fit_transform(&spec, &schema(), &rows).unwrap();
        assert_eq!(fitted, fit(&spec, &rows), "{spec:?}");
        assert_eq!(
            bits(&matrix),
            bits(&fitted.transform(&rows).unwrap()),
            "{spec:?}"
        );
    }
}

#[test]
fn one_row_alone_gets_the_same_features_as_in_a_table() {
    let rows = fixture().rows;
    for spec in every_spec() {
        let fitted = fit(&spec, &training());
        let matrix = fitted.transform(&table(&rows)).unwrap();
        for (at, row) in rows.iter().enumerate() {
            let row: Vec<f64> = row.iter().map(|v| v.unwrap_or(f64::NAN)).collect();
            let mut alone = vec![0_f32; fitted.n_features()];
            fitted.transform_row(&row, &mut alone).unwrap();
            let same = alone
                .iter()
                .zip(matrix.row(at))
                .all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{spec:?}, row {at}");
        }
    }
}

#[test]
fn features_are_the_same_bits_at_any_number_of_threads() {
    let many: Vec<usize> = (0..1000).map(|i| i * 7 % 60).collect();
    let rows = training().select(&many);
    for spec in every_spec() {
        let at = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let fitted = || Preprocessor::fit_transform(&spec, &schema(), &rows).unwrap();
            bits(&pool.build().unwrap().install(fitted).1)
        };
        let one = at(1);
        assert!(
            [2, 8].into_iter().all(|threads| at(threads) == one),
            "{spec:?}"
        );
    }
}

#[test]
fn what_cannot_be_fitted_is_told_by_name() {
    let knn = PreprocessorSpec {
        imputer: ImputerKind::Knn,
        knn: KnnParameters {
            k: 0,
            ..KnnParameters::default()
        },
        ..PreprocessorSpec::default()
    };
    let plain = PreprocessorSpec::default();
    let open = SCHEMA.replace("levels: [dns, ftp, http], unknown_levels: accept", "");
    let open = Schema::parse(&open.replace("type: text, ", "type: text"), "test").unwrap();
    let levels: Vec<String> = (0..5000).map(|i| format!("l{i:04}")).collect();
    let wide = SCHEMA.replace("dns, ftp, http", &levels.join(", "));
    let wide = Schema::parse(&wide, "test").unwrap();
    let one_hot = PreprocessorSpec {
        encoder: EncoderKind::OneHotText,
        ..plain
    };
    let narrow = Table::new(1, training().select(&[0]).columns()[..3].to_vec());
    let refused = [
        Preprocessor::fit(&plain, &schema(), &table(&[])),
        Preprocessor::fit(&knn, &schema(), &training()),
        Preprocessor::fit(&plain, &open, &training()),
        Preprocessor::fit(&plain, &schema(), &narrow),
        Preprocessor::fit(&one_hot, &wide, &training()),
    ];
    let texts = refused.map(|r| r.unwrap_err().to_string());
    assert_eq!(
        texts.join("\n"),
        "no rows to fit a preprocessor on: give it at least one\n\
         imputer `knn` needs k of at least 1, not 0: set `knn.k`\n\
         text column `service` has no levels: validate the data, which lists them\n\
         column `far` is missing from the rows: append derived columns, check the schema\n\
         column `service` has 5000 levels, and one-hot encoding makes a feature of each, of at most \
         4096: set `encoder: ordinal` under transformation.preprocessing, or `never_use: true` in the \
         schema"
    );
}

#[test]
fn one_hot_features_that_no_memory_holds_are_refused() {
    let levels: Vec<String> = (0..4000).map(|level| format!("l{level}")).collect();
    let wide = SCHEMA.replace("dns, ftp, http", &levels.join(", "));
    let wide = Schema::parse(&wide, "test").unwrap();
    let check = |encoder, n_rows: usize| {
        let spec = spec(ImputerKind::None, encoder, ScalerKind::None);
        let fitted = Preprocessor::fit(&spec, &wide, &training().select(&vec![0; n_rows]));
        fitted.map(drop).map_err(|e| e.to_string())
    };
    assert_eq!(check(EncoderKind::OneHotText, 1000), Ok(()));
    let message = check(EncoderKind::OneHotText, 140_000).unwrap_err();
    let words = "140000 rows of 4004 features after one-hot encoding are more than 536870912 cells, a \
                 matrix of 2 GiB: set `encoder: ordinal`";
    assert!(message.starts_with(words), "{message}");
    assert_eq!(check(EncoderKind::Ordinal, 140_000), Ok(()));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stored(Preprocessor);

impl Artifact for Stored {
    const KIND: &'static str = "preprocessor";
    const LAYOUT: u16 = 1;
    artifact::payload!();

    fn check(&self) -> Result<(), String> {
        self.0.check()
    }
}

#[test]
fn a_stored_preprocessor_gives_the_same_features() {
    let rows = table(&fixture().rows);
    for spec in every_spec() {
        let fitted = fit(&spec, &training());
        let read: Stored = codec::decode(&codec::encode(&Stored(fitted.clone())).unwrap()).unwrap();
        let found = read.0.transform(&rows).unwrap();
        assert_eq!(
            bits(&found),
            bits(&fitted.transform(&rows).unwrap()),
            "{spec:?}"
        );
        let knn = spec.imputer == ImputerKind::Knn;
        assert_eq!(read.0.carries_training_rows(), knn);
    }
}

#[test]
fn a_doctored_preprocessor_is_refused() {
    let fitted = fit(
        &spec(
            ImputerKind::Knn,
            EncoderKind::OneHotText,
            ScalerKind::Standard,
        ),
        &training(),
    );
    let check = |doctor: fn(&mut Preprocessor)| {
        let mut doctored = fitted.clone();
        doctor(&mut doctored);
        let bytes = codec::encode(&Stored(doctored)).unwrap();
        codec::decode::<Stored>(&bytes).unwrap_err().to_string()
    };
    let texts = [
        check(|p| p.inputs.truncate(2)),
        check(|p| p.inputs[1].kind = encoder::InputKind::Listed(vec![1.0, -1.0])),
        check(|p| p.spec.encoder = EncoderKind::OneHotLevels),
        check(|p| p.spec.imputer = ImputerKind::Median),
        check(|p| p.spec.knn.k = 0),
        check(|p| p.names = p.names.iter().rev().cloned().collect()),
    ];
    let reasons = texts.map(|t| t.split(": ").skip(1).collect::<Vec<_>>().join(": "));
    assert_eq!(
        reasons.join("\n"),
        "the encoder does not go with the columns\n\
         column `port`: its values do not ascend\n\
         the encoder does not go with the columns\n\
         training rows do not go with the kind of imputer\n\
         neighbours are sought with KnnParameters { k: 4, weights: Distance }\n\
         feature names do not follow from the encoder"
    );
}

/// Rows of the mixed schema: a third of the cells missing, halves and quarters elsewhere.
fn any_rows(n: Range<usize>) -> impl Strategy<Value = Rows> {
    let number = || prop::option::weighted(0.7, (-40..40_i32).prop_map(|v| f64::from(v) / 4.0));
    let code = |levels: i32| prop::option::weighted(0.7, (0..levels).prop_map(f64::from));
    let row = (number(), code(3), number(), number(), code(4));
    let row = row.prop_map(|(a, port, b, c, text)| vec![a, port.map(|p| p - 1.0), b, c, text]);
    prop::collection::vec(row, n)
}

fn any_spec() -> impl Strategy<Value = PreprocessorSpec> {
    prop::sample::select(every_spec())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(96)
    })]

    #[test]
    fn a_row_is_transformed_for_itself(
        spec in any_spec(), train in any_rows(1..40), rows in any_rows(1..20), seed in 0..1000_usize,
    ) {
        let fitted = fit(&spec, &table(&train));
        let chosen: Vec<usize> = (0..7).map(|i| (seed + i * i * 31) % rows.len()).collect();
        let all = fitted.transform(&table(&rows)).unwrap();
        let some = fitted.transform(&table(&rows).select(&chosen)).unwrap();
        prop_assert_eq!(bits(&some), bits(&all.select(&chosen)));
    }

    #[test]
    fn present_cells_are_left_alone_and_missing_ones_filled(
        kind in prop::sample::select(
            vec![ImputerKind::Median, ImputerKind::MostFrequent, ImputerKind::Knn]
        ),
        train in any_rows(1..40), rows in any_rows(1..20),
    ) {
        let fitted = fit(&spec(kind, EncoderKind::Ordinal, ScalerKind::None), &table(&train));
        let found = fitted.transform_to(&table(&rows), |v| v).unwrap();
        for (found, cell) in found.iter().zip(rows.iter().flatten()) {
            prop_assert!(found.is_finite() && cell.is_none_or(|cell| cell == *found));
        }
    }

    #[test]
    fn permuted_columns_give_permuted_features(
        spec in any_spec(), train in any_rows(1..40), rows in any_rows(1..20),
    ) {
        let mut turned = schema();
        turned.columns.rotate_left(2);
        let here = fit(&spec, &table(&train));
        let there = Preprocessor::fit(&spec, &turned, &table(&train)).unwrap();
        let a = here.transform(&table(&rows)).unwrap();
        let b = there.transform(&table(&rows)).unwrap();
        for (at, name) in here.feature_names().iter().enumerate() {
            let to = there.feature_names().iter().position(|n| n == name).unwrap();
            for (a, b) in a.values().column(at).iter().zip(b.values().column(to)) {
                prop_assert_eq!(a.to_bits(), b.to_bits());
            }
        }
    }

    #[test]
    fn scaled_training_rows_lie_where_the_scaler_says(train in any_rows(2..40)) {
        let spec = spec(ImputerKind::Median, EncoderKind::Ordinal, ScalerKind::MinMax);
        let (_, matrix) = Preprocessor::fit_transform(&spec, &schema(), &table(&train)).unwrap();
        for column in matrix.values().columns() {
            prop_assert!(column.iter().all(|v| (0.0..=1.0).contains(v)));
            prop_assert!(column.iter().any(|v| *v == 0.0));
        }
    }
}
