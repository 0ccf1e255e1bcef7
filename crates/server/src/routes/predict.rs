//! `/v1/predict`: verdicts on records.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use model::RowScore;

use super::{Service, blocking, json, refusals};
use crate::{answer::Answer, detector::Detector, problem::Problem, records};

/// Bodies up to here are answered by the thread that got them: handing them over would take longer.
const SMALL_BODY: usize = 64 << 10;

/// Says of each record whether it is a threat, and how probably.
#[utoipa::path(post, path = "/v1/predict", tag = "predictions",
    request_body(content = super::docs::Records, content_type = "application/json"),
    responses(
        (status = 200, description = "One verdict a record", body = Answer),
        refusals::OfJson))]
pub async fn predict(
    request: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (body, detector) = service.receive(&request, payload).await?;
    if body.len() <= SMALL_BODY {
        return answer(&service, &detector, &body).map(json);
    }
    let service = Data::clone(&service);
    let text = blocking(move || answer(&service, &detector, &body)).await?;
    Ok(json(text))
}

fn answer(service: &Service, detector: &Arc<Detector>, body: &[u8]) -> Result<Vec<u8>, Problem> {
    let request = records::read(detector, body, service.settings.limits.rows, false)?;
    let scores = score(service, detector, request.rows.cells())?;
    Ok(detector.parts.write(&request.rows, &scores))
}

/// Scores rows of cells and takes note of them.
pub fn score(
    service: &Service,
    detector: &Arc<Detector>,
    cells: &[f64],
) -> Result<Vec<RowScore>, Problem> {
    let scores = detector.score(cells).map_err(|e| Problem::internal(&e))?;
    service.observe(detector, cells, &scores);
    Ok(scores)
}
