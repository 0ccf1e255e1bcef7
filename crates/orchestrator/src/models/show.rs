//! `netsec models show`: a champion, how good it is, and the versions around it.

use std::fmt::Write as _;

use artifact::Failure;
use model::ModelBundle;
use registry::{Entry, Evaluation, Registry, VersionState};
use serde_json::{Value, json};

use super::Named;
use crate::{output::print, registries::registry};

/// Features that are named, the most important first.
const MOST_IMPORTANT: usize = 10;

/// Prints a table for people, or JSON for programs.
pub fn run(model: &Named) -> Result<(), Failure> {
    let registry: Registry = registry(&model.place)?;
    let history = registry.existing(&model.name)?;
    let (entry, bundle) = registry.champion(&model.name)?;
    let challenger = super::challenger(&registry, &model.name, &history)?;
    let mut versions = history.versions();
    for version in &mut versions {
        // One that is not signed is a version like any other.
        let is_named = challenger.is_some_and(|c| c.version == version.version);
        version.alias = version.alias.filter(|a| *a != "challenger" || is_named);
    }
    let shown = Shown {
        name: &model.name,
        evaluation: registry.evaluation(&model.name, &entry)?,
        versions,
        entry,
        bundle,
    };
    print(&if model.place.json {
        shown.to_json().to_string()
    } else {
        shown.to_text()
    })
}

struct Shown<'a> {
    name: &'a str,
    versions: Vec<VersionState>,
    entry: Entry,
    bundle: ModelBundle,
    evaluation: Evaluation,
}

impl Shown<'_> {
    fn to_json(&self) -> Value {
        let (bundle, training) = (&self.bundle, &self.bundle.training);
        json!({
            "model": self.name,
            "champion": self.entry,
            "bundle": {
                "dataset": bundle.schema.name,
                "simulated": bundle.simulated,
                "family": training.family,
                "candidate": training.candidate,
                "rows": training.n_rows,
                "groups": training.n_groups,
                "seed": training.seed,
                "thresholds": bundle.thresholds,
                "features": bundle.preprocessor.n_features(),
                "carries_training_rows": bundle.preprocessor.carries_training_rows(),
                "importance": training.importance.iter().take(MOST_IMPORTANT).collect::<Vec<_>>(),
            },
            "holdout": self.evaluation.metrics,
            "versions": self.versions,
        })
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.write_bundle(&mut text);
        let _ = self.write_holdout(&mut text);
        let _ = self.write_importance(&mut text);
        let _ = self.write_versions(&mut text);
        text.trim_end().to_owned()
    }

    fn write_bundle(&self, out: &mut String) -> std::fmt::Result {
        let (entry, bundle, training) = (&self.entry, &self.bundle, &self.bundle.training);
        let data = if bundle.simulated {
            "SIMULATED data"
        } else {
            "data"
        };
        writeln!(out, "{}: {}", self.name, super::line(entry))?;
        writeln!(out, "  run         {}", entry.run)?;
        writeln!(out, "  candidate   {}", training.candidate)?;
        writeln!(
            out,
            "  trained on  {} rows, {} distinct, of `{}` {data}, seed {}",
            training.n_rows, training.n_groups, bundle.schema.name, training.seed
        )?;
        let carries = if bundle.preprocessor.carries_training_rows() {
            "; the bundle carries training rows"
        } else {
            ""
        };
        let n_features = bundle.preprocessor.n_features();
        writeln!(out, "  features    {n_features}{carries}")?;
        let t = &bundle.thresholds;
        writeln!(
            out,
            "  thresholds  operating {:.4}, F1 {:.4}",
            t.operating, t.f1
        )
    }

    fn write_holdout(&self, out: &mut String) -> std::fmt::Result {
        let e = &self.evaluation;
        let (rows, groups) = (e.n_rows, e.n_groups);
        writeln!(
            out,
            "\nHoldout: {rows} rows, {groups} distinct (95 % intervals over groups)"
        )?;
        for (name, metric) in e.metrics.named() {
            writeln!(out, "  {name:<20} {metric}")?;
        }
        Ok(())
    }

    fn write_importance(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\nMost important features")?;
        let ranked = self.bundle.training.importance.iter();
        for (name, share) in ranked.take(MOST_IMPORTANT) {
            writeln!(out, "  {name:<40} {share:.4}")?;
        }
        Ok(())
    }

    fn write_versions(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\nVersions")?;
        for v in &self.versions {
            let alias = v.alias.unwrap_or_default();
            let (version, at, run) = (v.version, &v.registered, &v.run);
            writeln!(out, "  {version:>5}  {alias:<10}  {at}  {run}")?;
        }
        Ok(())
    }
}
