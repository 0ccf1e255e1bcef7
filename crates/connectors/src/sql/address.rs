//! The address of a table or a query: what of it is the driver's, and what is ours.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use dataset::{SourceError, SourceUri};

use super::{PASSWORD_VARIABLE, USERNAME_VARIABLE, dialect::Dialect, security, sqlite};
use crate::parameter::{decode, positive};

/// `postgres://host/database?table=…` and its like, taken apart.
pub(crate) struct Address {
    /// For people, without secrets.
    pub location: String,
    pub dialect: Dialect,
    /// What the driver connects to, secrets included.
    pub driver_uri: String,
    /// The file, of SQLite.
    pub file: PathBuf,
    pub selection: Selection,
    /// How long one request may take.
    pub time_limit: Duration,
}

/// What is read.
pub(crate) enum Selection {
    Table(TableName),
    /// One statement.
    Query(String),
}

/// A table, and with PostgreSQL its schema where one is given.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    pub schema: Option<String>,
    pub table: String,
}

const TIME_LIMIT: Duration = Duration::from_secs(30);

impl Address {
    /// Takes an address apart; parameters that are not ours are the driver's.
    pub(crate) fn parse(uri: &SourceUri) -> Result<Self, SourceError> {
        let location = uri.to_string();
        parse(uri.with_secrets()?, location.clone())
            .map_err(|reason| SourceError::Unsupported { location, reason })
    }

    /// Returns the table; a query is none.
    pub(crate) fn table(&self) -> Option<&TableName> {
        match &self.selection {
            Selection::Table(table) => Some(table),
            Selection::Query(_) => None,
        }
    }

    /// Returns user and password from the environment, each where the address has none.
    pub(crate) fn missing_login(&self) -> (Option<String>, Option<String>) {
        let (has_user, has_password) = self.has_login();
        let supplied =
            |is_given: bool, name| (!is_given).then(|| std::env::var(name).ok()).flatten();
        (
            supplied(has_user, USERNAME_VARIABLE),
            supplied(has_password, PASSWORD_VARIABLE),
        )
    }

    /// Returns whether the address itself has a user's name, and whether it has a password.
    fn has_login(&self) -> (bool, bool) {
        let rest = self.driver_uri.split_once("://").map_or("", |(_, r)| r);
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let login = place.rsplit_once('@').map_or("", |(login, _)| login);
        let has = |name: &str| query.split('&').any(|p| p.starts_with(name));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        (
            !user.is_empty() || has("user="),
            !password.is_empty() || has("password="),
        )
    }
}

/// Parameters that are ours.
#[derive(Default)]
struct Parameters {
    table: Option<String>,
    schema: Option<String>,
    query: Option<String>,
    time_limit: Option<Duration>,
}

fn parse(whole: &str, location: String) -> Result<Address, String> {
    let (place, query) = whole.split_once('?').unwrap_or((whole, ""));
    let (scheme, rest) = place.split_once("://").unwrap_or((place, ""));
    let dialect = Dialect::of_scheme(scheme).ok_or_else(|| format!("{scheme}:// is no SQL"))?;
    let path = match dialect {
        Dialect::Sqlite => rest,
        _ => rest.split_once('/').map_or("", |(_, path)| path),
    };
    if path.is_empty() {
        return Err(match dialect {
            Dialect::Sqlite => "it names no file: sqlite://FILE?table=NAME".to_owned(),
            _ => format!("it names no database: {scheme}://host/DATABASE?table=NAME"),
        });
    }
    let mut ours = Parameters::default();
    let mut others = Vec::new();
    for parameter in query.split('&').filter(|p| !p.is_empty()) {
        if !ours.take(parameter)? {
            others.push(parameter);
        }
    }
    for other in &others {
        security::check(dialect, other)?;
        check_known(dialect, scheme, other)?;
    }
    let separator = if others.is_empty() { "" } else { "?" };
    Ok(Address {
        location,
        dialect,
        driver_uri: format!("{place}{separator}{}", others.join("&")),
        // A name that means something else to SQLite, `:memory:` say, is a file's name.
        file: Path::new(".").join(decode(path)?),
        time_limit: ours.time_limit.unwrap_or(TIME_LIMIT),
        selection: ours.selection(dialect)?,
    })
}

/// Refuses a parameter that the driver does not know. One of them tells its value to the log, which may be a password
/// under a misspelt name; the other passes it over in silence.
fn check_known(dialect: Dialect, scheme: &str, parameter: &str) -> Result<(), String> {
    // What is not escaped in a password looks like one.
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-[].%".contains(c);
    let named = parameter.split_once('=').map(|(name, _)| name);
    let Some(name) = named.filter(|name| name.chars().all(is_name)) else {
        let reason = "one of its parameters has no name: write & as %26, ? as %3F, / as %2F and @ as %40 in a password";
        return Err(reason.to_owned());
    };
    let name = decode(name)?;
    let known: Vec<&str> = match dialect {
        Dialect::Sqlite => Vec::new(),
        Dialect::Postgres => [
            "host",
            "hostaddr",
            "port",
            "dbname",
            "user",
            "password",
            "application_name",
            "options",
            "statement-cache-capacity",
        ]
        .into(),
        Dialect::MySql => [
            "socket",
            "charset",
            "collation",
            "timezone",
            "time-zone",
            "statement-cache-capacity",
        ]
        .into(),
    };
    let of_tls = security::known(dialect);
    let is_setting = dialect == Dialect::Postgres && name.starts_with("options[");
    if is_setting || of_tls.iter().chain(&known).any(|k| *k == name) {
        return Ok(());
    }
    let ours = ["table", "schema", "query", "time_limit"];
    let known = [&ours[..], &known[..], of_tls].concat().join(", ");
    Err(format!(
        "`{name}` means nothing to {scheme}://: leave it out; known are {known}"
    ))
}

impl Parameters {
    /// Takes a parameter when it is ours.
    fn take(&mut self, parameter: &str) -> Result<bool, String> {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = || match decode(value)? {
            text if text.contains('\0') => Err(format!("{name} holds a character of value 0")),
            text => Ok(text),
        };
        match name {
            "table" => self.table = Some(value()?),
            "schema" => self.schema = Some(value()?),
            "query" => self.query = Some(value()?),
            "time_limit" => {
                let seconds = positive(name, &value()?)?;
                self.time_limit = Some(Duration::from_secs(seconds.into()));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn selection(self, dialect: Dialect) -> Result<Selection, String> {
        let filled = |text: Option<String>| text.filter(|t| !t.trim().is_empty());
        let (table, query) = (filled(self.table), filled(self.query));
        let schema = filled(self.schema);
        if schema.is_some() && (dialect != Dialect::Postgres || table.is_none()) {
            return Err("schema=NAME goes with table=NAME of postgres://".to_owned());
        }
        match (table, query) {
            (Some(table), None) => {
                for name in schema.iter().chain([&table]) {
                    dialect.check_length(name)?;
                }
                Ok(Selection::Table(TableName { schema, table }))
            }
            (None, Some(query)) => {
                let query = query.trim().trim_end_matches(';').trim_end();
                // The other servers prepare it, and refuse more than one statement.
                if dialect == Dialect::Sqlite && !sqlite::is_single(query) {
                    return Err("query holds more than one statement".to_owned());
                }
                Ok(Selection::Query(query.to_owned()))
            }
            (Some(_), Some(_)) => Err("give table=NAME or query=SELECT …, not both".to_owned()),
            (None, None) => Err("it names no table: …?table=NAME or ?query=SELECT …".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
