//! `/`: the page, its files, and the key that a browser is asked for once.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Data, Form},
};
use serde::Deserialize;

use super::{Service, blocking, of_history};
use crate::{
    arguments::Scope,
    guard,
    page::{self, Traffic},
    problem::Problem,
    sessions::COOKIE,
};

/// Its own files, its own service, and nothing from elsewhere.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Shows the page, or asks for a key.
pub async fn page(request: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
    let may = |scope| guard::check_key(&service, request.headers(), scope).is_ok();
    if !may(Scope::Predict) {
        return Ok(html(StatusCode::OK, page::render_key_form(false)));
    }
    let administers = request.app_data::<guard::IsAdmin>().is_some() && may(Scope::Admin);
    let text = blocking(move || {
        let current = service.serving.current();
        let detector = current.as_deref();
        let history = detector.map(|d| {
            let read = service.serving.registry().history(&d.name);
            read.map_err(|e| of_history(&d.name, &e).to_string())
        });
        let (records, threats) = service.meters.records();
        let drift = detector.map(|d| service.monitor.report(d));
        let traffic = Traffic {
            records,
            threats,
            drift,
        };
        let sources = administers.then_some(service.settings.sources.as_slice());
        Ok(page::render(detector, history.as_ref(), &traffic, sources))
    });
    Ok(html(StatusCode::OK, text.await?))
}

/// What the form for a key holds.
#[derive(Deserialize)]
pub struct KeyForm {
    key: String,
}

/// Opens a session for a browser that has given a key.
pub async fn open_session(
    request: HttpRequest,
    service: Data<Service>,
    form: Form<KeyForm>,
) -> Result<HttpResponse, Problem> {
    let Some(granted) = service.settings.keys.current().find(form.key.trim()) else {
        let form = page::render_key_form(true);
        return Ok(html(StatusCode::UNAUTHORIZED, form));
    };
    let token = service
        .sessions
        .begin(granted.digest)
        .map_err(|e| Problem::internal(&e))?;
    let secure = match request.connection_info().scheme() {
        "https" => "; Secure",
        _ => "",
    };
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}");
    Ok(HttpResponse::SeeOther()
        .insert_header((header::LOCATION, "/"))
        .insert_header((header::SET_COOKIE, cookie))
        .finish())
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
