//! Variables of the environment that look like ours and that no program of ours reads.

use artifact::yaml::nearest;

/// Every variable that one of our programs reads: an environment may be for several of them.
const EXAMPLE: &str = include_str!("../../../.env.example");
const PREFIX: &str = "NETSEC_";
/// What keys of the configuration begin with: which of them there are is checked where they are read.
const OF_KEYS: &str = "NETSEC__";
/// What Kubernetes sets in every pod beside a service that is called `netsec`.
const OF_KUBERNETES: [&str; 2] = ["NETSEC_SERVICE_", "NETSEC_PORT_"];

/// Says of each variable that looks like ours that nothing reads it, and which one it may have been meant for: a slip of
/// the hand in `NETSEC_TRUSTED_KEYS` would turn off what it is to turn on.
pub fn unread_variables() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    unread(names)
}

fn unread(names: impl Iterator<Item = String>) -> Vec<String> {
    let others = |name: &String| !OF_KUBERNETES.iter().any(|of| name.starts_with(of));
    names
        .filter(|name| is_ours(name) && others(name) && !known().any(|known| known == name))
        .map(|name| match meant(&name) {
            Some(meant) => format!("{name} is read by nothing: is {meant} meant?"),
            None => format!(
                "{name} is read by nothing: keys are set with two underscores, {OF_KEYS}SEED=7"
            ),
        })
        .collect()
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) && !name.starts_with(OF_KEYS)
}

fn known() -> impl Iterator<Item = &'static str> {
    EXAMPLE.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix('#').unwrap_or(line).split_once('=')?;
        is_ours(name).then_some(name)
    })
}

/// Returns the variable that a name is a slip of the hand for, if it looks like one.
fn meant(name: &str) -> Option<String> {
    let rest = |name: &'static str| name.strip_prefix(PREFIX);
    let near = nearest(name.strip_prefix(PREFIX)?, known().filter_map(rest))?;
    Some(format!("{PREFIX}{near}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_reads_is_named_with_what_may_be_meant() {
        let names = [
            "NETSEC_TRUSTED_KEY",
            "NETSEC_TRUSTED_KEYS",
            "NETSEC_SEED",
            "NETSEC__SEED",
            "NETSEC_SERVICE_HOST",
            "NETSEC_PORT",
            "NETSEC_PORT_80_TCP",
            "TRUSTED_KEY",
        ];
        let said = unread(names.into_iter().map(str::to_owned));
        assert_eq!(
            said,
            [
                "NETSEC_TRUSTED_KEY is read by nothing: is NETSEC_TRUSTED_KEYS meant?",
                "NETSEC_SEED is read by nothing: keys are set with two underscores, NETSEC__SEED=7",
            ]
        );
    }
}
