//! Secrets in addresses, which texts for people must not show.

use std::ops::Range;

/// Stands where a secret was.
pub const MASK: &str = "***";

/// Masks the secrets of every address in a text for people.
pub fn without_secrets(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
    let words = text.split_inclusive(is_end).map(|word| {
        let bare = word.trim_end_matches(is_end);
        // A sentence that goes on behind an address that is masked already.
        let colon = bare.strip_suffix(':').filter(|bare| bare.ends_with(MASK));
        let bare = colon.unwrap_or(bare);
        let start = address_start(bare);
        bare[..start].to_owned() + &masked(&bare[start..], is_secret) + &word[bare.len()..]
    });
    words.collect()
}

/// Returns where the address in a word begins: behind `source=`, say, or a bracket.
fn address_start(word: &str) -> usize {
    let scheme_end = word.find(":/").unwrap_or(0);
    let before = word[..scheme_end].trim_end_matches(is_scheme);
    before.len()
}

/// Writes [`MASK`] in the place of an address's secrets; `is_secret` tells them by the plain names of
/// their parameters, as [`is_secret`] or [`is_surely_secret`] does.
pub fn masked(uri: &str, is_secret: fn(&str) -> bool) -> String {
    let (mut shown, mut from) = (String::new(), 0);
    for place in places(uri, is_secret) {
        shown += &uri[from..place.start];
        shown += MASK;
        from = place.end;
    }
    shown + &uri[from..]
}

/// Returns where secrets stand in an address, in order.
pub fn places(uri: &str, is_secret: fn(&str) -> bool) -> Vec<Range<usize>> {
    let Some((scheme, start)) = authority(uri) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut path = start;
    if let Some(n) = login_length(&uri[start..]) {
        let login = &uri[start..start + n];
        // What stands alone before a web server's name is as a rule a token.
        let is_web = scheme.to_ascii_lowercase().starts_with("http");
        let hidden = login.find(':').map(|at| at + 1).or(is_web.then_some(0));
        found.extend(hidden.map(|at| start + at..start + n));
        path = start + n + 1;
    }
    found.extend(secret_values(uri, path, is_secret));
    found.retain(|place| !place.is_empty());
    found
}

/// Returns the scheme and where the authority begins; nothing for a path. A forgotten slash does not
/// make a password a part of a path.
pub fn authority(uri: &str) -> Option<(&str, usize)> {
    let (scheme, rest) = uri.split_once(":/")?;
    let slash = usize::from(rest.starts_with('/'));
    (scheme.len() > 1 && scheme.chars().all(is_scheme)).then(|| (scheme, scheme.len() + 2 + slash))
}

fn is_scheme(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+-.:".contains(c)
}

/// Returns the length of `user:password`, which ends before an `@`. A password with an unescaped `/`,
/// `?` or `#` is told by what then stands for a port.
pub fn login_length(rest: &str) -> Option<usize> {
    let until = |ends: &[char]| &rest[..rest.find(ends).unwrap_or(rest.len())];
    let authority = until(&['/', '?', '#']);
    if let Some(at) = authority.rfind('@') {
        return Some(at);
    }
    let (host, port) = authority.rsplit_once(':')?;
    if host.starts_with('[') || port.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    until(&['?', '#']).rfind('@').or_else(|| rest.rfind('@'))
}

/// Returns where the values of secret parameters stand: behind `?` and `#`, and behind `;` where there
/// is no `?`.
fn secret_values(uri: &str, path: usize, is_secret: fn(&str) -> bool) -> Vec<Range<usize>> {
    let ends: &[char] = match uri[path..].contains('?') {
        true => &['?', '&', '#'],
        false => &[';', '&', '#'],
    };
    let mut at = path;
    let mut found = Vec::new();
    for (i, part) in uri[path..].split(ends).enumerate() {
        let named = part.split_once('=').filter(|_| i > 0);
        if let Some((name, _)) = named
            && is_secret(&plain(name))
        {
            found.push(at + name.len() + 1..at + part.len());
        }
        at += part.len() + 1;
    }
    found
}

/// Writes a parameter's name without percent signs, separators and capitals.
fn plain(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = behind.get(..2).filter(|_| *first == b'%');
        let hex = hex.and_then(|digits| std::str::from_utf8(digits).ok());
        let code = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = &behind[if code.is_some() { 2 } else { 0 }..];
    }
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    text.replace(['-', '_', '.'], "")
}

/// Returns whether a parameter is shown by nobody: one that may be a secret is treated as one.
pub fn is_secret(name: &str) -> bool {
    const POSSIBLE: [&str; 6] = ["key", "auth", "code", "sid", "pw", "psw"];
    // A password under a misspelt name is one still.
    let is_like_one = name.starts_with("pas") || name.contains("session");
    is_surely_secret(name) || is_like_one || POSSIBLE.contains(&name)
}

/// Returns whether a parameter says who asks, and never what is asked for.
pub fn is_surely_secret(name: &str) -> bool {
    const WORDS: [&str; 15] = [
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "signature",
        "credential",
        "apikey",
        "accesskey",
        "privatekey",
        "authorization",
        "bearer",
        "jwt",
        // MongoDB's, among which is a token of a session.
        "authmechanismproperties",
    ];
    // A name of several words is a piece of a query.
    let is_name = !name.contains(char::is_whitespace);
    let is_signed = name.starts_with("xamz") || name.starts_with("xgoog") || name == "sig";
    is_name && (is_signed || WORDS.iter().any(|word| name.contains(word)))
}

#[cfg(test)]
mod tests;
