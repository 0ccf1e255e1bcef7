//! Replacing a table's records: what was loaded beside takes their place in one transaction.

use std::cell::Cell;

use dataset::{LoadMode, SinkError, Tally};

use super::{SqlDestination, table::number};
use crate::{
    failure::{Cause, Trouble},
    sql::{
        LOAD_COLUMN, ROW_COLUMN,
        dialect::Dialect,
        failure::is_not_understood,
        link::{Link, Value},
    },
};

const SWAP: &str = "put the new records in the place of the old ones";

/// The statements of a swap.
struct Swap {
    dialect: Dialect,
    /// Makes the target where there is none.
    creation: Option<String>,
    lock: String,
    delete: String,
    insert: String,
    count: String,
    /// Counts the records that are others than were loaded.
    compare: String,
    drop: String,
    /// What the catalogue's queries call the table that was loaded into.
    beside: [Value; 1],
    n_loaded: u64,
}

impl SqlDestination {
    /// Puts the loaded records in the place of the old ones. The table itself stays, with its indexes,
    /// constraints, rights and views.
    pub(super) fn swap(&mut self) -> Result<(), Trouble> {
        let swap = self.statements();
        let is_tried = Cell::new(false);
        let outcome = self.connection.repeat_at_length(SWAP, async |link| {
            // So it looks when it was done, and the answer was lost.
            if is_tried.replace(true) && swap.is_done(link).await? {
                return Ok(Outcome::Done);
            }
            swap.carry_out(link).await
        })?;
        let (table, n) = (&self.target.table, swap.n_loaded);
        let found = match outcome {
            Outcome::Done => None,
            Outcome::Counted(found) => Some(format!("{n} records have become {found}")),
            Outcome::Changed(changed) => {
                Some(format!("{changed} of {n} records have become others"))
            }
        };
        if let Some(found) = found {
            let reason = format!("{found} in `{table}`: a trigger, or somebody else, changes them");
            return Err(self.refused(SWAP, reason));
        }
        if swap.creation.is_some() {
            let ours = [LOAD_COLUMN, ROW_COLUMN].map(str::to_owned);
            self.index(&self.target.clone(), &ours)?;
        }
        Ok(())
    }

    /// Returns whether what was loaded into is gone: another push of the very same records loads into it as
    /// well, and drops it when they are in the target.
    pub(super) fn overtaken(&mut self) -> bool {
        if self.mode != LoadMode::Replace || self.is_overtaken {
            return self.is_overtaken;
        }
        let into = self.into.name.clone();
        let columns = self.columns_of(&into);
        self.is_overtaken = columns.is_ok_and(|columns| columns.is_empty());
        if self.is_overtaken {
            let location = self.connection.address.location.as_str();
            let said = "another push of the same records has put them into the table";
            tracing::warn!(location, load = self.load, "{said}");
        }
        self.is_overtaken
    }

    /// Reads what another push has put into the target.
    pub(super) fn read_overtaker(&mut self) -> Result<Tally, SinkError> {
        let found = self.tally(&self.into.select_of(&self.target))?;
        match found.count() == self.n_loaded {
            true => Ok(found),
            false => Err(self.replaced_again(found).into()),
        }
    }

    /// Makes sure that another push has put into the target what was read back.
    pub(super) fn compare_overtaker(&mut self) -> Result<(), SinkError> {
        let found = self.read_overtaker()?;
        match found == self.seen {
            true => Ok(()),
            false => Err(self.replaced_again(found).into()),
        }
    }

    fn replaced_again(&self, found: Tally) -> Trouble {
        let reason = format!(
            "another push has dropped what was loaded, and `{}` holds {found}, not the {} that were sent",
            self.target.table, self.n_loaded
        );
        self.connection.trouble(SWAP, Cause::Interrupted, reason)
    }

    fn statements(&self) -> Swap {
        let dialect = self.connection.dialect();
        let columns = self.into.columns(self.target_knows_loads.unwrap_or(true));
        let exactly = self.into.exactly();
        let from = dialect.quote_table(&self.into.name);
        let to = dialect.quote_table(&self.target);
        Swap {
            dialect,
            creation: self
                .target_knows_loads
                .is_none()
                .then(|| self.creation(&to)),
            lock: format!("LOCK TABLE {to} IN SHARE ROW EXCLUSIVE MODE"),
            delete: format!("DELETE FROM {to}"),
            insert: format!(
                "{} {to} ({columns}) SELECT {columns} FROM {from}",
                dialect.insert_into()
            ),
            compare: format!(
                "SELECT {} FROM (SELECT {exactly} FROM {to} {} SELECT {exactly} FROM {from}) AS other",
                dialect.as_text("count(*)"),
                dialect.except()
            ),
            count: format!("SELECT {} FROM {to}", dialect.as_text("count(*)")),
            drop: format!("DROP TABLE {from}"),
            beside: [dialect.in_catalogue(&self.into.name).as_str().into()],
            n_loaded: self.n_loaded,
        }
    }
}

/// What has come of a swap; when records are others than were loaded, all is as before.
enum Outcome {
    Done,
    /// There are so many then.
    Counted(u64),
    /// So many are not as they were loaded.
    Changed(u64),
}

impl Swap {
    /// Returns whether the table that was loaded into is gone.
    async fn is_done(&self, link: &mut dyn Link) -> sqlx::Result<bool> {
        let columns = link.texts(self.dialect.columns_query(), &self.beside);
        Ok(columns.await?.is_empty())
    }

    /// Swaps, and looks at what is there then.
    async fn carry_out(&self, link: &mut dyn Link) -> sqlx::Result<Outcome> {
        let is_one_step = self.dialect.has_transactional_tables();
        if !is_one_step {
            self.create(link).await?;
        }
        link.script(self.dialect.begin_writing()).await?;
        if is_one_step {
            self.create(link).await?;
        }
        if self.dialect == Dialect::Postgres {
            link.script(&self.lock).await?;
        }
        link.run(&self.delete, &[]).await?;
        link.run(&self.insert, &[]).await?;
        let found = number(&link.texts(&self.count, &[]).await?);
        if found != self.n_loaded {
            link.script("ROLLBACK").await?;
            return Ok(Outcome::Counted(found));
        }
        let changed = self.n_changed(link).await?;
        if changed > 0 {
            link.script("ROLLBACK").await?;
            return Ok(Outcome::Changed(changed));
        }
        if is_one_step {
            link.run(&self.drop, &[]).await?;
        }
        link.script("COMMIT").await?;
        if !is_one_step {
            link.run(&self.drop, &[]).await?;
        }
        Ok(Outcome::Done)
    }

    /// Counts the records that a trigger has changed.
    async fn n_changed(&self, link: &mut dyn Link) -> sqlx::Result<u64> {
        match link.texts(&self.compare, &[]).await {
            Ok(rows) => Ok(number(&rows)),
            // MySQL cannot say it before 8.0.31.
            Err(error) if self.dialect == Dialect::MySql && is_not_understood(&error) => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, link: &mut dyn Link) -> sqlx::Result<()> {
        match &self.creation {
            Some(creation) => link.run(creation, &[]).await,
            None => Ok(()),
        }
    }
}
