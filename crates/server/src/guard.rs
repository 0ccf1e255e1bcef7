//! Who may ask: host, origin and key of every request, and the headers of every answer.

use std::{net::IpAddr, time::Instant};

use actix_web::{
    Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType, Method, StatusCode, Version,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};

use crate::{
    arguments::Scope,
    keys::Granted,
    problem::Problem,
    routes::{MODEL_FIELDS, Service, is_inference, needed_scope},
    sessions,
    slots::Client,
    unread::Unread,
    unsent,
};

/// Set on every answer that does not set its own.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: forms would be sent with `Origin: null`, which is refused.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
];

/// Marks the app of the listener for administration.
#[derive(Clone, Copy)]
pub struct IsAdmin;

/// Checks a request before anything else looks at it.
pub async fn check<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let service = request.app_data::<Data<Service>>().cloned();
    let service = service.ok_or_else(|| Problem::internal(&"the app has no service"))?;
    service.ending.note();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let unread = Unread::of(&mut request);
    // Of a machine's own name, a browser would extend it to whatever else answers there.
    let is_strict = service.settings.tls.is_some() && asks_by_allowed_name(&service, &request);
    let (request, early) = match examine(&service, &request) {
        Ok(early) => (request, early),
        Err(problem) => {
            let answer = refusal(&problem, routed_path(request.request()));
            (request, Some(answer))
        }
    };
    let response = match early {
        Some(answer) => Ok(request.into_response(answer).map_into_right_body()),
        None => (next.call(request).await).map(|response| match inference_error(&response) {
            Some(answer) => response.into_response(answer).map_into_right_body(),
            None => response.map_into_left_body(),
        }),
    };
    if let Some(unread) = unread {
        unread.answered();
    }
    let mut response = bounded(&service, response?);
    let status = response.status().as_u16();
    dress(&service, origin.as_ref(), response.headers_mut());
    if is_strict {
        let year = HeaderValue::from_static("max-age=31536000");
        let headers = response.headers_mut();
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    service.ending.note();
    if service.ending.has_begun() {
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    service.meters.answered(status, began.elapsed());
    Ok(response)
}

/// Gives a large answer on in parts, or refuses it.
fn bounded<B: MessageBody + 'static>(
    service: &Service,
    response: ServiceResponse<B>,
) -> ServiceResponse<BoxBody> {
    let bounds = unsent::Bounds {
        room: &service.room,
        client: Client::of(response.request()),
        time: service.settings.limits.client_timeout,
    };
    let mut refused = None;
    let response = response.map_body(|_, body| {
        unsent::bounded(body, &bounds).unwrap_or_else(|problem| {
            refused = Some(problem);
            BoxBody::new(())
        })
    });
    match refused {
        None => response,
        Some(problem) => {
            let answer = refusal(&problem, routed_path(response.request()));
            response.into_response(answer)
        }
    }
}

/// Returns the path by which a request finds its route: `%72eload` is `reload` there.
fn routed_path(request: &HttpRequest) -> &str {
    request.match_info().as_str()
}

/// Returns what went wrong on a path of the Open Inference Protocol, as its clients read it.
fn inference_error<B>(response: &ServiceResponse<B>) -> Option<HttpResponse> {
    let path = routed_path(response.request());
    let problem = response.response().error()?.as_error::<Problem>()?;
    is_inference(path).then(|| refusal(problem, path))
}

fn refusal(problem: &Problem, path: &str) -> HttpResponse {
    if is_inference(path) {
        return problem.as_inference_error().error_response();
    }
    problem.error_response()
}

/// Returns the answer to a preflight; nothing when the request may go on.
fn examine(service: &Service, request: &ServiceRequest) -> Result<Option<HttpResponse>, Problem> {
    check_host(service, request)?;
    let foreign = check_origin(service, request)?;
    let is_admin = request.app_data::<IsAdmin>().is_some();
    check_site(request)?;
    if foreign && request.method() == Method::OPTIONS {
        return Ok(Some(preflight()));
    }
    if let Some(scope) = needed_scope(routed_path(request.request()), is_admin) {
        let granted = check_key(service, request.headers(), scope)?;
        check_rate(service, granted)?;
        if let Some(granted) = granted {
            request.extensions_mut().insert(granted);
        }
    }
    Ok(None)
}

/// Refuses names that nobody has allowed: a page elsewhere may have pointed its own at this machine
/// (DNS rebinding). Plain addresses cannot be pointed anywhere.
fn check_host(service: &Service, request: &ServiceRequest) -> Result<(), Problem> {
    let Some(name) = asked_name(request)? else {
        // Health checks of load balancers have none, and no browser speaks this version.
        if request.version() < Version::HTTP_11 {
            return Ok(());
        }
        return Err(Problem::bad_request("the request has no `Host`"));
    };
    if name.eq_ignore_ascii_case("localhost") || is_address(name) || is_allowed(service, name) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "this name is not allowed: start the service with `--allow-host`",
    ))
}

fn asks_by_allowed_name(service: &Service, request: &ServiceRequest) -> bool {
    let name = asked_name(request).ok().flatten();
    name.is_some_and(|name| !name.eq_ignore_ascii_case("localhost") && is_allowed(service, name))
}

/// Returns the name, or the address, that a request gives the service.
fn asked_name(request: &ServiceRequest) -> Result<Option<&str>, Problem> {
    let given = text(request.headers(), &header::HOST)?;
    let given = given.or_else(|| request.uri().authority().map(|a| a.as_str()));
    given.map(host_name).transpose()
}

fn is_allowed(service: &Service, name: &str) -> bool {
    let mut allowed = service.settings.allowed_hosts.iter();
    allowed.any(|host| host.eq_ignore_ascii_case(name))
}

/// Returns the name without its port, which may be empty (RFC 3986).
fn host_name(authority: &str) -> Result<&str, Problem> {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            if port.is_empty() || port.parse::<u16>().is_ok() {
                return Ok(name);
            }
            Err(Problem::bad_request(format!(
                "the header `host` names port {port}: ports end at 65535"
            )))
        }
        _ => Ok(authority),
    }
}

fn is_address(name: &str) -> bool {
    let plain = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    plain.unwrap_or(name).parse::<IpAddr>().is_ok()
}

/// Refuses what a page of another origin asks, unless that origin is allowed; returns whether it is an
/// allowed other one.
fn check_origin(service: &Service, request: &ServiceRequest) -> Result<bool, Problem> {
    let Some(origin) = text(request.headers(), &header::ORIGIN)? else {
        return Ok(false);
    };
    let own = text(request.headers(), &header::HOST)?.unwrap_or_default();
    let is_own = origin
        .split_once("://")
        .is_some_and(|(_, host)| host.eq_ignore_ascii_case(own));
    if is_own {
        return Ok(false);
    }
    if is_allowed_origin(service, origin) {
        return Ok(true);
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "pages of this origin may not call the service: start it with `--allow-origin`",
    ))
}

/// Refuses what a page elsewhere makes a browser send without telling the origin: nobody needs a key for
/// administration on this machine where there are none, and no other page is to log a browser in or out.
fn check_site(request: &ServiceRequest) -> Result<(), Problem> {
    let is_safe = request.method().is_safe();
    if is_safe || request.headers().contains_key(header::ORIGIN) {
        return Ok(());
    }
    let site = text(
        request.headers(),
        &HeaderName::from_static("sec-fetch-site"),
    )?;
    match site {
        Some("cross-site" | "same-site") => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "pages of other sites may only read here",
        )),
        _ => Ok(()),
    }
}

fn is_allowed_origin(service: &Service, origin: &str) -> bool {
    let allowed = &service.settings.allowed_origins;
    allowed.iter().any(|o| o.eq_ignore_ascii_case(origin))
}

fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, x-api-key",
        ))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "600"))
        .finish()
}

/// Checks the key of a request; nothing is granted where no keys are asked for.
pub fn check_key(
    service: &Service,
    headers: &HeaderMap,
    needed: Scope,
) -> Result<Option<Granted>, Problem> {
    let keys = service.settings.keys.current();
    if keys.is_empty() {
        return Ok(None);
    }
    let bearer = text(headers, &header::AUTHORIZATION)?.and_then(bearer);
    let own = text(headers, &HeaderName::from_static("x-api-key"))?;
    let token = session_token(headers)?;
    let session = || keys.find_digest(service.sessions.key_of(token?)?);
    let (found, unknown) = match bearer.or(own) {
        Some(presented) => (keys.find(presented.trim()), "this API key is not known"),
        None => (
            session(),
            "give an API key: `Authorization: Bearer KEY`, or load the page again",
        ),
    };
    match found {
        Some(granted) if granted.scope >= needed => Ok(Some(granted)),
        Some(_) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "this key may predict, but not administer",
        )),
        None => Err(unauthorized(unknown)),
    }
}

/// Returns the token of a browser's session.
pub fn session_token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    Ok(text(headers, &header::COOKIE)?.and_then(sessions::token_in))
}

/// Returns the key of an `Authorization`; schemes are written in any case (RFC 9110).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, key) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(key)
}

/// Refuses more requests than a key may make.
fn check_rate(service: &Service, granted: Option<Granted>) -> Result<(), Problem> {
    let Some(limit) = &service.rate_limit else {
        return Ok(());
    };
    let taken = limit.take(granted.map(|granted| granted.digest), Instant::now());
    let said = match granted {
        Some(_) => "too many requests with this key",
        None => "too many requests: without keys all share one budget",
    };
    taken.map_err(|wait| Problem::too_many(said, wait))
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail)
}

fn dress(service: &Service, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    let Some(origin) = origin else { return };
    let allowed = origin.to_str().is_ok_and(|o| is_allowed_origin(service, o));
    if allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed());
    }
}

/// Names the fields that pages of other origins may read.
fn exposed() -> HeaderValue {
    let fields = format!("{}, retry-after", MODEL_FIELDS.join(", "));
    HeaderValue::from_str(&fields).unwrap_or(HeaderValue::from_static("retry-after"))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let value = headers.get(name).map(|value| value.to_str());
    value
        .transpose()
        .map_err(|_| Problem::bad_request(format!("the header `{name}` is no text")))
}
