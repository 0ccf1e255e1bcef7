//! Whether the service lives, whether it can predict, and what it has counted.

use actix_web::{HttpResponse, web::Data};

use super::{Service, refusals};
use crate::problem::Problem;

/// The service lives.
#[utoipa::path(get, path = "/healthz", tag = "health",
    responses(
        (status = 200, description = "It lives", body = String, content_type = "text/plain"),
        refusals::OfAnybody),
    security(()))]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body("ok\n")
}

/// A model is loaded, and predictions are answered.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses(
        (status = 200, description = "It predicts", body = String, content_type = "text/plain"),
        refusals::OfReadiness),
    security(()))]
pub async fn ready(service: Data<Service>) -> Result<HttpResponse, Problem> {
    service.check_ready()?;
    Ok(live().await)
}

/// Counters of the service, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, description = "Prometheus' text format", body = String,
        content_type = "text/plain"),
        refusals::OfCaller))]
pub async fn metrics(service: Data<Service>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(service.meters.exposition(&service))
}
