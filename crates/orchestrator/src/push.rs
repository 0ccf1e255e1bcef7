//! `netsec push`: records extracted, cleaned, checked against the schema, loaded and read back.

mod cleaning;
mod quarantine;

use std::{collections::BTreeSet, path::PathBuf};

use artifact::{Advance, Digest, ErrorKind, Failure, clock};
use clap::{Args, ValueEnum};
use dataset::{Destination, LoadMode, Schema, SourceUri, Tally, record_digests};
use harness::ProgressReporter;
use serde::Serialize;

use crate::{
    cli::{Place, Progress},
    config::schema_of,
    output::{print, refuse_same_file},
};
use cleaning::{Cleaner, Duplicates};
use quarantine::{Quarantine, Rejected};

#[derive(Args)]
pub struct PushArguments {
    /// Where the records are: a path, file://…, or what else `netsec run --source` takes
    #[arg(long, value_name = "URI")]
    from: SourceUri,
    /// Where they go: a file (.csv, .jsonl, .parquet), mongodb://HOST/DATABASE?collection=NAME,
    /// postgres://HOST/DATABASE?table=NAME, mysql://, sqlite://, s3://BUCKET/KEY or dynamodb://TABLE
    #[arg(long, value_name = "URI")]
    to: SourceUri,
    /// Data set: phishing, nsl_kdd, or the path of a schema file
    #[arg(long, value_name = "NAME|PATH.yaml", default_value = "phishing")]
    dataset: String,
    /// What happens to records that are there already: they stay, they go once the new ones are
    /// complete, or those with the same --key are written over
    #[arg(long, value_enum, default_value = "append")]
    mode: Mode,
    /// Column that tells records apart, for --mode upsert; may be given several times
    #[arg(long, value_name = "COLUMN", required_if_eq("mode", "upsert"))]
    key: Vec<String>,
    /// Whether rows that are equal in every column are all pushed
    #[arg(long, value_enum, default_value = "keep")]
    duplicates: Duplicates,
    /// Largest share of rows that may be rejected; the schema's by default
    #[arg(long, value_name = "SHARE")]
    max_bad_share: Option<f64>,
    /// File for rejected rows; under the artifacts directory by default
    #[arg(long, value_name = "FILE.csv")]
    quarantine: Option<PathBuf>,
    /// Clean and check, but push nothing
    #[arg(long)]
    dry_run: bool,
    /// Progress on standard error: a bar on a terminal, JSON lines, or nothing
    #[arg(long, value_enum, default_value = "auto")]
    progress: Progress,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Append,
    Replace,
    Upsert,
}

/// Pushes the records; returns the exit code.
pub fn run(arguments: &PushArguments) -> Result<u8, Failure> {
    let stopwatch = clock::Stopwatch::start();
    let schema = schema_of(&arguments.dataset)?;
    let mut destination = arguments.destination(&schema)?;
    let progress = ProgressReporter::new(arguments.progress.into());
    let mut push = Push {
        arguments,
        quarantine: Quarantine::new(arguments, &schema),
        schema,
        progress: &progress,
        summary: Summary::new(arguments, destination.description()),
    };
    let outcome = push.survey().and_then(|survey| match arguments.dry_run {
        true => Ok(()),
        false => push.load(destination.as_mut(), survey),
    });
    progress.finish();
    // Kept also when the push was refused because of what it holds.
    push.summary.quarantine = push.quarantine.finish()?;
    outcome.map_err(|failure| push.with_quarantine(failure))?;
    push.summary.seconds = stopwatch.seconds();
    push.summary.print(arguments.place.json)?;
    Ok(0)
}

impl PushArguments {
    fn destination(&self, schema: &Schema) -> Result<Box<dyn Destination>, Failure> {
        let refuse = |message: String| Err(Failure::new(ErrorKind::Usage, message));
        if self.mode != Mode::Upsert && !self.key.is_empty() {
            return refuse("--key is for --mode upsert".to_owned());
        }
        let columns = schema.file_columns();
        if let Some(name) = self.key.iter().find(|name| !columns.contains(name)) {
            return refuse(format!(
                "--key {name}: the schema `{}` has no such column",
                schema.name
            ));
        }
        if self
            .max_bad_share
            .is_some_and(|s| !(0.0..=1.0).contains(&s))
        {
            return refuse("--max-bad-share is not between 0 and 1".to_owned());
        }
        self.check_files()?;
        let mode = match self.mode {
            Mode::Append => LoadMode::Append,
            Mode::Replace => LoadMode::Replace,
            Mode::Upsert => LoadMode::Upsert(self.key.clone()),
        };
        connectors::destination(&self.to, schema, mode)
    }

    /// Refuses to write over a file that is read or written as well.
    fn check_files(&self) -> Result<(), Failure> {
        let Some(to) = self.to.local_path() else {
            return Ok(());
        };
        if let Some(from) = self.from.local_path() {
            refuse_same_file(&from, &to)?;
        }
        if self.quarantine.as_ref() == Some(&to) {
            let to = to.display();
            let message = format!("{to} is named by --to and by --quarantine: give two files");
            return Err(Failure::new(ErrorKind::Usage, message));
        }
        Ok(())
    }
}

/// A push on its way.
struct Push<'a> {
    arguments: &'a PushArguments,
    schema: Schema,
    quarantine: Quarantine,
    progress: &'a ProgressReporter,
    summary: Summary,
}

/// What the first reading has found: which records there are to load.
struct Survey {
    tally: Tally,
    /// Depends on the records and their order; a second reading must come to the same.
    digest: Digest,
}

impl Push<'_> {
    /// Reads and checks everything before anything is loaded.
    fn survey(&mut self) -> Result<Survey, Failure> {
        let mut source = connectors::open(&self.arguments.from, &self.schema)?;
        let mut cleaner = self.cleaner();
        while let Some(batch) = source.next_batch()? {
            self.summary.rows += batch.n_rows() as u64;
            let cleaned = cleaner.clean(batch)?;
            self.summary.rejected += cleaned.rejected.reasons.len() as u64;
            self.quarantine.push(&cleaned.rejected)?;
            self.report("rows checked", self.summary.rows, 0);
        }
        self.summary.duplicates = cleaner.n_duplicates;
        self.summary.left_out = std::mem::take(&mut cleaner.unknown_names);
        let tally = cleaner.tally;
        self.summary.accepted = tally.count();
        self.check_rejected()?;
        if tally.count() == 0 {
            let message = format!("{}: there is nothing to push", self.arguments.from);
            return Err(Failure::new(ErrorKind::Rejected, message));
        }
        Ok(Survey {
            tally,
            digest: cleaner.digest,
        })
    }

    /// Reads once more and loads, reads back, and lets the loaded records count.
    fn load(&mut self, destination: &mut dyn Destination, survey: Survey) -> Result<(), Failure> {
        let name = &survey.digest.to_string()[..16];
        self.summary.load = Some(name.to_owned());
        self.summary.before = destination.begin(name)?;
        let expected = self.load_batches(destination, &survey)?;
        self.check_rejected()?;
        let found = destination.read_back()?;
        if found != expected {
            let place = destination.description();
            let message = format!(
                "{place}: read back {found}, but sent {expected}: others have written to it, or it \
                 changes what it is given; push again"
            );
            return Err(Failure::new(ErrorKind::Unavailable, message));
        }
        self.summary.verified = Some(found.to_string());
        Ok(destination.publish()?)
    }

    /// Returns the records that are to be read back: those that the other side has not refused.
    fn load_batches(
        &mut self,
        destination: &mut dyn Destination,
        survey: &Survey,
    ) -> Result<Tally, Failure> {
        let mut source = connectors::open(&self.arguments.from, &self.schema)?;
        let mut cleaner = self.cleaner();
        let mut expected = survey.tally;
        while let Some(batch) = source.next_batch()? {
            let batch = cleaner.clean(batch)?.accepted;
            let loaded = destination.load(&batch)?;
            self.summary.written += loaded.written;
            self.summary.already_there += loaded.already_there;
            self.summary.rejected += loaded.refused.len() as u64;
            let digests = record_digests(&batch);
            loaded
                .refused
                .iter()
                .for_each(|(row, _)| expected.remove(digests[*row]));
            self.quarantine
                .push(&Rejected::of(&batch, loaded.refused))?;
            self.report(
                "records loaded",
                cleaner.tally.count(),
                survey.tally.count(),
            );
        }
        if cleaner.digest != survey.digest {
            let message = format!(
                "{} has changed while it was pushed: push again",
                self.arguments.from
            );
            return Err(Failure::new(ErrorKind::Unavailable, message));
        }
        Ok(expected)
    }

    fn cleaner(&self) -> Cleaner {
        Cleaner::new(
            self.schema.clone(),
            self.arguments.duplicates,
            self.arguments.key.clone(),
        )
    }

    fn check_rejected(&self) -> Result<(), Failure> {
        let (rejected, rows) = (self.summary.rejected, self.summary.rows);
        let share = self.arguments.max_bad_share;
        let share = share.unwrap_or(self.schema.quality.max_bad_share);
        let allowed = (share * rows as f64).floor() as u64;
        if rejected <= allowed {
            return Ok(());
        }
        let most = self.quarantine.first_problem();
        Err(Failure::new(
            ErrorKind::Rejected,
            format!("{rejected} of {rows} rows rejected, at most {allowed} allowed ({most})"),
        ))
    }

    fn with_quarantine(&self, failure: Failure) -> Failure {
        match &self.summary.quarantine {
            Some(path) if failure.kind() == ErrorKind::Rejected => Failure::new(
                failure.kind(),
                format!("{failure}; rejected rows: {}", path.display()),
            ),
            _ => failure,
        }
    }

    fn report(&self, step: &str, done: u64, total: u64) {
        self.progress.report(Advance {
            stage: "push",
            step,
            done,
            total,
        });
    }
}

/// What a push has done.
#[derive(Serialize)]
struct Summary {
    from: String,
    to: String,
    mode: Mode,
    dry_run: bool,
    /// Rows of the source.
    rows: u64,
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    /// Columns that the schema does not know.
    left_out: BTreeSet<String>,
    quarantine: Option<PathBuf>,
    load: Option<String>,
    before: Option<u64>,
    written: u64,
    already_there: u64,
    verified: Option<String>,
    seconds: f64,
}

impl Summary {
    fn new(arguments: &PushArguments, to: &str) -> Self {
        Self {
            from: arguments.from.to_string(),
            to: to.to_owned(),
            mode: arguments.mode,
            dry_run: arguments.dry_run,
            rows: 0,
            accepted: 0,
            duplicates: 0,
            rejected: 0,
            left_out: BTreeSet::new(),
            quarantine: None,
            load: None,
            before: None,
            written: 0,
            already_there: 0,
            verified: None,
            seconds: 0.0,
        }
    }

    fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            let text = serde_json::to_string(self)
                .map_err(|e| Failure::new(ErrorKind::Internal, e.to_string()))?;
            return print(&text);
        }
        print(&self.lines().join("\n"))
    }

    fn lines(&self) -> Vec<String> {
        let Self {
            rows,
            accepted,
            duplicates,
            rejected,
            ..
        } = self;
        let mut lines = vec![format!(
            "{}: {rows} rows, {accepted} to push, {duplicates} duplicates left out, {rejected} rejected",
            self.from
        )];
        if !self.left_out.is_empty() {
            let names: Vec<&str> = self.left_out.iter().map(String::as_str).collect();
            let names = names.join(", ");
            lines.push(format!(
                "columns that the schema does not know, left out: {names}"
            ));
        }
        if let Some(path) = &self.quarantine {
            lines.push(format!("rejected rows: {}", path.display()));
        }
        lines.push(match &self.verified {
            None => "nothing was pushed: --dry-run".to_owned(),
            Some(found) => format!(
                "{}: {} written, {} there already{}; read back {found}; {:.1} s",
                self.to,
                self.written,
                self.already_there,
                self.before
                    .map_or(String::new(), |n| format!(", {n} before")),
                self.seconds
            ),
        });
        lines
    }
}
