//! The data sets that a run has used, for its lineage.

use onnx::CellType;
use serde_json::{Value, json};

use super::Evidence;

/// Servers take no longer digests of data sets.
const MAX_DIGEST: usize = 36;

/// Returns the training side and the holdout, as `runs/log-inputs` takes them.
pub(super) fn of(evidence: &Evidence) -> Vec<Value> {
    let rows = evidence.split.as_ref();
    let sides = [
        ("training", "training-set", rows.map(|s| s.train.rows)),
        ("evaluation", "holdout-set", rows.map(|s| s.holdout.rows)),
    ];
    let side = |(context, kind, rows)| input(evidence, context, kind, rows);
    sides.into_iter().filter_map(side).collect()
}

fn input(evidence: &Evidence, context: &str, kind: &str, rows: Option<usize>) -> Option<Value> {
    let digest: String = evidence.digest(kind)?.to_string();
    let (source_type, source) = source(evidence, context);
    Some(json!({
        "tags": [{"key": "mlflow.data.context", "value": context}],
        "dataset": {
            "name": evidence.experiment(),
            "digest": digest[..MAX_DIGEST],
            "source_type": source_type,
            "source": source.to_string(),
            "profile": json!({"num_rows": rows}).to_string(),
        },
    }))
}

/// Returns where the rows came from, in the words of MLflow's own kinds of sources where it has them.
fn source(evidence: &Evidence, context: &str) -> (&'static str, Value) {
    let holdout = evidence.setting("holdout");
    let uri = match (context, holdout) {
        ("evaluation", given) if !given.is_empty() => dataset::SourceUri::new(given),
        _ => evidence.source(),
    };
    match uri.scheme() {
        Some("http" | "https") => ("http", json!({"url": uri.to_string()})),
        Some("s3") => ("s3", json!({"uri": uri.to_string()})),
        Some("file") | None => ("local", json!({"uri": uri.to_string()})),
        Some(_) => ("netsec", json!({"uri": uri.to_string()})),
    }
}

/// Returns columns as MLflow's signatures write them.
pub(crate) fn columns(schema: &dataset::Schema) -> Value {
    let column = |column: &dataset::Column| {
        let kind = match CellType::of(column) {
            CellType::Long => "long",
            CellType::Double => "double",
            CellType::Text => "string",
        };
        json!({"type": kind, "name": column.name, "required": true})
    };
    schema.features().map(column).collect()
}
