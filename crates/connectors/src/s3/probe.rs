//! Whether objects can be read: one step after another, so that the failing one is named.

use dataset::SourceUri;

use super::{
    address::Keys,
    blobs::S3Blobs,
    connection::{Connection, Store},
};
use crate::{
    aws::{Place, Way, approach, official},
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
    let connection = probed.step("address", Connection::open(uri), place_of)?;
    reach(&connection, probed)
}

/// Tries what leads to a registry as well, and whether its bucket is as a registry wants it.
pub(crate) fn probe_registry(uri: &SourceUri) -> Probed {
    let mut probed = Probed::default();
    // What ended it stands in the list.
    let _ = steps_to_registry(uri, &mut probed);
    probed
}

fn steps_to_registry(uri: &SourceUri, probed: &mut Probed) -> Result<(), Ended> {
    let blobs = probed.step("address", S3Blobs::open(uri), |b| place_of(b.connection()))?;
    reach(blobs.connection(), probed)?;
    match blobs.see_versions() {
        Ok(said) => probed.ok("versions", said),
        Err(why) => probed.warn("versions", why),
    }
    match blobs.try_out() {
        Err(trouble) if trouble.cause == Cause::Permission => {
            let why = trouble.reason;
            probed.warn(
                "writing",
                format!("{why}: enough for a server, too little for a run"),
            );
        }
        outcome => {
            probed.step("writing", outcome, |()| {
                "of two writers one is told so".to_owned()
            })?;
        }
    }
    Ok(())
}

fn place_of(connection: &Connection) -> String {
    let store = &connection.store;
    format!("bucket {}, region {}", store.address.bucket, store.region)
}

/// Tries name, port, TLS, credentials and permission of a bucket.
fn reach(connection: &Connection, probed: &mut Probed) -> Result<(), Ended> {
    let store = &connection.store;
    let trouble = |asked: &str, cause, reason| store.trouble(asked, cause, reason);
    let location = &store.address.location;
    let way = approach(probed, location, place(store), trouble)?;
    ask(connection, &way, probed)
}

/// Asks the server: what it says tells TLS, credentials and permission apart.
fn ask(connection: &Connection, way: &Way, probed: &mut Probed) -> Result<(), Ended> {
    let store = &connection.store;
    let who = match connection.block_on(store.log_in()) {
        Ok(Some(found)) => format!("key {} accepted", found.access_key_id()),
        Ok(None) => "none: requests are not signed".to_owned(),
        Err(trouble) => return probed.step("credentials", Err(trouble), |(): &()| String::new()),
    };
    let tls = match way.is_encrypted {
        true => "agreed on",
        false => "none: anybody on the way can read along",
    };
    if let Err(trouble) = connection.block_on(check_is_s3(store)) {
        return probed.step("server", Err(trouble), |()| String::new());
    }
    let seen = connection.block_on(look(store));
    let seen = seen.map_err(|trouble| way.named(trouble));
    let (n_passed, last) = match &seen {
        Ok(_) => (3, "object"),
        Err(trouble) => failing(trouble, way.is_encrypted),
    };
    let steps = [
        ("TLS", tls.to_owned()),
        ("credentials", who),
        ("permission", format!("bucket {}", store.address.bucket)),
    ];
    for (check, said) in steps.into_iter().take(n_passed) {
        probed.ok(check, said);
    }
    probed.step(last, seen, String::clone).map(|_| ())
}

/// Returns how many of TLS, credentials and permission a failure says are right, and what is not.
fn failing(trouble: &Trouble, is_encrypted: bool) -> (usize, &'static str) {
    match trouble.cause {
        Cause::Credentials => (1, "credentials"),
        Cause::Permission => (2, "permission"),
        // Who asks for what is not there may not have been looked at.
        Cause::Missing if trouble.reason.contains("NoSuchBucket") => (1, "bucket"),
        Cause::Missing => (3, "object"),
        Cause::Tls => (0, "TLS"),
        Cause::Wrong | Cause::Refused => (1, "object"),
        _ if is_encrypted => (0, "TLS"),
        _ => (0, "server"),
    }
}

/// Refuses a server that answers, but not as S3 does: whatever it is asked with, it would seem to accept.
async fn check_is_s3(store: &Store) -> Result<(), Trouble> {
    let asked = "list objects";
    match store.page(None, Some(1)).await {
        Err(trouble) if is_foreign(&trouble) => {
            let reason = format!("{}, but not as S3 does", trouble.reason);
            Err(store.trouble(asked, Cause::Unreachable, reason))
        }
        _ => Ok(()),
    }
}

/// Returns whether a failure to list lacks the code that S3 gives with every status.
fn is_foreign(trouble: &Trouble) -> bool {
    let status = trouble.reason.strip_prefix("it answers ");
    let is_bare = status.is_some_and(|status| status.chars().all(|c| c.is_ascii_digit()));
    is_bare
        && matches!(
            trouble.cause,
            Cause::Missing | Cause::Wrong | Cause::Refused
        )
}

/// Looks at an object, or whether there is one.
async fn look(store: &Store) -> Result<String, Trouble> {
    if let Keys::One(key) = &store.address.keys {
        let (content, _) = store.open(key).await?;
        return Ok(format!("{} of {} bytes", content.key, content.n_bytes));
    }
    let page = store.page(None, None).await?;
    match store.meant(&page).next() {
        Some(key) => Ok(format!("{key} is the first")),
        None if page.is_truncated() == Some(true) => Ok("none among the first".to_owned()),
        None => Ok("there is none yet".to_owned()),
    }
}

fn place(store: &Store) -> Result<Place, String> {
    match &store.endpoint {
        Some(endpoint) => Place::of(endpoint),
        None => Ok(Place {
            host: official(&format!("{}.s3", store.address.bucket), &store.region),
            port: 443,
            is_encrypted: true,
        }),
    }
}
