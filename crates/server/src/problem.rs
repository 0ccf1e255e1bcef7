//! What goes wrong with a request, as `application/problem+json` (RFC 9457).

use std::{fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of every answer that is not a success.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Problems that are listed at most; the others are counted.
const MOST_LISTED: usize = 1000;

/// Problems that one sentence tells at most.
const MOST_SAID: usize = 3;

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: Kind,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// One sentence, with what to do about it.
    detail: String,
    /// Everything that is wrong with the content, each with its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Fault>,
    /// Seconds until it may be tried again, in a header field of its own.
    #[serde(skip)]
    retry_after: Option<u16>,
    /// How many more there are than are listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    problems_left_out: usize,
    /// All of it in one sentence, on the paths of the Open Inference Protocol alone: its clients read nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    error: Option<Box<str>>,
    /// The methods that the path takes, in a header field of its own.
    #[serde(skip)]
    allow: Option<&'static str>,
}

/// What kind of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Kind {
    /// What the status says.
    #[serde(rename = "about:blank")]
    AboutBlank,
}

/// One thing that is wrong with a request's content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Where, such as `records[3].port`.
    #[schema(example = "records[3].port")]
    path: String,
    /// What.
    #[schema(example = "`7` is not one of -1, 1")]
    problem: String,
}

/// Everything that is wrong with a request's content, as it is found.
#[derive(Debug, Default)]
pub struct Faults {
    listed: Vec<Fault>,
    left_out: usize,
}

impl Faults {
    /// Notes one; the path is made only when there is still room for it.
    pub fn push(&mut self, path: impl FnOnce() -> String, problem: impl Into<String>) {
        if self.listed.len() == MOST_LISTED {
            self.left_out += 1;
            return;
        }
        self.listed.push(Fault {
            path: path(),
            problem: problem.into(),
        });
    }

    /// Notes one whose words are made only when there is still room for it.
    pub fn note(&mut self, fault: impl FnOnce() -> (String, String)) {
        if self.listed.len() == MOST_LISTED {
            self.left_out += 1;
            return;
        }
        let (path, problem) = fault();
        self.listed.push(Fault { path, problem });
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }
}

impl Problem {
    /// Makes a problem without a list.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: Kind::AboutBlank,
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            problems: Vec::new(),
            problems_left_out: 0,
            retry_after: None,
            error: None,
            allow: None,
        }
    }

    /// Refuses a request's content, status 422.
    pub fn refused(faults: Faults) -> Self {
        let n = faults.listed.len() + faults.left_out;
        let noun = if n == 1 { "problem" } else { "problems" };
        let detail = format!("{n} {noun} with the content: nothing was done");
        Self {
            problems: faults.listed,
            problems_left_out: faults.left_out,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        }
    }

    /// Refuses a request's content for one reason, status 422.
    pub fn at(path: &str, problem: impl Into<String>) -> Self {
        let mut faults = Faults::default();
        faults.push(|| path.to_owned(), problem);
        Self::refused(faults)
    }

    /// A request that cannot be understood at all, status 400.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// More than is allowed at a time, status 429: it may be tried again after a while.
    pub fn too_many(detail: impl Into<String>, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait.as_secs_f64().ceil().max(1.0) as u16),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
        }
    }

    /// No such thing, status 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Something that the answer needs cannot be had at present, status 503.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// A file that cannot be kept while it is scored, status 507; what the system says about it stands in
    /// the log alone.
    pub fn no_storage(error: &dyn fmt::Display) -> Self {
        let directory = std::env::temp_dir();
        tracing::error!(%error, directory = %directory.display(), "a temporary file cannot be written");
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "the service has no room for this file at present: try again later, or send it in parts",
        )
    }

    /// A defect of ours, status 500; what it is stands in the log alone.
    pub fn internal(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "a defect of the service: its log says more",
        )
    }

    /// A method that the path does not take, status 405.
    pub fn wrong_method(methods: &'static str) -> Self {
        let detail = format!("this path takes {methods}");
        Self {
            allow: Some(methods),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
        }
    }

    /// Returns the same as clients of the Open Inference Protocol read it.
    pub fn as_inference_error(&self) -> Self {
        let shown = self.problems.iter().take(MOST_SAID);
        let said = shown.map(|fault| format!("{}: {}", fault.path, fault.problem));
        let all = std::iter::once(self.detail.clone()).chain(said);
        Self {
            error: Some(all.collect::<Vec<_>>().join("; ").into()),
            ..self.clone()
        }
    }

    fn code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code()
    }

    fn error_response(&self) -> HttpResponse {
        let text = serde_json::to_string(self).unwrap_or_default();
        let mut response = HttpResponse::build(self.code());
        if self.code() == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if self.code() == StatusCode::REQUEST_TIMEOUT {
            // The rest of the body would be taken for the next request.
            response.force_close();
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, u64::from(seconds)));
        }
        if let Some(methods) = self.allow {
            response.insert_header((header::ALLOW, methods));
        }
        response.content_type(MEDIA_TYPE).body(text)
    }
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}
