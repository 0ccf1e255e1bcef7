//! Loading over records with equal keys: each is written whole, and read back at once.

use super::{
    Record, SqlDestination,
    checked::{Checked, Statements},
};
use crate::{
    failure::Trouble,
    sql::{LOAD_COLUMN, address::TableName, dialect::Dialect},
};

/// Records that one query looks for at most.
const LOOKED_FOR: usize = 200;
/// Why a record is refused that is read back as another.
const CHANGED: &str = "the table would keep it otherwise than it was sent, or write it over a record with \
                       another key: it rounds, takes keys for equal that are written differently, or has \
                       a trigger";

/// What SQLite says of a table that a module of its own keeps.
const VIRTUAL: &str = "virtual tables may not be indexed";

impl SqlDestination {
    /// Makes sure that equal keys cannot stand in two records, and that keys are found quickly.
    pub(super) fn index_key(&mut self, into: &TableName, key: &[String]) -> Result<(), Trouble> {
        if self.connection.dialect() == Dialect::MySql {
            self.check_key_is_short(into, key)?;
            self.check_no_other_index(into, key)?;
        }
        let made = self.index(into, key);
        self.made_index = made.map_err(|trouble| match trouble.reason.contains(VIRTUAL) {
            true => {
                let reason = format!(
                    "`{}` is a virtual table, which cannot have a unique index: --mode upsert needs another table",
                    into.table
                );
                self.refused(&trouble.asked, reason)
            }
            false => trouble,
        })?;
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
            .repeat("write records", async |link| upsert.carry_out(link).await)
            .map_err(Trouble::of_writing)?;
        Ok(tried.map(|found| self.seen.merge(found)))
    }

    fn upsert(&self, records: &[Record]) -> Checked {
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
        let statements = Statements {
            write: self.into.upsert(records.len(), key),
            values: records.iter().flat_map(|r| r.values.clone()).collect(),
            looks: records.chunks(LOOKED_FOR).map(look).collect(),
            complaint: CHANGED,
        };
        self.checked(records, statements)
    }
}
