//! A request whose records are read back before it counts, so that one that is kept otherwise is known.

use std::time::Duration;

use dataset::{RawBatch, Schema, Tally, format_number};

use super::{Counted, Record, SqlDestination};
use crate::sql::{
    dialect::Dialect,
    failure::{reason, refuses_record},
    link::{Link, Value},
};

/// Characters of a value that a message shows.
const SHOWN: usize = 40;

const ROUNDED: &str =
    "the table would keep it otherwise than it was sent: it rounds, or has a trigger";

/// One request.
pub(super) struct Checked {
    dialect: Dialect,
    schema: Schema,
    limit: Duration,
    sent: Tally,
    statements: Statements,
}

/// What it says to the server.
pub(super) struct Statements {
    pub write: String,
    pub values: Vec<Value>,
    /// Queries for the records that have been written, each with its values.
    pub looks: Vec<(String, Vec<Value>)>,
    /// Why a record is refused that is read back as another.
    pub complaint: &'static str,
}

impl SqlDestination {
    pub(super) fn checked(&self, records: &[Record], statements: Statements) -> Checked {
        let mut sent = Tally::default();
        let digests = records.iter().filter_map(|record| record.digest);
        digests.for_each(|digest| sent.add(digest));
        Checked {
            dialect: self.connection.dialect(),
            schema: self.schema.clone(),
            limit: self.connection.address.time_limit,
            sent,
            statements,
        }
    }

    /// Makes a request that inserts records into columns that may round them.
    pub(super) fn insertion(&self, records: &[Record]) -> Checked {
        let numbers = records.iter().map(|record| record.number);
        let look = self.into.select_rows(&self.load, numbers);
        let statements = Statements {
            write: self.into.insert(records.len()),
            values: records.iter().flat_map(|r| r.under(&self.load)).collect(),
            looks: vec![(look, Vec::new())],
            complaint: ROUNDED,
        };
        self.checked(records, statements)
    }
}

impl Checked {
    /// Writes the records, all of them or none; gives the reason when the table refuses one, or would keep
    /// it otherwise than it was sent.
    pub(super) async fn carry_out(
        &self,
        link: &mut dyn Link,
    ) -> sqlx::Result<Result<Tally, String>> {
        link.script(self.dialect.begin_writing()).await?;
        let outcome = match self.write_and_look(link).await {
            Ok((found, _)) if found == self.sent => Ok(found),
            Ok((_, last)) => Err(self.complain(last.as_ref())),
            Err(error) if refuses_record(&error) => Err(reason(&error)),
            Err(error) => return Err(error),
        };
        if outcome.is_err() {
            self.roll_back(link).await?;
            return Ok(outcome);
        }
        match link.script("COMMIT").await {
            // A constraint that is checked at the end; nothing is left then.
            Err(error) if refuses_record(&error) => {
                if self.dialect == Dialect::Sqlite {
                    self.roll_back(link).await?;
                }
                Ok(Err(reason(&error)))
            }
            other => other.map(|()| outcome),
        }
    }

    /// Ends the transaction, unless a trigger of SQLite's has ended it already.
    async fn roll_back(&self, link: &mut dyn Link) -> sqlx::Result<()> {
        match link.script("ROLLBACK").await {
            Err(_) if self.dialect == Dialect::Sqlite => Ok(()),
            outcome => outcome,
        }
    }

    /// Returns what is read back, and the last batch of it.
    async fn write_and_look(&self, link: &mut dyn Link) -> sqlx::Result<(Tally, Option<RawBatch>)> {
        link.run(&self.statements.write, &self.statements.values)
            .await?;
        if let Some(settings) = self.dialect.reading_settings() {
            link.script(settings).await?;
        }
        let (mut found, mut last) = (Tally::default(), None);
        for (select, keys) in &self.statements.looks {
            let mut counted = Counted::new(&self.schema, self.limit);
            link.read(select, keys, &mut counted.rows).await?;
            found.merge(counted.tally());
            last = counted.last();
        }
        Ok((found, last))
    }

    /// Says what a single record would be kept as.
    fn complain(&self, kept: Option<&RawBatch>) -> String {
        let single = kept.filter(|batch| batch.n_rows() == 1 && self.sent.count() == 1);
        let names = self.schema.file_columns();
        let mut columns = names.iter().zip(&self.statements.values);
        let changed = single.and_then(|batch| {
            columns.find_map(|(name, value)| {
                let position = batch.position(name);
                let kept = position.and_then(|at| batch.columns[at].text(0));
                let (kept, sent) = (kept.as_deref(), text(value));
                let is_same = kept == sent.as_deref() || is_truth(kept, value);
                (!is_same).then(|| {
                    format!(
                        "`{name}` would be {}, not {}",
                        shown(kept),
                        shown(sent.as_deref())
                    )
                })
            })
        });
        match changed {
            Some(changed) => format!("{}: {changed}", self.statements.complaint),
            None => self.statements.complaint.to_owned(),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(format_number(*number)),
        Value::Text(text) => Some(text.clone()),
    }
}

/// Returns whether a boolean is read back as the number that it was sent as.
fn is_truth(kept: Option<&str>, sent: &Value) -> bool {
    matches!(
        (kept, sent),
        (Some("true"), Value::Integer(1)) | (Some("false"), Value::Integer(0))
    )
}

fn shown(text: Option<&str>) -> String {
    match text {
        None => "missing".to_owned(),
        Some(text) if text.chars().count() <= SHOWN => text.to_owned(),
        Some(text) => text.chars().take(SHOWN).chain(['…']).collect(),
    }
}
