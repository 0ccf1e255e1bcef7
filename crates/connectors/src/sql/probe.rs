//! Whether a table can be reached: one step after another, so that the failing one is named.

use std::net::SocketAddr;

use dataset::{SourceError, SourceUri};

use super::{
    address::{Address, Selection},
    connection::Connection,
    dialect::Dialect,
    failure::reason,
    link::{Texts, check_reads},
    mysql, postgres,
};
use crate::{
    Probed,
    failure::{Cause, Trouble},
    probe::{Ended, listed, peer, reach, resolve},
};

/// Tries name, port, TLS, credentials and permission, of SQLite file and permission; ends with the
/// first that fails.
pub(crate) fn probe(uri: &SourceUri) -> Probed {
    let mut probed = Probed::default();
    // What ended it stands in the list.
    let _ = steps(uri, &mut probed);
    probed
}

fn steps(uri: &SourceUri, probed: &mut Probed) -> Result<(), Ended> {
    let mut connection = probed.step("address", Connection::open(uri), |c| chosen(&c.address))?;
    match connection.dialect() {
        Dialect::Sqlite => {
            let opened = connection.connect();
            probed.step("file", opened, |()| "it can be opened".to_owned())?;
        }
        _ => reach_server(&mut connection, probed)?,
    }
    let permission = look(&mut connection);
    probed.step("permission", permission, |()| {
        format!("{} can be read", chosen(&connection.address))
    })
}

fn chosen(address: &Address) -> String {
    match &address.selection {
        Selection::Table(name) => match &name.schema {
            Some(schema) => format!("table {schema}.{}", name.table),
            None => format!("table {}", name.table),
        },
        Selection::Query(_) => "the query".to_owned(),
    }
}

fn reach_server(connection: &mut Connection, probed: &mut Probed) -> Result<(), Ended> {
    let server = server_of(&connection.address).map_err(|e| {
        SourceError::from(connection.trouble("understand the address", Cause::Wrong, reason(&e)))
    });
    let (host, port) = probed.step("address", server, |(host, port)| format!("{host}:{port}"))?;
    let mut at = None;
    if !host.starts_with('/') {
        let found = resolve(&host, port)
            .map_err(|reason| connection.trouble("look the name up", Cause::Unreachable, reason));
        let addresses = probed.step("name", found, |found| listed(found))?;
        let reached = reach(&addresses)
            .map_err(|reason| connection.trouble("connect", Cause::Unreachable, reason));
        at = Some(probed.step("port", reached, |at| format!("{at} answers"))?);
    }
    log_in(connection, at, probed)
}

/// Returns host and port, or the path of a socket.
fn server_of(address: &Address) -> sqlx::Result<(String, u16)> {
    if address.dialect == Dialect::Postgres {
        let options = postgres::options(address)?;
        let socket = options.get_socket().map(|path| path.display().to_string());
        let host = socket.unwrap_or_else(|| options.get_host().to_owned());
        return Ok((host, options.get_port()));
    }
    let options = mysql::options(address)?;
    let socket = options.get_socket().map(|path| path.display().to_string());
    let host = socket.unwrap_or_else(|| options.get_host().to_owned());
    Ok((host, options.get_port()))
}

/// Connects: what the server says tells TLS and credentials apart.
fn log_in(
    connection: &mut Connection,
    at: Option<SocketAddr>,
    probed: &mut Probed,
) -> Result<(), Ended> {
    let connected = connection.connect();
    let connected = connected.map_err(|trouble| named(trouble, connection.dialect(), at));
    let cause = connected.as_ref().err().map(|trouble| trouble.cause);
    match cause {
        None => probed.ok("TLS", tls(connection)),
        Some(Cause::Credentials) => probed.ok("TLS", "the server answers"),
        // It knows the user, but not the database, or does not let this user in.
        Some(Cause::Wrong | Cause::Permission) => {
            probed.ok("credentials", "accepted");
            return probed.step("permission", connected, |()| String::new());
        }
        Some(Cause::Tls) => return probed.step("TLS", connected, |()| String::new()),
        Some(_) => return probed.step("server", connected, |()| String::new()),
    }
    probed.step("credentials", connected, |()| "accepted".to_owned())
}

/// Names a server of another kind, which speaks, but is not understood.
fn named(mut trouble: Trouble, dialect: Dialect, at: Option<SocketAddr>) -> Trouble {
    let own = match dialect {
        Dialect::Postgres => peer::POSTGRES,
        _ => peer::MYSQL,
    };
    if matches!(trouble.cause, Cause::Unreachable | Cause::Tls)
        && let Some(said) = at.and_then(|at| peer::instead(at, own))
    {
        trouble.cause = Cause::Unreachable;
        trouble.reason = said;
    }
    trouble
}

/// Says whether the connection is secret.
fn tls(connection: &mut Connection) -> &'static str {
    let is_postgres = connection.dialect() == Dialect::Postgres;
    let sql = match is_postgres {
        true => "SELECT CASE WHEN ssl THEN 'on' END FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
        false => "SHOW SESSION STATUS LIKE 'Ssl_cipher'",
    };
    let is_on = |row: &Texts| {
        row.last()
            .is_some_and(|t| t.as_ref().is_some_and(|t| !t.is_empty()))
    };
    match connection.texts("ask for TLS", sql, &[]) {
        Ok(rows) if rows.iter().any(is_on) => "TLS agreed on",
        Ok(_) => "no TLS: anybody on the way can read along",
        Err(_) => "the server does not say",
    }
}

/// Asks for what is to be read, without reading it.
fn look(connection: &mut Connection) -> Result<(), Trouble> {
    let dialect = connection.dialect();
    let address = std::sync::Arc::clone(&connection.address);
    let (select, row) = match &address.selection {
        Selection::Query(query) => (query.clone(), None),
        Selection::Table(table) => {
            let table = dialect.quote_table(table);
            let all = format!("SELECT * FROM {table}");
            (all, Some(format!("SELECT '' FROM {table} LIMIT 1")))
        }
    };
    let asked = "look at the columns";
    connection.repeat(asked, async |link| {
        link.script(dialect.begin_reading()).await?;
        check_reads(link.columns(&select).await?.len())?;
        // Naming the columns takes no right to read them everywhere.
        if let Some(row) = &row {
            link.texts(row, &[]).await?;
        }
        link.script("ROLLBACK").await
    })
}
