//! Who asks: from the address and the environment, and to whom it is shown.

use artifact::{
    Digest,
    secrets::{is_surely_secret, places},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Origin, Url};

use super::{HEADER_VARIABLE, QUERY_VARIABLE, TOKEN_VARIABLE, address::Address};
use crate::parameter::decode;

/// What is escaped in a parameter: all that RFC 3986 reserves or does not know.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What is sent to one origin, and to no other that it redirects or links to.
pub(super) struct Credentials {
    origin: Origin,
    headers: Vec<(String, String)>,
    query: Option<(String, String)>,
}

impl Credentials {
    /// Gathers those of an address; `variable` reads the environment.
    pub(super) fn of(
        address: &Address,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut headers = Vec::new();
        if let Some((user, password)) = &address.login {
            let login = base64(format!("{user}:{password}").as_bytes());
            headers.push(("authorization".to_owned(), format!("Basic {login}")));
        } else if let Some(token) = variable(TOKEN_VARIABLE) {
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        if let Some(header) = variable(HEADER_VARIABLE) {
            headers.push(
                halves(&header, ':').ok_or(format!("{HEADER_VARIABLE} is no `Name: value`"))?,
            );
        }
        let query = variable(QUERY_VARIABLE)
            .map(|given| halves(&given, '=').ok_or(format!("{QUERY_VARIABLE} is no `name=value`")));
        Ok(Self {
            origin: address.url.origin(),
            headers,
            query: query.transpose()?,
        })
    }

    pub(super) fn are_none(&self) -> bool {
        self.headers.is_empty() && self.query.is_none()
    }

    /// Says who asks for a URL, so that what is given to one is told from what is given to another, by digests: the
    /// name of a login may be the same for all, and its password the token.
    pub(super) fn who(&self, url: &Url) -> String {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), sealed(value)));
        let query = self
            .query
            .iter()
            .map(|(name, value)| (name.clone(), sealed(value)));
        // What stands for a secret in the address, and does not count in its fingerprint.
        let address = places(url.as_str(), is_surely_secret).into_iter();
        let address = address.map(|place| (String::new(), sealed(&url.as_str()[place])));
        let all: Vec<(String, String)> = headers.chain(query).chain(address).collect();
        format!("{all:?}")
    }

    /// Returns whether they are sent to a URL.
    pub(super) fn are_for(&self, url: &Url) -> bool {
        url.origin() == self.origin
    }

    /// Returns the headers to send to a URL.
    pub(super) fn headers(&self, url: &Url) -> &[(String, String)] {
        match self.are_for(url) {
            true => &self.headers,
            false => &[],
        }
    }

    /// Returns the URL to ask for: with the parameter where it is meant.
    pub(super) fn complete(&self, url: &Url) -> Url {
        match &self.query {
            Some((name, value)) if self.are_for(url) => with_parameter(url, name, value),
            _ => url.clone(),
        }
    }
}

/// Returns a URL with a parameter of the query set, in the place of one of that name; the others stay as
/// they are written.
pub(super) fn with_parameter(url: &Url, name: &str, value: &str) -> Url {
    let is_other = |part: &&str| {
        let (found, _) = part.split_once('=').unwrap_or((part, ""));
        !part.is_empty() && decode(&found.replace('+', " ")).as_deref() != Ok(name)
    };
    let others = url.query().unwrap_or_default().split('&').filter(is_other);
    let escape = |text| utf8_percent_encode(text, RESERVED).to_string();
    let own = format!("{}={}", escape(name), escape(value));
    let parts: Vec<&str> = others.chain([own.as_str()]).collect();
    let mut completed = url.clone();
    completed.set_query(Some(&parts.join("&")));
    completed
}

/// Digests a secret so often that a short one cannot be guessed from the digest at leisure.
fn sealed(secret: &str) -> String {
    const ROUNDS: u32 = 1 << 16;
    let first = Digest::of(secret.as_bytes());
    let last = (0..ROUNDS).fold(first, |digest, _| Digest::of(digest.as_bytes()));
    last.to_string()
}

fn halves(text: &str, separator: char) -> Option<(String, String)> {
    let (name, value) = text.split_once(separator)?;
    let (name, value) = (name.trim(), value.trim());
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use dataset::SourceUri;

    use super::*;

    fn check(uri: &str, variables: &[(&str, &str)], asked: &str, expected: &str) {
        let address = Address::parse(&SourceUri::new(uri)).unwrap();
        let variable = |name: &str| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let found = match Credentials::of(&address, variable) {
            Ok(credentials) => {
                let url = Url::parse(asked).unwrap();
                let headers = credentials.headers(&url).iter();
                let headers: Vec<String> = headers.map(|(n, v)| format!("{n}: {v}")).collect();
                format!("{} {}", credentials.complete(&url), headers.join(", "))
            }
            Err(reason) => reason,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn they_go_to_the_origin_of_the_address_alone() {
        let all = [
            (TOKEN_VARIABLE, "t"),
            (HEADER_VARIABLE, "X-Key: k:1"),
            (QUERY_VARIABLE, "key=a b"),
        ];
        let same = "https://h.example/y?z=1";
        let sent = "https://h.example/y?z=1&key=a%20b authorization: Bearer t, X-Key: k:1";
        check("https://h.example/x", &all, same, sent);
        for other in [
            "https://g.example/y",
            "http://h.example/y",
            "https://h.example:8443/y",
        ] {
            check("https://h.example/x", &all, other, &format!("{other} "));
        }
    }

    #[test]
    fn those_are_told_apart_who_may_be_given_something_else() {
        let who = |uri: &str, token: &str| {
            let address = Address::parse(&SourceUri::new(uri)).unwrap();
            let variable = |name: &str| (name == TOKEN_VARIABLE).then(|| token.to_owned());
            Credentials::of(&address, variable)
                .unwrap()
                .who(&address.url)
        };
        let plain = "https://h.example/x";
        assert_ne!(who(plain, "s3cret-a"), who(plain, "s3cret-b"));
        assert!(!who(plain, "s3cret-a").contains("s3cret"));
        assert_ne!(
            who("https://h/x?api_key=a", "t"),
            who("https://h/x?api_key=b", "t")
        );
        assert_ne!(
            who("https://h/x?signature=a", "t"),
            who("https://h/x?signature=b", "t")
        );
        assert_ne!(who("https://t0ken@h/x", "t"), who("https://t1ken@h/x", "t"));
        // The name may be the same for all, and the password the token.
        assert_ne!(who("https://u:one@h/x", "t"), who("https://u:two@h/x", "t"));
        assert_ne!(who("https://u:p@h/x", "t"), who("https://v:p@h/x", "t"));
    }

    #[test]
    fn a_parameter_takes_the_place_of_one_of_its_name_and_of_no_other() {
        let url = Url::parse("https://h/x?page=7&q=a%20b+c&flag&s=%E9&p%61ge=8").unwrap();
        let found = with_parameter(&url, "page", "9&");
        assert_eq!(found.as_str(), "https://h/x?q=a%20b+c&flag&s=%E9&page=9%26");
        let found = with_parameter(&url, "api_key", "a-b.c~/");
        assert!(found.as_str().ends_with("&api_key=a-b.c~%2F"), "{found}");
    }

    #[test]
    fn a_login_in_the_address_goes_before_a_token() {
        let sent = "https://h.example/y authorization: Basic dTpw";
        check(
            "https://u:p@h.example/x",
            &[(TOKEN_VARIABLE, "t")],
            "https://h.example/y",
            sent,
        );
    }

    #[test]
    fn what_is_neither_header_nor_parameter_is_refused_without_being_shown() {
        for (name, expected) in [
            (HEADER_VARIABLE, "NETSEC_HTTP_HEADER is no `Name: value`"),
            (QUERY_VARIABLE, "NETSEC_HTTP_QUERY is no `name=value`"),
        ] {
            check(
                "https://h.example/x",
                &[(name, "s3cret")],
                "https://h.example/",
                expected,
            );
        }
    }
}
