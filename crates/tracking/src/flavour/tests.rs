#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use dataset::TableColumn;
use expect_test::expect;

use super::*;

const SCHEMA: &str = "
name: flows
columns:
  - {name: bytes, type: integer, min: 0, may_be_missing: true}
  - {name: \"it's a port\", type: integer}
  - {name: service, type: text, levels: [dns, http]}
target: {column: y, benign: {normal: [n]}, threats: {dos: [d]}}
";

fn schema() -> Schema {
    Schema::parse(SCHEMA, "test").unwrap()
}

#[test]
fn the_model_says_how_it_is_loaded_and_fed() {
    let made = clock::parse("2026-02-03T10:11:12.345Z").unwrap();
    expect![[r#"
        artifact_path: model
        flavors:
          onnx:
            code: null
            data: model.onnx
            providers:
            - CPUExecutionProvider
          python_function:
            data: model.onnx
            env:
              conda: conda.yaml
              virtualenv: python_env.yaml
            loader_module: mlflow.onnx
            python_version: '3.11'
        run_id: 0af1
        saved_input_example_info:
          artifact_path: input_example.json
          pandas_orient: split
          type: dataframe
        signature:
          inputs: '[{"name":"bytes","required":true,"type":"double"},{"name":"it''s a port","required":true,"type":"long"},{"name":"service","required":true,"type":"string"}]'
          outputs: '[{"name":"threat_probability","required":true,"type":"double"},{"name":"label","required":true,"type":"string"}]'
          params: null
        utc_time_created: '2026-02-03 10:11:12.345000'
    "#]].assert_eq(&ml_model(&schema(), "0af1", made));
}

#[test]
fn rows_of_the_example_are_written_as_a_frame_holds_them() {
    let cells = [[1.5, f64::NAN], [80.0, -1.0], [1.0, 0.0]];
    let columns = schema()
        .features()
        .zip(cells)
        .map(|(column, values)| TableColumn {
            name: column.name.clone(),
            values: values.to_vec(),
        })
        .collect();
    let example = input_example(&schema(), &Table::new(2, columns));
    expect![[
        r#"{"columns":["bytes","it's a port","service"],"data":[[1.5,80,"http"],[null,-1,"dns"]]}"#
    ]]
    .assert_eq(&example.to_string());
}
