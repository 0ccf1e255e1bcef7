//! `/v1/drift` and `/v1/feedback`: whether the model still fits what comes.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use dataset::drift::DriftReport;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Service, blocking, histories, json, refusals};
use crate::{
    detector::{Detector, ModelRef},
    feedback::LiveQuality,
    problem::{Faults, Problem},
    records::{self, Object, Whole},
};

/// What came in the last hour, against what the model has learned from.
#[derive(Debug, Serialize, ToSchema)]
pub struct Drift {
    /// The model.
    pub model: ModelRef,
    /// Records that came too fast to be looked at.
    pub passed_over: u64,
    /// The verdict, and every column's tests.
    #[schema(value_type = Object)]
    pub report: DriftReport,
}

/// Outcomes of earlier predictions.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedbackBody {
    /// The outcomes.
    pub feedback: Vec<Outcome>,
}

/// What a prediction said, and what turned out.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The version that has predicted: any registered one, also when another serves by now.
    #[schema(value_type = u64, minimum = 1)]
    pub version: Whole,
    /// The label that it gave.
    pub predicted: String,
    /// The label that was right.
    pub actual: String,
}

/// Compares the traffic of the last hour with the model's training data.
#[utoipa::path(get, path = "/v1/drift", tag = "models",
    responses(
        (status = 200, description = "The verdict, and every column's tests", body = Drift),
        (status = 503, description = "No model is loaded yet", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfCaller))]
pub async fn drift(service: Data<Service>) -> Result<HttpResponse, Problem> {
    let text = blocking(move || {
        let detector = service.detector()?;
        let drift = Drift {
            model: detector.reference.clone(),
            passed_over: service.monitor.passed_over(),
            report: service.monitor.report(&detector),
        };
        serde_json::to_vec(&drift).map_err(|e| Problem::internal(&e))
    });
    Ok(json(text.await?))
}

/// Takes labels that came late, for any registered version of the model that serves.
#[utoipa::path(post, path = "/v1/feedback", tag = "models",
    request_body(content = FeedbackBody, content_type = "application/json"),
    responses(
        (status = 200, description = "How good each version is by all labels so far",
            body = Vec<LiveQuality>),
        refusals::OfJson))]
pub async fn feedback(
    request: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (body, detector) = service.receive(&request, payload).await?;
    let mut faults = Faults::default();
    let given = read(&body, &mut faults)?;
    let newest = newest_version(&service, &detector, &given).await?;
    for (version, called, is_threat) in outcomes(&detector, newest, &given, faults)? {
        service
            .feedback
            .add(version, [(called, is_threat)].into_iter());
    }
    quality(service).await
}

/// Tells how good each version is by the labels that came late.
#[utoipa::path(get, path = "/v1/feedback", tag = "models",
    responses((status = 200, description = "Every version with labels", body = Vec<LiveQuality>),
        refusals::OfCaller))]
pub async fn quality(service: Data<Service>) -> Result<HttpResponse, Problem> {
    let text = serde_json::to_vec(&service.feedback.quality());
    Ok(json(text.map_err(|e| Problem::internal(&e))?))
}

/// Reads a body; returns the outcomes that have their shape, each with its place in the list.
fn read(body: &[u8], faults: &mut Faults) -> Result<Vec<(usize, Outcome)>, Problem> {
    let known = records::known_json(body, records::Stand::Text)?;
    let given = Object::read(records::value(&known)?, "", &["feedback"], faults);
    let list: Option<Vec<&RawValue>> =
        given.and_then(|given| given.need("feedback", "a list of outcomes", faults));
    let list = list.unwrap_or_default().into_iter().enumerate();
    Ok(list
        .filter_map(|(at, value)| Some((at, read_outcome(at, value, faults)?)))
        .collect())
}

fn read_outcome(at: usize, value: &RawValue, faults: &mut Faults) -> Option<Outcome> {
    let names = ["version", "predicted", "actual"];
    let outcome = Object::read(value, format!("feedback[{at}]"), &names, faults)?;
    let version = outcome.need("version", Whole::WHAT, faults);
    let predicted = outcome.need("predicted", "the name of a label", faults);
    let actual = outcome.need("actual", "the name of a label", faults);
    Some(Outcome {
        version: version?,
        predicted: predicted?,
        actual: actual?,
    })
}

/// Returns the newest registered version as far as it matters: of a later one than serves, as after a
/// rollback, only the registry knows. Versions are numbered without gaps.
async fn newest_version(
    service: &Data<Service>,
    detector: &Detector,
    given: &[(usize, Outcome)],
) -> Result<u64, Problem> {
    let serving = detector.entry.version;
    if given
        .iter()
        .all(|(_, outcome)| outcome.version.0 <= serving)
    {
        return Ok(serving);
    }
    let name = detector.name.clone();
    histories::asked(service, histories::READING, move |service| {
        let newest = histories::read(service, &name)?.next_version() - 1;
        if newest < serving {
            return Err(Problem::unavailable(
                "the registry does not show its versions at present: send the labels again later",
            ));
        }
        Ok(newest)
    })
    .await
}

/// Checks all outcomes before any is counted.
fn outcomes(
    detector: &Detector,
    newest: u64,
    given: &[(usize, Outcome)],
    mut faults: Faults,
) -> Result<Vec<(u64, bool, bool)>, Problem> {
    let names = detector.bundle.class_names();
    let mut checked = Vec::with_capacity(given.len());
    for (at, outcome) in given {
        let mut class = |field: &str, label: &str| {
            let class = names.iter().position(|name| name == label);
            if class.is_none() {
                let known: Vec<&str> = names.iter().collect();
                let problem = format!("no such label; the model knows {}", known.join(", "));
                faults.push(|| format!("feedback[{at}].{field}"), problem);
            }
            class.unwrap_or(0) != 0
        };
        let called = class("predicted", &outcome.predicted);
        let is_threat = class("actual", &outcome.actual);
        let Whole(version) = outcome.version;
        if version == 0 || version > newest {
            let problem = format!("no such version: the newest is {newest}");
            faults.push(|| format!("feedback[{at}].version"), problem);
        }
        checked.push((version, called, is_threat));
    }
    if faults.is_empty() {
        Ok(checked)
    } else {
        Err(Problem::refused(faults))
    }
}
