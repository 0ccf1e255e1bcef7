//! Loading over documents with equal keys: each is written whole, and read back at once.

use dataset::{FieldColumns, Loaded, RawBatch, Schema, SinkError, Tally};
use mongodb::{
    IndexModel,
    bson::{Bson, Document, doc},
    options::{Collation, IndexOptions},
};

use super::{MongoDestination, Request, swap::kept_by_majority};
use crate::{mongodb::document::Flattener, written::numeric};

/// Documents that one query looks for at most.
const LOOKED_FOR: usize = 200;
/// How keys are compared: a collection may take `ABC` for `abc`, and what would be written over is another
/// document then.
const LETTER_BY_LETTER: &str = "simple";

/// Returns what is wrong with a key.
pub(super) fn check(key: &[String], schema: &Schema) -> Result<(), String> {
    let is_plain = |name: &str| !name.contains('.') && !name.starts_with('$');
    if let Some(name) = key.iter().find(|name| !is_plain(name)) {
        return Err(format!(
            "`{name}` has a dot or begins with a dollar sign: MongoDB cannot look it up as a key"
        ));
    }
    let columns = schema.file_columns();
    match columns.iter().find(|name| name.starts_with('$')) {
        Some(name) => Err(format!(
            "column `{name}` begins with a dollar sign, which MongoDB takes for an operator when a \
             document is written over: use --mode append or replace"
        )),
        None => Ok(()),
    }
}

impl MongoDestination {
    /// Makes sure that equal keys cannot stand in two documents, and that keys are found quickly.
    pub(super) fn index_key(&self, key: &[String]) -> Result<(), SinkError> {
        let keys: Document = key
            .iter()
            .map(|name| (name.clone(), Bson::Int32(1)))
            .collect();
        let options = IndexOptions::builder().unique(true).build();
        let index = IndexModel::builder().keys(keys).options(options).build();
        let collection = self.connection.collection(&self.staging());
        self.connection
            .repeat_at_length("create the key's unique index", async || {
                collection.create_index(index.clone()).await
            })?;
        Ok(())
    }

    pub(super) fn upsert(
        &mut self,
        key: &[String],
        batch: &RawBatch,
        request: &Request,
        loaded: &mut Loaded,
    ) -> Result<(), SinkError> {
        let key_of = |row: usize| -> Document {
            let value = |name: &String| {
                let position = batch.position(name).expect("the load has checked its key");
                let value = self.writer.value(name, &batch.columns[position], row);
                (name.clone(), Bson::try_from(value).unwrap_or(Bson::Null))
            };
            key.iter().map(value).collect()
        };
        let updates: Vec<Document> = request
            .iter()
            .map(|(row, document)| {
                let whole = Document::try_from(document.as_ref()).unwrap_or_default();
                doc! {
                    "q": key_of(*row),
                    "u": whole,
                    "upsert": true,
                    "multi": false,
                    "collation": {"locale": LETTER_BY_LETTER},
                }
            })
            .collect();
        let command = doc! {
            "update": &self.connection.address.collection,
            "updates": updates,
            "ordered": false,
            "writeConcern": {"w": "majority"},
        };
        let database = self.connection.database();
        let answer = self.connection.repeat("write documents over", async || {
            let answer = database.run_command(command.clone()).await?;
            kept_by_majority(&answer).map(|()| answer)
        })?;
        let failures = failures_of(&answer);
        let is_refused = |index: usize| failures.iter().any(|(i, _)| *i == index);
        let kept = (0..request.len()).filter(|index| !is_refused(*index));
        let rows: Vec<usize> = kept.map(|index| request[index].0).collect();
        loaded.written += rows.len() as u64;
        let keys: Vec<Document> = rows.iter().map(|row| key_of(*row)).collect();
        let refused = failures
            .into_iter()
            .map(|(i, reason)| (request[i].0, reason));
        loaded.refused.extend(refused);
        let found = self.find_keys(&keys)?;
        self.seen.merge(found);
        Ok(())
    }

    /// Reads the documents of some keys, all of the same names.
    fn find_keys(&self, keys: &[Document]) -> Result<Tally, SinkError> {
        let collection = self.connection.collection(&self.staging());
        let mut tally = Tally::default();
        for some in keys.chunks(LOOKED_FOR) {
            let found = self.connection.repeat("read documents back", async || {
                let find = collection.find(any_of(some));
                let collation = Collation::builder().locale(LETTER_BY_LETTER).build();
                let mut cursor = find.collation(collation).await?;
                let mut columns = FieldColumns::default();
                let mut flattener = Flattener::new(&self.schema);
                while cursor.advance().await? {
                    match flattener.flatten(cursor.current(), &mut columns) {
                        Ok(cells) => columns.push_row(cells),
                        Err(reason) => columns.push_defective(flattener.cells(), reason),
                    }
                }
                let n_rows = columns.n_rows() as u64;
                Ok(columns.take(n_rows))
            })?;
            tally.add_batch(&numeric(found, &self.schema));
        }
        Ok(tally)
    }
}

/// Selects the documents of some keys.
fn any_of(keys: &[Document]) -> Document {
    match keys.first().map(|key| key.iter().collect::<Vec<_>>()) {
        Some(parts) if parts.len() == 1 => {
            let name = parts[0].0;
            let values: Vec<&Bson> = keys.iter().filter_map(|key| key.get(name)).collect();
            doc! {name: {"$in": values}}
        }
        _ => doc! {"$or": keys},
    }
}

/// Returns which documents of a request the server refused, with its reason.
fn failures_of(answer: &Document) -> Vec<(usize, String)> {
    let errors = answer.get_array("writeErrors").ok();
    let failure = |error: &Bson| {
        let error = error.as_document()?;
        let index = error.get_i32("index").ok()?;
        let reason = error.get_str("errmsg").unwrap_or("refused");
        Some((usize::try_from(index).ok()?, reason.to_owned()))
    };
    errors.into_iter().flatten().filter_map(failure).collect()
}
