//! Whether objects can be read: one step after another, so that the failing one is named.

use dataset::{SourceError, SourceUri};

use super::{
    address::Keys,
    connection::{Connection, Store},
};
use crate::{
    failure::{Cause, Trouble},
    probe::{Ended, Probed, listed, reach, resolve},
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
        format!("bucket {}, region {}", c.address().bucket, c.store.region)
    })?;
    let store = &connection.store;
    let unreachable = |reason| store.trouble("connect", Cause::Unreachable, reason);
    let wrong = |reason| SourceError::Unsupported {
        location: store.address.location.clone(),
        reason,
    };
    let (host, port, is_encrypted) = probed.step(
        "endpoint",
        place(store).map_err(wrong),
        |(host, port, _)| format!("{host}:{port}"),
    )?;
    let found = resolve(&host, port).map_err(unreachable);
    let found = probed.step("name", found, |found| listed(found))?;
    let reached = reach(&found).map_err(unreachable);
    probed.step("port", reached, |at| format!("{at} answers"))?;
    ask(&connection, is_encrypted, probed)
}

/// Asks the server: what it says tells TLS, credentials and permission apart.
fn ask(connection: &Connection, is_encrypted: bool, probed: &mut Probed) -> Result<(), Ended> {
    let store = &connection.store;
    let login = connection.block_on(store.log_in());
    let who = match &login {
        Ok(Some(found)) => format!("key {} accepted", found.access_key_id()),
        _ => "none: requests are not signed".to_owned(),
    };
    if let Err(trouble) = login {
        return probed.step("credentials", Err(trouble), |(): &()| String::new());
    }
    let seen = connection.block_on(look(store));
    let has_answered = match &seen {
        Ok(_) => true,
        Err(trouble) => {
            matches!(
                trouble.cause,
                Cause::Credentials | Cause::Permission | Cause::Wrong | Cause::Refused
            ) && !trouble.reason.contains("certificate")
        }
    };
    if !has_answered {
        let check = if is_encrypted { "TLS" } else { "server" };
        return probed.step(check, seen, |_| String::new()).map(|_| ());
    }
    probed.ok(
        "TLS",
        match is_encrypted {
            true => "agreed on",
            false => "none: anybody on the way can read along",
        },
    );
    let cause = seen.as_ref().err().map(|trouble| trouble.cause);
    let step = match cause {
        Some(Cause::Credentials) => "credentials",
        Some(Cause::Permission) => "permission",
        _ => "object",
    };
    if step != "credentials" {
        probed.ok("credentials", who);
    }
    if step == "object" {
        probed.ok("permission", format!("bucket {}", store.address.bucket));
    }
    probed.step(step, seen, String::clone).map(|_| ())
}

/// Looks at an object, or whether there is one.
async fn look(store: &Store) -> Result<String, Trouble> {
    if let Keys::One(key) = &store.address.keys {
        let (content, _) = store.open(key).await?;
        return Ok(format!("{} of {} bytes", content.key, content.n_bytes));
    }
    let page = store.page(None, None).await?;
    let mut found = page.contents().iter().filter_map(|object| object.key());
    match found.find(|key| store.address.keys.mean(key)) {
        Some(key) => Ok(format!("{key} is the first")),
        None if page.is_truncated() == Some(true) => Ok("none among the first".to_owned()),
        None => Ok("there is none yet".to_owned()),
    }
}

/// Returns host and port of the server, and whether what goes there is encrypted.
fn place(store: &Store) -> Result<(String, u16, bool), String> {
    let Some(endpoint) = &store.endpoint else {
        let (bucket, region) = (&store.address.bucket, &store.region);
        let end = if region.starts_with("cn-") { ".cn" } else { "" };
        return Ok((
            format!("{bucket}.s3.{region}.amazonaws.com{end}"),
            443,
            true,
        ));
    };
    let refuse = || {
        format!(
            "AWS_ENDPOINT_URL is no https://HOST:PORT: {}",
            dataset::without_secrets(endpoint)
        )
    };
    let (scheme, rest) = endpoint.split_once("://").ok_or_else(refuse)?;
    let is_encrypted = match scheme {
        "https" => true,
        "http" => false,
        _ => return Err(refuse()),
    };
    let place = rest.split('/').next().unwrap_or_default();
    let usual = if is_encrypted { 443 } else { 80 };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| refuse())?),
        _ => (place, usual),
    };
    Ok((host.to_owned(), port, is_encrypted))
}
