//! `/v1/predict/csv` and `/v1/predict/parquet`: whole files in, the same rows with verdicts out.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Cursor, Read as _, Seek as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Data, Payload, Query},
};
use dataset::{Label, RawBatch, RawColumn, Sink as _, SinkError, SourceError, Table};
use formats::{CsvPieces, FileFormat, ParquetExtension};
use model::{
    ModelBundle, RowScore,
    scoring::{self, Prediction},
    verdict_columns::{VerdictColumns, append_reasons},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Service,
    model_fields::{CsvVerdicts, ParquetVerdicts, signed},
    refusals,
};
use crate::{
    body::{self, Kind},
    detector::Detector,
    problem::Problem,
    slots::{Client, Full, Slot},
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
/// The answer has the file's columns, then `label`, `threat_probability`, `model_version`, `problem` and
/// `imputed`, the columns without a value; a row that cannot be scored has a problem instead of a verdict. It
/// begins before the upload has ended, and breaks off when the upload does.
#[utoipa::path(post, path = "/v1/predict/csv", operation_id = "predict_csv", tag = "predictions", params(FileQuery),
    request_body(content = String, content_type = "text/csv"),
    responses(
        CsvVerdicts,
        refusals::OfFile))]
pub async fn csv(
    request: HttpRequest,
    service: Data<Service>,
    query: Query<FileQuery>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (upload, job) = start(&request, &service, query, payload, &CSV)?;
    let limits = service.settings.limits;
    let detector = Arc::clone(&job.detector);
    let (writer, body) = spool(limits.upload.bytes);
    body.keep(Arc::clone(&job.slot), limits.client_timeout);
    let fault = upload.fault();
    actix_web::rt::task::spawn_blocking(move || {
        let result = job.score_csv(upload, &writer);
        writer.finish(result.map_err(|problem| fault.or(|| problem)));
    });
    body.begun().await?;
    Ok(signed(&detector)
        .content_type("text/csv; charset=utf-8")
        .insert_header((
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"verdicts.csv\"",
        ))
        .body(body))
}

/// Says what may stand behind the `?` of a file's path.
pub fn bad_query(request: &HttpRequest) -> Problem {
    let given = shortened(request.query_string());
    Problem::bad_request(format!(
        "`?{given}` is not understood: nothing but `?explain=N` may stand behind the path, with a whole number of at \
         least 0"
    ))
}

/// Bytes of an answer's file that are passed on at a time.
const PIECE: u64 = 1 << 20;
const CSV: Kind = Kind {
    types: &[
        "text/csv",
        "application/csv",
        "text/plain",
        "application/gzip",
        "application/x-gzip",
        "application/octet-stream",
    ],
    encodings: &["gzip", "x-gzip"],
    advice: "a CSV file may come as it is or packed with gzip, nothing else: send it so",
};
const PARQUET: Kind = Kind {
    types: &[
        PARQUET_TYPE,
        "application/x-parquet",
        "application/octet-stream",
    ],
    encodings: &[],
    advice: "a Parquet file is compressed within: send it as it is, without `Content-Encoding`",
};
const PARQUET_TYPE: &str = "application/vnd.apache.parquet";

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
#[utoipa::path(post, path = "/v1/predict/parquet",
    operation_id = "predict_parquet", tag = "predictions", params(FileQuery),
    request_body(content = inline(ParquetFile), content_type = "application/vnd.apache.parquet"),
    responses(
        ParquetVerdicts,
        refusals::OfFile))]
pub async fn parquet(
    request: HttpRequest,
    service: Data<Service>,
    query: Query<FileQuery>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (upload, job) = start(&request, &service, query, payload, &PARQUET)?;
    let detector = Arc::clone(&job.detector);
    let limits = service.settings.limits;
    let most = limits.upload.bytes;
    let (writer, body) = spool(most.saturating_add(most_added(most)));
    body.keep(Arc::clone(&job.slot), limits.client_timeout);
    let fault = upload.fault();
    actix_web::rt::task::spawn_blocking(move || {
        let result = job.score_parquet(upload, &writer);
        writer.finish(result.map_err(|problem| fault.or(|| problem)));
    });
    body.begun().await?;
    Ok(signed(&detector)
        .content_type(PARQUET_TYPE)
        .insert_header((
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"verdicts.parquet\"",
        ))
        .body(body))
}

fn refused(reason: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason)
}

/// Takes an upload if there is room for another.
fn start(
    request: &HttpRequest,
    service: &Data<Service>,
    query: Query<FileQuery>,
    payload: Payload,
    kind: &Kind,
) -> Result<(Upload, Job), Problem> {
    body::check_type(request, kind)?;
    let limits = service.settings.limits;
    body::check_length(request, limits.upload.bytes)?;
    let detector = service.detector()?;
    let slot = service.slots.take(Client::of(request)).map_err(|full| {
        let detail = match full {
            Full::All => "too many uploads at a time: try again later".to_owned(),
            Full::Share(most) => format!(
                "this client sends {most} files already, as many as one may at a time: try again later"
            ),
        };
        Problem::too_many(detail, Duration::from_secs(1))
    })?;
    let upload = Upload::start(payload, limits.upload);
    let job = Job {
        service: Data::clone(service),
        detector,
        explain: query.explain,
        columns: None,
        slot: Arc::new(slot),
        unpacked: 0,
    };
    Ok((upload, job))
}

/// One file on its way through the model.
struct Job {
    service: Data<Service>,
    detector: Arc<Detector>,
    explain: Option<usize>,
    columns: Option<VerdictColumns>,
    slot: Arc<Slot>,
    /// Bytes of the rows read so far.
    unpacked: u64,
}

impl Job {
    fn score_csv(mut self, upload: Upload, out: &SpoolWriter) -> Result<(), Problem> {
        let delimiter = u8::try_from(self.detector.bundle.schema.file.delimiter).unwrap_or(b',');
        let format = FileFormat::Csv {
            delimiter,
            header: None,
        };
        let text = begins(upload, |head| match head {
            b"PAR1" => Err("the upload is a Parquet file: send it to `/v1/predict/parquet`"),
            b"PK\x03\x04" => Err("the upload is a ZIP archive: unpack it, or pack it with gzip"),
            _ => Ok(()),
        })?;
        let source = formats::read(text, "the upload".to_owned(), &format);
        let mut source = source.map_err(|e| explain(&e))?;
        let mut pieces = CsvPieces::new(delimiter);
        while let Some(mut batch) = source.next_batch().map_err(|e| explain(&e))? {
            self.check_names(&batch, "its first line must be the names of the columns")?;
            check_line_ends(&batch)?;
            self.check_size(&batch)?;
            self.score(&mut batch, out)?;
            let piece = pieces.write(&batch);
            out.push(piece.map_err(|e| explain_sink(&e))?)?;
        }
        Ok(())
    }

    fn score_parquet(mut self, upload: Upload, out: &SpoolWriter) -> Result<(), Problem> {
        let fault = upload.fault();
        let mut upload = begins(upload, |head| match head {
            b"PAR1" | b"PARE" => Ok(()),
            _ => Err(
                "the upload is no Parquet file, as it does not begin with PAR1: a CSV file goes to \
                 `/v1/predict/csv`",
            ),
        })?;
        // It has no name: a kill leaves nothing of it.
        let mut input = tempfile::tempfile().map_err(|e| Problem::no_storage(&e))?;
        io::copy(&mut upload, &mut input)
            .and_then(|_| input.rewind())
            .map_err(|e| fault.or(|| Problem::no_storage(&e)))?;
        let place = tempfile::tempdir().map_err(|e| Problem::no_storage(&e))?;
        let output = place.path().join("out");
        let sent = length(&input)?;
        self.score_file(input, &output, out)?;
        let mut scored = File::open(&output).map_err(|e| Problem::internal(&e))?;
        drop(place);
        self.check_added(length(&scored)?.saturating_sub(sent))?;
        loop {
            let mut piece = Vec::new();
            let mut next = (&mut scored).take(PIECE);
            if next
                .read_to_end(&mut piece)
                .map_err(|e| Problem::internal(&e))?
                == 0
            {
                return Ok(());
            }
            out.push(piece)?;
        }
    }

    fn score_file(&mut self, input: File, output: &Path, out: &SpoolWriter) -> Result<(), Problem> {
        let copy = input.try_clone().map_err(|e| Problem::no_storage(&e))?;
        let source = formats::read_file(copy, "the upload".to_owned(), &FileFormat::Parquet);
        let mut source = source.map_err(|e| explain(&e))?;
        // The file's own columns are copied as they are: lists, too, which no cell can hold.
        let sink = ParquetExtension::of_file(output, input);
        let mut sink = Box::new(sink.map_err(|e| explain_sink(&e))?);
        while let Some(mut batch) = source.next_batch().map_err(|e| explain(&e))? {
            self.check_names(&batch, "it is of something else than the model knows")?;
            self.check_size(&batch)?;
            self.score(&mut batch, out)?;
            sink.write(&batch).map_err(|e| explain_sink(&e))?;
            self.check_added(sink.added_bytes())?;
        }
        sink.finish().map_err(|e| explain_sink(&e))
    }

    /// Refuses a file of which no column has a name that the model knows: every row would be refused alike.
    fn check_names(&self, batch: &RawBatch, why: &str) -> Result<(), Problem> {
        let mut names = batch.names.iter().enumerate();
        if names.any(|(at, name)| self.detector.field(name, at).is_some()) {
            return Ok(());
        }
        let shown: Vec<String> = batch.names.iter().take(3).map(|n| shortened(n)).collect();
        let known = self.detector.columns().iter().take(3);
        let known: Vec<&str> = known.map(|column| column.name.as_str()).collect();
        let detail = format!(
            "the upload: none of its columns ({}, …) is one of the model's ({}, …): {why}",
            shown.join(", "),
            known.join(", ")
        );
        Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail))
    }

    /// Refuses what unpacks to more than an upload may have: a few bytes may stand for many rows. A cell counts as
    /// a byte at least, as its delimiter does.
    fn check_size(&mut self, batch: &RawBatch) -> Result<(), Problem> {
        let bytes = batch.columns.iter().map(|column| match column {
            RawColumn::Text(texts) => texts.n_bytes() + texts.len(),
            RawColumn::Number(numbers) => 2 * numbers.len(),
        });
        self.unpacked += bytes.sum::<usize>() as u64;
        let limit = self.service.settings.limits.upload.bytes;
        if self.unpacked > limit {
            return Err(body::too_large(limit));
        }
        Ok(())
    }

    /// Refuses an answer that is so much larger than its file that there may be no room for it.
    fn check_added(&self, n_bytes: u64) -> Result<(), Problem> {
        let most = most_added(self.service.settings.limits.upload.bytes);
        if n_bytes <= most {
            return Ok(());
        }
        let detail =
            format!("the verdicts take more than {most} bytes beside the file: send it in parts");
        Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail))
    }

    /// Scores a batch and appends the verdicts, as long as somebody waits for them.
    fn score(&mut self, batch: &mut RawBatch, out: &SpoolWriter) -> Result<(), Problem> {
        out.check_wanted()?;
        let bundle = &self.detector.bundle;
        let (table, problems) = scoring::read(&bundle.schema, batch);
        let predictions =
            scoring::judge(bundle, &table, problems).map_err(|e| Problem::internal(&e))?;
        let reasons = self.explain.map(|k| explained(bundle, batch, k, out));
        let reasons = reasons.transpose()?;
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

/// Rows whose reasons are found before it is looked whether anybody waits for them: of large forests each takes
/// milliseconds.
const EXPLAINED: usize = 256;

/// Returns the reasons of each row.
fn explained(
    bundle: &ModelBundle,
    batch: &RawBatch,
    k: usize,
    out: &SpoolWriter,
) -> Result<Vec<Option<String>>, Problem> {
    let rows: Vec<usize> = (0..batch.n_rows()).collect();
    let mut all = Vec::with_capacity(rows.len());
    for rows in rows.chunks(EXPLAINED) {
        out.check_wanted()?;
        let reasons = scoring::reasons(bundle, &batch.select(rows), k);
        all.extend(reasons.map_err(|e| Problem::internal(&e))?);
    }
    Ok(all)
}

/// Looks at the first four bytes of an upload; the reader that is given back starts with them again. An empty one is
/// for others to refuse.
fn begins(
    mut upload: Upload,
    check: impl Fn(&[u8]) -> Result<(), &'static str>,
) -> Result<Box<dyn io::Read + Send>, Problem> {
    let mut head = Vec::new();
    let read = (&mut upload).take(4).read_to_end(&mut head);
    read.map_err(|e| upload.fault().or(|| Problem::internal(&e)))?;
    if !head.is_empty() {
        check(&head).map_err(refused)?;
    }
    Ok(Box::new(Cursor::new(head).chain(upload)))
}

/// Refuses a file whose rows have become names: `curl -d @FILE` takes the line ends out of what it sends.
fn check_line_ends(batch: &RawBatch) -> Result<(), Problem> {
    let distinct: BTreeSet<&String> = batch.names.iter().collect();
    if batch.n_rows() > 0 || distinct.len() == batch.names.len() {
        return Ok(());
    }
    let detail = format!(
        "the upload: it has no row, and of the {} names in its only line some stand there more than once: its line ends \
         may be lost; `curl` keeps them with `-T FILE` and `--data-binary @FILE`",
        batch.names.len()
    );
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail))
}

/// Returns how many bytes larger than its file an answer in Parquet may be: it lies on the disk beside the file, then
/// again as far as it is unread, and takes three times what an upload may have at most.
fn most_added(upload: u64) -> u64 {
    upload / 2
}

fn length(file: &File) -> Result<u64, Problem> {
    let metadata = file.metadata().map_err(|e| Problem::internal(&e))?;
    Ok(metadata.len())
}

fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}

/// Says what is wrong with an upload, without the place where it was kept.
fn explain(error: &SourceError) -> Problem {
    let (SourceError::Unavailable { reason, .. }
    | SourceError::Malformed { reason, .. }
    | SourceError::Unsupported { reason, .. }) = error;
    refused(format!("the upload: {reason}"))
}

fn explain_sink(error: &SinkError) -> Problem {
    match error {
        SinkError::Rejected { reason, .. } => refused(format!("the answer: {reason}")),
        _ => Problem::no_storage(error),
    }
}
