//! A table as a destination: records are loaded under names of their own, so that loading them again
//! changes nothing.

mod checked;
mod copy;
mod definition;
mod record;
mod swap;
mod table;
mod upsert;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use artifact::Digest;
use dataset::{
    Destination, LoadMode, Loaded, RawBatch, Remains, Schema, SinkError, SourceError, SourceUri,
    Tally, record_digests,
};

use super::{
    LOAD_COLUMN, ROW_COLUMN,
    address::TableName,
    connection::Connection,
    failure::{reason, refuses_record},
    link::Value,
    rows::Rows,
    source::read_rows,
};
use crate::{
    failure::{Cause, Trouble},
    load::{LoadNames, is_doubled},
    written::{as_sink_error, numeric},
};
use record::{Record, Recorder};
use table::Table;

/// Records of one request at most.
const REQUEST_RECORDS: usize = 1000;
/// Records of one request at most, where they are sent without a statement for them.
const COPIED_RECORDS: usize = 4000;
/// Bytes of one request, roughly.
const REQUEST_BYTES: usize = 4 << 20;

/// Where records are loaded.
///
/// Each record of an appending or replacing load has the load's name and the number of its row in two
/// columns of their own. An attempt that is repeated finds what is there already.
pub(crate) struct SqlDestination {
    uri: SourceUri,
    connection: Connection,
    recorder: Recorder,
    schema: Schema,
    mode: LoadMode,
    target: TableName,
    names: LoadNames,
    /// That of the names under which this load's records lie, once it has begun.
    load: String,
    /// Whether the columns keep every value that records may have for them.
    keeps_all: bool,
    /// The table that is loaded into: beside the target for a replacement.
    into: Table,
    /// Drops the index of the key that this load has made.
    made_index: Option<String>,
    /// Whether the target keeps the columns by which it knows loads; nothing where it does not exist.
    target_knows_loads: Option<bool>,
    /// Bytes that the server takes at once at most.
    max_bytes: usize,
    /// Records of this load that are there.
    n_loaded: u64,
    /// Records of this load that were there when it began, seen by the index or not.
    there_before: u64,
    /// What is left of the load when it ends here.
    left: Remains,
    /// Whether another push of the very same records has put them into the target.
    is_overtaken: bool,
    /// What has been read back: of an upserting load so far.
    seen: Tally,
}

impl SqlDestination {
    pub(crate) fn open(
        uri: &SourceUri,
        schema: &Schema,
        mode: LoadMode,
    ) -> Result<Self, SourceError> {
        let connection = Connection::open_for_writing(uri)?;
        let dialect = connection.dialect();
        let refused = |reason: &str| SourceError::Unsupported {
            location: uri.to_string(),
            reason: reason.to_owned(),
        };
        let Some(target) = connection.address.table().cloned() else {
            return Err(refused("records are pushed into a table: …?table=NAME"));
        };
        let is_ours = |name: &String| name == LOAD_COLUMN || name == ROW_COLUMN;
        let is_odd = |name: &String| is_ours(name) || name.contains('\0');
        let names = schema.file_columns();
        if let Some(name) = names.iter().find(|name| is_odd(name)) {
            return Err(refused(&format!("a column cannot be called {name:?}")));
        }
        for name in &names {
            dialect.check_length(name).map_err(|said| refused(&said))?;
        }
        Ok(Self {
            uri: uri.clone(),
            recorder: Recorder::new(schema),
            connection,
            schema: schema.clone(),
            left: match mode {
                LoadMode::Replace => Remains::Nothing,
                LoadMode::Append | LoadMode::Upsert(_) => Remains::Among,
            },
            mode,
            keeps_all: false,
            into: Table::nowhere(dialect, target.clone()),
            target,
            names: LoadNames::default(),
            load: String::new(),
            made_index: None,
            target_knows_loads: None,
            max_bytes: usize::MAX,
            n_loaded: 0,
            there_before: 0,
            is_overtaken: false,
            seen: Tally::default(),
        })
    }

    /// Returns whether records come by `COPY`.
    fn copies(&self) -> bool {
        let is_upsert = matches!(self.mode, LoadMode::Upsert(_));
        !is_upsert && self.keeps_all && self.into.takes_copy
    }

    fn key(&self) -> &[String] {
        match &self.mode {
            LoadMode::Upsert(key) => key,
            _ => &[],
        }
    }

    /// Takes the next records that go into one request.
    fn request(
        &self,
        batch: &RawBatch,
        digests: &[Digest],
        rows: &mut std::ops::Range<usize>,
        loaded: &mut Loaded,
    ) -> Vec<Record> {
        let dialect = self.connection.dialect();
        let at_most = match self.copies() {
            true => COPIED_RECORDS,
            false => REQUEST_RECORDS.min(dialect.max_values() / (batch.names.len() + 2)),
        };
        // Some room for the names, and for the frames of the values.
        let room = (self.max_bytes - self.max_bytes / 8).min(REQUEST_BYTES);
        let (mut request, mut n_bytes) = (Vec::new(), 0);
        while request.len() < at_most.max(1) && rows.start < rows.end {
            let row = rows.start;
            let mut record = self.recorder.record(batch, row, digests);
            self.into.fit(&mut record.values);
            if !request.is_empty() && n_bytes + record.n_bytes() > room {
                break;
            }
            rows.start += 1;
            match record.n_bytes() {
                n if n < self.max_bytes => {
                    n_bytes += n;
                    request.push(record);
                }
                n => loaded.refused.push((
                    row,
                    format!(
                        "a record of {n} bytes, of which the server takes {}",
                        self.max_bytes
                    ),
                )),
            }
        }
        request
    }

    /// Writes the records of a request, unless they are in the target already.
    fn load_request(&mut self, records: &[Record], loaded: &mut Loaded) -> Result<(), Trouble> {
        let before = n_settled(loaded);
        if !self.is_overtaken {
            let written = self.write_new(records, loaded);
            if written.is_ok() || !self.overtaken() {
                return self.or_leave_nothing(written);
            }
        }
        loaded.already_there += records.len() as u64 - (n_settled(loaded) - before);
        Ok(())
    }

    /// Writes those records that were not there when the load began: an index would not tell of rows that a
    /// trigger has put into another table.
    fn write_new(&mut self, records: &[Record], loaded: &mut Loaded) -> Result<(), Trouble> {
        if self.there_before == 0 {
            return self.write(records, loaded);
        }
        let new = self.leave_out(records, loaded)?;
        match new.is_empty() {
            true => Ok(()),
            false => self.write(&new, loaded),
        }
    }

    /// Writes records, in parts when the server has something against one of them.
    fn write(&mut self, records: &[Record], loaded: &mut Loaded) -> Result<(), Trouble> {
        let tried = match self.mode {
            LoadMode::Upsert(_) => self.try_upsert(records),
            _ => self.try_insert(records),
        };
        let Err(reason) = tried? else {
            loaded.written += records.len() as u64;
            return Ok(());
        };
        let new = self.leave_out(records, loaded)?;
        match &new[..] {
            [] => {}
            new if new.len() < records.len() => self.write(new, loaded)?,
            [record] => loaded.refused.push((record.row, reason)),
            new => {
                let (first, second) = new.split_at(new.len() / 2);
                self.write(first, loaded)?;
                self.write(second, loaded)?;
            }
        }
        Ok(())
    }

    /// Returns those records that are not there; the others are counted.
    fn leave_out(
        &mut self,
        records: &[Record],
        loaded: &mut Loaded,
    ) -> Result<Vec<Record>, Trouble> {
        let there = self.already_there(records)?;
        loaded.already_there += there.len() as u64;
        let is_new = |record: &&Record| !there.contains(&record.number);
        Ok(records.iter().filter(is_new).cloned().collect())
    }

    /// Inserts records, all of them or none; gives the reason when the server has something against
    /// one of them.
    fn try_insert(&mut self, records: &[Record]) -> Result<Result<(), String>, Trouble> {
        self.insert(records).map_err(Trouble::of_writing)
    }

    fn insert(&mut self, records: &[Record]) -> Result<Result<(), String>, Trouble> {
        let asked = "insert records";
        if !self.keeps_all {
            let insertion = self.insertion(records);
            let tried = self
                .connection
                .repeat(asked, async |link| insertion.carry_out(link).await)?;
            return Ok(tried.map(|_| ()));
        }
        if self.copies() {
            let (sql, rows) = (self.into.copy(), copy::rows(records, &self.load));
            return self.connection.repeat(asked, async |link| {
                or_refusal(link.copy_in(&sql, &rows).await)
            });
        }
        let sql = self.into.insert(records.len());
        let values = records.iter().flat_map(|r| r.under(&self.load));
        let values: Vec<Value> = values.collect();
        self.connection.repeat(asked, async |link| {
            or_refusal(link.run(&sql, &values).await)
        })
    }

    /// Returns the numbers of those records that are there, under whichever name.
    fn already_there(&mut self, records: &[Record]) -> Result<BTreeSet<i64>, Trouble> {
        let numbers = || records.iter().map(|record| record.number);
        let (Some(first), Some(last)) = (numbers().min(), numbers().max()) else {
            return Ok(BTreeSet::new());
        };
        if matches!(self.mode, LoadMode::Upsert(_)) {
            return Ok(BTreeSet::new());
        }
        let sql = self.into.rows_of_load();
        let values = [
            Value::from(self.names.appended.as_str()),
            Value::from(self.names.replaced.as_str()),
            Value::Integer(first),
            Value::Integer(last),
        ];
        let found = self.connection.texts("look for records", &sql, &values)?;
        let there: BTreeSet<i64> = found
            .iter()
            .filter_map(|row| row.first()?.as_ref()?.parse().ok())
            .collect();
        Ok(numbers().filter(|number| there.contains(number)).collect())
    }

    /// Reads what a query gives, over a connection of its own.
    fn tally(&self, select: &str) -> Result<Tally, SinkError> {
        let mut connection = Connection::open(&self.uri).map_err(as_sink_error)?;
        tally(&mut connection, &self.schema, select).map_err(Trouble::unread)
    }
}

impl Destination for SqlDestination {
    fn description(&self) -> &str {
        &self.connection.address.location
    }

    fn begin(&mut self, load: &str) -> Result<Option<u64>, SinkError> {
        self.names = LoadNames::of(load);
        let name = match self.mode {
            LoadMode::Replace => &self.names.replaced,
            LoadMode::Append | LoadMode::Upsert(_) => &self.names.appended,
        };
        name.clone_into(&mut self.load);
        self.max_bytes = self.largest_request()?;
        let prepared = self.prepare();
        let before = self.or_leave_nothing(prepared)?;
        if !matches!(self.mode, LoadMode::Upsert(_)) {
            self.there_before = match self.find_own() {
                Err(_) if self.overtaken() => 0,
                counted => counted?,
            };
        }
        Ok(Some(before))
    }

    fn lies_under(&self) -> Option<&str> {
        let is_upsert = matches!(self.mode, LoadMode::Upsert(_));
        (!is_upsert).then_some(&self.load)
    }

    fn there_before(&self) -> Option<u64> {
        let is_upsert = matches!(self.mode, LoadMode::Upsert(_));
        // Which of the records another push has put there is not known.
        (!is_upsert && !self.is_overtaken).then_some(self.there_before)
    }

    fn load(&mut self, batch: &RawBatch) -> Result<Loaded, SinkError> {
        let mut loaded = Loaded::default();
        let is_checked = matches!(self.mode, LoadMode::Upsert(_)) || !self.keeps_all;
        let digests = match is_checked {
            true => record_digests(batch),
            false => Vec::new(),
        };
        let mut rows = 0..batch.n_rows();
        while !rows.is_empty() {
            let request = self.request(batch, &digests, &mut rows, &mut loaded);
            if request.is_empty() {
                continue;
            }
            self.load_request(&request, &mut loaded)?;
        }
        self.n_loaded += loaded.written + loaded.already_there;
        Ok(loaded)
    }

    fn read_back(&mut self) -> Result<Tally, SinkError> {
        match self.mode {
            LoadMode::Append => self.read_appended(),
            // Whatever else lies there would take the old records' place as well.
            LoadMode::Replace => {
                let found = self.tally(&self.into.select());
                self.seen = match found {
                    Err(_) if self.overtaken() => self.read_overtaker()?,
                    found => found?,
                };
                Ok(self.seen)
            }
            LoadMode::Upsert(_) => Ok(self.seen),
        }
    }

    fn publish(&mut self) -> Result<(), SinkError> {
        match self.mode {
            LoadMode::Replace if !self.is_overtaken => self.replace(),
            _ => Ok(()),
        }
    }

    fn remains(&self) -> Remains {
        self.left.clone()
    }

    fn take_back(&mut self, earlier: bool) -> Result<bool, SinkError> {
        let counts = match self.mode {
            LoadMode::Append => self.count_both()?,
            LoadMode::Replace | LoadMode::Upsert(_) => (0, 0),
        };
        match self.mode {
            LoadMode::Append if is_doubled(counts.0, counts.1) => {
                let own = self.names.appended.clone();
                self.delete_under(&own)?;
            }
            LoadMode::Append if !earlier && self.there_before == 0 => return Ok(self.delete_own()?),
            LoadMode::Replace => {
                let drop = self.into.drop_if_there();
                self.connection
                    .repeat_at_length(TAKE_BACK, async |link| link.run(&drop, &[]).await)?;
            }
            LoadMode::Upsert(_) => {
                self.drop_unused_index();
                return Ok(false);
            }
            LoadMode::Append => return Ok(false),
        }
        Ok(true)
    }
}

const TAKE_BACK: &str = "take back what was loaded";

impl SqlDestination {
    /// Drops what was made for a load that is refused for good: what a replacement was loaded into, since the
    /// same push would not fare better with a table that was made by the constraints of now, and the index
    /// of a key that nothing was written by.
    fn or_leave_nothing<T>(&mut self, outcome: Result<T, Trouble>) -> Result<T, Trouble> {
        let is_refused = |trouble: &Trouble| !trouble.cause.is_transient();
        if !outcome.as_ref().is_err_and(is_refused) {
            return outcome;
        }
        match self.mode {
            // It may be the only place in which the records are.
            LoadMode::Replace if matches!(self.left, Remains::Unsure(_)) => {}
            // Before anything is made beside the target, it is itself what there is.
            LoadMode::Replace if self.into.name != self.target => {
                let is_dropped = self.drop_made(&self.into.drop_if_there());
                if is_dropped && matches!(self.left, Remains::Beside(_)) {
                    self.left = Remains::Nothing;
                }
            }
            LoadMode::Replace => {}
            LoadMode::Upsert(_) => self.drop_unused_index(),
            LoadMode::Append => {}
        }
        outcome
    }

    /// Deletes what this load has written, and looks whether it is gone: a trigger, a rule or row security may say
    /// otherwise without an error. Where others have added to it, all of it stays; returns whether it has gone.
    fn delete_own(&mut self) -> Result<bool, Trouble> {
        let (own, loaded) = (self.load.clone(), self.n_loaded);
        let found = self.count_under(&own)?;
        if found > loaded {
            return Ok(false);
        }
        self.delete_under(&own)?;
        let left = self.count_under(&own)?;
        if left == 0 && (found >= loaded || self.is_replaced_by_equal()?) {
            return Ok(true);
        }
        let what = match left {
            0 => "none of them is there any more: others have deleted the rest, or the table leaves it out or hides it"
                .to_owned(),
            _ => format!("{left} of them are there still: the table keeps, hides or leaves out some"),
        };
        let reason = format!("of {loaded} records {found} were found, and {what}");
        Err(self.refused(TAKE_BACK, reason))
    }

    fn delete_under(&mut self, name: &str) -> Result<(), Trouble> {
        let delete = self.into.delete_load(name);
        self.connection
            .repeat_at_length(TAKE_BACK, async |link| link.run(&delete, &[]).await)
    }

    /// Finds the name under which records of this load are there, to go on under it; returns how many there are.
    fn find_own(&mut self) -> Result<u64, Trouble> {
        let LoadNames { appended, replaced } = self.names.clone();
        let (n_appended, n_replaced) = self.count_both()?;
        let is_replacement = self.mode == LoadMode::Replace;
        // Beside the old records an earlier version has begun under a name that appends take back; elsewhere, an append that
        // has ended amid an equal replacement has left some a second time.
        if is_doubled(n_appended, n_replaced) || (is_replacement && n_appended > 0) {
            self.delete_under(&appended)?;
        } else if n_replaced == 0 && !is_replacement {
            return Ok(n_appended);
        }
        self.load = replaced;
        Ok(n_replaced)
    }

    /// Counts the records under an append's name, and under a replacement's.
    fn count_both(&mut self) -> Result<(u64, u64), Trouble> {
        let LoadNames { appended, replaced } = self.names.clone();
        Ok((self.count_under(&appended)?, self.count_under(&replaced)?))
    }

    /// Reads the records of an append. Where all of them are there by an equal replacement, what lies under
    /// the append's own name is there a second time: it was written when that had come in between.
    fn read_appended(&mut self) -> Result<Tally, SinkError> {
        let LoadNames { appended, replaced } = self.names.clone();
        let own = self.tally(&self.into.select_load(&appended))?;
        // After the others: they go when these come.
        let n_replaced = self.count_under(&replaced)?;
        if n_replaced == 0 {
            return Ok(own);
        }
        let mut found = self.tally(&self.into.select_load(&replaced))?;
        if n_replaced < self.n_loaded {
            found.merge(own);
            return Ok(found);
        }
        if own.count() > 0 {
            self.delete_under(&appended)?;
        }
        if self.load != replaced {
            (self.load, self.there_before) = (replaced, n_replaced);
        }
        Ok(found)
    }

    /// Returns whether an equal replacement has put records in the place of those of an append.
    fn is_replaced_by_equal(&mut self) -> Result<bool, Trouble> {
        let replaced = self.names.replaced.clone();
        Ok(self.mode == LoadMode::Append && self.count_under(&replaced)? > 0)
    }

    /// Counts the records that are there under a load's name.
    fn count_under(&mut self, name: &str) -> Result<u64, Trouble> {
        let count = self.into.count_load(name);
        let found = self
            .connection
            .repeat_at_length("look for records", async |link| {
                link.texts(&count, &[]).await
            })?;
        Ok(table::number(&found))
    }

    fn drop_unused_index(&mut self) {
        if self.seen.count() == 0
            && let Some(drop) = self.made_index.take()
        {
            self.drop_made(&drop);
        }
    }

    /// Drops what this load has made; returns whether it could be. What it was refused for matters more than what a
    /// failure here leaves.
    fn drop_made(&mut self, drop: &str) -> bool {
        let asked = "drop what was made";
        let dropped = self
            .connection
            .repeat(asked, async |link| link.run(drop, &[]).await);
        dropped.is_ok()
    }

    fn refused(&self, asked: &str, reason: String) -> Trouble {
        self.connection.trouble(asked, Cause::Refused, reason)
    }
}

/// Takes what the server has against a record out of an outcome.
fn or_refusal(outcome: sqlx::Result<()>) -> sqlx::Result<Result<(), String>> {
    match outcome {
        Err(error) if refuses_record(&error) => Ok(Err(reason(&error))),
        other => other.map(Ok),
    }
}

/// Counts the records of which it is known what has become of them.
fn n_settled(loaded: &Loaded) -> u64 {
    loaded.written + loaded.already_there + loaded.refused.len() as u64
}

/// Counts and digests the rows that a query gives.
fn tally(connection: &mut Connection, schema: &Schema, select: &str) -> Result<Tally, Trouble> {
    let mut counted = Counted::new(schema, connection.address.time_limit);
    read_rows(connection, select, &[], &mut counted.rows)?;
    if counted.rows.stopped().is_some() {
        let reason = "it was cut off and has changed since: push again";
        return Err(connection.trouble("read records back", Cause::Interrupted, reason));
    }
    Ok(counted.tally())
}

/// Rows that are counted and digested as they come.
struct Counted {
    rows: Rows,
    found: Arc<Mutex<(Tally, Option<RawBatch>)>>,
}

impl Counted {
    fn new(schema: &Schema, limit: Duration) -> Self {
        let found = Arc::<Mutex<(Tally, Option<RawBatch>)>>::default();
        let shared = Arc::clone(&found);
        let typed = schema.clone();
        let take = move |batch: RawBatch| {
            let batch = numeric(batch, &typed);
            let mut found = shared.lock().unwrap_or_else(PoisonError::into_inner);
            found.0.add_batch(&batch);
            found.1 = Some(batch);
            true
        };
        let rows = Rows::new(schema, limit, take);
        Self { rows, found }
    }

    fn tally(&self) -> Tally {
        self.found().0
    }

    /// Takes the last batch.
    fn last(&self) -> Option<RawBatch> {
        self.found().1.take()
    }

    fn found(&self) -> MutexGuard<'_, (Tally, Option<RawBatch>)> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
