//! Loading over records with equal keys: each is written whole, and read back at once.

use dataset::Loaded;

use super::{Record, SqlDestination, tally};
use crate::{
    failure::Trouble,
    sql::{LOAD_COLUMN, address::TableName, dialect::Dialect, link::Value},
};

/// Records that one query looks for at most.
const LOOKED_FOR: usize = 200;

impl SqlDestination {
    /// Makes sure that equal keys cannot stand in two records, and that keys are found quickly.
    pub(super) fn index_key(&mut self, into: &TableName, key: &[String]) -> Result<(), Trouble> {
        self.index(into, key)?;
        if self.connection.dialect() != Dialect::MySql {
            return Ok(());
        }
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

    /// Reads the records back that have been written.
    pub(super) fn see(&mut self, records: &[Record], loaded: &Loaded) -> Result<(), Trouble> {
        let is_kept = |record: &&Record| !loaded.refused.iter().any(|(row, _)| *row == record.row);
        let kept: Vec<&Record> = records.iter().filter(is_kept).collect();
        let names = self.schema.file_columns();
        let key = self.key().to_vec();
        let places: Vec<usize> = key
            .iter()
            .filter_map(|name| names.iter().position(|n| n == name))
            .collect();
        for some in kept.chunks(LOOKED_FOR) {
            let values = some
                .iter()
                .flat_map(|r| places.iter().map(|&at| r.values[at].clone()));
            let values: Vec<Value> = values.collect();
            let select = self.into.select_keys(&key, some.len());
            let found = tally(&mut self.connection, &self.schema, &select, &values)?;
            self.seen.merge(found);
        }
        Ok(())
    }
}
