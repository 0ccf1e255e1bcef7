//! Whether a collection can be reached: one step after another, so that the failing one is named.

use std::net::SocketAddr;

use dataset::{SourceError, SourceUri};
use mongodb::{bson::doc, options::ServerAddress};

use super::{
    address::Address,
    connection::{Connection, understand},
};
use crate::{
    Probed,
    failure::{Cause, Trouble},
    probe::{Ended, listed, peer, reach, resolve},
};

const NO_TLS: &str = "TLS: somebody listens, but says nothing to TLS: the server does not speak it at this \
                      port, or hangs: switch it on there, or ask for a connection without it, tls=false";

/// Tries name, port, TLS, credentials and permission; ends with the first that fails.
pub(crate) fn probe(uri: &SourceUri) -> Probed {
    let mut probed = Probed::default();
    // What ended it stands in the list.
    let _ = steps(uri, &mut probed);
    probed
}

fn steps(uri: &SourceUri, probed: &mut Probed) -> Result<(), Ended> {
    let address = probed.step("address", understood(uri), Address::full_name)?;
    let record = address.record();
    let check = record.as_ref().map_or("client", |_| "SRV record");
    let connection = probed.step(check, Connection::of(address), |c| {
        let hosts: Vec<String> = c.hosts.iter().map(ToString::to_string).collect();
        match &record {
            Some(record) => format!("{record}: {}", hosts.join(", ")),
            None if c.has_credentials() => "with credentials".to_owned(),
            None => "no credentials given".to_owned(),
        }
    })?;
    let addresses = probed.step("name", resolve_all(&connection), |found| listed(found))?;
    let reached = reach(&addresses)
        .map_err(|reason| connection.trouble("connect", Cause::Unreachable, reason));
    let at = probed.step("port", reached, |at| format!("{at} answers"))?;
    ask(&connection, at, probed)
}

fn understood(uri: &SourceUri) -> Result<Address, SourceError> {
    let address = Address::parse(uri)?;
    understand(&address)?;
    Ok(address)
}

fn resolve_all(connection: &Connection) -> Result<Vec<SocketAddr>, Trouble> {
    let mut found = Vec::new();
    for host in &connection.hosts {
        let ServerAddress::Tcp { host, port } = host else {
            continue;
        };
        found.extend(resolve(host, port.unwrap_or(27017)).map_err(|reason| {
            connection.trouble("look the name up", Cause::Unreachable, reason)
        })?);
    }
    Ok(found)
}

/// Says why nobody is understood at a port that answers: somebody else is there, or no TLS.
fn named(mut trouble: Trouble, uses_tls: bool, at: SocketAddr) -> Trouble {
    let is_known = |kind: &&str| trouble.reason.contains(&format!("Type: {kind}"));
    let has_spoken = ["Standalone", "Mongos", "Rs", "LoadBalancer"]
        .iter()
        .any(is_known);
    if has_spoken || !matches!(trouble.cause, Cause::Unreachable | Cause::TimedOut) {
        return trouble;
    }
    match peer::instead(at, peer::MONGODB) {
        Some(said) => {
            trouble.cause = Cause::Unreachable;
            trouble.reason = said;
        }
        None if uses_tls => {
            trouble.cause = Cause::Tls;
            trouble.reason = NO_TLS.to_owned();
        }
        None => {}
    }
    trouble
}

/// Asks the server: what it says tells TLS, credentials and permission apart.
fn ask(connection: &Connection, at: SocketAddr, probed: &mut Probed) -> Result<(), Ended> {
    let uses_tls = connection.uses_tls;
    let database = connection.database();
    let pinged = connection.once("ping", async {
        database.run_command(doc! {"ping": 1}).await
    });
    let pinged = pinged.map_err(|trouble| named(trouble, uses_tls, at));
    let tls = if uses_tls {
        "TLS agreed on"
    } else {
        "no TLS: anybody on the way can read along"
    };
    let cause = pinged.as_ref().err().map(|trouble| trouble.cause);
    match cause {
        None | Some(Cause::Credentials | Cause::Permission) => probed.ok("TLS", tls),
        Some(_) => {
            let check = if uses_tls { "TLS" } else { "server" };
            return probed.step(check, pinged, |_| String::new()).map(|_| ());
        }
    }
    probed.step("credentials", pinged, |_| {
        match connection.has_credentials() {
            true => "accepted".to_owned(),
            false => "none given, none asked for".to_owned(),
        }
    })?;
    let collection = connection.collection(&connection.address.collection);
    let found: Result<_, Trouble> = connection.once("read a document", async {
        collection.find_one(doc! {}).await
    });
    probed.step("permission", found, |found| {
        let name = connection.address.full_name();
        match found {
            Some(_) => format!("{name} can be read"),
            None => format!("{name} can be read, but holds nothing"),
        }
    })?;
    Ok(())
}
