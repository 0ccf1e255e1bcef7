//! A bundle as a model that MLflow loads and serves: an ONNX graph, and what says how it is fed.

use artifact::clock;
use dataset::{Column, Schema, Table};
use model::ModelBundle;
use onnx::CellType;
use serde_json::{Value, json};

use crate::record::{Content, File, columns};

/// Where the model lies below its run.
pub(crate) const DIRECTORY: &str = "model";
const GRAPH: &str = "model.onnx";
const EXAMPLE: &str = "input_example.json";
/// Rows of the example.
const EXAMPLE_ROWS: usize = 2;
/// What loads the graph; any of these versions does. Texts of pandas 3 are no arrays for ONNX Runtime.
const REQUIREMENTS: &str = "mlflow>=2.9\nnumpy\nonnx>=1.14\nonnxruntime>=1.16\npandas<3\n";
/// What `mlflow models serve` makes an environment with.
const PYTHON: &str = "3.11";

/// Returns the files of the model: `MLmodel`, the graph, its requirements and an example.
pub(crate) fn files(
    bundle: &ModelBundle,
    graph: Vec<u8>,
    run_id: &str,
    made: clock::Timestamp,
    example: &Table,
) -> Vec<File> {
    let texts = [
        ("MLmodel", ml_model(&bundle.schema, run_id, made)),
        ("requirements.txt", REQUIREMENTS.to_owned()),
        ("python_env.yaml", python_environment()),
        ("conda.yaml", conda_environment()),
        (EXAMPLE, input_example(&bundle.schema, example).to_string()),
    ];
    let texts = texts.map(|(name, text)| (name, text.into_bytes()));
    // `MLmodel` last, since it says that the rest is there.
    let all = [(GRAPH, graph)].into_iter().chain(texts.into_iter().rev());
    let file = |(name, bytes)| File {
        path: format!("{DIRECTORY}/{name}"),
        content: Content::Bytes(bytes),
    };
    all.map(file).collect()
}

fn ml_model(schema: &Schema, run_id: &str, made: clock::Timestamp) -> String {
    let outputs = json!([
        {"type": "double", "name": "threat_probability", "required": true},
        {"type": "string", "name": "label", "required": true},
    ]);
    let made = made.format("%Y-%m-%d %H:%M:%S%.6f");
    format!(
        "artifact_path: {DIRECTORY}
flavors:
  onnx:
    code: null
    data: {GRAPH}
    providers:
    - CPUExecutionProvider
  python_function:
    data: {GRAPH}
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.onnx
    python_version: '{PYTHON}'
run_id: {run_id}
saved_input_example_info:
  artifact_path: {EXAMPLE}
  pandas_orient: split
  type: dataframe
signature:
  inputs: {}
  outputs: {}
  params: null
utc_time_created: '{made}'
",
        quoted(&columns(schema)),
        quoted(&outputs),
    )
}

/// Writes JSON as a text of YAML.
fn quoted(value: &Value) -> String {
    format!("'{}'", value.to_string().replace('\'', "''"))
}

fn python_environment() -> String {
    format!(
        "python: '{PYTHON}'\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n"
    )
}

fn conda_environment() -> String {
    let needed = REQUIREMENTS.lines().map(|line| format!("  - {line}\n"));
    format!(
        "name: netsec\nchannels:\n- conda-forge\ndependencies:\n- python={PYTHON}\n- pip\n- pip:\n{}",
        needed.collect::<String>()
    )
}

/// Writes some rows as MLflow's examples are written: columns and data apart.
fn input_example(schema: &Schema, table: &Table) -> Value {
    let names: Vec<&str> = schema
        .features()
        .map(|column| column.name.as_str())
        .collect();
    let rows = 0..table.n_rows().min(EXAMPLE_ROWS);
    let cells = |row: usize| -> Vec<Value> {
        let cell = |column: &Column| {
            let values = table.column(&column.name);
            let value = values.and_then(|values| values.get(row)).copied();
            cell(schema, column, value.unwrap_or(f64::NAN))
        };
        schema.features().map(cell).collect()
    };
    json!({"columns": names, "data": rows.map(cells).collect::<Vec<_>>()})
}

fn cell(schema: &Schema, column: &Column, value: f64) -> Value {
    match CellType::of(column) {
        CellType::Long => json!(value as i64),
        // NaN is written as null.
        CellType::Double => json!(value),
        CellType::Text => {
            let levels = column.levels().unwrap_or_default();
            let level = (value >= 0.0).then(|| levels.get(value as usize)).flatten();
            json!(level.or(schema.missing_tokens.first()))
        }
    }
}

#[cfg(test)]
mod tests;
