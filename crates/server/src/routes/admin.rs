//! Administration, on a listener of its own: trainings, promotions, reloads.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Data, Path, Payload, ServiceConfig},
};
use artifact::clock;
use registry::{Entry, RegistryError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{READS, Service, at, histories, json, models::HistoryEntry, read, refusals};
use crate::{
    body::{self, Body},
    diagnosis,
    jobs::{self, Job, Refusal, TrainingSource},
    problem::{Faults, Problem},
    records::{self, Object, Whole},
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
        .service(at("/jobs/{id}/cancel", "POST", web::post().to(cancel)))
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

/// On which source to train.
#[expect(dead_code, reason = "it is there for the description alone")]
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainOrder {
    /// Name of a source that the configuration lists.
    source: String,
}

/// Which version is to be the champion.
#[expect(dead_code, reason = "it is there for the description alone")]
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteOrder {
    /// A registered version.
    #[schema(minimum = 1)]
    version: u64,
    /// Also against the rules of promotion; `why` is needed then.
    force: Option<bool>,
    /// The reason, kept in the history.
    why: Option<String>,
}

/// Which former champion is to be the champion again.
#[expect(dead_code, reason = "it is there for the description alone")]
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackOrder {
    /// The version; the champion before this one where none is given.
    #[schema(minimum = 1)]
    to: Option<u64>,
    /// The reason, kept in the history.
    why: Option<String>,
}

/// One event of a training.
#[expect(dead_code, reason = "it is there for the description alone")]
#[derive(ToSchema)]
pub struct JobEvent {
    /// The job's state: `running`, `done`, `failed` or `cancelled`.
    event: String,
    /// The job, as JSON.
    data: String,
}

/// What came of a reload.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Reloaded {
    /// Whether another version serves than before.
    pub swapped: bool,
    /// The version that serves.
    pub version: u64,
}

/// Looks at the registry now, and at the configuration's files.
#[utoipa::path(post, path = "/reload", tag = "administration",
    responses(
        (status = 200, description = "What serves now", body = Reloaded),
        (status = 404, description = "There is no model yet", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The candidate was refused", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The registry does not answer, or has no champion", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfCaller))]
pub async fn reload(service: Data<Service>) -> Result<HttpResponse, Problem> {
    let reloaded = histories::asked(&service, histories::CHANGING, take_up).await?;
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
#[utoipa::path(post, path = "/train", tag = "administration",
    request_body(content = TrainOrder, content_type = "application/json"),
    responses(
        (status = 202, description = "It has begun", body = Job,
            headers(("location" = String, description = "Where the job is told of"))),
        refusals::OfOrder))]
pub async fn train(
    request: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let body = read_body(&request, &service, payload).await?;
    let source = read_source(&body, &service.settings.sources)?;
    service.ending.check()?;
    let job = histories::asked(&service, histories::CHANGING, move |service| {
        // Into the empty place of a registry that is away, it would promote the first version of another history.
        histories::names(service)?;
        let begun = service.jobs.begin(&source, &service.serving);
        begun.map_err(|refusal| match refusal {
            Refusal::Busy(id) => Problem::new(
                StatusCode::CONFLICT,
                format!("job {id} is running: one training at a time"),
            ),
            Refusal::Unreadable(reason) => Problem::new(
                StatusCode::CONFLICT,
                format!("this source cannot be trained on: {reason}"),
            ),
            Refusal::Elsewhere(lock) => Problem::new(
                StatusCode::CONFLICT,
                format!(
                    "a training of a service before this one, or beside it, is running with the same artifacts: one \
                     at a time, until nobody holds `{}` any more",
                    lock.display()
                ),
            ),
            Refusal::Unlockable(error) => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("the lock of trainings cannot be opened below `--artifacts`: {error}"),
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

/// Reads which source is to be trained on.
fn read_source(body: &[u8], sources: &[TrainingSource]) -> Result<TrainingSource, Problem> {
    let known: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
    let known = match known.is_empty() {
        true => "it lists none".to_owned(),
        false => format!("it lists {}", known.join(", ")),
    };
    read_fields(body, &["source"], |asked, faults| {
        let name: String = asked.need("source", "the name of a source", faults)?;
        let found = sources.iter().find(|source| source.name == name);
        if found.is_none() {
            let problem = format!("the configuration lists no such source; {known}");
            faults.push(|| "source".to_owned(), problem);
        }
        found.cloned()
    })
}

/// Lists the trainings since the start.
#[utoipa::path(get, path = "/jobs", tag = "administration",
    responses((status = 200, description = "The latest 50, the oldest first", body = Vec<Job>),
        refusals::OfCaller))]
pub async fn jobs(service: Data<Service>) -> Result<HttpResponse, Problem> {
    answer(StatusCode::OK, &service.jobs.list())
}

/// Tells how a training stands.
#[utoipa::path(get, path = "/jobs/{id}", tag = "administration",
    params(("id" = u64, Path, description = "Number of a job")),
    responses(
        (status = 200, description = "The job", body = Job),
        (status = 404, description = "There is no such job", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfCaller))]
pub async fn job(service: Data<Service>, id: Path<u64>) -> Result<HttpResponse, Problem> {
    let job = service.jobs.find(*id).ok_or_else(no_job)?;
    let job: Job = job.borrow().clone();
    answer(StatusCode::OK, &job)
}

/// Ends a training that runs, before its candidate is registered.
#[utoipa::path(post, path = "/jobs/{id}/cancel", tag = "administration",
    params(("id" = u64, Path, description = "Number of a job")),
    responses(
        (status = 200, description = "The job, which has ended", body = Job),
        (status = 404, description = "There is no such job", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "It does not run any more, or its candidate is being registered", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfCaller))]
pub async fn cancel(service: Data<Service>, id: Path<u64>) -> Result<HttpResponse, Problem> {
    service.jobs.find(*id).ok_or_else(no_job)?;
    let cancelled = service.jobs.cancel(*id);
    let mut job = cancelled.map_err(|reason| Problem::new(StatusCode::CONFLICT, reason))?;
    let job = job.wait_for(|job| job.state != "running").await;
    let job: Job = job.map_err(|e| Problem::internal(&e))?.clone();
    match job.state.as_str() {
        "cancelled" => answer(StatusCode::OK, &job),
        // It has ended by itself before it could be ended.
        _ => Err(Problem::new(StatusCode::CONFLICT, jobs::ENDED)),
    }
}

/// Tells how a training goes on, as server-sent events, until it has ended.
#[utoipa::path(get, path = "/jobs/{id}/events", tag = "administration",
    params(("id" = u64, Path, description = "Number of a job")),
    responses(
        (status = 200, description = "One event after another, to the end of the training", body = JobEvent,
            content_type = "text/event-stream"),
        (status = 404, description = "There is no such job", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfCaller))]
pub async fn events(service: Data<Service>, id: Path<u64>) -> Result<HttpResponse, Problem> {
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
#[utoipa::path(post, path = "/models/{name}/promote", tag = "administration",
    params(("name" = String, Path, description = "Name of a registered model")),
    request_body(content = PromoteOrder, content_type = "application/json"),
    responses(
        (status = 200, description = "The entry of the history that was made", body = HistoryEntry),
        (status = 404, description = "There is no such model", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfOrder))]
pub async fn promote(
    request: HttpRequest,
    service: Data<Service>,
    name: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let body = read_body(&request, &service, payload).await?;
    let (Whole(version), force, why) =
        read_fields(&body, &["version", "force", "why"], |asked, faults| {
            let version = asked.need("version", Whole::WHAT, faults);
            let force = asked.get("force", "true or false", faults);
            let why: Option<String> = asked.get("why", "a text", faults);
            let is_empty = why.as_ref().is_some_and(|why| why.trim().is_empty());
            if force == Some(true) && (is_empty || asked.member("why").is_none()) {
                let problem = "missing or empty: `force` asks for a reason";
                faults.push(|| "why".to_owned(), problem);
            }
            Some((version?, force.unwrap_or_default(), why))
        })?;
    let entry = histories::asked(&service, histories::CHANGING, move |service| {
        let registry = service.serving.registry();
        let done = registry.promote(&name, version, why.as_deref(), force, clock::now());
        then_take_up(service, done)
    });
    answer(StatusCode::OK, &HistoryEntry::from(&entry.await?))
}

/// Makes the former champion the champion again, and takes it up; without a body the one before.
#[utoipa::path(post, path = "/models/{name}/rollback", tag = "administration",
    params(("name" = String, Path, description = "Name of a registered model")),
    request_body(content = Option<RollbackOrder>, content_type = "application/json"),
    responses(
        (status = 200, description = "The entry of the history that was made", body = HistoryEntry),
        (status = 404, description = "There is no such model", body = Problem,
            content_type = "application/problem+json"),
        refusals::OfOrder))]
pub async fn roll_back(
    request: HttpRequest,
    service: Data<Service>,
    name: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let body = read_body(&request, &service, payload).await?;
    let body = match body.trim_ascii() {
        b"" | b"null" => b"{}",
        _ => &body[..],
    };
    let (to, why) = read_fields(body, &["to", "why"], |asked, faults| {
        let to = asked.get("to", Whole::WHAT, faults);
        let why: Option<String> = asked.get("why", "a text", faults);
        Some((to.map(|Whole(to)| to), why))
    })?;
    let entry = histories::asked(&service, histories::CHANGING, move |service| {
        let registry = service.serving.registry();
        let done = registry.roll_back(&name, to, why.as_deref(), clock::now());
        then_take_up(service, done)
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
    Problem::new(status, diagnosis::advised(error))
}

async fn read_body(
    request: &HttpRequest,
    service: &Service,
    payload: Payload,
) -> Result<Body, Problem> {
    body::read_json(request, payload, &service.bounds(MAX_BODY)).await
}

/// Reads an object with fields of these names; nothing is returned while anything is wrong with it.
fn read_fields<T>(
    body: &[u8],
    names: &[&str],
    read: impl FnOnce(&Object<'_>, &mut Faults) -> Option<T>,
) -> Result<T, Problem> {
    let known = records::known_json(body, records::Stand::Text)?;
    let mut faults = Faults::default();
    let object = Object::read(records::value(&known)?, "", names, &mut faults);
    let read = object.and_then(|object| read(&object, &mut faults));
    match read {
        Some(read) if faults.is_empty() => Ok(read),
        _ => Err(Problem::refused(faults)),
    }
}

fn answer<T: Serialize>(status: StatusCode, value: &T) -> Result<HttpResponse, Problem> {
    let text = serde_json::to_vec(value).map_err(|e| Problem::internal(&e))?;
    let mut response = json(text);
    *response.status_mut() = status;
    Ok(response)
}
