//! `netsec push`: records extracted, cleaned, checked against the schema, loaded and read back.

mod cleaning;
mod quarantine;
mod spool;
mod summary;

use std::path::PathBuf;

use artifact::{Advance, Digest, ErrorKind, Failure, clock};
use clap::{Args, ValueEnum};
use dataset::{
    Destination, LoadMode, Remains, Schema, SinkError, SourceUri, Tally, record_digests,
};
use harness::ProgressReporter;
use serde::Serialize;

use crate::{
    cli::{Place, Progress},
    config::schema_of,
    output::{is_same_file, refuse_same_file},
};
use cleaning::{Cleaner, Duplicates};
use quarantine::{Quarantine, Rejected};
use spool::{Spool, Spooled};
use summary::Summary;

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
    let outcome = push.survey().and_then(|survey| match survey {
        None => Ok(()),
        Some(survey) => push.load(destination.as_mut(), survey),
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

    /// Refuses to write over a file that is read or written as well, and to add to what is read.
    fn check_files(&self) -> Result<(), Failure> {
        let (from, to) = (self.from.local_path(), self.to.local_path());
        let [from_database, to_database] = [&self.from, &self.to].map(connectors::database_file);
        // Of a database, a push into another table is none into the whole file.
        for (from, to) in [(&from, &to), (&from_database, &to), (&from, &to_database)] {
            if let (Some(from), Some(to)) = (from, to) {
                refuse_same_file(from, to)?;
            }
        }
        if connectors::is_read_back(&self.to, &self.from) {
            let message = format!(
                "what is pushed to {} would be read with it from {} the next time: push to another place",
                self.to, self.from
            );
            return Err(Failure::new(ErrorKind::Usage, message));
        }
        let Some(quarantine) = &self.quarantine else {
            return Ok(());
        };
        for (flag, uri) in [("--from", &self.from), ("--to", &self.to)] {
            let mut beside = connectors::files_beside_database(uri).into_iter();
            if beside.any(|path| is_same_file(&path, quarantine)) {
                let message = format!(
                    "{} belongs to the database that {flag} names: give --quarantine another file",
                    quarantine.display()
                );
                return Err(Failure::new(ErrorKind::Usage, message));
            }
        }
        let (from, to) = (from.or(from_database), to.or(to_database));
        for (flag, path) in [("--from", from), ("--to", to)] {
            if path.is_some_and(|path| is_same_file(&path, quarantine)) {
                let path = quarantine.display();
                let message =
                    format!("{path} is named by {flag} and by --quarantine: give two files");
                return Err(Failure::new(ErrorKind::Usage, message));
            }
        }
        Ok(())
    }
}

const IN_PLACE: &str = "what was loaded has taken the place of the records that were there: look, and push the same again";

/// A push on its way.
struct Push<'a> {
    arguments: &'a PushArguments,
    schema: Schema,
    quarantine: Quarantine,
    progress: &'a ProgressReporter,
    summary: Summary,
}

/// What there is to load, all of it judged.
struct Survey {
    tally: Tally,
    /// Depends on the records and their order.
    digest: Digest,
    records: Spooled,
}

impl Push<'_> {
    /// Reads, checks and keeps everything before anything is loaded; nothing is kept of a dry run.
    fn survey(&mut self) -> Result<Option<Survey>, Failure> {
        let mut source = connectors::open(&self.arguments.from, &self.schema)?;
        let mut cleaner = self.cleaner();
        let mut spool = match self.arguments.dry_run {
            true => None,
            false => Some(Spool::create(self.schema.file_columns())?),
        };
        while let Some(batch) = source.next_batch()? {
            self.summary.rows += batch.n_rows() as u64;
            let cleaned = cleaner.clean(batch)?;
            self.summary.rejected += cleaned.rejected.reasons.len() as u64;
            self.quarantine.push(&cleaned.rejected)?;
            if let Some(spool) = &mut spool {
                spool.push(&cleaned.accepted)?;
            }
            self.report("rows checked", self.summary.rows, 0);
        }
        self.summary.duplicates = cleaner.n_duplicates;
        self.summary.left_out = std::mem::take(&mut cleaner.unknown_names);
        self.summary.accepted = cleaner.tally.count();
        self.check_rejected()?;
        if self.summary.accepted == 0 {
            let message = format!("{}: there is nothing to push", self.arguments.from);
            return Err(Failure::new(ErrorKind::Rejected, message));
        }
        let Some(spool) = spool else {
            return Ok(None);
        };
        Ok(Some(Survey {
            tally: cleaner.tally,
            digest: cleaner.digest,
            records: spool.finish()?,
        }))
    }

    /// Loads, reads back, and lets the loaded records count.
    fn load(&mut self, destination: &mut dyn Destination, survey: Survey) -> Result<(), Failure> {
        let name = &survey.digest.to_string()[..16];
        self.summary.load = Some(name.to_owned());
        let begun = destination.begin(name);
        self.note_name(destination);
        self.summary.before = begun?;
        let expected = self.load_records(destination, survey);
        let expected = expected.map_err(|failure| self.interrupted(destination, failure))?;
        let judged = self.check_refused(destination, expected);
        judged.map_err(|failure| self.undo(destination, &failure))?;
        let found = destination.read_back();
        let found = found.map_err(|error| self.unfinished(destination, error))?;
        self.note_name(destination);
        let judged = self.compare(destination, expected, found);
        judged.map_err(|failure| self.undo(destination, &failure))?;
        self.tell_own(destination, expected.count());
        let published = destination.publish();
        published.map_err(|error| self.unfinished(destination, error))
    }

    fn note_name(&mut self, destination: &dyn Destination) {
        if let Some(name) = destination.lies_under() {
            self.summary.load = Some(name.to_owned());
        }
    }

    /// Returns the records that are to be read back: those that the other side has not refused.
    fn load_records(
        &mut self,
        destination: &mut dyn Destination,
        mut survey: Survey,
    ) -> Result<Tally, Failure> {
        let (mut expected, mut done) = (survey.tally, 0);
        while let Some(batch) = survey.records.next_batch()? {
            let loaded = destination.load(&batch)?;
            self.summary.written += loaded.written;
            self.summary.already_there += loaded.already_there;
            self.summary.rejected += loaded.refused.len() as u64;
            if !loaded.refused.is_empty() {
                let digests = record_digests(&batch);
                let refused = loaded.refused.iter();
                refused.for_each(|(row, _)| expected.remove(digests[*row]));
                self.quarantine
                    .push(&Rejected::of(&batch, loaded.refused))?;
            }
            done += batch.n_rows() as u64;
            self.report("records loaded", done, survey.tally.count());
            if self.arguments.mode == Mode::Upsert && self.check_rejected().is_err() {
                // More cannot mend it. In another mode all are gone through, to know what was there before.
                break;
            }
        }
        Ok(expected)
    }

    /// Counts as written what was not there before, of all that is there.
    fn tell_own(&mut self, destination: &dyn Destination, n_found: u64) {
        if let Some(there) = destination.there_before() {
            self.summary.already_there = there.min(n_found);
            self.summary.written = n_found - self.summary.already_there;
        }
    }

    fn check_refused(&self, destination: &dyn Destination, left: Tally) -> Result<(), Failure> {
        self.check_rejected()?;
        if left.count() > 0 {
            return Ok(());
        }
        let place = destination.description();
        let message = format!("{place}: every record was refused, so that nothing was pushed");
        Err(Failure::new(ErrorKind::Rejected, message))
    }

    fn compare(
        &mut self,
        destination: &dyn Destination,
        expected: Tally,
        found: Tally,
    ) -> Result<(), Failure> {
        if found == expected {
            self.summary.verified = Some(found.to_string());
            return Ok(());
        }
        let place = destination.description();
        let there = self.summary.already_there;
        let why = match self.arguments.mode {
            Mode::Append if there > 0 => format!(
                "{there} of them were there from an earlier push, and have been written over since, by an \
                 upsert say: --mode upsert writes them over again"
            ),
            _ => "others have written to it, or it changes what it is given".to_owned(),
        };
        let message = format!("{place}: read back {found}, but sent {expected}: {why}");
        Err(Failure::new(ErrorKind::Unavailable, message))
    }

    /// Ends a push that has loaded everything, but could not read it back or let it count: what would fail
    /// again is taken back, unless it may count already.
    fn unfinished(&self, destination: &mut dyn Destination, error: SinkError) -> Failure {
        let (is_transient, failure) = (error.is_transient(), Failure::from(error));
        match destination.remains() {
            Remains::Nothing => failure,
            Remains::Among | Remains::Beside(_) if !is_transient => {
                self.undo(destination, &failure)
            }
            _ => self.interrupted(destination, failure),
        }
    }

    /// Says what has become of the records of a push that could not go on.
    fn interrupted(&self, destination: &dyn Destination, failure: Failure) -> Failure {
        let load = self.summary.load.as_deref().unwrap_or_default();
        let said = match (destination.remains(), self.arguments.mode) {
            (Remains::Nothing, Mode::Replace) if self.summary.before.is_some() => {
                "the records that were there stay".to_owned()
            }
            (Remains::Nothing, _) => return failure,
            (Remains::Unsure(place), _) => format!(
                "whether what was loaded has taken the place of the records that were there is not known: look, and push \
                 the same again; where it has not, it stays in {place}"
            ),
            (Remains::InPlace, _) => IN_PLACE.to_owned(),
            (Remains::Replacing, _) => format!(
                "what was loaded stays under the load `{load}`, and of the records that were there before some may be \
                 deleted already: the same push deletes the rest, and so does another replacement"
            ),
            (Remains::Beside(place), _) => format!(
                "the records that were there stay; what was loaded stays in {place}, and the same push goes on with \
                 it: before another one, drop it"
            ),
            // Of the last batch nobody has counted.
            (Remains::Among, Mode::Append) => format!(
                "what was loaded, if anything, stays under the load `{load}`, and the same push goes on with it: before \
                 another one, {}",
                match self.are_some_of_before(destination) {
                    true => "look at it, as some of it was there before",
                    false => "delete it",
                }
            ),
            (Remains::Among, Mode::Replace) => format!(
                "what was loaded stays under the load `{load}`, and the same push goes on with it: another \
                 replacement deletes it"
            ),
            (Remains::Among, Mode::Upsert) => {
                "what was written over stays, and the same push writes it over again".to_owned()
            }
        };
        Failure::new(failure.kind(), format!("{failure}; {said}"))
    }

    /// Returns whether records of this load were there before it, which others may rely on.
    fn are_some_of_before(&self, destination: &dyn Destination) -> bool {
        self.summary.already_there > 0 || destination.there_before().is_some_and(|n| n > 0)
    }

    /// Takes back what was loaded, so that a mended push does not load it a second time. What an earlier
    /// push has loaded under the same name stays, and with it what this one has added.
    fn undo(&self, destination: &mut dyn Destination, failure: &Failure) -> Failure {
        let written = self.summary.written;
        let taken = destination.take_back(self.summary.already_there > 0);
        let load = self.summary.load.as_deref().unwrap_or_default();
        let said = match (taken, self.arguments.mode) {
            _ if destination.remains() == Remains::InPlace => IN_PLACE.to_owned(),
            (Ok(true), _) => "what was loaded is taken back".to_owned(),
            (Ok(false), _) if written == 0 => "this push has written nothing".to_owned(),
            (Ok(false), Mode::Upsert) => format!(
                "{written} records were written over and stay; a mended push writes them over again"
            ),
            (Ok(false), Mode::Replace) => format!(
                "{written} records stay beside those that were there before, all under the load `{load}`: another \
                 replacement deletes them"
            ),
            (Ok(false), Mode::Append) => format!(
                "{written} records stay beside those that were there before, all under the load `{load}`: these may be of \
                 a push that was verified, so look at them before another push"
            ),
            (Err(error), _) => format!(
                "taking back the {written} records that were loaded failed: {error}; before another push, delete what \
                 is left of the load `{load}`"
            ),
        };
        Failure::new(failure.kind(), format!("{failure}; {said}"))
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
