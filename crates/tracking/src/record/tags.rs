//! What a run is found and filtered by.

use super::Evidence;
use crate::{Origin, batch::Batch};

pub(super) fn log(batch: &mut Batch, evidence: &Evidence, origin: &Origin) {
    let mut tags = Tags(batch);
    tags.add("mlflow.source.name", "netsec run");
    tags.add("mlflow.source.type", "LOCAL");
    tags.maybe("mlflow.user", origin.user.as_deref());
    tags.maybe("mlflow.source.git.commit", origin.commit.as_deref());
    tags.add("mlflow.note.content", note(evidence, origin));
    tags.add("netsec.dataset", evidence.dataset());
    tags.add("netsec.source", evidence.source().to_string());
    tags.add("netsec.simulated", evidence.is_simulated().to_string());
    tags.add("netsec.seed", evidence.configuration["seed"].to_string());
    let first = evidence.stages.first().map(|(_, stage)| stage);
    tags.maybe(
        "netsec.code_version",
        first.map(|s| s.code_version.as_str()),
    );
    for (key, kind) in [
        // What was read, in canonical order: the data's own fingerprint.
        ("netsec.data", "raw-dataset"),
        ("netsec.training_set", "training-set"),
        ("netsec.holdout_set", "holdout-set"),
        ("netsec.bundle", "model-bundle"),
    ] {
        let digest = evidence.digest(kind).map(|digest| digest.to_string());
        tags.maybe(key, digest.as_deref());
    }
    if let Some(training) = &evidence.training {
        tags.add("netsec.chosen", training.chosen.as_str());
    }
    if let Some(promotion) = &evidence.promotion {
        tags.add("netsec.model", promotion.model.as_str());
        let version = promotion.version.map(|version| version.to_string());
        tags.maybe("netsec.model_version", version.as_deref());
        tags.add("netsec.verdict", verdict(evidence));
    }
    let failure = origin.failure.as_deref().map(artifact::without_secrets);
    tags.maybe("netsec.error", failure.as_deref());
}

struct Tags<'a>(&'a mut Batch);

impl Tags<'_> {
    fn add(&mut self, key: &str, value: impl Into<String>) {
        self.0.tag(key, value);
    }

    fn maybe(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }
}

fn verdict(evidence: &Evidence) -> &'static str {
    match evidence
        .promotion
        .as_ref()
        .map(|p| (p.promoted, p.unchanged))
    {
        Some((true, _)) => "promoted",
        Some((_, true)) => "unchanged",
        Some(_) => "declined",
        None => "failed",
    }
}

/// Says in a few lines, as Markdown, what came of the run.
fn note(evidence: &Evidence, origin: &Origin) -> String {
    let mut lines = Vec::new();
    if evidence.is_simulated() {
        lines.push("**SIMULATED data, not real traffic.**".to_owned());
    }
    if let Some(promotion) = &evidence.promotion {
        lines.push(format!("`{}`: {}", promotion.model, verdict(evidence)));
        lines.extend(promotion.reasons.iter().map(|reason| format!("- {reason}")));
    }
    if let Some(failure) = &origin.failure {
        lines.push(format!(
            "It ended early: {}",
            artifact::without_secrets(failure)
        ));
    }
    lines.join("\n\n")
}
