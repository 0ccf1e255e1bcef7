//! `/v2/…`: the Open Inference Protocol, version 2, as KServe and Triton speak it.

mod datatype;
mod request;

use std::{collections::BTreeMap, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path, Payload},
};
use model::RowScore;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use self::datatype::Datatype;
use super::{Service, blocking, json as answer_json, predict::score, refusals};
use crate::{answer::imputed, detector::Detector, problem::Problem};

/// Which model a path asks for.
#[derive(Debug, Deserialize)]
pub struct Asked {
    name: String,
    #[serde(default)]
    version: Option<String>,
}

/// What `infer` takes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct InferRequest {
    /// Given back with the answer.
    pub id: Option<String>,
    /// One tensor a column, of shape [n] or [n, 1]; a column that may be missing may be left out.
    #[schema(min_items = 1)]
    pub inputs: Vec<InferTensor>,
    /// The outputs that are wanted; all of them where none is named.
    pub outputs: Option<Vec<WantedOutput>>,
    /// Passed over.
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<BTreeMap<String, Value>>,
}

/// An output that is wanted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WantedOutput {
    /// `label`, `threat`, `threat_probability` or `imputed`.
    pub name: String,
    /// Passed over.
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<BTreeMap<String, Value>>,
}

/// One column of a request or an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InferTensor {
    /// Name of the column.
    pub name: String,
    /// `[n]` or `[n, 1]`.
    pub shape: Vec<u64>,
    /// `BOOL`, `INT8` to `INT64`, `UINT8` to `UINT64`, `FP16` to `FP64`, or `BYTES` for texts; the values agree
    /// with it, and it suits the column.
    pub datatype: String,
    /// The values; `null` where one is missing. Of shape `[n, 1]` each may stand in a list of its own.
    #[schema(value_type = Vec<Object>)]
    pub data: Vec<Value>,
}

/// What `infer` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InferAnswer {
    /// Name of the model.
    pub model_name: String,
    /// Its version.
    pub model_version: String,
    /// The request's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What else there is to say of the model.
    pub parameters: AnswerParameters,
    /// `label`, `threat`, `threat_probability`, and `imputed`: for each row a JSON list, as text, of the columns
    /// without a value, for which the model used its own.
    pub outputs: Vec<InferTensor>,
}

/// What there is to say of the model that has answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerParameters {
    /// SHA-256 digest of the bundle.
    pub digest: String,
    /// Whether it has learned from generated rows, not from real traffic.
    pub simulated: bool,
    /// The probability from which on a record is called a threat.
    pub threshold: f64,
}

/// Whether the service lives.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Live {
    /// Always true.
    pub live: bool,
}

/// Whether predictions are answered.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// Always true: otherwise the status is 503.
    pub ready: bool,
}

/// The service lives.
#[utoipa::path(get, path = "/v2/health/live", operation_id = "server_live", tag = "other protocols",
    responses((status = 200, description = "It lives", body = Live), refusals::OfAnybody),
    security(()))]
pub async fn live() -> HttpResponse {
    answer_json(br#"{"live":true}"#.to_vec())
}

/// A model is loaded, and predictions are answered.
#[utoipa::path(get, path = "/v2/health/ready", operation_id = "server_ready", tag = "other protocols",
    responses(
        (status = 200, description = "It predicts", body = Ready),
        refusals::OfReadiness),
    security(()))]
pub async fn server_ready(service: Data<Service>) -> Result<HttpResponse, Problem> {
    service.check_ready()?;
    Ok(answer_json(br#"{"ready":true}"#.to_vec()))
}

/// Tells the name and the version of the service.
#[utoipa::path(get, path = "/v2", operation_id = "server_metadata", tag = "other protocols",
    responses((status = 200, description = "The service", body = Object),
        refusals::OfCaller))]
pub async fn server() -> HttpResponse {
    let version = env!("CARGO_PKG_VERSION");
    let text = json!({"name": "netsec-server", "version": version, "extensions": []});
    answer_json(text.to_string().into_bytes())
}

/// Tells what the model takes and gives.
#[utoipa::path(get, path = "/v2/models/{name}", operation_id = "model_metadata", tag = "other protocols",
    params(("name" = String, Path, description = "Name of the model that serves")),
    responses(
        (status = 200, description = "Inputs and outputs", body = Object),
        refusals::OfModel))]
pub async fn metadata(service: Data<Service>, asked: Path<Asked>) -> Result<HttpResponse, Problem> {
    let detector = service.detector()?;
    check_model(&detector, &asked)?;
    let inputs: Vec<Value> = detector
        .columns()
        .iter()
        .map(|c| json!({"name": c.name, "datatype": Datatype::of_column(c), "shape": [-1]}))
        .collect();
    let output =
        |(name, kind): (&str, &str)| json!({"name": name, "datatype": kind, "shape": [-1]});
    let text = json!({
        "name": detector.name,
        "versions": [detector.entry.version.to_string()],
        "platform": "netsec",
        "inputs": inputs,
        "outputs": OUTPUTS.map(output),
    });
    Ok(answer_json(text.to_string().into_bytes()))
}

/// Names of the outputs and their datatypes.
const OUTPUTS: [(&str, &str); 4] = [
    ("label", "BYTES"),
    ("threat", "BOOL"),
    ("threat_probability", "FP64"),
    ("imputed", "BYTES"),
];

/// Says whether the model serves.
#[utoipa::path(get, path = "/v2/models/{name}/ready", operation_id = "model_ready", tag = "other protocols",
    params(("name" = String, Path, description = "Name of the model that serves")),
    responses(
        (status = 200, description = "It serves", body = Object),
        refusals::OfModel))]
pub async fn ready(service: Data<Service>, asked: Path<Asked>) -> Result<HttpResponse, Problem> {
    service.ending.check()?;
    let detector = service.detector()?;
    check_model(&detector, &asked)?;
    let text = json!({"name": detector.name, "ready": true});
    Ok(answer_json(text.to_string().into_bytes()))
}

/// Scores rows that come as one tensor a column.
#[utoipa::path(post, path = "/v2/models/{name}/infer", operation_id = "model_infer", tag = "other protocols",
    params(("name" = String, Path, description = "Name of the model that serves")),
    request_body(content = InferRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "One tensor an output", body = InferAnswer),
        (status = 404, description = "Another model serves", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfJson))]
pub async fn infer(
    request: HttpRequest,
    service: Data<Service>,
    asked: Path<Asked>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    check_is_json(&request)?;
    let (body, detector) = service.receive(&request, payload).await?;
    check_model(&detector, &asked)?;
    let text = blocking(move || {
        let answer = inferred(&service, &detector, &body)?;
        serde_json::to_vec(&answer).map_err(|e| Problem::internal(&e))
    });
    Ok(answer_json(text.await?))
}

/// Tells what a version of the model takes and gives.
#[utoipa::path(get, path = "/v2/models/{name}/versions/{version}",
    operation_id = "model_version_metadata", tag = "other protocols",
    params(
        ("name" = String, Path, description = "Name of the model that serves"),
        ("version" = String, Path, description = "Its version")),
    responses(
        (status = 200, description = "Inputs and outputs", body = Object),
        refusals::OfModel))]
pub async fn metadata_of_version(
    service: Data<Service>,
    asked: Path<Asked>,
) -> Result<HttpResponse, Problem> {
    metadata(service, asked).await
}

/// Says whether a version of the model serves.
#[utoipa::path(get, path = "/v2/models/{name}/versions/{version}/ready",
    operation_id = "model_version_ready", tag = "other protocols",
    params(
        ("name" = String, Path, description = "Name of the model that serves"),
        ("version" = String, Path, description = "Its version")),
    responses(
        (status = 200, description = "It serves", body = Object),
        refusals::OfModel))]
pub async fn ready_of_version(
    service: Data<Service>,
    asked: Path<Asked>,
) -> Result<HttpResponse, Problem> {
    ready(service, asked).await
}

/// Scores rows that come as one tensor a column, by a version of the model.
#[utoipa::path(post, path = "/v2/models/{name}/versions/{version}/infer",
    operation_id = "model_version_infer", tag = "other protocols",
    params(
        ("name" = String, Path, description = "Name of the model that serves"),
        ("version" = String, Path, description = "Its version")),
    request_body(content = InferRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "One tensor an output", body = InferAnswer),
        (status = 404, description = "Another model or version serves", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfJson))]
pub async fn infer_of_version(
    request: HttpRequest,
    service: Data<Service>,
    asked: Path<Asked>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    infer(request, service, asked, payload).await
}

/// Refuses the binary extension, which clients of Triton speak unless they are told otherwise.
fn check_is_json(request: &HttpRequest) -> Result<(), Problem> {
    if !request
        .headers()
        .contains_key("inference-header-content-length")
    {
        return Ok(());
    }
    Err(Problem::bad_request(
        "tensors come as JSON here, not in the binary extension: with Triton's client, \
         `set_data_from_numpy(values, binary_data=False)`",
    ))
}

/// Refuses other names and versions than those that serve.
fn check_model(detector: &Detector, asked: &Asked) -> Result<(), Problem> {
    let version = detector.entry.version.to_string();
    let is_asked =
        asked.name == detector.name && asked.version.as_ref().is_none_or(|asked| *asked == version);
    if is_asked {
        return Ok(());
    }
    let name = &detector.name;
    Err(Problem::not_found(format!(
        "here serves `{name}` version {version} alone"
    )))
}

fn inferred(
    service: &Service,
    detector: &Arc<Detector>,
    body: &[u8],
) -> Result<InferAnswer, Problem> {
    let asked = request::read(detector, body, service.settings.limits.rows)?;
    let cells = asked.rows.cells();
    let scores = score(service, detector, cells)?;
    let tensor = |at: usize| {
        let (name, datatype) = OUTPUTS[at];
        InferTensor {
            name: name.to_owned(),
            shape: vec![scores.len() as u64],
            datatype: datatype.to_owned(),
            data: output(name, detector, cells, &scores),
        }
    };
    Ok(InferAnswer {
        model_name: detector.name.clone(),
        model_version: detector.entry.version.to_string(),
        id: asked.id,
        parameters: AnswerParameters {
            digest: detector.reference.digest.clone(),
            simulated: detector.reference.simulated,
            threshold: detector.bundle.thresholds.operating,
        },
        outputs: asked.outputs.into_iter().map(tensor).collect(),
    })
}

/// Returns the values of an output.
fn output(name: &str, detector: &Detector, cells: &[f64], scores: &[RowScore]) -> Vec<Value> {
    let names = detector.bundle.class_names();
    let rows = cells.chunks_exact(detector.columns().len());
    match name {
        "label" => scores.iter().map(|s| json!(names.name(s.label))).collect(),
        "threat" => scores.iter().map(|s| json!(s.label.is_threat())).collect(),
        "threat_probability" => scores.iter().map(|s| json!(s.threat)).collect(),
        // A tensor has no lists in it: each is a text.
        _ => rows
            .map(|row| json!(json!(imputed(detector, row)).to_string()))
            .collect(),
    }
}
