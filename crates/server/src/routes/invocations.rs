//! `/invocations`: what MLflow's scoring server takes, so that its clients work unchanged.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Service, blocking, json, predict::score, refusals};
use crate::{
    detector::Detector,
    problem::Problem,
    records::{self, Cell, Places, Rows},
};

/// One of the shapes that MLflow knows; exactly one must be given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Invocation<'a> {
    #[serde(borrow, default)]
    dataframe_split: Option<&'a RawValue>,
    #[serde(borrow, default)]
    dataframe_records: Option<&'a RawValue>,
    #[serde(borrow, default)]
    inputs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    instances: Option<&'a RawValue>,
    #[serde(default, rename = "params")]
    _params: Option<IgnoredAny>,
}

/// A pandas frame, `orient="split"`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Split<'a> {
    #[serde(borrow)]
    columns: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    data: Vec<Vec<Cell<'a>>>,
    #[serde(default, rename = "index")]
    _index: Option<IgnoredAny>,
}

/// What `/invocations` takes.
#[expect(dead_code, reason = "it is there for the description alone")]
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum InvocationBody {
    /// Rows of a frame, as pandas' `to_dict(orient="split")` gives them.
    Split {
        /// The frame.
        dataframe_split: SplitBody,
    },
    /// Records by column name, as pandas' `to_dict(orient="records")` gives them.
    Records {
        /// The records.
        #[schema(min_items = 1)]
        dataframe_records: Vec<super::docs::Record>,
    },
    /// A list of values for each column; records by column name are taken as well.
    Inputs {
        /// The columns.
        inputs: BTreeMap<String, Vec<serde_json::Value>>,
    },
    /// Records by column name.
    Instances {
        /// The records.
        #[schema(min_items = 1)]
        instances: Vec<super::docs::Record>,
    },
}

/// A frame by rows.
#[derive(Debug, Serialize, ToSchema)]
pub struct SplitBody {
    /// Names of the columns.
    columns: Vec<String>,
    /// The rows, of as many values as there are columns.
    #[schema(min_items = 1)]
    data: Vec<Vec<serde_json::Value>>,
}

/// The answer to `/invocations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invoked {
    /// One row a record, in the request's order.
    pub predictions: Vec<InvokedRow>,
}

/// The verdict on one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokedRow {
    /// Name of the class.
    pub label: String,
    /// Whether the class is a threat.
    pub threat: bool,
    /// Calibrated probability that the record is a threat, in [0, 1].
    pub threat_probability: f64,
}

/// Scores what an MLflow client sends.
#[utoipa::path(post, path = "/invocations", tag = "other protocols",
    request_body(content = InvocationBody, content_type = "application/json"),
    responses(
        (status = 200, description = "One verdict a record", body = Invoked),
        refusals::OfJson))]
pub async fn invocations(
    request: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (body, detector) = service.receive(&request, payload).await?;
    let text = blocking(move || {
        let rows = read(&detector, &body, service.settings.limits.rows)?;
        let invoked = invoked(&service, &detector, &rows)?;
        serde_json::to_vec(&invoked).map_err(|e| Problem::internal(&e))
    });
    Ok(json(text.await?))
}

fn invoked(
    service: &Service,
    detector: &Arc<Detector>,
    rows: &Rows<'_>,
) -> Result<Invoked, Problem> {
    let names = detector.bundle.class_names();
    let scores = score(service, detector, rows.cells())?;
    let row = |score: model::RowScore| InvokedRow {
        label: names.name(score.label).to_owned(),
        threat: score.label.is_threat(),
        threat_probability: score.threat,
    };
    Ok(Invoked {
        predictions: scores.into_iter().map(row).collect(),
    })
}

fn read<'d>(detector: &'d Detector, body: &[u8], most: usize) -> Result<Rows<'d>, Problem> {
    let known = records::known_json(body)?;
    let given: Invocation<'_> = records::parse(&known, "")?;
    let list =
        |text: &RawValue, root| records::read_list(detector, text.get().as_bytes(), root, most);
    match (
        given.dataframe_split,
        given.dataframe_records,
        given.inputs,
        given.instances,
    ) {
        (Some(split), None, None, None) => read_split(detector, split, most),
        (None, Some(text), None, None) => list(text, "dataframe_records"),
        (None, None, Some(text), None) if text.get().starts_with('{') => {
            read_columns(detector, text, most)
        }
        (None, None, Some(text), None) => list(text, "inputs"),
        (None, None, None, Some(text)) => list(text, "instances"),
        _ => Err(Problem::at(
            "",
            "give one of `dataframe_split`, `dataframe_records`, `inputs`, `instances`",
        )),
    }
}

fn read_split<'d>(
    detector: &'d Detector,
    text: &RawValue,
    most: usize,
) -> Result<Rows<'d>, Problem> {
    let split: Split<'_> = records::parse(text.get().as_bytes(), "dataframe_split")?;
    let mut rows = Rows::new(detector, "dataframe_split.data", most);
    let names = split.columns.iter().map(|name| &**name);
    let places = Places::find(detector, names, &mut rows, "dataframe_split.columns");
    for (at, cells) in split.data.iter().enumerate() {
        if cells.len() != places.len() {
            let (found, expected) = (cells.len(), places.len());
            let path = format!("dataframe_split.data[{at}]");
            rows.note(path, format!("{found} values for {expected} columns"));
        }
        if places.push(&mut rows, cells.iter()) {
            break;
        }
    }
    rows.finish(Ok(()))
}

fn read_columns<'d>(
    detector: &'d Detector,
    text: &RawValue,
    most: usize,
) -> Result<Rows<'d>, Problem> {
    let columns: BTreeMap<Cow<'_, str>, Vec<Cell<'_>>> =
        records::parse(text.get().as_bytes(), "inputs")?;
    let mut rows = Rows::new(detector, "inputs", most);
    let names = columns.keys().map(|name| &**name);
    let places = Places::find(detector, names, &mut rows, "inputs");
    let lists: Vec<&[Cell<'_>]> = columns.values().map(Vec::as_slice).collect();
    places.push_lists(&mut rows, &lists, "inputs");
    rows.finish(Ok(()))
}
