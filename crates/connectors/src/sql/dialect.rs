//! What differs between the three kinds of SQL.

use dataset::ColumnType;

use super::{LOAD_COLUMN, ROW_COLUMN, address::TableName};

/// A kind of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    /// MySQL and MariaDB.
    MySql,
    Sqlite,
}

/// What a table that does not exist yet is made with.
pub(crate) struct NewColumn<'a> {
    pub name: &'a str,
    pub kind: ColumnType,
    /// Whether it is part of a key, which MySQL wants short.
    pub is_key: bool,
}

impl Dialect {
    pub(crate) fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "postgres" | "postgresql" => Some(Self::Postgres),
            "mysql" => Some(Self::MySql),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }

    /// Writes the parameter that names the certificates that are trusted.
    pub(crate) fn trust(self) -> &'static str {
        match self {
            Self::Postgres => "sslrootcert=FILE",
            _ => "ssl-ca=FILE",
        }
    }

    /// Quotes a name, whatever stands in it. SQLite takes a name in `"` that it does not know for a
    /// text, and one in backticks for a name.
    pub(crate) fn quote(self, name: &str) -> String {
        let mark = if self == Self::Postgres { "\"" } else { "`" };
        format!("{mark}{}{mark}", name.replace(mark, &mark.repeat(2)))
    }

    pub(crate) fn quote_all<'a>(self, names: impl IntoIterator<Item = &'a str>) -> String {
        let quoted: Vec<String> = names.into_iter().map(|name| self.quote(name)).collect();
        quoted.join(", ")
    }

    pub(crate) fn quote_table(self, name: &TableName) -> String {
        let schema = name.schema.as_ref().map(|schema| self.quote(schema) + ".");
        schema.unwrap_or_default() + &self.quote(&name.table)
    }

    /// Writes the place of the `n`th value (from 1), which has the type of a column.
    pub(crate) fn place(self, n: usize, kind: &str) -> String {
        match self {
            Self::Postgres => format!("CAST(${n} AS {kind})"),
            _ => "?".to_owned(),
        }
    }

    /// Writes a number that a query gives as a text.
    pub(crate) fn as_text(self, expression: &str) -> String {
        let kind = if self == Self::MySql { "CHAR" } else { "TEXT" };
        format!("CAST({expression} AS {kind})")
    }

    /// Refuses the name of a table or a column that is too long. PostgreSQL would cut it without a word: it takes two
    /// that begin alike for one.
    pub(crate) fn check_length(self, name: &str) -> Result<(), String> {
        let (n, most, unit) = match self {
            Self::Postgres => (name.len(), 63, "bytes"),
            Self::MySql => (name.chars().count(), 64, "characters"),
            Self::Sqlite => return Ok(()),
        };
        if n <= most {
            return Ok(());
        }
        Err(format!(
            "the name `{name}` has {n} {unit}, of which the server takes {most}"
        ))
    }

    /// Returns how many values a statement takes.
    pub(crate) fn max_values(self) -> usize {
        match self {
            Self::Sqlite => 32_766,
            _ => 65_535,
        }
    }

    /// Begins a statement that inserts records and none in the place of another: a constraint of SQLite's
    /// may say otherwise.
    pub(crate) fn insert_into(self) -> &'static str {
        match self {
            Self::Sqlite => "INSERT OR ABORT INTO",
            _ => "INSERT INTO",
        }
    }

    /// Begins a transaction that sees one state and changes nothing. With PostgreSQL the rows of a
    /// plain reading come in one order, as long as nobody writes.
    pub(crate) fn begin_reading(self) -> &'static str {
        match self {
            Self::Postgres => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                 SET LOCAL max_parallel_workers_per_gather = 0; \
                 SET LOCAL synchronize_seqscans = off; \
                 SET LOCAL datestyle = 'ISO'; \
                 SET LOCAL timezone = 'UTC'; \
                 SET LOCAL extra_float_digits = 1"
            }
            Self::MySql => "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            // The file is opened for reading alone. A transaction begins with its first reading, behind which nobody
            // changes the columns.
            Self::Sqlite => "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1",
        }
    }

    pub(crate) fn begin_writing(self) -> &'static str {
        match self {
            Self::Postgres => "BEGIN",
            Self::MySql => "START TRANSACTION",
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// Lets the rest of a transaction give values in the one way that they are read in.
    pub(crate) fn reading_settings(self) -> Option<&'static str> {
        (self == Self::Postgres).then_some(
            "SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC'; \
             SET LOCAL extra_float_digits = 1",
        )
    }

    /// Returns whether making and dropping tables is part of a transaction.
    pub(crate) fn has_transactional_tables(self) -> bool {
        self != Self::MySql
    }

    /// Asks for name and type of a table's columns, in their order; the value is what
    /// [`in_catalogue`](Self::in_catalogue) gives.
    pub(crate) fn columns_query(self) -> &'static str {
        match self {
            Self::Postgres => {
                // The plain type below domains and without its length: a value is cast to it, and a cast
                // to a type with a length cuts what is longer, where the column itself refuses it.
                "SELECT a.attname::text, format_type((WITH RECURSIVE below AS ( \
                 SELECT oid, typbasetype AS base FROM pg_type WHERE oid = a.atttypid UNION ALL \
                 SELECT t.oid, t.typbasetype FROM pg_type t JOIN below ON t.oid = below.base) \
                 SELECT oid FROM below WHERE base = 0), -1) FROM pg_attribute a \
                 WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped \
                 ORDER BY a.attnum"
            }
            Self::MySql => {
                "SELECT column_name, column_type FROM information_schema.columns \
                 WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position"
            }
            Self::Sqlite => "SELECT name, type FROM pragma_table_info(?)",
        }
    }

    /// Asks for index and column of a table's unique indexes.
    pub(crate) fn unique_indexes_query(self) -> &'static str {
        match self {
            Self::Postgres => {
                // Not the columns that an index merely carries, and none that is asked at the end alone.
                "SELECT i.indexrelid::text, a.attname::text FROM pg_index i \
                 JOIN pg_attribute a ON a.attrelid = i.indrelid \
                 AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1]) \
                 WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indimmediate \
                 AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY i.indexrelid, a.attnum"
            }
            Self::MySql => {
                // An index on the beginning of a column, or on an expression, is none on the column.
                "SELECT index_name, CASE WHEN column_name IS NULL THEN '(an expression)' \
                 WHEN sub_part IS NULL THEN column_name \
                 ELSE CONCAT(column_name, '(', sub_part, ')') END FROM information_schema.statistics \
                 WHERE table_schema = DATABASE() AND table_name = ? AND non_unique = 0 \
                 ORDER BY index_name, seq_in_index"
            }
            Self::Sqlite => {
                "SELECT l.name, i.name FROM pragma_index_list(?) l, pragma_index_info(l.name) i \
                 WHERE l.\"unique\" = 1 AND l.partial = 0 ORDER BY l.name, i.seqno"
            }
        }
    }

    /// Asks what else changes when this table's records are deleted: records of other tables, and whatever
    /// triggers and rules do.
    pub(crate) fn dependants_query(self) -> &'static str {
        match self {
            Self::Postgres => {
                // Keys may point at a part of the table; the records of tables that inherit from it are
                // deleted with its own. The bit 8 of a trigger's type stands for deletion, as '4' does in a
                // rule's.
                "WITH RECURSIVE parts AS (SELECT to_regclass($1)::oid AS part UNION \
                 SELECT inhrelid FROM pg_inherits JOIN parts ON inhparent = part) \
                 SELECT 'records of ' || conrelid::regclass::text || ' (ON DELETE)' FROM pg_constraint \
                 WHERE contype = 'f' AND confdeltype IN ('c', 'n', 'd') \
                 AND confrelid IN (SELECT part FROM parts) \
                 AND conrelid NOT IN (SELECT part FROM parts) \
                 UNION SELECT 'records of ' || inhrelid::regclass::text || ', which inherits from it' \
                 FROM pg_inherits \
                 JOIN pg_class ON oid = inhparent AND relkind = 'r' WHERE inhparent = to_regclass($1) \
                 UNION SELECT 'what the trigger ' || tgname || ' does on DELETE' FROM pg_trigger \
                 WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 8 = 8 \
                 AND tgrelid IN (SELECT part FROM parts) \
                 UNION SELECT 'what the rule ' || rulename || ' does on DELETE' FROM pg_rewrite \
                 WHERE ev_type = '4' AND ev_enabled <> 'D' \
                 AND ev_class IN (SELECT part FROM parts) ORDER BY 1"
            }
            Self::MySql => {
                "SELECT found FROM (SELECT referenced_table_name AS of_table, \
                 CONCAT('records of ', table_name, ' (ON DELETE)') AS found \
                 FROM information_schema.referential_constraints \
                 WHERE unique_constraint_schema = DATABASE() AND table_name <> referenced_table_name \
                 AND delete_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT') \
                 UNION SELECT event_object_table, \
                 CONCAT('what the trigger ', trigger_name, ' does on DELETE') \
                 FROM information_schema.triggers \
                 WHERE event_object_schema = DATABASE() AND event_manipulation = 'DELETE') AS reached \
                 WHERE of_table = ? ORDER BY 1"
            }
            Self::Sqlite => {
                // Which statement a trigger belongs to stands in its text alone.
                "SELECT 'records of ' || m.name || ' (ON DELETE)' \
                 FROM sqlite_master m, pragma_foreign_key_list(m.name) f \
                 WHERE m.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE \
                 AND m.name <> ?1 COLLATE NOCASE \
                 AND f.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') \
                 UNION SELECT 'what the trigger ' || name || ' may do on DELETE' FROM sqlite_master \
                 WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE \
                 AND sql LIKE '%delete%' ORDER BY 1"
            }
        }
    }

    /// Asks for a row when there is something by a table's name that is none.
    pub(crate) fn view_query(self) -> &'static str {
        match self {
            Self::Postgres => {
                "SELECT '' FROM pg_class WHERE oid = to_regclass($1) AND relkind NOT IN ('r', 'p')"
            }
            Self::MySql => {
                "SELECT '' FROM information_schema.views \
                 WHERE table_schema = DATABASE() AND table_name = ?"
            }
            Self::Sqlite => {
                "SELECT '' FROM sqlite_master WHERE type = 'view' AND name = ?1 COLLATE NOCASE"
            }
        }
    }

    /// Asks for a row when records may come into a table by `COPY` as they would by INSERT: it passes rules over,
    /// as well as who may give an identity, and refuses tables of which not everybody sees every row.
    pub(crate) fn copy_query(self) -> Option<&'static str> {
        (self == Self::Postgres).then_some(
            "SELECT '' FROM pg_class WHERE oid = to_regclass($1) AND relkind IN ('r', 'p') \
             AND NOT relhasrules AND NOT relrowsecurity AND NOT EXISTS (SELECT FROM pg_attribute \
             WHERE attrelid = to_regclass($1) AND attidentity = 'a')",
        )
    }

    /// Names a table as the catalogue's queries want it.
    pub(crate) fn in_catalogue(self, name: &TableName) -> String {
        match self {
            Self::Postgres => self.quote_table(name),
            _ => name.table.clone(),
        }
    }

    /// Asks why a table cannot be loaded into in steps that hold wholly or not at all.
    pub(crate) fn unsafe_query(self) -> Option<&'static str> {
        (self == Self::MySql).then_some(
            "SELECT COALESCE(t.engine, t.table_type) FROM information_schema.tables t \
             LEFT JOIN information_schema.engines e ON e.engine = t.engine \
             WHERE t.table_schema = DATABASE() AND t.table_name = ? \
             AND COALESCE(e.transactions, 'NO') <> 'YES'",
        )
    }

    /// Writes the statement that makes a table, unless it is there.
    pub(crate) fn create(self, table: &str, columns: &[NewColumn<'_>]) -> String {
        let own = columns.iter().map(|column| {
            let kind = self.type_of(column.kind, column.is_key);
            format!("{} {kind}", self.quote(column.name))
        });
        let ours = [
            format!("{} {}", self.quote(LOAD_COLUMN), self.load_type()),
            format!("{} BIGINT", self.quote(ROW_COLUMN)),
        ];
        let all: Vec<String> = own.chain(ours).collect();
        let options = match self {
            Self::MySql => " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            _ => "",
        };
        let all = all.join(", ");
        format!("CREATE TABLE IF NOT EXISTS {table} ({all}){options}")
    }

    /// Writes the statement that makes an empty table like another, as far as the server can.
    pub(crate) fn create_like(self, table: &str, model: &str) -> String {
        match self {
            Self::Postgres => {
                format!("CREATE TABLE IF NOT EXISTS {table} (LIKE {model} INCLUDING ALL)")
            }
            Self::MySql => format!("CREATE TABLE IF NOT EXISTS {table} LIKE {model}"),
            Self::Sqlite => {
                format!("CREATE TABLE IF NOT EXISTS {table} AS SELECT * FROM {model} WHERE 0")
            }
        }
    }

    /// Writes the statement that drops an index of a table.
    pub(crate) fn drop_index(self, table: &TableName, index: &str) -> String {
        if self == Self::MySql {
            let (index, table) = (self.quote(index), self.quote_table(table));
            return format!("DROP INDEX {index} ON {table}");
        }
        // It lies where its table does.
        let beside = TableName {
            schema: table.schema.clone(),
            table: index.to_owned(),
        };
        format!("DROP INDEX {}", self.quote_table(&beside))
    }

    /// Writes the statements that give a table the columns by which it knows loads.
    pub(crate) fn add_load_columns(self, table: &str) -> [String; 2] {
        let add = |name: &str, kind: &str| {
            let name = self.quote(name);
            format!("ALTER TABLE {table} ADD COLUMN {name} {kind}")
        };
        [
            add(LOAD_COLUMN, self.load_type()),
            add(ROW_COLUMN, "BIGINT"),
        ]
    }

    fn load_type(self) -> &'static str {
        match self {
            Self::Postgres => "TEXT COLLATE \"C\"",
            Self::MySql => "VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin",
            Self::Sqlite => "TEXT",
        }
    }

    /// Returns whether a column of a type keeps every value of a kind as it is, or refuses it. Whatever is
    /// not known to, is taken to round.
    pub(crate) fn keeps(self, of_type: &str, kind: ColumnType) -> bool {
        let is_whole = || {
            let name = of_type.split(['(', ' ']).next().unwrap_or_default();
            name == "integer" || name.ends_with("int")
        };
        let is_text = ["text", "character varying"].contains(&of_type)
            || of_type.starts_with("varchar")
            || of_type.ends_with("text");
        let is_double = ["double", "double precision"].contains(&of_type);
        match (self, kind) {
            // It keeps a value as it comes, whatever its column's type, but for texts that look like numbers.
            (Self::Sqlite, ColumnType::Text) => keeps_text(of_type),
            (Self::Sqlite, _) => true,
            _ if is_text => true,
            (_, ColumnType::Text) => false,
            // PostgreSQL refuses a fraction, and a number that is no truth; MySQL rounds a fraction.
            (Self::Postgres, _) | (_, ColumnType::Boolean) => {
                is_double || is_whole() || of_type == "boolean"
            }
            (_, ColumnType::Integer) => is_double || is_whole(),
            (Self::MySql, ColumnType::Number) => is_double,
        }
    }

    fn type_of(self, kind: ColumnType, is_key: bool) -> &'static str {
        match (self, kind) {
            (Self::Sqlite, ColumnType::Integer) => "INTEGER",
            (_, ColumnType::Integer) => "BIGINT",
            (Self::Sqlite, ColumnType::Number) => "REAL",
            (Self::MySql, ColumnType::Number) => "DOUBLE",
            (_, ColumnType::Number) => "DOUBLE PRECISION",
            (_, ColumnType::Boolean) => "BOOLEAN",
            (Self::MySql, ColumnType::Text) if is_key => "VARCHAR(255)",
            (Self::MySql, ColumnType::Text) => "LONGTEXT",
            (_, ColumnType::Text) => "TEXT",
        }
    }
}

/// Returns whether a column of SQLite's has the affinity of texts, or none
/// (<https://www.sqlite.org/datatype3.html#determination_of_column_affinity>).
fn keeps_text(of_type: &str) -> bool {
    let of_type = of_type.to_ascii_lowercase();
    let has = |part: &&str| of_type.contains(*part);
    !has(&"int") && (of_type.is_empty() || ["char", "clob", "text", "blob"].iter().any(has))
}
