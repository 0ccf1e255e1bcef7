//! The configuration as parameters: `training.folds` and its like.

use serde_json::Value;

use crate::batch::Batch;

/// Logs every key of a configuration; lists, and maps that are no sections, as JSON.
pub(super) fn log(batch: &mut Batch, configuration: &Value) {
    let sections = configuration.as_object().into_iter().flatten();
    for (name, value) in sections {
        match value.as_object() {
            None => batch.parameter(name, plain(value)),
            Some(section) => section.iter().for_each(|(key, value)| {
                batch.parameter(&format!("{name}.{key}"), plain(value));
            }),
        }
    }
}

/// Writes a value as people do: a text without quotation marks.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => artifact::without_secrets(text),
        other => artifact::without_secrets(&other.to_string()),
    }
}
