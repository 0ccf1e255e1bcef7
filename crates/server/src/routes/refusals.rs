//! With what a request may be refused, as the description tells it.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, ToSchema as _,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder},
};

use crate::problem::{MEDIA_TYPE, Problem};

/// Of paths that are open to all.
pub struct OfAnybody;

/// Of open paths that answer only while a model serves.
pub struct OfReadiness;

/// Of paths that ask for a key, where keys exist.
pub struct OfCaller;

/// Of paths that ask for a model by its name.
pub struct OfModel;

/// Of paths that take a body of JSON.
pub struct OfJson;

/// Of paths that take a form from anybody.
pub struct OfForm;

/// Of paths that take a file.
pub struct OfFile;

/// Of paths that change the registry, or what serves.
pub struct OfOrder;

const ANYBODY: [(u16, &str); 4] = [
    (400, "The request cannot be understood"),
    (
        403,
        "The key may not do this, or pages of this origin may not",
    ),
    (405, "The path takes other methods: `Allow` names them"),
    (421, "This host name is not allowed"),
];

const CALLER: [(u16, &str); 2] = [
    (401, "No key, or one that is not known"),
    (
        429,
        "Too many at a time: `Retry-After` says when to try again",
    ),
];

const BODY: [(u16, &str); 4] = [
    (408, "The body did not come in time"),
    (413, "The body is too large"),
    (415, "The body is of another type"),
    (
        422,
        "The content cannot be taken, each problem with its place",
    ),
];

const NO_MODEL: (u16, &str) = (
    503,
    "No model is loaded, or what the registry holds cannot be read",
);

const FILE: [(u16, &str); 2] = [
    (
        408,
        "The file stood still, came too slowly, or took too long: of an answer that has begun, the rest is missing",
    ),
    (507, "The service has no room for the file at present"),
];

const ORDER: [(u16, &str); 2] = [
    (
        409,
        "It cannot be done as things stand; the detail says why and what to send",
    ),
    (503, "The registry does not answer, or cannot be written"),
];

impl IntoResponses for OfAnybody {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(&ANYBODY)
    }
}

impl IntoResponses for OfReadiness {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(&[&ANYBODY[..], &[NO_MODEL]].concat())
    }
}

impl IntoResponses for OfCaller {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(&[&ANYBODY[..], &CALLER].concat())
    }
}

impl IntoResponses for OfForm {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let [_, too_many] = CALLER;
        with(OfAnybody::responses(), &[&BODY[..], &[too_many]].concat())
    }
}

impl IntoResponses for OfModel {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let model = (404, "Another model or version serves");
        with(OfCaller::responses(), &[model, NO_MODEL])
    }
}

impl IntoResponses for OfJson {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        with(OfCaller::responses(), &[&BODY[..], &[NO_MODEL]].concat())
    }
}

impl IntoResponses for OfFile {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        with(OfJson::responses(), &FILE)
    }
}

impl IntoResponses for OfOrder {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        with(OfCaller::responses(), &[&BODY[..], &ORDER].concat())
    }
}

/// Adds refusals to others, in the place of those of the same status.
fn with(
    mut all: BTreeMap<String, RefOr<Response>>,
    more: &[(u16, &str)],
) -> BTreeMap<String, RefOr<Response>> {
    all.extend(refusals(more));
    all
}

fn refusals(all: &[(u16, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let problem = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(problem)).build();
    let refusal = |(status, description): &(u16, &str)| {
        let response = ResponseBuilder::new()
            .description(*description)
            .content(MEDIA_TYPE, content.clone())
            .build();
        (status.to_string(), RefOr::T(response))
    };
    all.iter().map(refusal).collect()
}
