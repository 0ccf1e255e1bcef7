//! `/v1/predict/csv` and `/v1/predict/parquet`: whole files in, the same rows with verdicts out.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Data, Payload, Query},
};
use dataset::{Label, RawBatch, Sink as _, SourceError, Table};
use formats::{CsvPieces, FileFormat, ParquetExtension};
use model::{
    RowScore,
    scoring::{self, Prediction},
    verdict_columns::{VerdictColumns, append_reasons},
};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::{IntoParams, ToSchema};

use super::{Service, refusals};
use crate::{
    body,
    detector::Detector,
    problem::Problem,
    spool::{SpoolWriter, spool},
    upload::Upload,
};

/// What may be asked of a file.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FileQuery {
    /// Append `reasons`: this many columns that speak most for a threat (+) or against it (-).
    explain: Option<usize>,
}

/// Scores a CSV file with a line of names, row by row as it comes.
///
/// The answer has the file's columns, then `label`, `threat_probability`, `model_version` and
/// `problem`; a row that cannot be scored has a problem instead of a verdict. It begins before the
/// upload has ended, and breaks off when the upload does.
#[utoipa::path(post, path = "/v1/predict/csv", tag = "predictions", params(FileQuery),
    request_body(content = String, content_type = "text/csv"),
    responses(
        (status = 200, description = "The file with verdicts", body = String,
            content_type = "text/csv"),
        refusals::OfFile))]
pub async fn csv(
    request: HttpRequest,
    service: Data<Service>,
    query: Query<FileQuery>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (upload, job) = start(&request, &service, query, payload, &CSV_TYPES)?;
    let (writer, body) = spool(service.settings.limits.upload_bytes);
    actix_web::rt::task::spawn_blocking(move || {
        let result = job.score_csv(upload, &writer);
        writer.finish(result);
    });
    body.begun().await.map_err(refused)?;
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"verdicts.csv\"",
        ))
        .body(body))
}

/// Bytes of an answer's file that are passed on at a time.
const PIECE: u64 = 1 << 20;
const CSV_TYPES: [&str; 4] = [
    "text/csv",
    "application/csv",
    "text/plain",
    "application/octet-stream",
];
const PARQUET_TYPES: [&str; 3] = [
    "application/vnd.apache.parquet",
    "application/x-parquet",
    "application/octet-stream",
];

/// A Parquet file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it is there for the description alone")]
pub struct ParquetFile(Vec<u8>);

/// Scores a Parquet file.
///
/// It is kept in a temporary file until its end has come, and so is the answer; the columns are those
/// of `/v1/predict/csv`. The file's own columns keep their types and come back as they are, those that
/// cannot be read included.
#[utoipa::path(post, path = "/v1/predict/parquet", tag = "predictions", params(FileQuery),
    request_body(content = inline(ParquetFile), content_type = "application/vnd.apache.parquet"),
    responses(
        (status = 200, description = "The file with verdicts", body = inline(ParquetFile),
            content_type = "application/vnd.apache.parquet"),
        refusals::OfFile))]
pub async fn parquet(
    request: HttpRequest,
    service: Data<Service>,
    query: Query<FileQuery>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (upload, job) = start(&request, &service, query, payload, &PARQUET_TYPES)?;
    let (writer, body) = spool(u64::MAX);
    actix_web::rt::task::spawn_blocking(move || {
        let result = job.score_parquet(upload, &writer);
        writer.finish(result);
    });
    body.begun().await.map_err(refused)?;
    Ok(HttpResponse::Ok()
        .content_type(PARQUET_TYPES[0])
        .insert_header((
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"verdicts.parquet\"",
        ))
        .body(body))
}

fn refused(reason: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason)
}

/// Takes an upload if there is room for another.
fn start(
    request: &HttpRequest,
    service: &Data<Service>,
    query: Query<FileQuery>,
    payload: Payload,
    types: &[&str],
) -> Result<(Upload, Job), Problem> {
    body::check_type(request, types)?;
    let limits = service.settings.limits;
    body::check_length(request, limits.upload_bytes)?;
    let detector = service.detector()?;
    let permit = Arc::clone(&service.uploads).try_acquire_owned();
    let permit = permit.map_err(|_| {
        Problem::too_many(
            "too many uploads at a time: try again later",
            Duration::from_secs(1),
        )
    })?;
    let upload = Upload::start(payload, limits.upload_bytes, limits.client_timeout);
    let job = Job {
        service: Data::clone(service),
        detector,
        explain: query.explain,
        columns: None,
        _permit: permit,
    };
    Ok((upload, job))
}

/// One file on its way through the model.
struct Job {
    service: Data<Service>,
    detector: Arc<Detector>,
    explain: Option<usize>,
    columns: Option<VerdictColumns>,
    _permit: OwnedSemaphorePermit,
}

impl Job {
    fn score_csv(mut self, upload: Upload, out: &SpoolWriter) -> Result<(), String> {
        let delimiter = u8::try_from(self.detector.bundle.schema.file.delimiter).unwrap_or(b',');
        let format = FileFormat::Csv {
            delimiter,
            header: None,
        };
        let mut source = formats::read(Box::new(upload), "the upload".to_owned(), &format)
            .map_err(|e| e.to_string())?;
        let mut pieces = CsvPieces::new(delimiter);
        while let Some(mut batch) = source.next_batch().map_err(|e| explain(&e))? {
            self.check_names(&batch, "its first line must be the names of the columns")?;
            self.score(&mut batch)?;
            let piece = pieces.write(&batch).map_err(|e| e.to_string())?;
            out.push(piece).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn score_parquet(mut self, mut upload: Upload, out: &SpoolWriter) -> Result<(), String> {
        let place = tempfile::tempdir().map_err(|e| internal(&e))?;
        let (input, output) = (place.path().join("in"), place.path().join("out"));
        let mut file = File::create(&input).map_err(|e| internal(&e))?;
        io::copy(&mut upload, &mut file)
            .and_then(|_| file.flush())
            .map_err(|e| format!("the upload: {e}"))?;
        self.score_file(&input, &output)?;
        let mut scored = File::open(&output).map_err(|e| internal(&e))?;
        loop {
            let mut piece = Vec::new();
            let mut next = (&mut scored).take(PIECE);
            if next.read_to_end(&mut piece).map_err(|e| internal(&e))? == 0 {
                return Ok(());
            }
            out.push(piece).map_err(|e| e.to_string())?;
        }
    }

    fn score_file(&mut self, input: &Path, output: &Path) -> Result<(), String> {
        let mut source = formats::open(input, &FileFormat::Parquet).map_err(|e| explain(&e))?;
        // The file's own columns are copied as they are: lists, too, which no cell can hold.
        let sink = ParquetExtension::create(output, input);
        let mut sink = Box::new(sink.map_err(|e| internal(&e))?);
        while let Some(mut batch) = source.next_batch().map_err(|e| explain(&e))? {
            self.check_names(&batch, "it is of something else than the model knows")?;
            self.score(&mut batch)?;
            sink.write(&batch).map_err(|e| explain_sink(&e))?;
        }
        sink.finish().map_err(|e| explain_sink(&e))
    }

    /// Refuses a file of which no column has a name that the model knows: every row would be refused alike.
    fn check_names(&self, batch: &RawBatch, why: &str) -> Result<(), String> {
        let mut names = batch.names.iter().enumerate();
        if names.any(|(at, name)| self.detector.field(name, at).is_some()) {
            return Ok(());
        }
        let shown: Vec<String> = batch.names.iter().take(3).map(|n| shortened(n)).collect();
        let known = self.detector.columns().iter().take(3);
        let known: Vec<&str> = known.map(|column| column.name.as_str()).collect();
        Err(format!(
            "the upload: none of its columns ({}, …) is one of the model's ({}, …): {why}",
            shown.join(", "),
            known.join(", ")
        ))
    }

    /// Scores a batch and appends the verdicts.
    fn score(&mut self, batch: &mut RawBatch) -> Result<(), String> {
        let bundle = &self.detector.bundle;
        let (table, problems) = scoring::read(&bundle.schema, batch);
        let predictions = scoring::judge(bundle, &table, problems).map_err(|e| internal(&e))?;
        let reasons = self
            .explain
            .map(|k| scoring::reasons(bundle, batch, k))
            .transpose()
            .map_err(|e| internal(&e))?;
        self.observe(&table, &predictions);
        let columns = self
            .columns
            .get_or_insert_with(|| VerdictColumns::beside(&batch.names));
        columns.append(
            batch,
            &predictions,
            &self.detector.entry.version.to_string(),
        );
        if let Some(reasons) = reasons {
            append_reasons(batch, &reasons);
        }
        Ok(())
    }

    /// Takes note of a batch: counts, drift, log.
    fn observe(&self, table: &Table, predictions: &[Prediction]) {
        let names = self.detector.bundle.class_names();
        let score_of = |prediction: &Prediction| match prediction {
            Prediction::Refused { .. } => None,
            Prediction::Scored {
                label,
                threat_probability,
                ..
            } => Some(RowScore {
                label: names
                    .iter()
                    .position(|n| n == label)
                    .map(Label::from_class)?,
                threat: *threat_probability,
            }),
        };
        let scores: Vec<Option<RowScore>> = predictions.iter().map(score_of).collect();
        self.service.observe_table(&self.detector, table, &scores);
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}

/// Says what is wrong with an upload, without the place where it was kept.
fn explain(error: &SourceError) -> String {
    let (SourceError::Unavailable { reason, .. }
    | SourceError::Malformed { reason, .. }
    | SourceError::Unsupported { reason, .. }) = error;
    format!("the upload: {reason}")
}

fn explain_sink(error: &dataset::SinkError) -> String {
    match error {
        dataset::SinkError::Rejected { reason, .. } => format!("the answer: {reason}"),
        dataset::SinkError::Unavailable { .. } => internal(error),
    }
}

/// What the client need not know stands in the log.
fn internal(error: &dyn std::fmt::Display) -> String {
    tracing::error!(%error, "a file could not be scored");
    "a defect of the service: its log says more".to_owned()
}
