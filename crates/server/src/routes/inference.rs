//! `/v2/…`: the Open Inference Protocol, version 2, as KServe and Triton speak it.

use std::{borrow::Cow, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path, Payload},
};
use dataset::ColumnType;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Service, blocking, json as answer_json, predict::score, refusals};
use crate::{
    detector::Detector,
    problem::Problem,
    records::{self, Cell, Places, Rows, Whole},
};

/// Which model a path asks for.
#[derive(Debug, Deserialize)]
pub struct Asked {
    name: String,
    #[serde(default)]
    version: Option<String>,
}

/// What `infer` takes: one tensor a column, all of the same length.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    inputs: Vec<Tensor<'a>>,
    #[serde(default, rename = "outputs")]
    _outputs: Option<IgnoredAny>,
    #[serde(default, rename = "parameters")]
    _parameters: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    shape: Vec<Whole>,
    #[serde(borrow, rename = "datatype")]
    _datatype: Cow<'a, str>,
    #[serde(borrow)]
    data: Vec<Cell<'a>>,
    #[serde(default, rename = "parameters")]
    _parameters: Option<IgnoredAny>,
}

/// What `infer` takes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct InferRequest {
    /// Given back with the answer.
    pub id: Option<String>,
    /// One tensor a column, of shape [n] or [n, 1]; a column that may be missing may be left out.
    #[schema(min_items = 1)]
    pub inputs: Vec<InferTensor>,
}

/// One column of a request or an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InferTensor {
    /// Name of the column.
    pub name: String,
    /// `[n]` or `[n, 1]`.
    pub shape: Vec<u64>,
    /// `INT64`, `FP64`, `BOOL` or `BYTES`.
    pub datatype: String,
    /// The values.
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
    /// `label`, `threat` and `threat_probability`.
    pub outputs: Vec<InferTensor>,
}

/// Tells the name and the version of the service.
#[utoipa::path(get, path = "/v2", tag = "other protocols",
    responses((status = 200, description = "The service", body = Object),
        refusals::OfCaller))]
pub async fn server() -> HttpResponse {
    let version = env!("CARGO_PKG_VERSION");
    let text = json!({"name": "netsec-server", "version": version, "extensions": []});
    answer_json(text.to_string().into_bytes())
}

/// Tells what the model takes and gives.
#[utoipa::path(get, path = "/v2/models/{name}", tag = "other protocols",
    params(("name" = String, Path, description = "Name of the model that serves")),
    responses(
        (status = 200, description = "Inputs and outputs", body = Object),
        (status = 404, description = "Another model serves", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "No model is loaded yet", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfCaller))]
pub async fn metadata(service: Data<Service>, asked: Path<Asked>) -> Result<HttpResponse, Problem> {
    let detector = service.detector()?;
    check_model(&detector, &asked)?;
    let inputs: Vec<Value> = detector
        .columns()
        .iter()
        .map(|c| json!({"name": c.name, "datatype": datatype(c.kind), "shape": [-1]}))
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

const OUTPUTS: [(&str, &str); 3] = [
    ("label", "BYTES"),
    ("threat", "BOOL"),
    ("threat_probability", "FP64"),
];

fn datatype(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Integer => "INT64",
        ColumnType::Number => "FP64",
        ColumnType::Boolean => "BOOL",
        ColumnType::Text => "BYTES",
    }
}

/// Says whether the model serves.
#[utoipa::path(get, path = "/v2/models/{name}/ready", tag = "other protocols",
    params(("name" = String, Path, description = "Name of the model that serves")),
    responses(
        (status = 200, description = "It serves", body = Object),
        (status = 404, description = "Another model serves", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "No model is loaded yet", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfCaller))]
pub async fn ready(service: Data<Service>, asked: Path<Asked>) -> Result<HttpResponse, Problem> {
    let detector = service.detector()?;
    check_model(&detector, &asked)?;
    let text = json!({"name": detector.name, "ready": true});
    Ok(answer_json(text.to_string().into_bytes()))
}

/// Scores rows that come as one tensor a column.
#[utoipa::path(post, path = "/v2/models/{name}/infer", tag = "other protocols",
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
    let (body, detector) = service.receive(&request, payload).await?;
    check_model(&detector, &asked)?;
    let text = blocking(move || {
        let answer = inferred(&service, &detector, &body)?;
        serde_json::to_vec(&answer).map_err(|e| Problem::internal(&e))
    });
    Ok(answer_json(text.await?))
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
    let known = records::known_json(body)?;
    let request: Request<'_> = records::parse(&known, "")?;
    let rows = read_tensors(detector, &request.inputs, service.settings.limits.rows)?;
    let scores = score(service, detector, rows.cells())?;
    let names = detector.bundle.class_names();
    let columns: [Vec<Value>; 3] = [
        scores.iter().map(|s| json!(names.name(s.label))).collect(),
        scores.iter().map(|s| json!(s.label.is_threat())).collect(),
        scores.iter().map(|s| json!(s.threat)).collect(),
    ];
    let outputs = OUTPUTS.into_iter().zip(columns);
    let tensor = |((name, kind), data): ((&str, &str), Vec<Value>)| InferTensor {
        name: name.to_owned(),
        shape: vec![data.len() as u64],
        datatype: kind.to_owned(),
        data,
    };
    Ok(InferAnswer {
        model_name: detector.name.clone(),
        model_version: detector.entry.version.to_string(),
        id: request.id.map(Cow::into_owned),
        outputs: outputs.map(tensor).collect(),
    })
}

fn read_tensors<'d>(
    detector: &'d Detector,
    tensors: &[Tensor<'_>],
    most: usize,
) -> Result<Rows<'d>, Problem> {
    let mut rows = Rows::new(detector, "inputs", most);
    let names = tensors.iter().map(|t| &*t.name);
    let places = Places::find(detector, names, &mut rows, "inputs");
    for (at, tensor) in tensors.iter().enumerate() {
        let n = tensor.data.len() as u64;
        let shape: Vec<u64> = tensor.shape.iter().map(|Whole(size)| *size).collect();
        if shape != [n] && shape != [n, 1] {
            let problem =
                format!("{n} values do not have the shape {shape:?}: use [{n}] or [{n}, 1]");
            rows.note(format!("inputs[{at}].shape"), problem);
        }
    }
    let lists: Vec<&[Cell<'_>]> = tensors.iter().map(|t| t.data.as_slice()).collect();
    places.push_lists(&mut rows, &lists, "inputs");
    rows.finish(Ok(()))
}
