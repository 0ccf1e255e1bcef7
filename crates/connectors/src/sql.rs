//! PostgreSQL, MySQL (MariaDB included) and SQLite: tables and queries as sources of records, tables
//! as their destinations.
//!
//! Owns its runtime and its reading thread, which nobody else sees: every call blocks.

mod address;
mod connection;
mod destination;
mod dialect;
mod failure;
mod link;
mod mysql;
mod postgres;
mod probe;
mod rows;
mod security;
mod source;
mod sqlite;

pub(crate) use destination::SqlDestination;
pub(crate) use probe::probe;
pub(crate) use source::SqlSource;

/// Supplies the user's name where the address has none.
const USERNAME_VARIABLE: &str = "NETSEC_SQL_USERNAME";
/// Supplies the password where the address has none.
const PASSWORD_VARIABLE: &str = "NETSEC_SQL_PASSWORD";

/// Columns by which a table knows what a push has loaded into it.
const LOAD_COLUMN: &str = "netsec_load";
const ROW_COLUMN: &str = "netsec_row";
