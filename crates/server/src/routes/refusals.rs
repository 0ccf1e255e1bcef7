//! With what a request may be refused, as the description tells it.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, ToSchema as _,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder},
};

use crate::problem::{MEDIA_TYPE, Problem};

/// Of every path that may ask for a key.
pub struct OfCaller;

/// Of paths that take a body of JSON.
pub struct OfJson;

/// Of paths that take a file.
pub struct OfFile;

const CALLER: [(u16, &str); 5] = [
    (400, "The request cannot be understood"),
    (401, "No key, or one that is not known"),
    (
        403,
        "The key may not do this, or pages of this origin may not",
    ),
    (421, "This host name is not allowed"),
    (
        429,
        "Too many at a time: `Retry-After` says when to try again",
    ),
];

const BODY: [(u16, &str); 5] = [
    (408, "The body did not come in time"),
    (413, "The body is too large"),
    (415, "The body is of another type"),
    (
        422,
        "The content cannot be scored, each problem with its place",
    ),
    (503, "No model is loaded yet, or its history cannot be read"),
];

const FILE: [(u16, &str); 2] = [
    (
        408,
        "The file stood still, came too slowly, or took too long: of an answer that has begun, the rest is missing",
    ),
    (507, "The service has no room for the file at present"),
];

impl IntoResponses for OfCaller {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(&CALLER)
    }
}

impl IntoResponses for OfJson {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(&[CALLER, BODY].concat())
    }
}

impl IntoResponses for OfFile {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut all = OfJson::responses();
        all.extend(refusals(&FILE));
        all
    }
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
