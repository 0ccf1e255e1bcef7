//! Times the KNN imputer on a table of comma-separated numbers, empty where missing.
//!
//! Usage: `knn_imputer TABLE K uniform|distance [OUTPUT]`. Prints seconds of fitting and transforming;
//! writes the imputed rows, f32, when asked to. `crates/bench/peers/knn_imputer.py` runs it beside scikit-learn.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::fmt::Write as _;
use std::time::Instant;

use dataset::{ImputerKind, KnnParameters, NeighbourWeights, PreprocessorSpec};
use dataset::{Schema, Table, TableColumn};
use model::FeatureMatrix;
use model::preprocessor::Preprocessor;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, k, weights, output @ ..] = arguments.as_slice() else {
        return Err("usage: knn_imputer TABLE K uniform|distance [OUTPUT]".into());
    };
    let table = read(&std::fs::read_to_string(path)?)?;
    let spec = PreprocessorSpec {
        imputer: ImputerKind::Knn,
        knn: KnnParameters {
            k: k.parse()?,
            weights: weights_named(weights)?,
        },
        ..PreprocessorSpec::default()
    };
    let schema = schema_of(&table)?;
    let start = Instant::now();
    let (_, features) = Preprocessor::fit_transform(&spec, &schema, &table)?;
    println!("{:.4}", start.elapsed().as_secs_f64());
    if let [output] = output {
        std::fs::write(output, text_of(&features)?)?;
    }
    Ok(())
}

fn weights_named(name: &str) -> Result<NeighbourWeights, String> {
    match name {
        "uniform" => Ok(NeighbourWeights::Uniform),
        "distance" => Ok(NeighbourWeights::Distance),
        _ => Err(format!("weights `{name}`: use `uniform` or `distance`")),
    }
}

fn read(text: &str) -> Result<Table, Box<dyn Error>> {
    let mut columns: Vec<TableColumn> = Vec::new();
    for line in text.lines() {
        for (at, cell) in line.split(',').enumerate() {
            if at == columns.len() {
                columns.push(TableColumn {
                    name: format!("x{at}"),
                    values: Vec::new(),
                });
            }
            let value = if cell.is_empty() {
                f64::NAN
            } else {
                cell.parse()?
            };
            columns[at].values.push(value);
        }
    }
    Ok(Table::new(text.lines().count(), columns))
}

fn schema_of(table: &Table) -> Result<Schema, Box<dyn Error>> {
    let mut yaml = "name: bench\ncolumns:\n".to_owned();
    for column in table.columns() {
        writeln!(yaml, "  - {{name: {}, type: number}}", column.name)?;
    }
    yaml += "target: {column: y, benign: {good: [a]}, threats: {bad: [b]}}\n";
    Ok(Schema::parse(&yaml, "made here")?)
}

fn text_of(features: &FeatureMatrix) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for row in features.values().rows() {
        for (at, value) in row.iter().enumerate() {
            write!(text, "{}{value}", if at == 0 { "" } else { "," })?;
        }
        text.push('\n');
    }
    Ok(text)
}
