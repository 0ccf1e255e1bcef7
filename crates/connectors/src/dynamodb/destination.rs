//! A table as a destination: records are written under keys of their own, so that writing them again
//! changes nothing.

mod key;

use dataset::{
    Destination, FieldColumns, LoadMode, Loaded, RawBatch, Remains, Schema, SinkError, Source as _,
    SourceError, SourceUri, Tally,
};
use serde_json::{Value, json, value::RawValue};
use tokio::task::JoinSet;

use super::{
    attribute::Item,
    client::{Client, Connection},
    item::{Flattener, Writer, fitting},
    requests::WRITTEN_AT_ONCE,
    source::DynamoSource,
};
use crate::{
    failure::{Cause, Trouble},
    written::{as_sink_error, numeric},
};
use key::Key;

/// Requests that are on their way at once.
const ABREAST: usize = 4;

/// Where records are loaded.
///
/// Each item of an appending or replacing load has the key `LOAD-ROW`: the load's name and the number of
/// the row. Writing it again is writing the same.
pub(crate) struct DynamoDestination {
    connection: Connection,
    writer: Writer,
    mode: LoadMode,
    schema: Schema,
    load: String,
    key: Key,
    /// Whether some of this load may have been there before it began, once that has been looked at.
    was_there: Option<bool>,
    /// Whether there were items besides those of a replacement when it began.
    had_others: bool,
    /// What is left of the load when it ends here.
    left: Remains,
    /// What has been read back: of an upserting load so far.
    seen: Tally,
}

/// Items with the rows (index in the batch) that they were made of.
type Request = Vec<(usize, Item)>;

impl DynamoDestination {
    pub(crate) fn open(
        uri: &SourceUri,
        schema: &Schema,
        mode: LoadMode,
    ) -> Result<Self, SourceError> {
        if let LoadMode::Upsert(key) = &mode
            && key.len() > 2
        {
            return Err(SourceError::Unsupported {
                location: uri.to_string(),
                reason: "a table's key has one column or two: give --key so often".to_owned(),
            });
        }
        Ok(Self {
            connection: Connection::open(uri)?,
            writer: Writer::new(schema.clone()),
            mode,
            schema: schema.clone(),
            load: String::new(),
            key: Key::default(),
            was_there: None,
            had_others: false,
            left: Remains::Among,
            seen: Tally::default(),
        })
    }

    fn client(&self) -> &Client {
        &self.connection.client
    }

    fn requests(&self, batch: &RawBatch, loaded: &mut Loaded) -> Vec<Request> {
        let mut items = Request::new();
        for row in 0..batch.n_rows() {
            let mut item = self.writer.item(batch, row);
            let number = batch.row_numbers[row];
            let keyed = self.key.put(&mut item, &self.load, number);
            match keyed.and_then(|()| fitting(item)) {
                Ok(item) => items.push((row, item)),
                Err(reason) => loaded.refused.push((row, reason)),
            }
        }
        let chunks = items.chunks(WRITTEN_AT_ONCE);
        chunks.map(<[_]>::to_vec).collect()
    }

    /// Writes requests side by side.
    async fn write(&mut self, requests: Vec<Request>, loaded: &mut Loaded) -> Result<(), Trouble> {
        let (mut requests, mut tasks) = (requests.into_iter(), JoinSet::new());
        loop {
            while tasks.len() < ABREAST
                && let Some(request) = requests.next()
            {
                let (client, key) = (self.client().clone(), self.key.clone());
                let reads = matches!(self.mode, LoadMode::Upsert(_));
                tasks.spawn(async move { put(&client, request, reads.then_some(key)).await });
            }
            let outcome = match tasks.join_next().await {
                None => return Ok(()),
                Some(Ok(outcome)) => outcome?,
                Some(Err(e)) => {
                    let trouble =
                        self.client()
                            .trouble("write items", Cause::Refused, e.to_string());
                    return Err(trouble);
                }
            };
            loaded.written += outcome.n_written;
            loaded.refused.extend(outcome.refused);
            let found = self.tally_of(&outcome.found);
            self.seen.merge(found);
        }
    }

    /// Returns whether some of the items that go out next are there. Whatever an earlier attempt has written,
    /// some of the requests that went out first have come to their end; what cannot be looked at counts as
    /// there.
    fn is_there(&self, requests: &[Request]) -> bool {
        let is_key = |name: &String| Some(name.as_str()) == self.key.own();
        let key_of = |item: &Item| -> Item {
            let key = item.iter().filter(|(name, _)| is_key(name));
            key.map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        let items = requests.iter().flatten();
        let keys: Vec<Item> = items.map(|(_, item)| key_of(item)).collect();
        let found = self.connection.block_on(self.client().get(&keys));
        found.map_or(true, |found| !found.is_empty())
    }

    fn tally_of(&self, items: &[Item]) -> Tally {
        let mut flattener = Flattener::without(None);
        let (mut columns, mut tally) = (FieldColumns::default(), Tally::default());
        for item in items {
            flattener.push(item, &mut columns);
        }
        let batch = columns.take(items.len() as u64);
        tally.add_batch(&numeric(batch, &self.schema));
        tally
    }

    /// Says that items of this load went while those of others were deleted.
    fn not_alone(&self, left: Tally) -> Trouble {
        let reason = format!(
            "of {} {} are left: another replacement has run at the same time; push again",
            self.seen, left
        );
        let asked = "delete the old items";
        self.client().trouble(asked, Cause::Interrupted, reason)
    }

    /// Selects the items of this load, or all others.
    fn filter(&self, is_own: bool) -> Value {
        let not = if is_own { "" } else { "NOT " };
        json!({
            "ConsistentRead": true,
            "FilterExpression": format!("{not}begins_with(#key, :load)"),
            "ExpressionAttributeNames": {"#key": self.key.own().unwrap_or_default()},
            "ExpressionAttributeValues": {":load": {"S": format!("{}-", self.load)}},
        })
    }

    /// Reads the items of this load.
    fn tally(&self) -> Result<Tally, SinkError> {
        let flattener = Flattener::without(self.key.own().map(str::to_owned));
        let connection = self.connection.clone();
        let mut source = DynamoSource::of(connection, flattener, self.filter(true));
        let mut tally = Tally::default();
        loop {
            match source.next_batch() {
                Ok(Some(batch)) => tally.add_batch(&numeric(batch, &self.schema)),
                Ok(None) | Err(SourceError::Malformed { .. }) => return Ok(tally),
                Err(error) => return Err(as_sink_error(error)),
            }
        }
    }

    /// Returns whether there are items besides those of this load.
    async fn has_others(&self) -> Result<bool, Trouble> {
        let mut parameters = self.filter(false);
        parameters["ProjectionExpression"] = json!("#key");
        let mut from = None;
        loop {
            let page = self.client().scan(&parameters, from.as_ref()).await?;
            from = page.last_evaluated_key;
            if !page.items.is_empty() || from.is_none() {
                return Ok(!page.items.is_empty());
            }
        }
    }

    /// Deletes the items of this load, or all others.
    async fn delete(&self, is_own: bool) -> Result<(), Trouble> {
        let mut parameters = self.filter(is_own);
        parameters["ProjectionExpression"] = json!("#key");
        let client = self.client();
        let mut from = None;
        loop {
            let page = client.scan(&parameters, from.as_ref()).await?;
            let delete = |key: &RawValue| {
                let key: Value = serde_json::from_str(key.get()).unwrap_or_default();
                json!({"DeleteRequest": {"Key": key}})
            };
            let requests: Vec<Value> = page.items.iter().map(|key| delete(key)).collect();
            for some in requests.chunks(WRITTEN_AT_ONCE) {
                client.write(some.to_vec()).await?;
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(());
            }
        }
    }
}

impl Destination for DynamoDestination {
    fn description(&self) -> &str {
        &self.connection.client.address.location
    }

    fn begin(&mut self, load: &str) -> Result<Option<u64>, SinkError> {
        load.clone_into(&mut self.load);
        let key = key::of_new_table(&self.mode, &self.schema);
        let table = self.connection.block_on(self.client().open_table(&key))?;
        let key = Key::of(&table.key(), &self.mode, &self.schema);
        self.key = key.map_err(|reason| {
            self.client()
                .trouble("look at the table", Cause::Refused, reason)
        })?;
        if self.mode == LoadMode::Replace {
            self.had_others = self.connection.block_on(self.has_others())?;
        }
        // The number that the server knows is of some hours ago.
        Ok(None)
    }

    fn load(&mut self, batch: &RawBatch) -> Result<Loaded, SinkError> {
        let mut loaded = Loaded::default();
        let mut requests = self.requests(batch, &mut loaded);
        let threads = self.connection.threads.clone();
        let looks = !matches!(self.mode, LoadMode::Upsert(_));
        while looks && self.was_there.is_none() && !requests.is_empty() {
            let rest = requests.split_off(requests.len().min(ABREAST));
            let (is_there, before) = (self.is_there(&requests), loaded.written);
            threads.block_on(self.write(requests, &mut loaded))?;
            // What the server refuses has never been there, and tells nothing.
            if is_there || loaded.written > before {
                self.was_there = Some(is_there);
            }
            requests = rest;
        }
        threads.block_on(self.write(requests, &mut loaded))?;
        loaded.refused.sort();
        Ok(loaded)
    }

    fn read_back(&mut self) -> Result<Tally, SinkError> {
        match self.mode {
            LoadMode::Upsert(_) => {}
            _ => self.seen = self.tally()?,
        }
        Ok(self.seen)
    }

    fn publish(&mut self) -> Result<(), SinkError> {
        if self.mode != LoadMode::Replace {
            return Ok(());
        }
        self.left = Remains::Replacing;
        self.connection.block_on(self.delete(false))?;
        let left = self.tally()?;
        if left == self.seen {
            return Ok(());
        }
        self.left = Remains::Nothing;
        Err(self.not_alone(left).into())
    }

    fn remains(&self) -> Remains {
        self.left.clone()
    }

    fn take_back(&mut self, earlier: bool) -> Result<bool, SinkError> {
        // Once others are deleted, these may be all that there is.
        let is_needed = earlier || self.was_there == Some(true) || self.left != Remains::Among;
        if is_needed || matches!(self.mode, LoadMode::Upsert(_)) {
            return Ok(false);
        }
        // A replacement is seen before it is final: an equal one may have called these verified, and deleted the others.
        if self.had_others && !self.connection.block_on(self.has_others())? {
            return Ok(false);
        }
        if self.was_there.is_some() {
            self.connection.block_on(self.delete(true))?;
        }
        Ok(true)
    }
}

/// What became of a request.
#[derive(Default)]
struct Outcome {
    n_written: u64,
    refused: Vec<(usize, String)>,
    /// Those that were read back.
    found: Vec<Item>,
}

/// Writes items; where the server has something against one, it is found by halves. Reads them back when
/// their key is given.
async fn put(client: &Client, request: Request, key: Option<Key>) -> Result<Outcome, Trouble> {
    let (mut outcome, mut open) = (Outcome::default(), vec![request]);
    while let Some(mut some) = open.pop() {
        let puts = some
            .iter()
            .map(|(_, item)| json!({"PutRequest": {"Item": item}}));
        match client.write(puts.collect()).await {
            Ok(()) => {
                outcome.n_written += some.len() as u64;
                if let Some(key) = &key {
                    let keys: Vec<Item> = some.iter().map(|(_, item)| key.of_item(item)).collect();
                    outcome.found.extend(client.get(&keys).await?);
                }
            }
            Err(trouble) if !trouble.reason.contains("ValidationException") => return Err(trouble),
            Err(_) if some.len() > 1 => {
                open.push(some.split_off(some.len() / 2));
                open.push(some);
            }
            Err(trouble) => outcome.refused.push((some[0].0, trouble.reason)),
        }
    }
    Ok(outcome)
}
