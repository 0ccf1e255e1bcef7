//! Replacing a collection: what was loaded beside takes its place in one step.

use std::cell::Cell;

use dataset::{Remains, SinkError, Tally};
use mongodb::{
    IndexModel,
    bson::{Document, doc},
    error::{Error, ErrorKind},
};

use super::{Cause, MongoDestination, TAKE_BACK};
use crate::failure::Trouble;

const COUNT: &str = "count documents of the load";

/// The server does not know the collection.
const NAMESPACE_NOT_FOUND: i32 = 26;

impl MongoDestination {
    /// Refuses to replace what would come back as something else.
    pub(super) fn check_replaceable(&self) -> Result<(), SinkError> {
        let name = &self.connection.address.collection;
        let asked = "look at the collection";
        let Some(found) = self.described(name)? else {
            return Ok(());
        };
        let kind = found.get_str("type").unwrap_or("collection");
        let options = found.get_document("options").ok();
        if kind == "collection" && options.is_none_or(Document::is_empty) {
            return Ok(());
        }
        let names: Vec<&str> = options
            .iter()
            .flat_map(|o| o.keys())
            .map(String::as_str)
            .collect();
        let reason = format!(
            "`{name}` is a {kind} with options ({}) that a replacement would lose: use --mode append \
             or upsert",
            names.join(", ")
        );
        Err(self
            .connection
            .trouble(asked, Cause::Refused, reason)
            .into())
    }

    /// Puts the loaded documents in the place of the old ones, indexes included.
    pub(super) fn swap(&mut self) -> Result<(), SinkError> {
        let is_asked = Cell::new(false);
        if let Err(trouble) = self.rename(&is_asked) {
            if is_asked.get() {
                self.look_again();
            }
            return Err(trouble.into());
        }
        self.left = Remains::InPlace;
        self.check_swapped()
    }

    /// Renames what was loaded; says whether the server has been asked to.
    fn rename(&self, is_asked: &Cell<bool>) -> Result<(), Trouble> {
        let address = &self.connection.address;
        let (from, to) = (self.staging(), &address.collection);
        let command = doc! {
            "renameCollection": format!("{}.{from}", address.database),
            "to": address.full_name(),
            "dropTarget": true,
        };
        let admin = self.connection.admin();
        let (beside, target) = (
            self.connection.collection(&from),
            self.connection.collection(to),
        );
        let (own, n) = (self.own(), self.n_loaded);
        self.connection
            .repeat_at_length("rename the collection", async || {
                // An equal push loads into a collection of the same name: once one of them has renamed it, another may have
                // begun anew, and its beginning must not take the place of all of them.
                let found = beside.count_documents(own.clone()).await?;
                if found != n {
                    return match target.count_documents(own.clone()).await? == n {
                        true => Ok(()),
                        false => Err(passing(format!(
                            "`{from}` holds {found} of the {n} documents that were loaded"
                        ))),
                    };
                }
                is_asked.set(true);
                match admin.run_command(command.clone()).await {
                    Err(error) if code_of(&error) == Some(NAMESPACE_NOT_FOUND) => {
                        Err(passing(format!("`{from}` has gone since it was counted")))
                    }
                    other => kept_by_majority(&other?),
                }
            })
    }

    /// Finds out what has become of a rename that may have been done without an answer.
    fn look_again(&mut self) {
        self.left = match self.count_own(&self.connection.address.collection) {
            Ok(found) if found == self.n_loaded => Remains::InPlace,
            Ok(_) => Remains::Beside(self.beside()),
            Err(_) => Remains::Unsure(self.beside()),
        };
    }

    /// Reads what was loaded beside the old documents: where an equal push has put it in their place already, the
    /// collection itself. Whatever else lies there would take the old records' place as well.
    pub(super) fn read_replacement(&mut self) -> Result<Tally, SinkError> {
        let beside = self.tally(&self.staging(), doc! {})?;
        let collection = self.connection.address.collection.clone();
        if beside.count() >= self.n_loaded || self.count_own(&collection)? != self.n_loaded {
            return Ok(beside);
        }
        self.left = Remains::InPlace;
        self.tally(&collection, doc! {})
    }

    /// Drops what was loaded beside the old documents.
    pub(super) fn drop_staging(&self) -> Result<(), SinkError> {
        let collection = self.connection.collection(&self.staging());
        let drop = async || collection.drop().await;
        Ok(self.connection.repeat(TAKE_BACK, drop)?)
    }

    /// Counts the documents of this load in a collection.
    fn count_own(&self, collection: &str) -> Result<u64, SinkError> {
        self.count(collection, self.own())
    }

    /// Counts the documents of a collection that a filter selects.
    pub(super) fn count(&self, collection: &str, filter: Document) -> Result<u64, SinkError> {
        let collection = self.connection.collection(collection);
        let count = async || collection.count_documents(filter.clone()).await;
        Ok(self.connection.repeat_at_length(COUNT, count)?)
    }

    /// Looks for the loaded documents under the collection's name.
    fn check_swapped(&mut self) -> Result<(), SinkError> {
        let (from, to) = (self.staging(), self.connection.address.collection.clone());
        let found = self.count_own(&to)?;
        if found == self.n_loaded {
            return Ok(());
        }
        self.left = Remains::Nothing;
        let reason = format!(
            "`{from}` was renamed, but `{to}` holds {found} of its {} documents: push again",
            self.n_loaded
        );
        Err(self
            .connection
            .trouble(COUNT, Cause::Refused, reason)
            .into())
    }

    /// Gives the collection that is loaded into the indexes of the one that it is to replace.
    pub(super) fn copy_indexes(&self) -> Result<(), SinkError> {
        let (from, to) = (&self.connection.address.collection, self.staging());
        if self.described(from)?.is_none() {
            return Ok(());
        }
        let source = self.connection.collection(from);
        let indexes = self.connection.repeat("list indexes", async || {
            let mut cursor = source.list_indexes().await?;
            let mut indexes: Vec<IndexModel> = Vec::new();
            while cursor.advance().await? {
                indexes.push(cursor.deserialize_current()?);
            }
            Ok(indexes)
        })?;
        let own: Vec<IndexModel> = indexes.into_iter().filter(|i| !is_of_id(i)).collect();
        if own.is_empty() {
            return Ok(());
        }
        let target = self.connection.collection(&to);
        self.connection
            .repeat_at_length("create indexes", async || {
                target.create_indexes(own.clone()).await
            })?;
        Ok(())
    }

    fn described(&self, name: &str) -> Result<Option<Document>, SinkError> {
        let database = self.connection.database();
        let found = self.connection.repeat("list collections", async || {
            let command = doc! {"listCollections": 1, "filter": {"name": name}};
            database.run_command(command).await
        })?;
        let batch = found
            .get_document("cursor")
            .and_then(|cursor| cursor.get_array("firstBatch"));
        let descriptions = batch.into_iter().flatten().filter_map(|d| d.as_document());
        // Not every server filters.
        let mut own = descriptions.filter(|d| d.get_str("name").is_ok_and(|n| n == name));
        Ok(own.next().cloned())
    }
}

/// Refuses an answer to a command that was carried out, but not by as many servers as were asked to: it may
/// be rolled back.
pub(super) fn kept_by_majority(answer: &Document) -> Result<(), Error> {
    let Ok(error) = answer.get_document("writeConcernError") else {
        return Ok(());
    };
    let said = error.get_str("errmsg").unwrap_or("no reason");
    Err(passing(format!(
        "not written by a majority of servers: {said}"
    )))
}

/// An error of what may succeed a moment later.
fn passing(said: String) -> Error {
    std::io::Error::other(said).into()
}

fn is_of_id(index: &IndexModel) -> bool {
    index.keys.keys().eq(["_id"])
}

fn code_of(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}
