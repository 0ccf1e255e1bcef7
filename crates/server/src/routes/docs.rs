//! How the service is to be called: the OpenAPI description and Swagger UI, both from the binary.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Path},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_swagger_ui::Config;

use super::{
    Service, admin, explain, files, front, health, inference, invocations, json as answer_json,
    models, predict, quality, refusals,
};
use crate::{
    arguments::Scope,
    detector::{Detector, Field},
    guard::{self, IsAdmin},
    jobs::TrainingSource,
    problem::Problem,
};

/// Swagger UI's own files and inline styles, and nothing from elsewhere.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; font-src 'self'; frame-ancestors 'none'";

/// Records by column name.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// The records, each with the model's columns.
    #[schema(min_items = 1)]
    pub records: Vec<Record>,
}

/// Records by column name, and how many reasons are asked for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordsToExplain {
    /// The records, each with the model's columns.
    #[schema(min_items = 1)]
    pub records: Vec<Record>,
    /// Reasons a record, 5 by default.
    #[serde(default)]
    pub top: Option<usize>,
}

/// One record: the model's columns with their values.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Record(BTreeMap<String, Value>);

/// The description, but for the columns of the model that serves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Network-security threat detection",
        description = "Verdicts on network-security records by the champion of a model registry. Each listener \
            describes what it serves: that for administration all of it, the public one all but the paths of \
            administration."
    ),
    servers((url = "/", description = "The listener that gives this description")),
    paths(
        front::page,
        front::open_session,
        front::end_session,
        openapi,
        to_index,
        index,
        health::live,
        health::ready,
        health::metrics,
        predict::predict,
        explain::explain,
        files::csv,
        files::parquet,
        invocations::invocations,
        invocations::ping,
        inference::server,
        inference::live,
        inference::server_ready,
        inference::metadata,
        inference::ready,
        inference::infer,
        inference::metadata_of_version,
        inference::ready_of_version,
        inference::infer_of_version,
        quality::drift,
        quality::quality,
        quality::feedback,
        models::list,
        models::history
    ),
    components(schemas(Record, Problem)),
    modifiers(&Keys),
    security((), ("key" = []))
)]
struct Description;

struct Keys;

impl Modify for Keys {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// What the listener for administration has besides.
#[derive(OpenApi)]
#[openapi(
    paths(
        admin::reload,
        admin::promote,
        admin::roll_back,
        admin::train,
        admin::jobs,
        admin::job,
        admin::events,
        admin::cancel
    ),
    components(schemas(Problem))
)]
struct Administration;

/// Describes the service; a record's columns are those of the model that serves.
#[utoipa::path(get, path = "/openapi.json", tag = "documentation",
    responses(
        (status = 200, description = "This description", body = Object, content_type = "application/json"),
        refusals::OfAnybody),
    security(()))]
pub async fn openapi(
    request: HttpRequest,
    service: Data<Service>,
) -> Result<HttpResponse, Problem> {
    let is_admin = request.app_data::<IsAdmin>().is_some();
    let mut description = Description::openapi();
    if is_admin {
        description.merge(Administration::openapi());
    }
    let mut document = serde_json::to_value(description).map_err(|e| Problem::internal(&e))?;
    let headers = request.headers();
    if is_admin && guard::check_key(&service, headers, Scope::Admin).is_ok() {
        let source = &mut document["components"]["schemas"]["TrainOrder"]["properties"]["source"];
        describe_sources(source, &service.settings.sources);
    }
    if let Some(detector) = &*service.serving.current() {
        let schemas = &mut document["components"]["schemas"];
        schemas["Record"] = record_schema(detector);
        let outcome = &mut schemas["Outcome"]["properties"];
        let names = detector.bundle.class_names();
        let labels: Vec<&str> = names.iter().collect();
        for field in ["predicted", "actual"] {
            outcome[field]["enum"] = json!(labels);
        }
    }
    Ok(answer_json(document.to_string().into_bytes()))
}

/// Names the sources that the configuration lists, if it lists any.
fn describe_sources(schema: &mut Value, sources: &[TrainingSource]) {
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    if !names.is_empty() {
        schema["enum"] = json!(names);
    }
}

/// Describes a record as JSON Schema.
fn record_schema(detector: &Detector) -> Value {
    let columns = detector.columns().iter();
    let mut properties: Map<String, Value> = columns
        .clone()
        .map(|column| (column.name.clone(), column_schema(column)))
        .collect();
    let passed_over = json!({"description": "May be there, and is passed over."});
    for (name, field) in detector.fields() {
        if *field == Field::PassedOver {
            properties.insert(name.clone(), passed_over.clone());
        }
    }
    let required: Vec<&str> = columns
        .filter(|column| !column.may_be_missing)
        .map(|column| column.name.as_str())
        .collect();
    json!({
        "type": "object",
        "description": "One record: the model's columns with their values.",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn column_schema(column: &dataset::Column) -> Value {
    use dataset::{ColumnType, Domain};
    let kind = match column.kind {
        ColumnType::Integer => "integer",
        ColumnType::Number => "number",
        ColumnType::Boolean => "boolean",
        ColumnType::Text => "string",
    };
    let mut schema = Map::new();
    if column.may_be_missing {
        schema.insert("type".to_owned(), json!([kind, "null"]));
    } else {
        schema.insert("type".to_owned(), json!(kind));
    }
    let whole =
        |number: f64| serde_json::from_str(&dataset::format_number(number)).unwrap_or(Value::Null);
    match &column.domain {
        Domain::Values(values) => {
            let mut all: Vec<Value> = values.iter().copied().map(whole).collect();
            all.extend(column.may_be_missing.then_some(Value::Null));
            schema.insert("enum".to_owned(), json!(all));
        }
        Domain::Range { min, max } => {
            schema.extend(min.map(|min| ("minimum".to_owned(), whole(min))));
            schema.extend(max.map(|max| ("maximum".to_owned(), whole(max))));
        }
        Domain::Levels(_) | Domain::Any => {}
    }
    if !column.description.is_empty() {
        schema.insert("description".to_owned(), json!(column.description));
    }
    Value::Object(schema)
}

/// Swagger UI: this description, to be read and tried out.
#[utoipa::path(get, path = "/docs/", tag = "documentation",
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        refusals::OfAnybody),
    security(()))]
#[expect(
    dead_code,
    reason = "it is there for the description alone: `swagger` gives the page with its files"
)]
fn index() {}

/// Sends the reader to the index, so that its files are found beside it.
#[utoipa::path(get, path = "/docs", tag = "documentation",
    responses(
        (status = 308, description = "It is at `/docs/`"),
        refusals::OfAnybody),
    security(()))]
pub async fn to_index() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, "/docs/"))
        .finish()
}

/// Gives a file of Swagger UI.
pub async fn swagger(file: Path<String>) -> Result<HttpResponse, Problem> {
    let config = Arc::new(Config::from("/openapi.json"));
    let found = utoipa_swagger_ui::serve(&file, config).map_err(|e| Problem::internal(&e))?;
    let found = found.ok_or_else(|| Problem::not_found("there is nothing at this path"))?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_SECURITY_POLICY, DOCS_POLICY));
    if found.gzpipped {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    Ok(response
        .content_type(found.content_type)
        .body(found.bytes.into_owned()))
}
