//! What a refusal by TLS means, told by its words: drivers wrap it until nothing else is left of it.

/// Says what is wrong with a connection and what to do, when some words come from TLS; `trust` is how
/// somebody names the certificates that are trusted.
pub(crate) fn explain(said: &str, trust: &str) -> Option<String> {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if let Some((_, what)) = said.split_once("invalid peer certificate: ") {
        return Some(format!("TLS: {}", of_certificate(what, trust)));
    }
    let advice = if has(&["corrupt message", "handshake eof", "does not support TLS"]) {
        "the server does not speak TLS at this port: switch it on there, or ask for a connection without it"
    } else if has(&["received fatal alert"]) {
        "the server does not take this client: does it want a certificate of it, or another version of TLS?"
    } else {
        return None;
    };
    Some(format!("TLS: {advice}"))
}

fn of_certificate(what: &str, trust: &str) -> String {
    let begins = |words: &[&str]| words.iter().any(|word| what.starts_with(word));
    // An issuer of the same name, but with another key, shows by the signature.
    if begins(&["UnknownIssuer", "BadSignature"]) {
        return format!(
            "the issuer of the server's certificate is not trusted: name a file with the certificate of \
             its issuer, {trust}"
        );
    }
    if begins(&["certificate expired", "Expired"]) {
        return "the server's certificate has expired: have it renewed, and check this machine's clock"
            .to_owned();
    }
    if begins(&["certificate not valid yet", "NotValidYet"]) {
        return "the server's certificate is not valid yet: check the clocks of both machines"
            .to_owned();
    }
    if begins(&["certificate not valid for", "NotValidForName"]) {
        let names = what.split(&[',', '}'][..]).next().unwrap_or_default();
        return format!(
            "the server's certificate is for another name: {names}: write a name that it is for into the \
             address, or have one issued for this name"
        );
    }
    let shown = what.split(", labels").next().unwrap_or_default();
    format!("the server's certificate is refused: {shown}: look at it with `openssl s_client`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &str, expected: Option<&str>) {
        let found = explain(said, "ca=FILE");
        let is_as_expected = match (&found, expected) {
            (Some(found), Some(expected)) => found.contains(expected),
            (found, expected) => found.is_none() && expected.is_none(),
        };
        assert!(is_as_expected, "{said}: {found:?}");
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_with_what_to_do() {
        let of = |what: &str| format!("I/O error: invalid peer certificate: {what}");
        check(&of("UnknownIssuer, labels: {}"), Some("ca=FILE"));
        check(
            &of("certificate expired: verification time 1"),
            Some("has expired"),
        );
        check(&of("NotValidYet"), Some("check the clocks"));
        let name = "certificate not valid for name \"a\"; certificate is only valid for DnsName(\"b\"), labels";
        check(&of(name), Some("only valid for DnsName(\"b\"): write"));
        check(&of("BadSignature"), Some("ca=FILE"));
        check(&of("Revoked, labels: {}"), Some("Revoked: look"));
    }

    #[test]
    fn what_is_no_certificate_is_told_apart() {
        check(
            "received corrupt message of type InvalidContentType",
            Some("does not speak TLS"),
        );
        check(
            "received fatal alert: HandshakeFailure",
            Some("does not take this client"),
        );
        check("connection refused", None);
    }
}
