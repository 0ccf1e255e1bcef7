//! A MongoDB address: what of it is the driver's, and what is ours.

use std::time::Duration;

use dataset::{SourceError, SourceUri};
use mongodb::bson::{Bson, Document, doc};

use crate::parameter::{decode, positive};

/// `mongodb://host/database?collection=…`, taken apart.
pub(crate) struct Address {
    /// For people, without secrets.
    pub location: String,
    /// What the driver connects to, secrets included.
    pub driver_uri: String,
    pub database: String,
    pub collection: String,
    /// Which documents are read.
    pub filter: Document,
    /// Which fields of them; all when left out.
    pub projection: Option<Document>,
    /// Documents that the server sends at once.
    pub batch_size: u32,
    /// How long one request may take.
    pub time_limit: Duration,
}

const BATCH_SIZE: u32 = 2000;
const TIME_LIMIT: Duration = Duration::from_secs(30);

impl Address {
    /// Takes an address apart; parameters that are not ours are left to the driver.
    pub(crate) fn parse(uri: &SourceUri) -> Result<Self, SourceError> {
        let location = uri.to_string();
        parse(uri.with_secrets()?, location.clone())
            .map_err(|reason| SourceError::Unsupported { location, reason })
    }

    /// Returns the name of the SRV record that says where the servers are, of `mongodb+srv://`.
    pub(crate) fn record(&self) -> Option<String> {
        let rest = self.driver_uri.strip_prefix("mongodb+srv://")?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = place.rsplit_once('@').map_or(place, |(_, rest)| rest);
        let host = authority.split('/').next().unwrap_or_default();
        let mut parameters = query.split('&').filter_map(|p| p.split_once('='));
        let service = parameters.find(|(name, _)| name.eq_ignore_ascii_case("srvServiceName"));
        let service = service.map_or("mongodb", |(_, value)| value);
        Some(format!("_{service}._tcp.{host}"))
    }

    /// Returns the name of the collection with its database.
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}", self.database, self.collection)
    }
}

fn parse(whole: &str, location: String) -> Result<Address, String> {
    let (place, query) = whole.split_once('?').unwrap_or((whole, ""));
    let database = place
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or(Ok(String::new()), |(_, path)| decode(path))?;
    if database.is_empty() {
        return Err("it names no database: mongodb://host/DATABASE?collection=NAME".to_owned());
    }
    let mut address = Address {
        location,
        driver_uri: String::new(),
        database,
        collection: String::new(),
        filter: doc! {},
        projection: None,
        batch_size: BATCH_SIZE,
        time_limit: TIME_LIMIT,
    };
    let mut rest = Vec::new();
    for parameter in query.split('&').filter(|p| !p.is_empty()) {
        if !take(&mut address, parameter)? {
            rest.push(parameter);
        }
    }
    if address.collection.is_empty() {
        let database = &address.database;
        return Err(format!(
            "it names no collection: …/{database}?collection=NAME"
        ));
    }
    let separator = if rest.is_empty() { "" } else { "?" };
    address.driver_uri = format!("{place}{separator}{}", rest.join("&"));
    Ok(address)
}

/// Takes a parameter when it is ours.
fn take(address: &mut Address, parameter: &str) -> Result<bool, String> {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let value = || decode(value);
    match name {
        "collection" => address.collection = value()?,
        "filter" => address.filter = object(name, &value()?)?,
        "projection" => address.projection = Some(projection(&value()?)?),
        "batch_size" => address.batch_size = positive(name, &value()?)?,
        "time_limit" => {
            address.time_limit = Duration::from_secs(positive(name, &value()?)?.into());
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Parses an object in MongoDB's extended JSON.
fn object(name: &str, text: &str) -> Result<Document, String> {
    serde_json::from_str(text)
        .map_err(|e| format!("{name} is no JSON object: {e}: write {name}={{\"field\":value}}"))
}

/// Reads a projection: an object as MongoDB has it, or names of fields with commas between them.
fn projection(text: &str) -> Result<Document, String> {
    if text.trim_start().starts_with('{') {
        return object("projection", text);
    }
    let included = |name: &str| (name.trim().to_owned(), Bson::Int32(1));
    Ok(text.split(',').map(included).collect())
}

#[cfg(test)]
mod tests;
