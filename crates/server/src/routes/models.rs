//! `/v1/models`: what is registered, and what became of it.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use registry::{Action, Entry, History};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Service, histories, json, refusals};
use crate::problem::Problem;

/// A registered model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisteredModel {
    /// Its name.
    pub name: String,
    /// Whether this service predicts with it.
    pub serving: bool,
    /// Version of the champion, if it has one; where the history cannot be read, or is not signed by those whom the service trusts, the
    /// version that serves.
    pub champion: Option<u64>,
    /// Version of the latest candidate that was declined since.
    pub challenger: Option<u64>,
    /// Number of versions; nothing where the history cannot be read.
    pub versions: Option<usize>,
    /// Why the history cannot be read, what of it is not signed, or why the champion does not serve, and what to do, where
    /// that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One entry of a model's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryEntry {
    /// Position in the history, from 1.
    pub sequence: u64,
    /// When, RFC 3339.
    pub at: String,
    /// `promoted`, `declined`, `rolled_back`, `withdrawn`, or `disowned` for an entry by which another does not count.
    pub action: String,
    /// Of `disowned`: the number of the entry that does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disowned: Option<u64>,
    /// The number of the entry by which this one does not count, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disowned_by: Option<u64>,
    /// The version that it was done to.
    pub version: u64,
    /// SHA-256 digest of the version's bundle.
    pub bundle: String,
    /// The run that made it.
    pub run: String,
    /// Whether it learned from generated rows.
    pub simulated: bool,
    /// Why it was declined, or what an override set aside.
    pub reasons: Vec<String>,
    /// Who overrode the rules and why, when someone did.
    pub why: Option<String>,
}

impl From<&Entry> for HistoryEntry {
    fn from(entry: &Entry) -> Self {
        let action = match entry.action {
            Action::Promoted => "promoted",
            Action::Declined => "declined",
            Action::RolledBack => "rolled_back",
            Action::Withdrawn => "withdrawn",
            Action::Disowned(_) => "disowned",
        };
        Self {
            sequence: entry.sequence,
            at: entry.at.clone(),
            action: action.to_owned(),
            disowned: match entry.action {
                Action::Disowned(other) => Some(other),
                _ => None,
            },
            disowned_by: None,
            version: entry.version,
            bundle: entry.bundle.to_string(),
            run: entry.run.clone(),
            simulated: entry.simulated,
            reasons: entry.reasons.clone(),
            why: entry.why.clone(),
        }
    }
}

/// Lists the registered models.
#[utoipa::path(get, path = "/v1/models", operation_id = "models", tag = "models",
    responses((status = 200, description = "Every model", body = Vec<RegisteredModel>),
        (status = 503, description = "The registry cannot be read at present", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfCaller))]
pub async fn list(service: Data<Service>) -> Result<HttpResponse, Problem> {
    let models = histories::asked(&service, histories::READING, |service| {
        let current = service.serving.current();
        let describe = |name: &String| {
            let served = current.as_ref().filter(|d| d.name == *name);
            let served = served.map(|d| d.entry.version);
            let history = histories::read(service, name).and_then(|history| {
                histories::check_champion(service, name, &history)?;
                let challenger = histories::challenger(service, name, &history)?;
                Ok((history, challenger))
            });
            let mut model = describe(name, served, history);
            if let (None, Some(version), Some(found)) =
                (&model.problem, served, &*service.serving.diagnosis())
            {
                model.problem = Some(found.with_model(version));
            }
            model
        };
        let names = histories::names(service)?;
        Ok(names.iter().map(describe).collect::<Vec<_>>())
    });
    answer(&models.await?)
}

/// Describes a model, of which a version may serve, by its history and its challenger.
fn describe(
    name: &str,
    served: Option<u64>,
    history: Result<(History, Option<u64>), Problem>,
) -> RegisteredModel {
    let mut model = RegisteredModel {
        name: name.to_owned(),
        serving: served.is_some(),
        champion: served,
        challenger: None,
        versions: None,
        problem: None,
    };
    match history {
        Ok((history, challenger)) => {
            model.champion = history.champion().map(|e| e.version);
            model.challenger = challenger;
            model.versions = Some(history.versions().len());
        }
        Err(problem) => model.problem = Some(problem.to_string()),
    }
    model
}

/// Tells what was promoted, declined and rolled back, the oldest first.
#[utoipa::path(get, path = "/v1/models/{name}/history", operation_id = "model_history", tag = "models",
    params(("name" = String, Path, description = "Name of a registered model")),
    responses(
        (status = 200, description = "Every entry", body = Vec<HistoryEntry>),
        (status = 404, description = "No such model", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "A file of this history is damaged, or the registry does not answer", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfCaller))]
pub async fn history(service: Data<Service>, name: Path<String>) -> Result<HttpResponse, Problem> {
    let entries = histories::asked(&service, histories::READING, move |service| {
        let history = histories::read(service, &name)?;
        let entries = history.entries().iter().map(|entry| HistoryEntry {
            disowned_by: history.disowned_by(entry.sequence),
            ..HistoryEntry::from(entry)
        });
        Ok(entries.collect::<Vec<_>>())
    });
    answer(&entries.await?)
}

fn answer<T: Serialize>(value: &T) -> Result<HttpResponse, Problem> {
    let text = serde_json::to_vec(value).map_err(|e| Problem::internal(&e))?;
    Ok(json(text))
}
