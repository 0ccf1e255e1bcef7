//! Times scoring and explaining with trees that another library has fitted, and whole records.
//!
//! Usage: `score_trees MODEL ROWS EXPLAINED FOLDER`. The model is JSON, `{"n_features": n, "trees":
//! [[[feature, threshold, missing_left, left, cover], …], …]}`, with -1 and a margin in leaves; the rows
//! are f32, little-endian. Prints JSON, microseconds of processor time a row on one thread, and writes
//! `scores.f64` of all rows and `contributions.f64` (with the base last) of the first `EXPLAINED`.
//! `crates/bench/peers/inference_peers.py` runs it beside LightGBM and ONNX Runtime.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::fmt::Write as _;

use dataset::{
    PreprocessorSpec, RawBatch, RawColumn, Schema, Table, TableColumn, profile::Profile,
};
use model::trees::{Aggregation, Node, Split, Tree, TreeEnsemble};
use model::{
    Classifier, ModelBundle, TrainingSummary, calibration::Calibration, preprocessor::Preprocessor,
    scoring, threshold::Thresholds,
};
use ndarray::{Array2, ArrayView2, Axis};
use serde::Deserialize;

/// Rows that are scored or explained one by one.
const SINGLE: usize = 5000;
const SINGLE_EXPLAINED: usize = 200;
/// How long to measure each thing: many ticks of the clock that counts processor time.
const ENOUGH_SECONDS: f64 = 0.2;
/// Rows of the batch that goes the whole way.
const RECORDS: usize = 10_000;

#[derive(Deserialize)]
struct Model {
    n_features: usize,
    trees: Vec<Vec<[f64; 5]>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, rows, explained, folder] = arguments.as_slice() else {
        return Err("usage: score_trees MODEL ROWS EXPLAINED FOLDER".into());
    };
    let ensemble = ensemble(&std::fs::read_to_string(model)?)?;
    let x = rows_of(&std::fs::read(rows)?, ensemble.n_features())?;
    let explained = x.slice_axis(Axis(0), (..explained.parse::<usize>()?).into());
    // The measured thread is the pool's only one: the clock is that thread's.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let lines = pool.install(|| -> Result<Vec<String>, String> {
        let mut times = Times::default();
        time_scoring(&ensemble, x.view(), folder, &mut times)?;
        time_explaining(&ensemble, explained, folder, &mut times)?;
        time_records(&ensemble, x.view(), &mut times)?;
        Ok(times.0)
    })?;
    println!("{{{}}}", lines.join(", "));
    Ok(())
}

/// Members of the object that is printed.
#[derive(Default)]
struct Times(Vec<String>);

impl Times {
    /// Runs `call` again and again for a while, and notes its time over `n_rows`.
    fn measure<T>(
        &mut self,
        what: &str,
        n_rows: usize,
        mut call: impl FnMut() -> T,
    ) -> Result<T, String> {
        let (mut answer, mut calls) = (call(), 0);
        let start = processor_time()?;
        while calls == 0 || processor_time()? - start < ENOUGH_SECONDS {
            answer = call();
            calls += 1;
        }
        let seconds = (processor_time()? - start) / f64::from(calls);
        let micros = seconds / n_rows as f64 * 1e6;
        self.0.push(format!("\"{what}\": {micros:.4}"));
        Ok(answer)
    }
}

/// Returns the seconds that this thread has run: unlike a wall clock's, they grow little with what
/// else the machine does.
fn processor_time() -> Result<f64, String> {
    let path = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    let nanoseconds = text.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    Ok(nanoseconds.ok_or_else(|| format!("{path}: {text}"))? / 1e9)
}

fn time_scoring(
    model: &TreeEnsemble,
    x: ArrayView2<'_, f32>,
    folder: &str,
    times: &mut Times,
) -> Result<(), String> {
    let scores = times.measure("batch", x.nrows(), || model.predict_proba(x))?;
    let mut one = [0.0; 2];
    let few = x.slice_axis(Axis(0), (..SINGLE).into());
    times.measure("one row", SINGLE, || {
        for row in few.rows() {
            let row = row.to_slice().expect("the rows are contiguous");
            model.predict_proba_into(std::hint::black_box(row), &mut one);
            std::hint::black_box(one);
        }
    })?;
    save(folder, "scores", scores.column(1).iter().copied())
}

fn time_explaining(
    model: &TreeEnsemble,
    x: ArrayView2<'_, f32>,
    folder: &str,
    times: &mut Times,
) -> Result<(), String> {
    let parts = times.measure("explanation", x.nrows(), || model.contributions(x))?;
    times.measure("explanation of one row", SINGLE_EXPLAINED, || {
        for at in 0..SINGLE_EXPLAINED {
            let row = x.slice_axis(Axis(0), (at..at + 1).into());
            std::hint::black_box(model.contributions(row));
        }
    })?;
    let rows = parts.values.rows().into_iter();
    let with_base = rows.flat_map(|row| row.to_vec().into_iter().chain([parts.base[0]]));
    save(folder, "contributions", with_base)
}

/// Times the whole way of numbers in named columns to a verdict, and its stations.
fn time_records(
    model: &TreeEnsemble,
    x: ArrayView2<'_, f32>,
    times: &mut Times,
) -> Result<(), String> {
    let bundle = bundle(model, x.slice_axis(Axis(0), (..RECORDS).into()))?;
    let batch = batch(x.slice_axis(Axis(0), (..RECORDS).into()));
    let ones: Vec<RawBatch> = (0..SINGLE)
        .map(|at| self::batch(x.slice_axis(Axis(0), (at..at + 1).into())))
        .collect();
    let fails = |e: model::ScoringError| e.to_string();
    times
        .measure("records", RECORDS, || scoring::predict(&bundle, &batch))?
        .map_err(fails)?;
    let (table, _) = times.measure("records: reading", RECORDS, || {
        scoring::read(&bundle.schema, &batch)
    })?;
    times
        .measure("records: scoring", RECORDS, || bundle.score(&table))?
        .map_err(fails)?;
    let features = times
        .measure("records: preprocessing", RECORDS, || {
            bundle.preprocessor.transform(&table)
        })?
        .map_err(|e| e.to_string())?;
    times.measure("records: trees", RECORDS, || {
        bundle.classifier.predict_proba(&features)
    })?;
    times
        .measure("one record", SINGLE, || {
            ones.iter()
                .try_for_each(|one| scoring::predict(&bundle, one).map(drop))
        })?
        .map_err(fails)?;
    times.measure("one record: reading", SINGLE, || {
        for one in &ones {
            std::hint::black_box(scoring::read(&bundle.schema, one));
        }
    })?;
    let read = |one| scoring::read(&bundle.schema, one).0;
    let tables: Vec<Table> = ones.iter().map(read).collect();
    times
        .measure("one record: scoring", SINGLE, || {
            tables
                .iter()
                .try_for_each(|table| bundle.score(table).map(drop))
        })?
        .map_err(fails)
}

fn ensemble(json: &str) -> Result<TreeEnsemble, Box<dyn Error>> {
    let model: Model = serde_json::from_str(json)?;
    let trees = model.trees.iter().map(|nodes| tree(nodes)).collect();
    let aggregation = Aggregation::Boosting { base: vec![0.0] };
    let importance = vec![0.0; model.n_features];
    Ok(TreeEnsemble::new(
        model.n_features,
        2,
        aggregation,
        trees,
        importance,
    )?)
}

fn tree(nodes: &[[f64; 5]]) -> Tree {
    let mut values = Vec::new();
    let parts = nodes
        .iter()
        .map(|&[feature, value, missing_left, left, _]| {
            if feature < 0.0 {
                values.push(value as f32);
                return Node::leaf(values.len() as u32 - 1);
            }
            Node::split(Split {
                feature: feature as u16,
                threshold: value as f32,
                missing_left: missing_left == 1.0,
                left: left as u32,
            })
        });
    let parts = parts.collect();
    Tree::new(parts, nodes.iter().map(|n| n[4] as f32).collect(), values)
}

fn rows_of(bytes: &[u8], n_features: usize) -> Result<Array2<f32>, Box<dyn Error>> {
    let numbers = bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let n_rows = bytes.len() / 4 / n_features;
    Ok(Array2::from_shape_vec(
        (n_rows, n_features),
        numbers.collect(),
    )?)
}

fn save(folder: &str, name: &str, numbers: impl Iterator<Item = f64>) -> Result<(), String> {
    let bytes: Vec<u8> = numbers.flat_map(f64::to_le_bytes).collect();
    let path = format!("{folder}/{name}.f64");
    std::fs::write(&path, bytes).map_err(|e| format!("{path}: {e}"))
}

fn names(n_features: usize) -> Vec<String> {
    (0..n_features).map(|at| format!("column_{at}")).collect()
}

fn batch(x: ArrayView2<'_, f32>) -> RawBatch {
    let columns = x.columns().into_iter();
    RawBatch {
        names: names(x.ncols()),
        columns: columns
            .map(|c| RawColumn::Number(c.iter().copied().map(f64::from).collect()))
            .collect(),
        row_numbers: (1..=x.nrows() as u64).collect(),
        defects: Vec::new(),
        ..RawBatch::default()
    }
}

/// A bundle around the trees, with median imputation and Platt scaling.
fn bundle(model: &TreeEnsemble, x: ArrayView2<'_, f32>) -> Result<ModelBundle, String> {
    let mut yaml = "name: generated\ncolumns:\n".to_owned();
    for name in names(x.ncols()) {
        writeln!(
            yaml,
            "  - {{name: {name}, type: number, may_be_missing: true}}"
        )
        .map_err(|e| e.to_string())?;
    }
    yaml += "target: {column: y, benign: {good: [a]}, threats: {bad: [b]}}\n";
    let schema = Schema::parse(&yaml, "generated").map_err(|e| e.to_string())?;
    let columns = names(x.ncols())
        .into_iter()
        .zip(x.columns())
        .map(|(name, column)| TableColumn {
            name,
            values: column.iter().copied().map(f64::from).collect(),
        });
    let table = Table::new(x.nrows(), columns.collect());
    let preprocessor = Preprocessor::fit(&PreprocessorSpec::default(), &schema, &table);
    Ok(ModelBundle {
        simulated: true,
        preprocessor: preprocessor.map_err(|e| e.to_string())?,
        classifier: Classifier::Trees(model.clone()),
        calibration: Calibration::Platt { a: -1.0, b: 0.0 },
        thresholds: Thresholds {
            operating: 0.5,
            f1: 0.5,
        },
        profile: Profile::of(&schema, &table),
        training: TrainingSummary {
            family: "gradient_boosting".to_owned(),
            candidate: "given".to_owned(),
            parameters: "{}".to_owned(),
            n_rows: x.nrows() as u64,
            n_groups: x.nrows() as u64,
            seed: 0,
            cross_validation: Vec::new(),
            importance: Vec::new(),
            inputs: Vec::new(),
        },
        schema,
    })
}
