//! Replacing a table's records: what was loaded beside takes their place in one transaction.

use std::{cell::Cell, time::Duration};

use dataset::{LoadMode, Remains, Schema, SinkError, Tally};

use super::{Counted, SqlDestination, table::number};
use crate::{
    failure::{Cause, Trouble},
    sql::{
        LOAD_COLUMN, ROW_COLUMN,
        dialect::Dialect,
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
    /// Reads the records in their new place.
    read: String,
    schema: Schema,
    limit: Duration,
    /// What they were when they were read back from where they were loaded.
    loaded: Tally,
    drop: String,
    /// What the catalogue's queries call the table that was loaded into.
    beside: [Value; 1],
    n_loaded: u64,
    /// Whether the server has been told to make it final.
    is_ending: Cell<bool>,
}

impl SqlDestination {
    /// Puts the loaded records in the place of the old ones. The table itself stays, with its indexes,
    /// constraints, rights and views.
    pub(super) fn replace(&mut self) -> Result<(), SinkError> {
        let swap = self.statements();
        if let Err(trouble) = self.swap(&swap) {
            return self.look_again(trouble, swap.is_ending.get());
        }
        self.left = Remains::InPlace;
        if swap.creation.is_some() {
            let ours = [LOAD_COLUMN, ROW_COLUMN].map(str::to_owned);
            self.index(&self.target.clone(), &ours)?;
        }
        Ok(())
    }

    fn swap(&mut self, swap: &Swap) -> Result<(), Trouble> {
        let is_tried = Cell::new(false);
        let outcome = self.connection.repeat_at_length(SWAP, async |link| {
            // So it looks when it was done, and the answer was lost.
            if is_tried.replace(true) && swap.is_done(link).await? {
                return Ok(Outcome::Done);
            }
            swap.carry_out(link).await
        });
        let outcome = outcome.map_err(Trouble::of_writing)?;
        let (table, n) = (&self.target.table, swap.n_loaded);
        let found = match outcome {
            Outcome::Done => None,
            Outcome::Counted(found) => Some(format!("{n} records have become {found}")),
            Outcome::Changed => Some(format!("some of {n} records have become others")),
        };
        let Some(found) = found else {
            return Ok(());
        };
        let reason = format!("{found} in `{table}`: a trigger, or somebody else, changes them");
        Err(self.refused(SWAP, reason))
    }

    /// Finds out what has become of a swap that failed: its end may have been reached without an answer.
    fn look_again(&mut self, trouble: Trouble, is_ending: bool) -> Result<(), SinkError> {
        let gone = self.is_gone();
        if matches!(gone, Ok(true)) {
            self.note_overtaken();
            return self.compare_overtaker();
        }
        if is_ending {
            self.left = match self.is_replaced(gone) {
                Ok(true) => Remains::InPlace,
                Ok(false) => Remains::Beside(self.beside()),
                Err(_) => Remains::Unsure(self.beside()),
            };
        }
        Ok(self.or_leave_nothing(Err(trouble))?)
    }

    /// Returns whether the new records are in the place of the old ones. Where the table that was loaded into goes in the
    /// same step, it tells; else the records do.
    fn is_replaced(&self, gone: Result<bool, Trouble>) -> Result<bool, SinkError> {
        let is_gone = gone?;
        if self.connection.dialect().has_transactional_tables() {
            return Ok(is_gone);
        }
        Ok(self.tally(&self.into.select_of(&self.target))? == self.seen)
    }

    fn is_gone(&mut self) -> Result<bool, Trouble> {
        let into = self.into.name.clone();
        Ok(self.columns_of(&into)?.is_empty())
    }

    /// Returns whether what was loaded into is gone: another push of the very same records loads into it as
    /// well, and drops it when they are in the target.
    pub(super) fn overtaken(&mut self) -> bool {
        if self.mode != LoadMode::Replace || self.is_overtaken {
            return self.is_overtaken;
        }
        if self.is_gone().unwrap_or(false) {
            self.note_overtaken();
        }
        self.is_overtaken
    }

    fn note_overtaken(&mut self) {
        self.is_overtaken = true;
        self.left = Remains::Nothing;
        let location = self.connection.address.location.as_str();
        let said = "what was loaded is gone: another push of the same records has dropped it";
        tracing::warn!(location, load = self.load, "{said}");
    }

    /// Reads what another push has put into the target.
    pub(super) fn read_overtaker(&mut self) -> Result<Tally, SinkError> {
        let found = self.tally(&self.into.select_of(&self.target))?;
        if found.count() != self.n_loaded {
            return Err(self.replaced_again(found).into());
        }
        self.left = Remains::InPlace;
        Ok(found)
    }

    /// Makes sure that another push has put into the target what was read back.
    pub(super) fn compare_overtaker(&mut self) -> Result<(), SinkError> {
        let found = self.read_overtaker()?;
        if found == self.seen {
            return Ok(());
        }
        self.left = Remains::Nothing;
        Err(self.replaced_again(found).into())
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
            read: self.into.select_of(&self.target),
            schema: self.schema.clone(),
            limit: self.connection.address.time_limit,
            loaded: self.seen,
            count: format!("SELECT {} FROM {to}", dialect.as_text("count(*)")),
            drop: format!("DROP TABLE {from}"),
            beside: [dialect.in_catalogue(&self.into.name).as_str().into()],
            n_loaded: self.n_loaded,
            is_ending: Cell::new(false),
        }
    }
}

/// What has come of a swap; when records are others than were loaded, all is as before.
enum Outcome {
    Done,
    /// There are so many then.
    Counted(u64),
    /// Some are not as they were loaded.
    Changed,
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
        if self.read_back(link).await? != self.loaded {
            link.script("ROLLBACK").await?;
            return Ok(Outcome::Changed);
        }
        if is_one_step {
            link.run(&self.drop, &[]).await?;
        }
        self.is_ending.set(true);
        link.script("COMMIT").await?;
        if !is_one_step {
            link.run(&self.drop, &[]).await?;
        }
        Ok(Outcome::Done)
    }

    /// Reads what is there by now: a trigger may have changed it. Servers would compare two tables in time and memory
    /// that grow faster than they do, and by collations that take texts for equal.
    async fn read_back(&self, link: &mut dyn Link) -> sqlx::Result<Tally> {
        if let Some(settings) = self.dialect.reading_settings() {
            link.script(settings).await?;
        }
        let mut counted = Counted::new(&self.schema, self.limit);
        link.read(&self.read, &[], &mut counted.rows).await?;
        Ok(counted.tally())
    }

    async fn create(&self, link: &mut dyn Link) -> sqlx::Result<()> {
        match &self.creation {
            Some(creation) => link.run(creation, &[]).await,
            None => Ok(()),
        }
    }
}
