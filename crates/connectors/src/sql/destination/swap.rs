//! Replacing a table's records: what was loaded beside takes their place in one transaction.

use std::cell::Cell;

use super::{SqlDestination, table::number};
use crate::{
    failure::Trouble,
    sql::{dialect::Dialect, link::Value},
};

const SWAP: &str = "put the new records in the place of the old ones";

impl SqlDestination {
    /// Puts the loaded records in the place of the old ones. The table itself stays, with its indexes,
    /// constraints, rights and views.
    pub(super) fn swap(&mut self) -> Result<(), Trouble> {
        let dialect = self.connection.dialect();
        let (from, to) = (self.into.name.clone(), self.target.clone());
        let columns = self.into.columns(self.target_knows_loads.unwrap_or(true));
        let (quoted_from, quoted_to) = (dialect.quote_table(&from), dialect.quote_table(&to));
        let creation = self.creation(&quoted_to);
        let look = [Value::from(dialect.in_catalogue(&from).as_str())];
        let lock = format!("LOCK TABLE {quoted_to} IN SHARE ROW EXCLUSIVE MODE");
        let delete = format!("DELETE FROM {quoted_to}");
        let insert =
            format!("INSERT INTO {quoted_to} ({columns}) SELECT {columns} FROM {quoted_from}");
        let count = format!("SELECT {} FROM {quoted_to}", dialect.as_text("count(*)"));
        let drop = format!("DROP TABLE {quoted_from}");
        let (exists, n_loaded) = (self.target_knows_loads.is_some(), self.n_loaded);
        let is_tried = Cell::new(false);
        let found = self.connection.repeat_at_length(SWAP, async |link| {
            // So it looks when it was done, and the answer was lost.
            if is_tried.replace(true)
                && link.texts(dialect.columns_query(), &look).await?.is_empty()
            {
                return Ok(n_loaded);
            }
            let is_one_step = dialect.has_transactional_tables();
            if !exists && !is_one_step {
                link.run(&creation, &[]).await?;
            }
            link.script(dialect.begin_writing()).await?;
            if !exists && is_one_step {
                link.run(&creation, &[]).await?;
            }
            if dialect == Dialect::Postgres {
                link.script(&lock).await?;
            }
            link.run(&delete, &[]).await?;
            link.run(&insert, &[]).await?;
            let found = number(&link.texts(&count, &[]).await?);
            if found != n_loaded {
                link.script("ROLLBACK").await?;
                return Ok(found);
            }
            if is_one_step {
                link.run(&drop, &[]).await?;
            }
            link.script("COMMIT").await?;
            if !is_one_step {
                link.run(&drop, &[]).await?;
            }
            Ok(found)
        })?;
        if found != n_loaded {
            let reason = format!(
                "{n_loaded} records have become {found} in `{}`: a trigger, or somebody else, changes \
                 them",
                to.table
            );
            return Err(self.refused(SWAP, reason));
        }
        if !exists {
            self.target_knows_loads = Some(true);
            self.index(
                &to,
                &[super::LOAD_COLUMN, super::ROW_COLUMN].map(str::to_owned),
            )?;
        }
        Ok(())
    }
}
