//! Whether an HTTP address can be read: one step after another, so that the failing one is named.

use dataset::{SourceError, SourceUri};

use super::{
    address::Address,
    client::{Answer, Client, Trouble},
};
use crate::probe::{Ended, Probed, listed, peer, reach, resolve};

/// Tries name, port, TLS and the answer; ends with the first that fails.
pub(crate) fn probe(uri: &SourceUri) -> Probed {
    let mut probed = Probed::default();
    // What ended it stands in the list.
    let _ = steps(uri, &mut probed);
    probed
}

fn steps(uri: &SourceUri, probed: &mut Probed) -> Result<(), Ended> {
    let address = probed.step("address", Address::parse(uri), |a| a.url.path().to_owned())?;
    let mut client = probed.step("client", Client::new(&address), |client| {
        match client.has_credentials() {
            true => "with credentials".to_owned(),
            false => "no credentials given".to_owned(),
        }
    })?;
    let unavailable = |reason: String| SourceError::Unavailable {
        location: address.location.clone(),
        reason,
    };
    let host = address.url.host_str().unwrap_or_default();
    let port = address.url.port_or_known_default().unwrap_or(443);
    let found = probed.step("name", resolve(host, port).map_err(unavailable), |found| {
        listed(found)
    })?;
    let reached = reach(&found).map_err(unavailable);
    let at = probed.step("port", reached, |at| format!("{at} answers"))?;
    let is_encrypted = address.url.scheme() == "https";
    let asked = client.ask(&address.url, &[("range", "bytes=0-0")]);
    let is_unheard = asked.as_ref().is_err_and(|trouble| trouble.is_unheard);
    if is_unheard && let Some(said) = peer::instead(at, peer::WEB) {
        return probed.step("server", Err(unavailable(said)), |()| String::new());
    }
    probed.step(
        "TLS",
        tls(&asked, is_encrypted).map_err(unavailable),
        |said| (*said).to_owned(),
    )?;
    let answer = asked.map_err(|trouble| unavailable(trouble.reason));
    probed.step("answer", answer, |answer| {
        format!("{} from {}", answer.status, answer.url.path())
    })?;
    Ok(())
}

/// Tells trouble with TLS from what the server answers.
fn tls(asked: &Result<Answer, Trouble>, is_encrypted: bool) -> Result<&'static str, String> {
    match asked {
        Err(trouble) if trouble.reason.starts_with("TLS") => Err(trouble.reason.clone()),
        _ if is_encrypted => Ok("agreed on"),
        _ => Ok("none: anybody on the way can read along"),
    }
}
