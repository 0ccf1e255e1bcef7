//! Whether a table can be read: one step after another, so that the failing one is named.

use dataset::SourceUri;
use serde_json::json;

use super::client::{Client, Connection};
use crate::{
    aws::{Way, approach},
    failure::{Cause, Trouble},
    probe::{Ended, Probed},
};

/// Tries name, port, TLS, credentials and permission; ends with the first that fails.
pub(crate) fn probe(uri: &SourceUri) -> Probed {
    let mut probed = Probed::default();
    // What ended it stands in the list.
    let _ = steps(uri, &mut probed);
    probed
}

fn steps(uri: &SourceUri, probed: &mut Probed) -> Result<(), Ended> {
    let connection = probed.step("address", Connection::open(uri), |c| {
        format!(
            "table {}, region {}",
            c.client.address.table, c.client.region
        )
    })?;
    let client = &connection.client;
    let trouble = |asked: &str, cause, reason| client.trouble(asked, cause, reason);
    let location = &client.address.location;
    let way = approach(probed, location, client.place(), trouble)?;
    ask(&connection, &way, probed)
}

/// Asks the server: what it says tells TLS, credentials and permission apart.
fn ask(connection: &Connection, way: &Way, probed: &mut Probed) -> Result<(), Ended> {
    let client = &connection.client;
    let who = match connection.block_on(client.log_in()) {
        Ok(found) => format!("key {} accepted", found.access_key_id()),
        Err(trouble) => return probed.step("credentials", Err(trouble), |(): &()| String::new()),
    };
    let tls = match way.is_encrypted {
        true => "agreed on",
        false => "none: anybody on the way can read along",
    };
    let seen = connection.block_on(look(client));
    let seen = seen.map_err(|trouble| as_foreign(client, trouble));
    let seen = seen.map_err(|trouble| way.named(trouble));
    let (n_passed, last) = match &seen {
        Ok(_) => (3, "table"),
        Err(trouble) => failing(trouble, way.is_encrypted),
    };
    let may = format!("table {} may be read", client.address.table);
    let steps = [
        ("TLS", tls.to_owned()),
        ("credentials", who),
        ("permission", may),
    ];
    for (check, said) in steps.into_iter().take(n_passed) {
        probed.ok(check, said);
    }
    probed
        .step(last, seen, |said| (*said).to_owned())
        .map(|_| ())
}

/// Returns how many of TLS, credentials and permission a failure says are right, and what is not.
fn failing(trouble: &Trouble, is_encrypted: bool) -> (usize, &'static str) {
    match trouble.cause {
        Cause::Credentials => (1, "credentials"),
        Cause::Permission => (2, "permission"),
        Cause::Missing => (2, "table"),
        Cause::Busy => (3, "capacity"),
        Cause::Tls => (0, "TLS"),
        Cause::Wrong | Cause::Refused => (2, "table"),
        _ if is_encrypted => (0, "TLS"),
        _ => (0, "server"),
    }
}

/// Says of a server whose refusal lacks the code that DynamoDB gives with every status, that it is another.
fn as_foreign(client: &Client, trouble: Trouble) -> Trouble {
    let status = trouble.reason.strip_prefix("it answers ");
    let is_bare = status.is_some_and(|status| status.chars().all(|c| c.is_ascii_digit()));
    match is_bare {
        true => {
            let reason = format!("{}, but not as DynamoDB does", trouble.reason);
            client.trouble(&trouble.asked, Cause::Unreachable, reason)
        }
        false => trouble,
    }
}

/// Looks for an item.
async fn look(client: &Client) -> Result<&'static str, Trouble> {
    match client.scan(&json!({"Limit": 1}), None).await {
        Ok(page) if page.items.is_empty() => Ok("it holds nothing"),
        Ok(_) => Ok("it holds items"),
        Err(trouble) => Err(client.explained(trouble).await),
    }
}
