//! PostgreSQL, MySQL (MariaDB included) and SQLite: tables and queries as sources of records, tables
//! as their destinations.
//!
//! Owns its runtime and its reading thread, which nobody else sees: every call blocks.

mod address;
mod connection;
mod destination;
mod dialect;
mod failure;
mod kind;
mod link;
mod mysql;
mod postgres;
mod probe;
mod rows;
mod security;
mod source;
mod sqlite;

use std::path::PathBuf;

use artifact::Digest;
use dataset::SourceUri;

use address::Address;
pub(crate) use destination::SqlDestination;
use dialect::Dialect;
pub(crate) use probe::probe;
pub(crate) use source::SqlSource;

/// Supplies the user's name where the address has none.
const USERNAME_VARIABLE: &str = "NETSEC_SQL_USERNAME";
/// Supplies the password where the address has none.
const PASSWORD_VARIABLE: &str = "NETSEC_SQL_PASSWORD";

/// Returns a digest of what else than its address says what is read: the server and the user that stand in
/// the environment, and of SQLite where the file is.
pub(crate) fn identity(uri: &SourceUri) -> Digest {
    let who = Address::parse(uri)
        .ok()
        .and_then(|address| who(&address).ok());
    Digest::of(who.unwrap_or_default().as_bytes())
}

/// Returns the file that is a database, where one is.
pub(crate) fn database_file(uri: &SourceUri) -> Option<PathBuf> {
    let address = Address::parse(uri).ok()?;
    (address.dialect == Dialect::Sqlite).then_some(address.file)
}

fn who(address: &Address) -> sqlx::Result<String> {
    Ok(match address.dialect {
        Dialect::Postgres => {
            let options = postgres::options(address)?;
            format!(
                "{:?}",
                (
                    (options.get_host(), options.get_port(), options.get_socket()),
                    (
                        options.get_username(),
                        options.get_database(),
                        options.get_options()
                    ),
                )
            )
        }
        Dialect::MySql => {
            let options = mysql::options(address)?;
            let place = (options.get_host(), options.get_port(), options.get_socket());
            format!(
                "{:?}",
                (place, options.get_username(), options.get_database())
            )
        }
        Dialect::Sqlite => {
            let whole = address.file.canonicalize();
            format!("{:?}", whole.as_ref().unwrap_or(&address.file))
        }
    })
}

/// Columns by which a table knows what a push has loaded into it.
const LOAD_COLUMN: &str = "netsec_load";
const ROW_COLUMN: &str = "netsec_row";
