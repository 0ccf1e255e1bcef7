//! What a driver's error means.

use sqlx::{Error, error::DatabaseError, mysql::MySqlDatabaseError, postgres::PgDatabaseError};

use super::{dialect::Dialect, sqlite::SqliteError};
use crate::{failure::Cause, tls};

/// What to look at when user or password are wrong.
pub(super) const LOGIN_ADVICE: &str =
    "check user and password; NETSEC_SQL_USERNAME and NETSEC_SQL_PASSWORD supply them";

/// Where PostgreSQL looks whether a record may be written by whoever writes it.
const ROW_SECURITY: &str = "ExecWithCheckOptions";

/// What SQLite says of a file that is none of its own, or is encrypted.
const NO_DATABASE: i32 = 26;

/// Finds the cause of a driver's error.
pub(super) fn cause_of(error: &Error) -> Cause {
    match error {
        Error::Database(said) => cause_of_answer(said.as_ref()),
        Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => Cause::TimedOut,
        // What a cut connection leaves may look like nonsense.
        Error::Io(_) | Error::Protocol(_) => Cause::Interrupted,
        Error::Tls(_) => Cause::Tls,
        Error::Configuration(_) | Error::InvalidArgument(_) => Cause::Wrong,
        _ => Cause::Refused,
    }
}

fn cause_of_answer(said: &dyn DatabaseError) -> Cause {
    if said.try_downcast_ref::<SqliteError>().is_some() {
        return cause_of_sqlite(primary_code(said));
    }
    match number_of(said) {
        // Of MySQL, whose state says less.
        1044 | 1142 | 1143 | 1227 | 1370 => return Cause::Permission,
        1153 => return Cause::Refused,
        1053 | 1205 | 1213 | 1317 | 1927 => return Cause::Interrupted,
        1969 | 3024 => return Cause::Limited,
        _ => {}
    }
    if is_of_catalogue(said) {
        return Cause::Interrupted;
    }
    let state = said.code().unwrap_or_default();
    match state.as_ref() {
        "42501" if is_of_row_security(said) => Cause::Refused,
        "42501" => Cause::Permission,
        "57014" => Cause::Limited,
        "55P03" | "57P01" | "57P02" | "57P03" | "70100" => Cause::Interrupted,
        "25006" => Cause::Wrong,
        // A column that the server computes, as INSERT says it and as COPY does.
        "428C9" | "42P10" => Cause::Refused,
        _ => match state.get(..2).unwrap_or_default() {
            "28" => Cause::Credentials,
            "08" | "40" | "53" => Cause::Interrupted,
            "3D" | "3F" | "42" => Cause::Wrong,
            _ => Cause::Refused,
        },
    }
}

/// Returns whether it is a record that may not be written, by row security, and not a right that lacks: both have one
/// state, and words in the server's language.
fn is_of_row_security(said: &dyn DatabaseError) -> bool {
    let said = said.try_downcast_ref::<PgDatabaseError>();
    said.is_some_and(|said| said.routine() == Some(ROW_SECURITY))
}

/// Returns whether somebody else has made a thing of the same name at the same moment, which PostgreSQL's
/// `IF NOT EXISTS` has not seen yet.
fn is_of_catalogue(said: &dyn DatabaseError) -> bool {
    let said = said.try_downcast_ref::<PgDatabaseError>();
    said.is_some_and(|said| said.code() == "23505" && said.schema() == Some("pg_catalog"))
}

fn cause_of_sqlite(code: i32) -> Cause {
    match code {
        // SQL that is not understood, names that are not there.
        1 => Cause::Wrong,
        3 | 8 | 23 => Cause::Permission,
        5 => Cause::Locked,
        6 => Cause::Interrupted,
        10 | 11 | 13 => Cause::Disk,
        14 | NO_DATABASE => Cause::Wrong,
        _ => Cause::Refused,
    }
}

/// Returns whether the server has something against the record, and none against another.
pub(super) fn refuses_record(error: &Error) -> bool {
    let Error::Database(said) = error else {
        return false;
    };
    if said.try_downcast_ref::<SqliteError>().is_some() {
        // Too big, a constraint, a type.
        return matches!(primary_code(said.as_ref()), 18..=20);
    }
    let state = said.code().unwrap_or_default();
    if let Some(said) = said.try_downcast_ref::<PgDatabaseError>() {
        return refuses_record_as(&state, said.routine());
    }
    let class = state.get(..2).unwrap_or_default();
    let number = number_of(said.as_ref());
    matches!(class, "21" | "22" | "23" | "44" | "45" | "54")
        || matches!(
            number,
            1048 | 1153 | 1264 | 1265 | 1292 | 1364 | 1366 | 1406 | 1644 | 1690 | 3819 | 4025
        )
}

/// Returns whether PostgreSQL has something against the record: a function of the table's owner may say so by any state,
/// also by one that nobody else gives (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn refuses_record_as(state: &str, routine: Option<&str>) -> bool {
    match state.get(..2).unwrap_or_default() {
        // The connection, what the server does not do, transactions, statements, logins, names, resources, its insides.
        "08" | "0A" | "25" | "26" | "28" | "3D" | "3F" | "40" | "53" | "55" | "57" | "58"
        | "72" | "F0" | "HV" | "XX" => false,
        "42" => state == "42000" || routine == Some(ROW_SECURITY),
        _ => true,
    }
}

fn primary_code(said: &dyn DatabaseError) -> i32 {
    let code = said.code().and_then(|code| code.parse::<i32>().ok());
    code.unwrap_or_default() & 0xff
}

fn number_of(said: &dyn DatabaseError) -> u16 {
    let of_mysql = said.try_downcast_ref::<MySqlDatabaseError>();
    of_mysql.map_or(0, MySqlDatabaseError::number)
}

/// Says what TLS has against a connection, when an error is of that.
pub(super) fn tls(error: &Error, dialect: Dialect) -> Option<String> {
    let explain = |said: &str| tls::explain(said, dialect.trust());
    match error {
        Error::Tls(said) => {
            let said = said.to_string();
            Some(explain(&said).unwrap_or_else(|| format!("TLS: {said}")))
        }
        Error::Io(said) => explain(&said.to_string()),
        _ => None,
    }
}

/// Says what a driver's error is, without the parts that are for its developers.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::Database(said) => {
            if said.try_downcast_ref::<SqliteError>().is_some()
                && primary_code(said.as_ref()) == NO_DATABASE
            {
                let said = said.message();
                return format!("{said}: name a database, or another file by its path alone");
            }
            let of_postgres = said.try_downcast_ref::<PgDatabaseError>();
            let detail = of_postgres.and_then(PgDatabaseError::detail);
            // Others may repeat the whole record.
            match detail.filter(|detail| detail.starts_with("Key ")) {
                Some(detail) => format!("{} ({detail})", said.message()),
                None => said.message().to_owned(),
            }
        }
        Error::Io(error) => error.to_string(),
        Error::Configuration(error) => error.to_string(),
        other => other.to_string(),
    }
}
