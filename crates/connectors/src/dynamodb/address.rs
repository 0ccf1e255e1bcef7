//! A DynamoDB address: which table of whom, and how quickly it is read and written.

use std::time::Duration;

use dataset::{SourceError, SourceUri};

use crate::parameter::{decode, positive};

/// `dynamodb://table?name=value&…`, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// For people, without secrets.
    pub location: String,
    pub table: String,
    pub region: Option<String>,
    /// Where another server than Amazon's is.
    pub endpoint: Option<String>,
    /// Capacity units that may be read in a second.
    pub read_rate: Option<u32>,
    /// Capacity units that may be written in a second.
    pub write_rate: Option<u32>,
    /// How long one request may take.
    pub time_limit: Duration,
}

const TIME_LIMIT: Duration = Duration::from_secs(30);
const PARAMETERS: &str = "region, endpoint, rcu, wcu and time_limit";

impl Address {
    pub(crate) fn parse(uri: &SourceUri) -> Result<Self, SourceError> {
        let location = uri.to_string();
        // A login of the endpoint's is no part of the address as others know it.
        let table = location.split('?').next().unwrap_or_default().to_owned();
        parse(uri.with_secrets()?, &location).map_err(|reason| SourceError::Unsupported {
            location: table,
            reason,
        })
    }
}

fn parse(whole: &str, location: &str) -> Result<Address, String> {
    let rest = whole.split_once("://").map_or("", |(_, rest)| rest);
    let (table, query) = rest.split_once('?').unwrap_or((rest, ""));
    let table = table.strip_suffix('/').unwrap_or(table);
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if table.is_empty() || !table.chars().all(is_of_name) {
        return Err(
            "it names no table: dynamodb://TABLE, of 3 to 255 letters, digits, `.`, `-` and `_`; key and \
             secret stand in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile, not in the address"
                .to_owned(),
        );
    }
    if !(3..=255).contains(&table.len()) {
        return Err(format!(
            "`{table}` is no name of a table, which has 3 to 255 letters, digits, `.`, `-` and `_`"
        ));
    }
    let mut address = Address {
        location: location.to_owned(),
        table: table.to_owned(),
        region: None,
        endpoint: None,
        read_rate: None,
        write_rate: None,
        time_limit: TIME_LIMIT,
    };
    for part in query.split('&').filter(|part| !part.is_empty()) {
        take(&mut address, part)?;
    }
    Ok(address)
}

fn take(address: &mut Address, part: &str) -> Result<(), String> {
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    let value = decode(value)?;
    match name {
        "region" | "endpoint" if value.is_empty() => return Err(format!("`{name}` has no value")),
        "region" => address.region = Some(value),
        "endpoint" if value.contains('@') => {
            return Err(
                "`endpoint` holds a login: key and secret stand in AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY or a profile"
                    .to_owned(),
            );
        }
        "endpoint" => address.endpoint = Some(value),
        "rcu" => address.read_rate = Some(positive(name, &value)?),
        "wcu" => address.write_rate = Some(positive(name, &value)?),
        "time_limit" => {
            address.time_limit = Duration::from_secs(positive(name, &value)?.into());
        }
        _ => {
            return Err(format!(
                "`{name}` is not known behind `?`: known are {PARAMETERS}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
