//! The table that is loaded into, and the statements for it.

use std::collections::BTreeMap;

use artifact::Digest;
use dataset::{ColumnType, LoadMode, Remains};

use super::SqlDestination;
use crate::{
    failure::Trouble,
    sql::{
        LOAD_COLUMN, ROW_COLUMN,
        address::TableName,
        dialect::{Dialect, NewColumn},
        link::{Texts, Value},
        rows::Column,
    },
};

/// A table with the columns that records go into.
pub(super) struct Table {
    dialect: Dialect,
    pub name: TableName,
    names: Vec<String>,
    /// The type of each, as the server writes it.
    types: Vec<String>,
    /// Whether records come into it by `COPY` as they would by INSERT.
    pub takes_copy: bool,
}

impl Table {
    /// A table of which nothing is known yet.
    pub(super) fn nowhere(dialect: Dialect, name: TableName) -> Self {
        Self {
            dialect,
            name,
            names: Vec::new(),
            types: Vec::new(),
            takes_copy: false,
        }
    }

    /// Writes numbers as texts where a column of MySQL holds texts, which would take `01` for equal to the
    /// number 1, look it up without an index, and take it for the position of an ENUM's value.
    pub(super) fn fit(&self, values: &mut [Value]) {
        if self.dialect != Dialect::MySql {
            return;
        }
        let columns = values.iter_mut().zip(&self.types);
        columns
            .filter(|(_, kind)| holds_texts(kind))
            .for_each(|(value, _)| value.make_text());
    }

    /// Writes the statement that inserts records, each with what its load is known by.
    pub(super) fn insert(&self, n_records: usize) -> String {
        let ours = [LOAD_COLUMN, ROW_COLUMN];
        let names = self.names.iter().map(String::as_str).chain(ours);
        let types = self
            .types
            .iter()
            .map(String::as_str)
            .chain(["text", "bigint"]);
        self.statement(
            &names.collect::<Vec<_>>(),
            &types.collect::<Vec<_>>(),
            n_records,
        )
    }

    /// Writes the statement that takes records as lines, each with what its load is known by.
    pub(super) fn copy(&self) -> String {
        let table = self.dialect.quote_table(&self.name);
        format!("COPY {table} ({}) FROM STDIN", self.columns(true))
    }

    /// Writes the statement that inserts records, or writes those with the same key over; the keys stay
    /// as they are.
    pub(super) fn upsert(&self, n_records: usize, key: &[String]) -> String {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let types: Vec<&str> = self.types.iter().map(String::as_str).collect();
        let insert = self.statement(&names, &types, n_records);
        let (mysql, quoted) = (self.dialect == Dialect::MySql, |n| self.dialect.quote(n));
        let others = names
            .into_iter()
            .filter(|name| !key.iter().any(|k| k == name));
        let set = others.map(quoted).map(|name| match mysql {
            true => format!("{name} = VALUES({name})"),
            false => format!("{name} = excluded.{name}"),
        });
        let set = set.collect::<Vec<_>>().join(", ");
        let keys = self.dialect.quote_all(key.iter().map(String::as_str));
        match (mysql, set.is_empty()) {
            (true, true) => {
                let name = quoted(&key[0]);
                format!("{insert} ON DUPLICATE KEY UPDATE {name} = {name}")
            }
            (true, false) => format!("{insert} ON DUPLICATE KEY UPDATE {set}"),
            (false, true) => format!("{insert} ON CONFLICT ({keys}) DO NOTHING"),
            (false, false) => format!("{insert} ON CONFLICT ({keys}) DO UPDATE SET {set}"),
        }
    }

    fn statement(&self, names: &[&str], types: &[&str], n_records: usize) -> String {
        let record = |i: usize| {
            let place =
                |(at, kind): (usize, &&str)| self.dialect.place(i * names.len() + at + 1, kind);
            let places: Vec<String> = types.iter().enumerate().map(place).collect();
            format!("({})", places.join(","))
        };
        let records: Vec<String> = (0..n_records).map(record).collect();
        format!(
            "{} {} ({}) VALUES {}",
            self.dialect.insert_into(),
            self.dialect.quote_table(&self.name),
            self.dialect.quote_all(names.iter().copied()),
            records.join(",")
        )
    }

    /// Writes the query for the numbers, between two, of the rows of a load that has two names.
    pub(super) fn rows_of_load(&self) -> String {
        let dialect = self.dialect;
        format!(
            "SELECT {} FROM {} WHERE {} IN ({}, {}) AND {row} BETWEEN {} AND {}",
            dialect.as_text(&dialect.quote(ROW_COLUMN)),
            dialect.quote_table(&self.name),
            dialect.quote(LOAD_COLUMN),
            dialect.place(1, "text"),
            dialect.place(2, "text"),
            dialect.place(3, "bigint"),
            dialect.place(4, "bigint"),
            row = dialect.quote(ROW_COLUMN),
        )
    }

    /// Writes the query for the records.
    pub(super) fn select(&self) -> String {
        self.select_of(&self.name)
    }

    /// Writes the query for the same columns of another table.
    pub(super) fn select_of(&self, name: &TableName) -> String {
        let names = self
            .dialect
            .quote_all(self.names.iter().map(String::as_str));
        format!("SELECT {names} FROM {}", self.dialect.quote_table(name))
    }

    /// Writes the query for the records of a load, whose name is of letters and digits.
    pub(super) fn select_load(&self, load: &str) -> String {
        let column = self.dialect.quote(LOAD_COLUMN);
        format!("{} WHERE {column} = '{load}'", self.select())
    }

    /// Writes the query for some rows of a load.
    pub(super) fn select_rows(&self, load: &str, numbers: impl Iterator<Item = i64>) -> String {
        let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
        let row = self.dialect.quote(ROW_COLUMN);
        let load = self.select_load(load);
        format!("{load} AND {row} IN ({})", numbers.join(","))
    }

    /// Returns whether the columns keep every value that records may have for them; others may round one.
    pub(super) fn keeps_all(&self, kind: impl Fn(&str) -> ColumnType) -> bool {
        let mut columns = self.names.iter().zip(&self.types);
        columns.all(|(name, of_type)| self.dialect.keeps(of_type, kind(name)))
    }

    /// Writes the statement that deletes the records of a load.
    pub(super) fn delete_load(&self, load: &str) -> String {
        let column = self.dialect.quote(LOAD_COLUMN);
        let table = self.dialect.quote_table(&self.name);
        format!("DELETE FROM {table} WHERE {column} = '{load}'")
    }

    /// Writes the query for the number of a load's records.
    pub(super) fn count_load(&self, load: &str) -> String {
        let (column, count) = (
            self.dialect.quote(LOAD_COLUMN),
            self.dialect.as_text("count(*)"),
        );
        let table = self.dialect.quote_table(&self.name);
        format!("SELECT {count} FROM {table} WHERE {column} = '{load}'")
    }

    /// Writes the statement that drops the table.
    pub(super) fn drop_if_there(&self) -> String {
        format!(
            "DROP TABLE IF EXISTS {}",
            self.dialect.quote_table(&self.name)
        )
    }

    /// Writes the query for the records of some keys.
    pub(super) fn select_keys(&self, key: &[String], n_keys: usize) -> String {
        let one = |i: usize| {
            let part = |(at, name): (usize, &String)| {
                let position = self.names.iter().position(|n| n == name);
                let kind = position.map_or("text", |p| self.types[p].as_str());
                let place = self.dialect.place(i * key.len() + at + 1, kind);
                format!("{} = {place}", self.dialect.quote(name))
            };
            let parts: Vec<String> = key.iter().enumerate().map(part).collect();
            format!("({})", parts.join(" AND "))
        };
        let keys: Vec<String> = (0..n_keys).map(one).collect();
        format!("{} WHERE {}", self.select(), keys.join(" OR "))
    }

    /// Writes the list of columns that a replacement brings.
    pub(super) fn columns(&self, knows_loads: bool) -> String {
        let ours = [LOAD_COLUMN, ROW_COLUMN]
            .into_iter()
            .filter(|_| knows_loads);
        self.dialect
            .quote_all(self.names.iter().map(String::as_str).chain(ours))
    }
}

const LOOK: &str = "look at the table";

impl SqlDestination {
    /// Makes the table ready to load into; returns how many records the target has.
    pub(super) fn prepare(&mut self) -> Result<u64, Trouble> {
        let found = self.columns_of(&self.target.clone())?;
        let exists = !found.is_empty();
        self.target_knows_loads = exists.then(|| knows_loads(&found));
        let mut before = 0;
        if exists {
            self.check_is_table()?;
            // Before anything is made beside it.
            self.described(self.target.clone())?;
            self.check_transactions()?;
            self.check_dependants()?;
            before = self.count()?;
        }
        let into = match self.mode {
            LoadMode::Replace => self.staging(),
            _ => self.target.clone(),
        };
        self.into = Table::nowhere(self.connection.dialect(), into.clone());
        // Whoever may write to a table need not have the right to make one.
        if !exists || self.mode == LoadMode::Replace {
            self.make(&into, exists)?;
        }
        if self.mode == LoadMode::Replace {
            self.left = Remains::Beside(self.beside());
        }
        match self.mode.clone() {
            LoadMode::Upsert(key) => self.index_key(&into, &key)?,
            mode => self.index_loads(&into, mode == LoadMode::Replace)?,
        }
        self.into = self.described(into)?;
        self.keeps_all = self.into.keeps_all(|name| self.recorder.kind(name));
        Ok(before)
    }

    /// Makes sure that the table knows loads, and that no row of one can stand there twice.
    fn index_loads(&mut self, into: &TableName, is_ours: bool) -> Result<(), Trouble> {
        if !knows_loads(&self.columns_of(into)?) {
            self.add_load_columns(into, is_ours)?;
        }
        self.index(into, &[LOAD_COLUMN, ROW_COLUMN].map(str::to_owned))?;
        Ok(())
    }

    /// Finds the types of the columns that records go into.
    fn described(&mut self, name: TableName) -> Result<Table, Trouble> {
        let columns = self.columns_of(&name)?;
        let names = self.schema.file_columns();
        let kind = |column: &String| {
            columns.get(column).cloned().ok_or_else(|| {
                let table = &name.table;
                let alike = columns
                    .keys()
                    .find(|other| other.eq_ignore_ascii_case(column));
                let alike = alike.map(|other| format!(", but `{other}`: rename one of them"));
                let alike = alike.unwrap_or_default();
                let lacks = format!("`{table}` has no column `{column}`, which the schema has");
                self.refused(LOOK, lacks + &alike)
            })
        };
        let types = names.iter().map(kind).collect::<Result<_, _>>()?;
        let table = Table {
            dialect: self.connection.dialect(),
            takes_copy: self.takes_copy(&name)?,
            name,
            names,
            types,
        };
        self.check_is_read_back(&table)?;
        Ok(table)
    }

    /// Refuses a column of a type that is not read, so that nobody could tell what it keeps.
    fn check_is_read_back(&mut self, table: &Table) -> Result<(), Trouble> {
        let select = table.select();
        let columns = self
            .connection
            .repeat(LOOK, async |link| link.columns(&select).await)?;
        let unread = |column: Column| Some((column.name, column.unread?));
        let Some((name, unread)) = columns.into_iter().find_map(unread) else {
            return Ok(());
        };
        let reason = format!(
            "column `{name}` of `{}` is {unread} back: give it a type of texts, numbers or times, or push into \
             another table",
            table.name.table
        );
        Err(self.refused(LOOK, reason))
    }

    fn takes_copy(&mut self, table: &TableName) -> Result<bool, Trouble> {
        let dialect = self.connection.dialect();
        let Some(query) = dialect.copy_query() else {
            return Ok(false);
        };
        let value = [Value::from(dialect.in_catalogue(table).as_str())];
        let found = self.connection.texts(LOOK, query, &value)?;
        Ok(!found.is_empty())
    }

    /// Names the table that was loaded into, for people.
    pub(super) fn beside(&self) -> String {
        format!("table `{}`", self.into.name.table)
    }

    /// Names the table that a replacement is loaded into. However long the target's name is, this one
    /// is short enough for every server.
    fn staging(&self) -> TableName {
        let target = Digest::of(self.target.table.as_bytes()).to_string();
        TableName {
            schema: self.target.schema.clone(),
            table: format!("netsec_{}_{}", self.names.appended, &target[..8]),
        }
    }

    /// Returns the columns of a table with their types; none when there is no such table.
    pub(super) fn columns_of(
        &mut self,
        table: &TableName,
    ) -> Result<BTreeMap<String, String>, Trouble> {
        let dialect = self.connection.dialect();
        let value = [Value::from(dialect.in_catalogue(table).as_str())];
        let rows = self
            .connection
            .texts(LOOK, dialect.columns_query(), &value)?;
        Ok(rows.into_iter().filter_map(pair).collect())
    }

    fn count(&mut self) -> Result<u64, Trouble> {
        let dialect = self.connection.dialect();
        let table = dialect.quote_table(&self.target);
        let sql = format!("SELECT {} FROM {table}", dialect.as_text("count(*)"));
        let asked = "count records";
        let rows = self
            .connection
            .repeat_at_length(asked, async |link| link.texts(&sql, &[]).await)?;
        Ok(number(&rows))
    }

    /// Refuses a view: what an index, a lock or a replacement are asked of is a table.
    fn check_is_table(&mut self) -> Result<(), Trouble> {
        let dialect = self.connection.dialect();
        let value = [Value::from(dialect.in_catalogue(&self.target).as_str())];
        let found = self.connection.texts(LOOK, dialect.view_query(), &value)?;
        match found.is_empty() {
            true => Ok(()),
            false => {
                let reason = format!("`{}` is a view: push into a table", self.target.table);
                Err(self.refused(LOOK, reason))
            }
        }
    }

    fn check_transactions(&mut self) -> Result<(), Trouble> {
        let dialect = self.connection.dialect();
        let Some(sql) = dialect.unsafe_query() else {
            return Ok(());
        };
        let table = &self.target.table;
        let found = self.connection.texts(LOOK, sql, &[table.as_str().into()])?;
        match found.first().and_then(|row| row.first()) {
            None => Ok(()),
            Some(engine) => {
                let engine = engine.as_deref().unwrap_or("none");
                let reason = format!(
                    "`{table}` is of the engine {engine}, which has no transactions: ALTER TABLE … \
                     ENGINE=InnoDB"
                );
                Err(self.refused(LOOK, reason))
            }
        }
    }

    /// Refuses to replace records whose deletion would reach into other tables.
    fn check_dependants(&mut self) -> Result<(), Trouble> {
        if self.mode != LoadMode::Replace {
            return Ok(());
        }
        let dialect = self.connection.dialect();
        let value = [Value::from(dialect.in_catalogue(&self.target).as_str())];
        let query = dialect.dependants_query();
        let rows = self.connection.texts(LOOK, query, &value)?;
        let names: Vec<String> = rows.into_iter().flatten().flatten().collect();
        if names.is_empty() {
            return Ok(());
        }
        let reason = format!(
            "deleting the records of `{}` reaches {}, so that it cannot be replaced: use --mode upsert or \
             append",
            self.target.table,
            names.join(", ")
        );
        Err(self.refused(LOOK, reason))
    }

    /// Returns how many bytes the server takes at once.
    pub(super) fn largest_request(&mut self) -> Result<usize, Trouble> {
        if self.connection.dialect() != Dialect::MySql {
            return Ok(512 << 20);
        }
        let sql = "SELECT CAST(@@max_allowed_packet AS CHAR)";
        let rows = self
            .connection
            .texts("ask for max_allowed_packet", sql, &[])?;
        Ok(number(&rows) as usize)
    }

    /// Makes a table unless it is there: like the target, or of the schema's columns.
    fn make(&mut self, into: &TableName, is_like_target: bool) -> Result<(), Trouble> {
        let dialect = self.connection.dialect();
        let table = dialect.quote_table(into);
        let model = dialect.quote_table(&self.target);
        let sql = match is_like_target {
            true => self
                .definition(into)?
                .unwrap_or_else(|| dialect.create_like(&table, &model)),
            false => self.creation(&table),
        };
        let made = self
            .connection
            .repeat("make the table", async |link| link.run(&sql, &[]).await);
        // The same push may have made it at the same moment.
        if made.is_err() && self.columns_of(into)?.is_empty() {
            made?;
        }
        if is_like_target {
            // Those that the server has not made with the table.
            for index in self.unique_indexes(&self.target.clone())?.into_values() {
                self.index(into, &index)?;
            }
        }
        Ok(())
    }

    /// Writes the statement that makes a table of the schema's columns.
    pub(super) fn creation(&self, table: &str) -> String {
        let names = self.schema.file_columns();
        let columns = names.iter().map(|name| NewColumn {
            name,
            kind: self.recorder.kind(name),
            is_key: self.key().contains(name),
        });
        let columns: Vec<NewColumn<'_>> = columns.collect();
        self.connection.dialect().create(table, &columns)
    }

    fn add_load_columns(&mut self, into: &TableName, is_ours: bool) -> Result<(), Trouble> {
        let dialect = self.connection.dialect();
        let statements = dialect.add_load_columns(&dialect.quote_table(into));
        if !is_ours {
            let reason = format!(
                "`{}` lacks the columns by which a repeated push knows what it has loaded: use --mode \
                 upsert or replace, or add them: {}",
                into.table,
                statements.join("; ")
            );
            return Err(self.refused(LOOK, reason));
        }
        for (name, statement) in [LOAD_COLUMN, ROW_COLUMN].iter().zip(&statements) {
            if !self.columns_of(into)?.contains_key(*name) {
                let asked = "add a column";
                let added = self
                    .connection
                    .repeat(asked, async |link| link.run(statement, &[]).await);
                if added.is_err() && !self.columns_of(into)?.contains_key(*name) {
                    added?;
                }
            }
        }
        Ok(())
    }

    /// Returns the columns of a table's unique indexes by the indexes' names.
    pub(super) fn unique_indexes(
        &mut self,
        table: &TableName,
    ) -> Result<BTreeMap<String, Vec<String>>, Trouble> {
        let dialect = self.connection.dialect();
        let value = [Value::from(dialect.in_catalogue(table).as_str())];
        let rows = self
            .connection
            .texts("list indexes", dialect.unique_indexes_query(), &value)?;
        let mut indexes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (index, column) in rows.into_iter().filter_map(pair) {
            indexes.entry(index).or_default().push(column);
        }
        Ok(indexes)
    }

    /// Makes sure that no two records have equal values in some columns; returns the statement that drops
    /// the index that it has made for it.
    pub(super) fn index(
        &mut self,
        table: &TableName,
        columns: &[String],
    ) -> Result<Option<String>, Trouble> {
        let dialect = self.connection.dialect();
        let mut sorted = columns.to_vec();
        sorted.sort();
        let is_there = |indexes: BTreeMap<String, Vec<String>>| {
            indexes.into_values().any(|mut found| {
                found.sort();
                found == sorted
            })
        };
        if is_there(self.unique_indexes(table)?) {
            return Ok(None);
        }
        let named = format!("{}\n{}", table.table, columns.join("\n"));
        let name = format!("netsec_{}", &Digest::of(named.as_bytes()).to_string()[..16]);
        let sql = format!(
            "CREATE UNIQUE INDEX {} ON {} ({})",
            dialect.quote(&name),
            dialect.quote_table(table),
            dialect.quote_all(columns.iter().map(String::as_str))
        );
        let asked = "make a unique index";
        let made = self
            .connection
            .repeat_at_length(asked, async |link| link.run(&sql, &[]).await);
        match made {
            Ok(()) => Ok(Some(dialect.drop_index(table, &name))),
            // An attempt of which the answer was lost may have made it, or somebody else.
            Err(trouble) => match is_there(self.unique_indexes(table)?) {
                true => Ok(None),
                false => Err(trouble),
            },
        }
    }
}

/// Returns whether a type of MySQL is one of texts or bytes.
fn holds_texts(kind: &str) -> bool {
    let name = kind.split('(').next().unwrap_or_default();
    let texts = ["char", "text", "enum", "set", "binary", "blob"];
    texts.iter().any(|text| name.ends_with(text))
}

fn knows_loads(columns: &BTreeMap<String, String>) -> bool {
    let mut ours = [LOAD_COLUMN, ROW_COLUMN].iter();
    ours.all(|name| columns.contains_key(*name))
}

fn pair(row: Texts) -> Option<(String, String)> {
    let mut cells = row.into_iter().flatten();
    Some((cells.next()?, cells.next()?))
}

/// Reads the one number that a query has given.
pub(super) fn number(rows: &[Texts]) -> u64 {
    let text = rows.first().and_then(|row| row.first()?.as_deref());
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}
