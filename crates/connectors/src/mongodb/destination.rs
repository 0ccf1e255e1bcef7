//! A collection as a destination: records are loaded under names of their own, so that loading them
//! again changes nothing.

mod swap;
mod upsert;

use std::collections::BTreeSet;

use dataset::{
    Destination, LoadMode, Loaded, RawBatch, Remains, Schema, SinkError, Source as _, SourceError,
    SourceUri, Tally,
};
use mongodb::{
    bson::{Document, RawDocumentBuf, doc},
    error::{Error, ErrorKind, InsertManyError},
};

use super::{connection::Connection, document::Writer, source::MongoSource};
use crate::{
    failure::Cause,
    load::{LoadNames, is_doubled},
    written::{as_sink_error, numeric},
};

/// Documents of one request at most.
const REQUEST_DOCUMENTS: usize = 1000;
/// Bytes of one request, roughly; MongoDB takes 48 MB.
const REQUEST_BYTES: usize = 8 << 20;
/// Bytes of a document that MongoDB takes at most.
const DOCUMENT_BYTES: usize = 16 << 20;

const TAKE_BACK: &str = "take back what was loaded";

/// Where records are loaded.
///
/// Each document of an appending or replacing load has the `_id` `LOAD-ROW`: the load's name and the
/// number of the row. An attempt that is repeated finds what is there already.
pub(crate) struct MongoDestination {
    uri: SourceUri,
    connection: Connection,
    writer: Writer,
    schema: Schema,
    mode: LoadMode,
    names: LoadNames,
    /// That of the names under which this load's documents lie, once it has begun.
    load: String,
    /// Documents of this load that are there.
    n_loaded: u64,
    /// Whether an equal replacement has put an append's documents there meanwhile.
    is_overtaken: bool,
    /// What is left of the load when it ends here.
    left: Remains,
    /// What an upserting load has read back so far.
    seen: Tally,
}

/// Documents with the rows (index in the batch) that they were made of.
type Request = Vec<(usize, RawDocumentBuf)>;

impl MongoDestination {
    pub(crate) fn open(
        uri: &SourceUri,
        schema: &Schema,
        mode: LoadMode,
    ) -> Result<Self, SourceError> {
        if let LoadMode::Upsert(key) = &mode {
            upsert::check(key, schema).map_err(|reason| SourceError::Unsupported {
                location: uri.to_string(),
                reason,
            })?;
        }
        Ok(Self {
            uri: uri.clone(),
            connection: Connection::open_for_writing(uri)?,
            writer: Writer::new(schema.clone()),
            schema: schema.clone(),
            mode,
            names: LoadNames::default(),
            load: String::new(),
            n_loaded: 0,
            is_overtaken: false,
            left: Remains::Among,
            seen: Tally::default(),
        })
    }

    /// Returns the collection that is loaded into: a replacement is loaded beside the old records.
    fn staging(&self) -> String {
        let collection = &self.connection.address.collection;
        match self.mode {
            LoadMode::Replace => format!("{collection}__netsec_{}", self.names.appended),
            _ => collection.clone(),
        }
    }

    /// Names the collection that is loaded into, for people.
    fn beside(&self) -> String {
        format!("collection `{}`", self.staging())
    }

    /// Selects the documents of this load.
    fn own(&self) -> Document {
        under(&self.load)
    }

    /// Finds the name under which documents of this load are there, to go on under it.
    fn find_own(&mut self) -> Result<(), SinkError> {
        let LoadNames { appended, replaced } = self.names.clone();
        let is_replacement = self.mode == LoadMode::Replace;
        // Beside the old records an earlier version has begun under a name that appends take back; elsewhere, an append that
        // has ended amid an equal replacement has left some a second time.
        let (n_appended, n_replaced) = self.count_both()?;
        if is_doubled(n_appended, n_replaced) || (is_replacement && n_appended > 0) {
            self.delete(under(&appended))?;
        }
        let is_replaced = is_replacement || n_replaced > 0;
        self.load = if is_replaced { replaced } else { appended };
        Ok(())
    }

    /// Counts the documents under an append's name, and under a replacement's.
    fn count_both(&self) -> Result<(u64, u64), SinkError> {
        let LoadNames { appended, replaced } = &self.names;
        let count = |name| self.count(&self.staging(), under(name));
        Ok((count(appended)?, count(replaced)?))
    }

    /// Reads the documents of an append. Where all of them are there by an equal replacement, what lies under
    /// the append's own name is there a second time: it was written when that had come in between.
    fn read_appended(&mut self) -> Result<Tally, SinkError> {
        let LoadNames { appended, replaced } = self.names.clone();
        let collection = self.staging();
        let own = self.tally(&collection, under(&appended))?;
        // After the others: they go when these come.
        let n_replaced = self.count(&collection, under(&replaced))?;
        if n_replaced == 0 {
            return Ok(own);
        }
        let mut found = self.tally(&collection, under(&replaced))?;
        if n_replaced < self.n_loaded {
            found.merge(own);
            return Ok(found);
        }
        if own.count() > 0 {
            self.delete(under(&appended))?;
        }
        if self.load != replaced {
            (self.load, self.is_overtaken) = (replaced, true);
        }
        Ok(found)
    }

    fn delete(&self, filter: Document) -> Result<(), SinkError> {
        let collection = self.connection.collection(&self.staging());
        self.connection.repeat_at_length(TAKE_BACK, async || {
            collection.delete_many(filter.clone()).await
        })?;
        Ok(())
    }

    fn request(&self, batch: &RawBatch, rows: &mut Rows, loaded: &mut Loaded) -> Request {
        let (mut request, mut n_bytes) = (Request::new(), 0);
        while request.len() < REQUEST_DOCUMENTS && n_bytes < REQUEST_BYTES {
            let Some(row) = rows.next() else { break };
            let id = format!("{}-{:010}", self.load, batch.row_numbers[row]);
            let id = match self.mode {
                LoadMode::Upsert(_) => None,
                _ => Some(id.as_str()),
            };
            match self.writer.document(batch, row, id).and_then(fitting) {
                Ok(document) => {
                    n_bytes += document.as_bytes().len();
                    request.push((row, document));
                }
                Err(reason) => loaded.refused.push((row, reason)),
            }
        }
        request
    }

    fn insert(&self, request: &Request, loaded: &mut Loaded) -> Result<(), SinkError> {
        let collection = self.connection.collection(&self.staging());
        let failures = self.connection.repeat("insert documents", async || {
            let documents = request.iter().map(|(_, document)| document);
            match collection.insert_many(documents).ordered(false).await {
                Ok(_) => Ok(InsertManyFailures::default()),
                Err(error) => InsertManyFailures::of(error),
            }
        })?;
        let there = self.already_there(request, &failures)?;
        loaded.written += (request.len() - failures.0.len()) as u64;
        for (index, reason) in failures.0 {
            let (row, document) = &request[index];
            match there.contains(id_of(document)) {
                true => loaded.already_there += 1,
                false => loaded.refused.push((*row, reason)),
            }
        }
        Ok(())
    }

    /// Returns which of the documents that could not be inserted are there.
    fn already_there(
        &self,
        request: &Request,
        failures: &InsertManyFailures,
    ) -> Result<BTreeSet<String>, SinkError> {
        let mut found = BTreeSet::new();
        let failed = failures
            .0
            .iter()
            .map(|(index, _)| id_of(&request[*index].1));
        let ids: Vec<&str> = failed.collect();
        // An equal push may have put them in the place of the old ones meanwhile.
        let mut places = vec![self.staging()];
        if self.mode == LoadMode::Replace {
            places.push(self.connection.address.collection.clone());
        }
        for place in places {
            self.find_ids(&place, &ids, &mut found)?;
        }
        if self.mode == LoadMode::Append {
            found.extend(self.replaced_by_equal(&ids)?);
        }
        Ok(found)
    }

    /// Returns which of some documents of an append are there by an equal replacement.
    fn replaced_by_equal(&self, ids: &[&str]) -> Result<BTreeSet<String>, SinkError> {
        let LoadNames { appended, replaced } = &self.names;
        let renamed = |id: &str, from: &str, to: &str| id.replacen(from, to, 1);
        let theirs: Vec<String> = ids
            .iter()
            .map(|id| renamed(id, appended, replaced))
            .collect();
        let theirs: Vec<&str> = theirs.iter().map(String::as_str).collect();
        let mut found = BTreeSet::new();
        self.find_ids(&self.staging(), &theirs, &mut found)?;
        Ok(found
            .iter()
            .map(|id| renamed(id, replaced, appended))
            .collect())
    }

    /// Notes those among some documents that are in a collection.
    fn find_ids(
        &self,
        place: &str,
        ids: &[&str],
        found: &mut BTreeSet<String>,
    ) -> Result<(), SinkError> {
        let collection = self.connection.collection(place);
        for some in ids.chunks(200) {
            let documents = self.connection.repeat("look for documents", async || {
                let find = collection.find(doc! {"_id": {"$in": some}});
                let mut cursor = find.projection(doc! {"_id": 1}).await?;
                let mut documents = Vec::new();
                while cursor.advance().await? {
                    documents.push(id_of(cursor.current()).to_owned());
                }
                Ok(documents)
            })?;
            found.extend(documents);
        }
        Ok(())
    }

    /// Reads the documents of a collection that a filter selects.
    fn tally(&self, collection: &str, filter: Document) -> Result<Tally, SinkError> {
        let connection = Connection::open_for_writing(&self.uri).map_err(as_sink_error)?;
        let mut source = MongoSource::of(connection, collection, filter, &self.schema);
        let mut tally = Tally::default();
        loop {
            match source.next_batch() {
                Ok(Some(batch)) => tally.add_batch(&numeric(batch, &self.schema)),
                Ok(None) | Err(SourceError::Malformed { .. }) => return Ok(tally),
                Err(error) => return Err(as_sink_error(error)),
            }
        }
    }
}

impl Destination for MongoDestination {
    fn description(&self) -> &str {
        &self.connection.address.location
    }

    fn begin(&mut self, load: &str) -> Result<Option<u64>, SinkError> {
        self.names = LoadNames::of(load);
        if !matches!(self.mode, LoadMode::Upsert(_)) {
            self.find_own()?;
        }
        let collection = self
            .connection
            .collection(&self.connection.address.collection);
        let before = self.connection.repeat("count documents", async || {
            collection.estimated_document_count().await
        })?;
        match &self.mode {
            LoadMode::Append => {}
            LoadMode::Replace => {
                self.left = Remains::Beside(self.beside());
                self.check_replaceable()?;
                // Before anything is loaded: later, what is loaded may have been renamed by an equal push, and an index
                // makes an empty collection where there is none.
                self.copy_indexes()?;
            }
            LoadMode::Upsert(key) => self.index_key(key)?,
        }
        Ok(Some(before))
    }

    fn lies_under(&self) -> Option<&str> {
        let is_upsert = matches!(self.mode, LoadMode::Upsert(_));
        (!is_upsert).then_some(&self.load)
    }

    fn there_before(&self) -> Option<u64> {
        self.is_overtaken.then_some(self.n_loaded)
    }

    fn load(&mut self, batch: &RawBatch) -> Result<Loaded, SinkError> {
        let mut loaded = Loaded::default();
        let mut rows = 0..batch.n_rows();
        while !rows.is_empty() {
            let request = self.request(batch, &mut rows, &mut loaded);
            if request.is_empty() {
                continue;
            }
            match self.mode.clone() {
                LoadMode::Upsert(key) => self.upsert(&key, batch, &request, &mut loaded)?,
                _ => self.insert(&request, &mut loaded)?,
            }
        }
        self.n_loaded += loaded.written + loaded.already_there;
        Ok(loaded)
    }

    fn read_back(&mut self) -> Result<Tally, SinkError> {
        match self.mode {
            LoadMode::Append => self.read_appended(),
            LoadMode::Replace => self.read_replacement(),
            LoadMode::Upsert(_) => Ok(self.seen),
        }
    }

    fn publish(&mut self) -> Result<(), SinkError> {
        match self.mode {
            LoadMode::Replace if self.left == Remains::InPlace => self.drop_staging(),
            LoadMode::Replace => self.swap(),
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
                self.delete(under(&self.names.appended))?;
            }
            LoadMode::Append if !earlier && self.load == self.names.appended => {
                // Others have added to it.
                if self.count(&self.staging(), self.own())? > self.n_loaded {
                    return Ok(false);
                }
                self.delete(self.own())?;
            }
            LoadMode::Replace => self.drop_staging()?,
            LoadMode::Append | LoadMode::Upsert(_) => return Ok(false),
        }
        Ok(true)
    }
}

type Rows = std::ops::Range<usize>;

/// Selects the documents that lie under a load's name.
fn under(name: &str) -> Document {
    // What follows `-` in ASCII is `.`.
    doc! {"_id": {"$gte": format!("{name}-"), "$lt": format!("{name}.")}}
}

/// Documents of a request that were not inserted, with the server's reason.
#[derive(Default)]
struct InsertManyFailures(Vec<(usize, String)>);

impl InsertManyFailures {
    /// Takes single documents' failures from an error; one of the whole request stays an error.
    fn of(error: Error) -> Result<Self, Error> {
        match error.kind.as_ref() {
            ErrorKind::InsertMany(InsertManyError {
                write_errors: Some(errors),
                write_concern_error: None,
                ..
            }) => {
                let said = errors.iter().map(|e| (e.index, e.message.clone()));
                Ok(Self(said.collect()))
            }
            _ => Err(error),
        }
    }
}

fn id_of(document: &mongodb::bson::RawDocument) -> &str {
    document.get_str("_id").unwrap_or_default()
}

fn fitting(document: RawDocumentBuf) -> Result<RawDocumentBuf, String> {
    let n = document.as_bytes().len();
    if n <= DOCUMENT_BYTES {
        return Ok(document);
    }
    Err(format!(
        "a document of {n} bytes, of which MongoDB takes {DOCUMENT_BYTES}"
    ))
}
