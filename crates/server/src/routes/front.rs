//! `/`: the page, its files, and the key that a browser is asked for once.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Data, Payload, Query},
};
use registry::History;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Service, blocking, histories, refusals};
use crate::{
    arguments::Scope,
    body, guard,
    page::{self, Page, Traffic},
    problem::Problem,
    sessions::COOKIE,
};

/// Its own files, its own service, and nothing from elsewhere.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Shows the page, or asks for a key.
#[utoipa::path(get, path = "/", tag = "page",
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        refusals::OfAnybody),
    security(()))]
pub async fn page(request: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
    let may = |scope| guard::check_key(&service, request.headers(), scope).is_ok();
    if !may(Scope::Predict) {
        return Ok(html(StatusCode::OK, page::render_key_form(false)));
    }
    let administers = request.app_data::<guard::IsAdmin>().is_some() && may(Scope::Admin);
    let has_key = !service.settings.keys.current().is_empty();
    let detector = service.detector().ok();
    let history = match &detector {
        Some(detector) => Some(history_of(&service, detector.name.clone()).await),
        None => None,
    };
    let text = blocking(move || {
        let detector = detector.as_deref();
        let (records, threats) = service.meters.records();
        let diagnosis = service.serving.diagnosis();
        let page = Page {
            detector,
            history,
            traffic: Traffic {
                records,
                threats,
                drift: detector.map(|d| service.monitor.report(d)),
            },
            diagnosis: diagnosis.as_deref(),
            has_key,
            sources: administers.then_some(service.settings.sources.as_slice()),
        };
        Ok(page.render())
    });
    Ok(html(StatusCode::OK, text.await?))
}

/// Reads the history of the model that serves, or says why it cannot be read: the rest of the page is shown all the
/// same.
async fn history_of(service: &Data<Service>, name: String) -> Result<History, String> {
    let read = move |service: &Service| histories::read(service, &name);
    let asked = histories::asked(service, histories::READING, read).await;
    asked.map_err(|problem| problem.to_string())
}

/// What the form for a key holds.
#[derive(Deserialize, ToSchema)]
pub struct KeyForm {
    /// The key.
    key: String,
}

/// Bytes of a form with a key; a key has some fifty.
const MOST_OF_A_FORM: usize = 4096;

/// Opens a session for a browser that has given a key.
#[utoipa::path(post, path = "/session", tag = "page",
    request_body(content = KeyForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "The session is open: its cookie is set, and the page is next"),
        (status = 401, description = "The key is not known: the form again", body = String,
            content_type = "text/html"),
        refusals::OfForm),
    security(()))]
pub async fn open_session(
    request: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let bounds = service.bounds(MOST_OF_A_FORM);
    let text = body::read(&request, payload, &body::FORM, &bounds).await?;
    let form = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| Query::<KeyForm>::from_query(text).ok());
    let form = form.ok_or_else(|| Problem::bad_request("the form has no field `key`"))?;
    let Some(granted) = service.settings.keys.current().find(form.key.trim()) else {
        let form = page::render_key_form(true);
        return Ok(html(StatusCode::UNAUTHORIZED, form));
    };
    let token = service
        .sessions
        .begin(granted.digest)
        .map_err(|e| Problem::internal(&e))?;
    Ok(to_page(&request, &token, ""))
}

/// Ends the session of a browser, so that nobody after its user has the key.
#[utoipa::path(post, path = "/session/end", tag = "page",
    responses(
        (status = 303, description = "There is no session any more: its cookie is taken back, and the page is next"),
        refusals::OfAnybody),
    security(()))]
pub async fn end_session(
    request: HttpRequest,
    service: Data<Service>,
) -> Result<HttpResponse, Problem> {
    if let Some(token) = guard::session_token(request.headers())? {
        service.sessions.end(token);
    }
    Ok(to_page(&request, "", "; Max-Age=0"))
}

/// Leads a browser to the page, with a token in its cookie.
fn to_page(request: &HttpRequest, token: &str, lifetime: &str) -> HttpResponse {
    let secure = match request.connection_info().scheme() {
        "https" => "; Secure",
        _ => "",
    };
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{lifetime}{secure}");
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, "/"))
        .insert_header((header::SET_COOKIE, cookie))
        .finish()
}

/// The page's style.
pub async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .body(page::STYLE)
}

/// The page's script.
pub async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript; charset=utf-8")
        .body(page::SCRIPT)
}

fn html(status: StatusCode, text: String) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .body(text)
}
