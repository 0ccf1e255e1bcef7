//! What else than an address says what is read: where the server is, and as whom it is asked.

use std::path::Path;

use artifact::{Digest, read_bounded};

/// What says it of every service, whoever asks.
const PLACES: [&str; 7] = [
    "AWS_ENDPOINT_URL",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    // Where the files of profiles are, unless they are named.
    "HOME",
];
const KEY: &str = "AWS_ACCESS_KEY_ID";
/// The files of profiles: the variable that names each, and where it is in `HOME` otherwise.
const PROFILES: [(&str, &str); 2] = [
    ("AWS_CONFIG_FILE", ".aws/config"),
    ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
];
const MAX_PROFILES_BYTES: u64 = 1 << 20;

/// Returns a digest of the environment; a service has further variables that say where it is.
pub(crate) fn identity(is_anonymous: bool, places: &[&str]) -> Digest {
    digest(is_anonymous, places, &variable)
}

fn digest(
    is_anonymous: bool,
    places: &[&str],
    variable: &dyn Fn(&str) -> Option<String>,
) -> Digest {
    let names = places.iter().copied().chain(PLACES);
    // A key that comes with a token is another one each hour; but whose it is, it alone says.
    let names = names.chain((!is_anonymous).then_some(KEY));
    let values = names.map(|name| format!("{name}={}\0", variable(name).unwrap_or_default()));
    let mut bytes = values.collect::<String>().into_bytes();
    if !is_anonymous {
        // A profile may be given another key under its name.
        let profiles = PROFILES.map(|file| contents(file, variable));
        profiles.iter().for_each(|p| bytes.extend(p.as_bytes()));
    }
    Digest::of(&bytes)
}

/// Digests a file of profiles; one that is not there is as one that is empty.
fn contents((named, usual): (&str, &str), variable: &dyn Fn(&str) -> Option<String>) -> Digest {
    let usual = || Some(Path::new(&variable("HOME")?).join(usual));
    let path = variable(named).map(Into::into).or_else(usual);
    let bytes = path.and_then(|path| read_bounded(&path, MAX_PROFILES_BYTES).ok());
    Digest::of(&bytes.unwrap_or_default())
}

/// Returns a variable's value; an empty one is none.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(is_anonymous: bool, one: &str, other: &str, is_same: bool) {
        let of = |text: &str| {
            digest(is_anonymous, &["AWS_REGION"], &|name| {
                let mut set = text.split(' ').filter_map(|part| part.split_once('='));
                set.find(|(n, _)| *n == name).map(|(_, v)| v.to_owned())
            })
        };
        assert_eq!(of(one) == of(other), is_same, "{one} / {other}");
    }

    #[test]
    fn sources_are_kept_apart_by_place_and_key() {
        let [a, b] = ["AWS_ACCESS_KEY_ID=a", "AWS_ACCESS_KEY_ID=b"];
        check(false, a, b, false);
        check(true, a, b, true);
        let token = |key: &str, token: &str| format!("{key} AWS_SESSION_TOKEN={token}");
        check(false, &token(a, "x"), &token(b, "x"), false);
        check(false, &token(a, "x"), &token(a, "y"), true);
        check(false, "AWS_CONFIG_FILE=a", "AWS_CONFIG_FILE=b", false);
        check(true, "AWS_ENDPOINT_URL=a", "AWS_ENDPOINT_URL=b", false);
        check(true, "AWS_REGION=a", "AWS_REGION=b", false);
    }

    #[test]
    fn a_profile_that_is_given_another_key_is_somebody_else() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".aws/credentials");
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let of = |is_anonymous, key: &str| {
            std::fs::write(&file, format!("[default]\naws_access_key_id = {key}\n")).unwrap();
            let home = home.path().display().to_string();
            digest(is_anonymous, &[], &|name| {
                (name == "HOME").then(|| home.clone())
            })
        };
        assert_eq!(of(false, "a"), of(false, "a"));
        assert_ne!(of(false, "a"), of(false, "b"));
        assert_eq!(of(true, "a"), of(true, "b"));
    }
}
