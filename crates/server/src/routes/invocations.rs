//! `/invocations`: what MLflow's scoring server takes, so that its clients work unchanged.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Service, blocking, health, json, predict::score, refusals};
use crate::{
    answer::imputed,
    detector::{Detector, ModelRef},
    problem::{Faults, Problem},
    records::{
        self, Cell, Layout, MOST_MEMBERS, Object, Places, Rows, Stand, check_length, length,
        read_as,
    },
};

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
    /// A list of values for each column, or records by column name.
    Inputs {
        /// The columns or records.
        inputs: ColumnsOrRecords,
    },
    /// The same under the other name that MLflow knows.
    Instances {
        /// The columns or records.
        instances: ColumnsOrRecords,
    },
}

/// Values by column name.
#[expect(dead_code, reason = "it is there for the description alone")]
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ColumnsOrRecords {
    /// A list of values for each column, all of the same length.
    Columns(BTreeMap<String, Vec<serde_json::Value>>),
    /// Records by column name.
    Records(Vec<super::docs::Record>),
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
    /// Who answers.
    pub model: ModelRef,
    /// The probability from which on a record is called a threat.
    pub threshold: f64,
    /// For each record the columns without a value, for which the model used its own.
    pub imputed: Vec<Vec<String>>,
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

/// A model is loaded, and `/invocations` is answered.
#[utoipa::path(get, path = "/ping", tag = "other protocols",
    responses(
        (status = 200, description = "It predicts", body = String, content_type = "text/plain"),
        refusals::OfReadiness),
    security(()))]
pub async fn ping(service: Data<Service>) -> Result<HttpResponse, Problem> {
    health::ready(service).await
}

fn invoked(
    service: &Service,
    detector: &Arc<Detector>,
    rows: &Rows<'_>,
) -> Result<Invoked, Problem> {
    let names = detector.bundle.class_names();
    let scores = score(service, detector, rows.cells())?;
    let cells = rows.cells().chunks_exact(detector.columns().len());
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    let row = |score: model::RowScore| InvokedRow {
        label: names.name(score.label).to_owned(),
        threat: score.label.is_threat(),
        threat_probability: score.threat,
    };
    Ok(Invoked {
        predictions: scores.into_iter().map(row).collect(),
        model: detector.reference.clone(),
        threshold: detector.bundle.thresholds.operating,
        imputed: cells.map(|cells| owned(imputed(detector, cells))).collect(),
    })
}

/// Shapes that MLflow knows, of which one must be given, and what may stand beside it.
const SHAPES: [&str; 4] = [
    "dataframe_split",
    "dataframe_records",
    "inputs",
    "instances",
];
const NAMES: [&str; 5] = [SHAPES[0], SHAPES[1], SHAPES[2], SHAPES[3], "params"];

fn read<'d>(detector: &'d Detector, body: &[u8], most: usize) -> Result<Rows<'d>, Problem> {
    let known = records::known_json(body, Stand::Missing)?;
    let mut faults = Faults::default();
    let given = Object::read(records::value(&known)?, "", &NAMES, &mut faults);
    let shapes = given.iter().flat_map(|given| {
        let given = |shape| Some((shape, given.member(shape)?));
        SHAPES.into_iter().filter_map(given)
    });
    let shapes: Vec<(&'static str, &RawValue)> = shapes.collect();
    match shapes[..] {
        _ if !faults.is_empty() => Err(Problem::refused(faults)),
        [("dataframe_split", frame)] => read_split(detector, frame, most),
        [("dataframe_records", list)] => read_list(detector, list, "dataframe_records", most),
        [(root, columns)] if columns.get().starts_with('{') => {
            read_columns(detector, columns, root, most)
        }
        [(root, list)] => read_list(detector, list, root, most),
        _ => Err(Problem::at(
            "",
            "give one of `dataframe_split`, `dataframe_records`, `inputs`, `instances`",
        )),
    }
}

fn read_list<'d>(
    detector: &'d Detector,
    list: &RawValue,
    root: &'static str,
    most: usize,
) -> Result<Rows<'d>, Problem> {
    let inner = list.get().strip_prefix('[').unwrap_or_default();
    if inner.trim_start().starts_with('[') {
        return Err(Problem::at(
            &format!("{root}[0]"),
            "a list of values does not say which column each is of: give records by column name, a list \
             for each column name, or `dataframe_split`",
        ));
    }
    records::read_list(detector, list.get().as_bytes(), root, most)
}

fn read_split<'d>(
    detector: &'d Detector,
    frame: &RawValue,
    most: usize,
) -> Result<Rows<'d>, Problem> {
    let mut rows = Rows::new(detector, "dataframe_split.data", most);
    let faults = rows.faults();
    let members = ["columns", "data", "index"];
    let frame = Object::read(frame, "dataframe_split", &members, faults);
    let parts = frame.and_then(|frame| {
        let columns = read_names(&frame, faults);
        let what = "a list of rows, each a list of values";
        let data = frame.need("data", what, faults).and_then(|data| {
            let path = || frame.path_of("data");
            check_length(data, path, what, most, faults)?;
            frame.get("data", what, faults)
        });
        Option::zip(columns, data)
    });
    let Some((names, data)): Option<(Vec<Cow<'_, str>>, Vec<&RawValue>)> = parts else {
        return rows.finish(Ok(()));
    };
    let names = names.iter().map(|name| &**name).collect();
    let places = Places::find(Layout::Split, names, &mut rows);
    if !data.is_empty() {
        places.note_missing(&mut rows);
    }
    for row in data {
        if places.push_row(&mut rows, row) {
            break;
        }
    }
    rows.finish(Ok(()))
}

fn read_names<'a>(frame: &Object<'a>, faults: &mut Faults) -> Option<Vec<Cow<'a, str>>> {
    let what = "a list of column names";
    let names: &RawValue = frame.need("columns", what, faults)?;
    let n = length(names, || frame.path_of("columns"), what, faults)?;
    if n > MOST_MEMBERS {
        let problem = format!("{n} names, at most {MOST_MEMBERS} are read");
        faults.push(|| frame.path_of("columns"), problem);
        return None;
    }
    frame.get("columns", what, faults)
}

fn read_columns<'d>(
    detector: &'d Detector,
    columns: &RawValue,
    root: &'static str,
    most: usize,
) -> Result<Rows<'d>, Problem> {
    let mut rows = Rows::new(detector, root, most);
    let Some(columns) = Object::read_any(columns, root, "an object of columns", rows.faults())
    else {
        return rows.finish(Ok(()));
    };
    let names = columns.members().iter().map(|(name, _)| &**name).collect();
    let places = Places::find(Layout::Columns(root), names, &mut rows);
    if !columns.members().is_empty() {
        places.note_missing(&mut rows);
    }
    let what = "a list of values";
    let mut lists: Vec<Vec<Cell<'_>>> = Vec::new();
    let mut are_lists = true;
    for (at, (name, list)) in columns.members().iter().enumerate() {
        let path = || columns.path_of(name);
        let fits = check_length(list, path, what, most, rows.faults());
        are_lists &= fits.is_some();
        // Of what is no column of the model nothing is read.
        let read = fits.filter(|()| places.column(at).is_some());
        let list = read.and_then(|()| read_as(list, path, what, rows.faults()));
        lists.push(list.unwrap_or_default());
    }
    if are_lists {
        let lists: Vec<&[Cell<'_>]> = lists.iter().map(Vec::as_slice).collect();
        places.push_lists(&mut rows, &lists, |_, _| Ok(()));
    }
    rows.finish(Ok(()))
}
