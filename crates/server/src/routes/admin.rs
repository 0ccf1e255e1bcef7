//! Administration, on a listener of its own: trainings, promotions, reloads.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Bytes, Data, Path, Payload, ServiceConfig},
};
use artifact::clock;
use registry::{Entry, RegistryError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::{READS, Service, at, blocking, json, models::HistoryEntry, read};
use crate::{
    body,
    jobs::{Job, Refusal},
    problem::Problem,
    records::{self, Whole},
    serving::Reload,
    spool::{SpoolWriter, spool},
};

/// Bytes of a request's body at most.
const MAX_BODY: usize = 1 << 16;

/// Declares the paths of administration.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(at("/reload", "POST", web::post().to(reload)))
        .service(at("/train", "POST", web::post().to(train)))
        .service(at("/jobs", READS, read().to(jobs)))
        .service(at("/jobs/{id}", READS, read().to(job)))
        .service(at("/jobs/{id}/events", READS, read().to(events)))
        .service(at(
            "/models/{name}/promote",
            "POST",
            web::post().to(promote),
        ))
        .service(at(
            "/models/{name}/rollback",
            "POST",
            web::post().to(roll_back),
        ));
}

/// What came of a reload.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Reloaded {
    /// Whether another version serves than before.
    pub swapped: bool,
    /// The version that serves.
    pub version: u64,
}

/// Which source is to be trained on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainRequest {
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PromoteRequest {
    version: Whole,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    why: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RollbackRequest {
    to: Option<Whole>,
    why: Option<String>,
}

/// Looks at the registry now, and at the configuration's files.
async fn reload(service: Data<Service>) -> Result<HttpResponse, Problem> {
    let reloaded = blocking(move || take_up(&service)).await?;
    answer(StatusCode::OK, &reloaded)
}

fn take_up(service: &Service) -> Result<Reloaded, Problem> {
    service.look_at_files();
    let outcome = service.serving.reload().map_err(|e| refusal(&e))?;
    Ok(Reloaded {
        swapped: outcome == Reload::Swapped,
        version: service.detector()?.entry.version,
    })
}

/// Begins a training on a source that the configuration lists.
async fn train(
    request: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let asked: TrainRequest = read_body(&request, &service, payload).await?;
    let sources = &service.settings.sources;
    let source = sources.iter().find(|s| s.name == asked.source);
    let source = source.cloned().ok_or_else(|| {
        let known: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
        let known = known.join(", ");
        Problem::at(
            "source",
            format!("the configuration lists no such source; it lists: {known}"),
        )
    })?;
    let job = blocking(move || {
        let begun = service.jobs.begin(&source, &service.serving);
        begun.map_err(|refusal| match refusal {
            Refusal::Busy(id) => Problem::new(
                StatusCode::CONFLICT,
                format!("job {id} is running: one training at a time"),
            ),
            Refusal::Failed(error) => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("`netsec` cannot be started ({error}): see `--netsec`"),
            ),
        })
    });
    let job = job.await?;
    let mut response = answer(StatusCode::ACCEPTED, &job)?;
    let place = format!("/jobs/{}", job.id);
    if let Ok(place) = header::HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Lists the trainings since the start.
async fn jobs(service: Data<Service>) -> Result<HttpResponse, Problem> {
    answer(StatusCode::OK, &service.jobs.list())
}

/// Tells how a training stands.
async fn job(service: Data<Service>, id: Path<u64>) -> Result<HttpResponse, Problem> {
    let job = service.jobs.find(*id).ok_or_else(no_job)?;
    let job: Job = job.borrow().clone();
    answer(StatusCode::OK, &job)
}

/// Tells how a training goes on, as server-sent events, until it has ended.
async fn events(service: Data<Service>, id: Path<u64>) -> Result<HttpResponse, Problem> {
    let mut job = service.jobs.find(*id).ok_or_else(no_job)?;
    let (writer, body) = spool(1 << 20);
    actix_web::rt::spawn(async move {
        loop {
            let now = job.borrow_and_update().clone();
            // A reader that went away ends it, and so does the job's end.
            if send(&writer, &now).is_err()
                || now.state != "running"
                || job.changed().await.is_err()
            {
                return writer.finish(Ok(()));
            }
        }
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .body(body))
}

fn send(writer: &SpoolWriter, job: &Job) -> Result<(), Problem> {
    let text = serde_json::to_string(job).map_err(|e| Problem::internal(&e))?;
    writer.push(format!("event: {}\ndata: {text}\n\n", job.state).into_bytes())
}

fn no_job() -> Problem {
    Problem::not_found("there is no such job")
}

/// Makes a version the champion, and takes it up.
async fn promote(
    request: HttpRequest,
    service: Data<Service>,
    name: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let asked: PromoteRequest = read_body(&request, &service, payload).await?;
    if asked.force && asked.why.is_none() {
        return Err(Problem::at("why", "missing: `force` asks for a reason"));
    }
    let entry = blocking(move || {
        let registry = service.serving.registry();
        let why = asked.why.as_deref();
        let done = registry.promote(&name, asked.version.0, why, asked.force, clock::now());
        then_take_up(&service, done)
    });
    answer(StatusCode::OK, &HistoryEntry::from(&entry.await?))
}

/// Makes the former champion the champion again, and takes it up.
async fn roll_back(
    request: HttpRequest,
    service: Data<Service>,
    name: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let asked: RollbackRequest = read_body(&request, &service, payload).await?;
    let entry = blocking(move || {
        let registry = service.serving.registry();
        let done = registry.roll_back(
            &name,
            asked.to.map(|Whole(to)| to),
            asked.why.as_deref(),
            clock::now(),
        );
        then_take_up(&service, done)
    });
    answer(StatusCode::OK, &HistoryEntry::from(&entry.await?))
}

fn then_take_up(service: &Service, done: Result<Entry, RegistryError>) -> Result<Entry, Problem> {
    let entry = done.map_err(|e| refusal(&e))?;
    service.serving.reload().map_err(|e| refusal(&e))?;
    Ok(entry)
}

/// Says to the administrator why something was refused.
fn refusal(error: &RegistryError) -> Problem {
    use artifact::{Classified as _, ErrorKind};
    let status = match error.kind() {
        _ if matches!(
            error,
            RegistryError::BadName { .. } | RegistryError::NoModel { .. }
        ) =>
        {
            StatusCode::NOT_FOUND
        }
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    };
    Problem::new(status, error.to_string())
}

async fn read_body<T: DeserializeOwned>(
    request: &HttpRequest,
    service: &Service,
    payload: Payload,
) -> Result<T, Problem> {
    let time = service.settings.limits.client_timeout;
    let body: Bytes = body::read_json(request, payload, MAX_BODY, time).await?;
    let known = records::known_json(&body)?;
    records::parse_owned(&known)
}

fn answer<T: Serialize>(status: StatusCode, value: &T) -> Result<HttpResponse, Problem> {
    let text = serde_json::to_vec(value).map_err(|e| Problem::internal(&e))?;
    let mut response = json(text);
    *response.status_mut() = status;
    Ok(response)
}
