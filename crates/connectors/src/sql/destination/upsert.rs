//! Loading over records with equal keys: each is written whole, and read back at once.

use std::time::Duration;

use dataset::{Schema, Tally};

use super::{Counted, Record, SqlDestination};
use crate::{
    failure::Trouble,
    sql::{
        LOAD_COLUMN,
        address::TableName,
        dialect::Dialect,
        failure::{reason, refuses_record},
        link::{Link, Value},
    },
};

/// Records that one query looks for at most.
const LOOKED_FOR: usize = 200;
/// Why a record is refused that is read back as another.
const CHANGED: &str = "the table would keep it otherwise than it was sent, or write it over a record with \
                       another key: it rounds, takes keys for equal that are written differently, or has \
                       a trigger";

impl SqlDestination {
    /// Makes sure that equal keys cannot stand in two records, and that keys are found quickly.
    pub(super) fn index_key(&mut self, into: &TableName, key: &[String]) -> Result<(), Trouble> {
        if self.connection.dialect() == Dialect::MySql {
            self.check_key_is_short(into, key)?;
            self.check_no_other_index(into, key)?;
        }
        self.made_index = self.index(into, key)?;
        Ok(())
    }

    /// Refuses a table in which MySQL would take a new record for one that is there by more than its key.
    fn check_no_other_index(&mut self, into: &TableName, key: &[String]) -> Result<(), Trouble> {
        let mut sorted = key.to_vec();
        sorted.sort();
        let others = self.unique_indexes(into)?.into_iter().find(|(_, columns)| {
            let mut columns = columns.clone();
            columns.sort();
            columns != sorted && !columns.iter().any(|name| name == LOAD_COLUMN)
        });
        match others {
            None => Ok(()),
            Some((name, columns)) => {
                let reason = format!(
                    "`{}` has another unique index, {name} on {}: MySQL would write over a record that \
                     equals a new one there, whatever its key",
                    into.table,
                    columns.join(", ")
                );
                Err(self.refused("look at the unique indexes", reason))
            }
        }
    }

    /// Refuses a key that MySQL does not index by its value: MariaDB makes an index of such a one that no
    /// query can use, so that each look for keys would go over the whole table.
    fn check_key_is_short(&mut self, into: &TableName, key: &[String]) -> Result<(), Trouble> {
        let columns = self.columns_of(into)?;
        let is_long = |kind: &String| kind.contains("text") || kind.contains("blob");
        let long = |name: &&String| columns.get(*name).is_some_and(is_long);
        let Some(name) = key.iter().find(long) else {
            return Ok(());
        };
        let dialect = self.connection.dialect();
        let reason = format!(
            "the key `{name}` is of type {}, which MySQL cannot look up: ALTER TABLE {} MODIFY {} VARCHAR(255)",
            columns[name],
            dialect.quote_table(into),
            dialect.quote(name)
        );
        Err(self.refused("look at the key", reason))
    }

    /// Writes records over those with equal keys, all of them or none; gives the reason when the table
    /// refuses one, or would keep it otherwise than it was sent.
    ///
    /// They are read back before they count. A key that the table rounds is not found then; and since the
    /// key of a record that is there stays as it is, one that merely counts as equal, as `abc` may to
    /// `ABC`, is seen to be another.
    pub(super) fn try_upsert(&mut self, records: &[Record]) -> Result<Result<(), String>, Trouble> {
        let upsert = self.upsert(records);
        let tried = self
            .connection
            .repeat("write records", async |link| upsert.carry_out(link).await)?;
        Ok(tried.map(|found| self.seen.merge(found)))
    }

    fn upsert(&self, records: &[Record]) -> Upsert {
        let names = self.schema.file_columns();
        let key = self.key();
        let places: Vec<usize> = key
            .iter()
            .filter_map(|name| names.iter().position(|n| n == name))
            .collect();
        let look = |some: &[Record]| {
            let keys = some
                .iter()
                .flat_map(|r| places.iter().map(|&at| r.values[at].clone()));
            (self.into.select_keys(key, some.len()), keys.collect())
        };
        let mut sent = Tally::default();
        let digests = records.iter().filter_map(|record| record.digest);
        digests.for_each(|digest| sent.add(digest));
        Upsert {
            dialect: self.connection.dialect(),
            schema: self.schema.clone(),
            limit: self.connection.address.time_limit,
            write: self.into.upsert(records.len(), key),
            values: records.iter().flat_map(|r| r.values.clone()).collect(),
            looks: records.chunks(LOOKED_FOR).map(look).collect(),
            sent,
        }
    }
}

/// The statements of one request.
struct Upsert {
    dialect: Dialect,
    schema: Schema,
    limit: Duration,
    write: String,
    values: Vec<Value>,
    /// Queries for the records that have been written, each with its values.
    looks: Vec<(String, Vec<Value>)>,
    sent: Tally,
}

impl Upsert {
    async fn carry_out(&self, link: &mut dyn Link) -> sqlx::Result<Result<Tally, String>> {
        link.script(self.dialect.begin_writing()).await?;
        let outcome = match self.write_and_look(link).await {
            Ok(found) if found == self.sent => Ok(found),
            Ok(_) => Err(CHANGED.to_owned()),
            Err(error) if refuses_record(&error) => Err(reason(&error)),
            Err(error) => return Err(error),
        };
        if outcome.is_err() {
            link.script("ROLLBACK").await?;
            return Ok(outcome);
        }
        match link.script("COMMIT").await {
            // A constraint that is checked at the end; nothing is left then.
            Err(error) if refuses_record(&error) => {
                if self.dialect == Dialect::Sqlite {
                    link.script("ROLLBACK").await?;
                }
                Ok(Err(reason(&error)))
            }
            other => other.map(|()| outcome),
        }
    }

    async fn write_and_look(&self, link: &mut dyn Link) -> sqlx::Result<Tally> {
        link.run(&self.write, &self.values).await?;
        if let Some(settings) = self.dialect.reading_settings() {
            link.script(settings).await?;
        }
        let mut found = Tally::default();
        for (select, keys) in &self.looks {
            let mut counted = Counted::new(&self.schema, self.limit);
            link.read(select, keys, &mut counted.rows).await?;
            found.merge(counted.tally());
        }
        Ok(found)
    }
}
