use std::collections::BTreeSet;

use artifact::yaml::{self, Value};

use super::*;

const REFERENCE: &str = include_str!("../../../../docs/netsec.yaml");

/// Collects the dotted keys of all maps.
fn keys(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
    for (name, inner) in value.as_mapping().into_iter().flatten() {
        let key = format!("{prefix}.{}", name.as_str().unwrap());
        keys(&key, inner, into);
        into.insert(key);
    }
}

#[test]
fn the_reference_file_is_the_default_configuration() {
    let parsed: Config = yaml::parse(REFERENCE).unwrap();
    assert_eq!(parsed, Config::default());
}

#[test]
fn the_reference_file_names_every_key() {
    let (mut named, mut known) = (BTreeSet::new(), BTreeSet::new());
    keys("", &yaml::parse(REFERENCE).unwrap(), &mut named);
    keys("", &yaml::to_value(&Config::default()).unwrap(), &mut known);
    assert!(known.len() > 50, "{known:?}");
    assert_eq!(named, known);
}

#[test]
fn the_reference_file_comments_every_key() {
    let lines: Vec<&str> = REFERENCE.lines().map(str::trim).collect();
    for pair in lines.windows(2) {
        // The items of a list are no keys: what is said of it stands above it.
        let is_key = !pair[1].is_empty() && !pair[1].starts_with(['#', '-']);
        assert!(!is_key || pair[0].starts_with("# "), "{}", pair[1]);
    }
}
