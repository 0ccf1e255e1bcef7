//! `/v1/explain`: verdicts on records, with the columns that speak most for and against them.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use model::explanation::{Explanations, Reason, Space};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Service, blocking, json, predict::score, refusals};
use crate::{
    answer::{Verdict, imputed},
    detector::{Detector, ModelRef},
    problem::Problem,
    records::{self, Request, Whole},
};

/// Reasons given where none are asked for.
const USUAL_TOP: usize = 5;

/// The answer to `/v1/explain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Explained {
    /// Who answers.
    pub model: ModelRef,
    /// The probability from which on a record is called a threat.
    pub threshold: f64,
    /// What contributions add up to, before calibration: `log_odds` or `probability`.
    pub space: String,
    /// One verdict a record with its reasons, in the request's order.
    pub explanations: Vec<WithReasons>,
}

/// The verdict on a record, and what speaks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithReasons {
    /// The verdict.
    pub verdict: Verdict,
    /// The expected raw score, of the training records.
    pub base: f64,
    /// The record's raw score: the base and the contributions of all columns.
    pub score: f64,
    /// The columns that contribute most, the weightiest first.
    pub reasons: Vec<ReasonText>,
}

/// What one column contributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonText {
    /// Name of the column.
    pub column: String,
    /// How it is computed from others, if it is.
    pub derived_from: Option<String>,
    /// The record's value.
    pub value: String,
    /// What it adds to the score; above 0 it speaks for the threat.
    pub contribution: f64,
}

impl From<Reason> for ReasonText {
    fn from(reason: Reason) -> Self {
        Self {
            column: reason.column,
            derived_from: reason.derived_from,
            value: reason.value,
            contribution: reason.contribution,
        }
    }
}

/// Says of each record whether it is a threat, and why.
#[utoipa::path(post, path = "/v1/explain", tag = "predictions",
    request_body(content = super::docs::RecordsToExplain, content_type = "application/json"),
    responses(
        (status = 200, description = "One explanation a record", body = Explained),
        refusals::OfJson))]
pub async fn explain(
    request: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (body, detector) = service.receive(&request, payload).await?;
    let text = blocking(move || {
        let request = records::read(&detector, &body, service.settings.limits.rows, true)?;
        let explained = explained(&service, &detector, &request)?;
        serde_json::to_vec(&explained).map_err(|e| Problem::internal(&e))
    });
    Ok(json(text.await?))
}

fn explained(
    service: &Service,
    detector: &Arc<Detector>,
    request: &Request<'_>,
) -> Result<Explained, Problem> {
    let cells = request.rows.cells();
    let scores = score(service, detector, cells)?;
    let explanations = detector
        .bundle
        .explain(&detector.table(cells))
        .map_err(|e| Problem::internal(&e))?;
    let names = detector.bundle.class_names();
    let rows = cells.chunks_exact(detector.columns().len()).zip(&scores);
    let asked = |Whole(n)| usize::try_from(n).unwrap_or(usize::MAX);
    let top = request.top.map_or(USUAL_TOP, asked);
    let explain = |(row, (cells, score)): (usize, (&[f64], &model::RowScore))| {
        let verdict = Verdict {
            label: names.name(score.label).to_owned(),
            threat: score.label.is_threat(),
            threat_probability: score.threat,
            imputed: imputed(detector, cells)
                .into_iter()
                .map(str::to_owned)
                .collect(),
        };
        with_reasons(&explanations, row, verdict, top)
    };
    Ok(Explained {
        model: detector.reference.clone(),
        threshold: detector.bundle.thresholds.operating,
        space: match explanations.space() {
            Space::LogOdds => "log_odds".to_owned(),
            Space::Probability => "probability".to_owned(),
        },
        explanations: rows.enumerate().map(explain).collect(),
    })
}

fn with_reasons(
    explanations: &Explanations<'_>,
    row: usize,
    verdict: Verdict,
    top: usize,
) -> WithReasons {
    let reasons = explanations.reasons(row, top);
    WithReasons {
        verdict,
        base: explanations.base(row),
        score: explanations.score(row),
        reasons: reasons.into_iter().map(ReasonText::from).collect(),
    }
}
