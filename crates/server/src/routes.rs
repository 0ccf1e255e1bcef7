//! Which path does what.

pub mod admin;
mod docs;
mod explain;
mod files;
mod front;
mod health;
mod histories;
mod inference;
mod invocations;
mod model_fields;
mod models;
mod predict;
mod quality;
mod refusals;

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse, Resource, Route, guard,
    http::header,
    web::{self, FormConfig, PathConfig, Payload, QueryConfig, ServiceConfig},
};
use dataset::Table;
use model::RowScore;

use crate::{
    arguments::Scope,
    body::{self, Body, Bounds, Room},
    detector::Detector,
    diagnosis::Diagnosis,
    ending::Ending,
    feedback::Feedback,
    jobs::Jobs,
    meters::Meters,
    monitor::Monitor,
    prediction_log::PredictionLog,
    problem::Problem,
    rate_limit::RateLimit,
    serving::Serving,
    sessions::Sessions,
    settings::Settings,
    slots::Slots,
};
pub use histories::Histories;
pub use model_fields::MODEL_FIELDS;

/// What every request can reach.
pub struct Service {
    pub serving: Arc<Serving>,
    pub settings: Settings,
    pub meters: Meters,
    pub sessions: Sessions,
    pub rate_limit: Option<RateLimit>,
    pub jobs: Arc<Jobs>,
    pub monitor: Monitor,
    pub prediction_log: Option<PredictionLog>,
    pub ending: Ending,
    pub feedback: Feedback,
    /// Where there is room for files.
    pub slots: Arc<Slots>,
    /// Where there is room for bodies.
    pub room: Arc<Room>,
    pub histories: Histories,
}

impl Service {
    /// Says whether requests should be sent here.
    ///
    /// # Errors
    /// Status 503 when there is no model, and when the service ends.
    pub fn check_ready(&self) -> Result<(), Problem> {
        self.ending.check()?;
        self.detector().map(drop)
    }

    /// Returns the model that serves.
    ///
    /// # Errors
    /// Status 503 when there is none, and why.
    pub fn detector(&self) -> Result<Arc<Detector>, Problem> {
        let current = self.serving.current();
        let current = current.as_ref().map(Arc::clone);
        current.ok_or_else(|| Problem::unavailable(self.diagnosis().without_model()))
    }

    /// Returns why no model serves.
    pub fn diagnosis(&self) -> Arc<Diagnosis> {
        let found = self.serving.diagnosis();
        // Nothing is wrong with a model that has been taken up in between.
        found
            .as_ref()
            .map_or_else(|| Arc::new(Diagnosis::unseen()), Arc::clone)
    }

    /// Takes note of scored rows of cells: counts, drift, log.
    pub fn observe(&self, detector: &Arc<Detector>, cells: &[f64], scores: &[RowScore]) {
        let threats = scores.iter().filter(|s| s.label.is_threat()).count();
        self.meters.scored(scores.len() as u64, threats as u64);
        self.monitor.observe(detector, cells);
        if let Some(log) = &self.prediction_log {
            log.observe(detector, cells, scores);
        }
    }

    /// Takes note of the rows of a table; those without a score were refused.
    pub fn observe_table(
        &self,
        detector: &Arc<Detector>,
        table: &Table,
        scores: &[Option<RowScore>],
    ) {
        let scored: Vec<(usize, RowScore)> = scores
            .iter()
            .enumerate()
            .filter_map(|(row, score)| Some((row, (*score)?)))
            .collect();
        let threats = scored.iter().filter(|(_, s)| s.label.is_threat()).count();
        self.meters.scored(scored.len() as u64, threats as u64);
        self.meters.refused((scores.len() - scored.len()) as u64);
        let rows: Vec<usize> = scored.iter().map(|(row, _)| *row).collect();
        self.monitor.observe_table(detector, table, &rows);
        if let Some(log) = &self.prediction_log {
            log.observe_table(detector, table, &scored);
        }
    }

    /// Looks at the files that the configuration names.
    pub fn look_at_files(&self) {
        self.settings.keys.look();
        if let Some(certificate) = &self.settings.tls {
            certificate.look();
        }
    }

    /// Reads a body of JSON within the limits, and finds the model that is to answer.
    ///
    /// # Errors
    /// As [`body::read_json`] and [`Self::detector`], in this order.
    pub async fn receive(
        &self,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<(Body, Arc<Detector>), Problem> {
        let bounds = Bounds {
            room: Some(&self.room),
            ..self.bounds(self.settings.limits.body_bytes)
        };
        let body = body::read_json(request, payload, &bounds).await?;
        Ok((body, self.detector()?))
    }

    /// Returns what a body of at most so many bytes may take: one so small that it needs no room of its own, and is
    /// not kept out by large ones.
    pub fn bounds(&self, bytes: usize) -> Bounds<'_> {
        Bounds {
            bytes,
            time: self.settings.limits.client_timeout,
            room: None,
        }
    }
}

/// Declares every path of the public listener.
pub fn configure(config: &mut ServiceConfig) {
    let bad_path = |_, _: &_| Problem::not_found("there is nothing at this path").into();
    let bad_query = |_, request: &HttpRequest| files::bad_query(request).into();
    let bad_form = |_, _: &_| Problem::bad_request("the form has no `key`").into();
    config
        .app_data(FormConfig::default().limit(4096).error_handler(bad_form))
        .app_data(PathConfig::default().error_handler(bad_path))
        .app_data(QueryConfig::default().error_handler(bad_query))
        // First: paths are tried in this order, and those with names in them by regular expressions.
        .service(at("/v1/predict", "POST", web::post().to(predict::predict)))
        .service(at("/", READS, read().to(front::page)))
        .service(at("/session", "POST", web::post().to(front::open_session)))
        .service(at(
            "/session/end",
            "POST",
            web::post().to(front::end_session),
        ))
        .service(at("/assets/page.css", READS, read().to(front::style)))
        .service(at("/assets/page.js", READS, read().to(front::script)))
        .service(at("/healthz", READS, read().to(health::live)))
        .service(at("/readyz", READS, read().to(health::ready)))
        .service(at("/v2/health/live", READS, read().to(inference::live)))
        .service(at(
            "/v2/health/ready",
            READS,
            read().to(inference::server_ready),
        ))
        .service(at("/v2", READS, read().to(inference::server)))
        .service(at(
            "/v2/models/{name}",
            READS,
            read().to(inference::metadata),
        ))
        .service(at(
            "/v2/models/{name}/ready",
            READS,
            read().to(inference::ready),
        ))
        .service(at(
            "/v2/models/{name}/infer",
            "POST",
            web::post().to(inference::infer),
        ))
        .service(at(
            "/v2/models/{name}/versions/{version}",
            READS,
            read().to(inference::metadata_of_version),
        ))
        .service(at(
            "/v2/models/{name}/versions/{version}/ready",
            READS,
            read().to(inference::ready_of_version),
        ))
        .service(at(
            "/v2/models/{name}/versions/{version}/infer",
            "POST",
            web::post().to(inference::infer_of_version),
        ))
        .service(at(
            "/invocations",
            "POST",
            web::post().to(invocations::invocations),
        ))
        .service(at("/ping", READS, read().to(invocations::ping)))
        .service(at("/metrics", READS, read().to(health::metrics)))
        .service(at("/v1/predict/csv", "POST", web::post().to(files::csv)))
        .service(at(
            "/v1/predict/parquet",
            "POST",
            web::post().to(files::parquet),
        ))
        .service(at("/v1/explain", "POST", web::post().to(explain::explain)))
        .service(at("/v1/drift", READS, read().to(quality::drift)))
        .service(
            at(
                "/v1/feedback",
                "GET, HEAD, POST",
                read().to(quality::quality),
            )
            .route(web::post().to(quality::feedback)),
        )
        .service(at("/v1/models", READS, read().to(models::list)))
        .service(at(
            "/v1/models/{name}/history",
            READS,
            read().to(models::history),
        ))
        .service(at("/openapi.json", READS, read().to(docs::openapi)))
        .service(at("/docs", READS, read().to(docs::to_index)))
        .service(at("/docs/{file:.*}", READS, read().to(docs::swagger)))
        .default_service(web::to(nothing));
}

/// Returns what a request to a path must be allowed to; nothing for open ones.
pub fn needed_scope(path: &str, is_admin: bool) -> Option<Scope> {
    if is_open(path) {
        return None;
    }
    let prefixes = ["/reload", "/train", "/jobs", "/models"];
    let administers = prefixes.into_iter().any(|prefix| path.starts_with(prefix));
    Some(if is_admin && administers {
        Scope::Admin
    } else {
        Scope::Predict
    })
}

/// Returns whether a path asks for no key: whether the service lives, how it is to be called, and the
/// page, which asks for one by itself.
fn is_open(path: &str) -> bool {
    const PATHS: [&str; 12] = [
        "/",
        "/session",
        "/session/end",
        "/assets/page.css",
        "/assets/page.js",
        "/healthz",
        "/readyz",
        "/v2/health/live",
        "/v2/health/ready",
        "/ping",
        "/openapi.json",
        "/docs",
    ];
    PATHS.contains(&path) || path.starts_with("/docs/")
}

/// Returns whether a path is of the Open Inference Protocol, whose clients read errors their own way.
pub fn is_inference(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

/// The methods of paths that change nothing.
const READS: &str = "GET, HEAD";

fn at(path: &str, methods: &'static str, route: Route) -> Resource {
    web::resource(path)
        .route(route)
        .default_service(web::to(move || wrong_method(methods)))
}

fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn nothing() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found("there is nothing at this path"))
}

async fn wrong_method(methods: &'static str) -> Result<HttpResponse, Problem> {
    Err(Problem::wrong_method(methods))
}

/// Answers with JSON that is written already.
fn json(text: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(header::ContentType::json())
        .body(text)
}

/// Runs what blocks on another thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match web::block(work).await {
        Ok(result) => result,
        Err(error) => Err(Problem::internal(&error)),
    }
}
