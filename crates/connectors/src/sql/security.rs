//! The driver's parameters that say how safe a connection is: none of them is passed over.

use std::fs;

use super::dialect::Dialect;
use crate::parameter::decode;

/// Refuses a parameter of TLS that the driver does not know, which it would not heed, and one that names a
/// file that is not there.
pub(super) fn check(dialect: Dialect, parameter: &str) -> Result<(), String> {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let name = decode(name)?;
    let known = known(dialect);
    if known.contains(&name.as_str()) {
        return match name.ends_with("mode") {
            true => Ok(()),
            // As the driver reads it.
            false => check_file(&name, &decode(&value.replace('+', " "))?),
        };
    }
    let lower = name.to_lowercase();
    if !["ssl", "tls", "channel"]
        .iter()
        .any(|word| lower.contains(word))
    {
        return Ok(());
    }
    Err(format!(
        "`{name}` is not known, so that the connection would be less safe than it says: known are {}",
        known.join(", ")
    ))
}

/// Returns the driver's parameters of TLS.
pub(super) fn known(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Sqlite => &[],
        Dialect::Postgres => &[
            "sslmode",
            "sslrootcert",
            "sslcert",
            "sslkey",
            "ssl-mode",
            "ssl-root-cert",
            "ssl-ca",
            "ssl-cert",
            "ssl-key",
        ],
        Dialect::MySql => &[
            "ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "sslmode", "sslca", "sslcert", "sslkey",
        ],
    }
}

fn check_file(name: &str, path: &str) -> Result<(), String> {
    let text = fs::read(path).map_err(|e| format!("{name}={path}: {e}"))?;
    let text = String::from_utf8_lossy(&text);
    let wanted = match name.ends_with("key") {
        true => "PRIVATE KEY-----",
        false => "-----BEGIN CERTIFICATE-----",
    };
    match text.contains(wanted) {
        true => Ok(()),
        false => Err(format!("{name}={path} holds no `{wanted}` of PEM")),
    }
}
