//! What an exported model says about itself.

use model::ModelBundle;
use serde_json::json;

use crate::Origin;

/// Returns the model's metadata: keys, each with text or JSON.
pub(crate) fn of(
    bundle: &ModelBundle,
    origin: &Origin,
    notes: &[String],
) -> Vec<(&'static str, String)> {
    let columns: Vec<&str> = bundle.schema.features().map(|c| c.name.as_str()).collect();
    let names = bundle.class_names();
    let classes: Vec<&str> = names.iter().collect();
    vec![
        ("model", origin.model.clone()),
        ("version", origin.version.to_string()),
        ("bundle", origin.bundle.to_string()),
        ("dataset", bundle.schema.name.clone()),
        ("simulated", bundle.simulated.to_string()),
        ("family", bundle.training.family.clone()),
        ("candidate", bundle.training.candidate.clone()),
        ("columns", json!(columns).to_string()),
        ("classes", json!(classes).to_string()),
        (
            "missing_tokens",
            json!(bundle.schema.missing_tokens).to_string(),
        ),
        (
            "operating_threshold",
            bundle.thresholds.operating.to_string(),
        ),
        ("f1_threshold", bundle.thresholds.f1.to_string()),
        ("notes", json!(notes).to_string()),
    ]
}

/// Returns what whoever uses the exported model has to know.
pub(crate) fn notes(bundle: &ModelBundle) -> Vec<String> {
    let mut notes = Vec::new();
    if bundle.simulated {
        notes.push("trained on SIMULATED data, not real traffic".to_owned());
    }
    if bundle.preprocessor.carries_training_rows() {
        notes.push(
            "for complete rows only: the bundle imputes from neighbouring training rows, which this \
             graph does not hold; a row with a missing number, or one without a derived value, has the \
             probability NaN and an empty label"
                .to_owned(),
        );
    }
    notes
}
