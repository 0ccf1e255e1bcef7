//! The header fields that say which model has answered, where the answer is a file.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, HttpResponseBuilder};
use utoipa::{
    IntoResponses, PartialSchema as _,
    openapi::{
        ContentBuilder, HeaderBuilder, Object, RefOr, Response, ResponseBuilder, Schema, Type,
    },
};

use super::files::ParquetFile;
use crate::detector::Detector;

/// Their names.
pub const MODEL_FIELDS: [&str; 5] = [
    "netsec-model",
    "netsec-model-version",
    "netsec-model-digest",
    "netsec-model-simulated",
    "netsec-threshold",
];

/// What each of them is.
const MEANINGS: [(Type, &str); MODEL_FIELDS.len()] = [
    (Type::String, "Name of the model that answers"),
    (Type::Integer, "Its version"),
    (Type::String, "SHA-256 digest of its bundle"),
    (Type::Boolean, "Whether it has learned from generated rows"),
    (
        Type::Number,
        "The probability from which on a record is called a threat",
    ),
];

/// Begins an answer that says which model has given it.
pub fn signed(detector: &Detector) -> HttpResponseBuilder {
    let of = &detector.reference;
    let values = [
        of.name.clone(),
        of.version.to_string(),
        of.digest.clone(),
        of.simulated.to_string(),
        detector.bundle.thresholds.operating.to_string(),
    ];
    let mut answer = HttpResponse::Ok();
    for field in MODEL_FIELDS.into_iter().zip(values) {
        answer.insert_header(field);
    }
    answer
}

/// A CSV file with verdicts.
pub struct CsvVerdicts;

/// A Parquet file with verdicts.
pub struct ParquetVerdicts;

impl IntoResponses for CsvVerdicts {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        verdicts("text/csv", Object::with_type(Type::String).into())
    }
}

impl IntoResponses for ParquetVerdicts {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        verdicts("application/vnd.apache.parquet", ParquetFile::schema())
    }
}

fn verdicts(media_type: &str, schema: RefOr<Schema>) -> BTreeMap<String, RefOr<Response>> {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut answer = ResponseBuilder::new()
        .description("The file with verdicts")
        .content(media_type, content);
    for (name, (kind, meaning)) in MODEL_FIELDS.into_iter().zip(MEANINGS) {
        let header = HeaderBuilder::new().schema(Some(Object::with_type(kind)));
        answer = answer.header(name, header.description(Some(meaning)).build());
    }
    BTreeMap::from([("200".to_owned(), RefOr::T(answer.build()))])
}
