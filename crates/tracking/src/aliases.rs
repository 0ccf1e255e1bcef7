//! The aliases of a registered model, and which versions are withdrawn, as our registry's history has them.

use std::collections::BTreeMap;

use registry::{Entry, History, Registry, RegistryError};

use crate::{
    TrackingError,
    server::{RemoteVersion, Server},
};

/// How often a server is told anew of a history that grows meanwhile: whoever makes it grow tells it as well.
const MAX_ROUNDS: usize = 5;

/// Lets `champion` and `challenger` name what they name here, and marks what is withdrawn. An alias whose version the
/// server does not know is removed there: one that names another version would say what is not so. But a champion that a
/// rollback would go back to is named until the one that took its place is there: whoever loads by the alias would have
/// none. Where the champion is one that nobody loads who trusts the same keys, they stay as they are; where the
/// challenger is, that one does. So they do, and the marks, where the model follows the history of another registry: two
/// would take away from each other what they have set.
///
/// # Errors
/// [`TrackingError::Unaligned`] where the champion is such a one, or what asking fails with.
pub(crate) fn align(
    server: &Server,
    registry: &Registry,
    name: &str,
    history: &History,
) -> Result<(), TrackingError> {
    if let Some(origin) = history.origin() {
        let origin = origin.to_string();
        let entries = history.entries().iter();
        let bundles = entries.map(|entry| entry.bundle.to_string()).collect();
        if !server.follows(name, &origin, &bundles)? {
            server.remark(format!(
                "`{name}` follows the history of another registry on the server: its aliases and marks stay as they are; \
                 use that registry, or give the model a name of its own (--model); where this one is to be followed, set \
                 the tag `netsec.history` of the model on the server to {origin}"
            ));
            return Ok(());
        }
    }
    let mut told = history.clone();
    for _ in 0..MAX_ROUNDS {
        align_once(server, registry, name, &told)?;
        // While the server was told, somebody else may have decided, and have told it before.
        let now = registry.history(name)?;
        if now.entries().len() == told.entries().len() {
            return Ok(());
        }
        told = now;
    }
    Ok(())
}

fn align_once(
    server: &Server,
    registry: &Registry,
    name: &str,
    history: &History,
) -> Result<(), TrackingError> {
    registry
        .check_champion(name, history)
        .map_err(|error| TrackingError::unaligned(name, error))?;
    let versions = server.versions(name)?;
    let predecessors = history.predecessors();
    let set = |alias, entry, instead| {
        let alias = Alias {
            server,
            name,
            alias,
        };
        alias.set(entry, instead, &versions)
    };
    set("champion", history.champion(), &predecessors)?;
    match registry.challenger(name, history) {
        Err(unsigned @ RegistryError::Untrusted { .. }) => server.remark(format!(
            "the alias `challenger` of `{name}` stays as it is: {unsigned}"
        )),
        challenger => set("challenger", challenger?, &[])?,
    }
    // Last: the aliases are what is loaded by, and a server that refuses the mark keeps none on what is withdrawn.
    mark_withdrawn(server, name, history, &versions)
}

/// Marks the versions that nobody loads here any more: the server goes on giving what it has to whoever asks. One that is no
/// longer withdrawn, since an entry by which it was does not count, loses the mark; others' versions are left alone.
fn mark_withdrawn(
    server: &Server,
    name: &str,
    history: &History,
    versions: &[RemoteVersion],
) -> Result<(), TrackingError> {
    let ours = history.versions().into_iter();
    let is_withdrawn = |version: u64| history.withdrawal(version).is_some();
    let ours: BTreeMap<String, bool> = ours
        .map(|v| (v.bundle.to_string(), is_withdrawn(v.version)))
        .collect();
    for version in versions {
        let known = version.bundle.as_ref().and_then(|b| ours.get(b));
        if let Some(is_withdrawn) = known.filter(|is| **is != version.is_withdrawn) {
            server.set_withdrawn(name, &version.version, *is_withdrawn)?;
        }
    }
    Ok(())
}

/// An alias of a registered model.
struct Alias<'a> {
    server: &'a Server,
    name: &'a str,
    alias: &'a str,
}

impl Alias<'_> {
    /// Lets it name the version of an entry. Where the server has none, it goes on naming that of one of some others, or
    /// none.
    fn set(
        &self,
        entry: Option<&Entry>,
        others: &[&Entry],
        versions: &[RemoteVersion],
    ) -> Result<(), TrackingError> {
        let Self {
            server,
            name,
            alias,
        } = *self;
        let version = entry.and_then(|entry| find(versions, entry));
        if let (Some(entry), None) = (entry, version) {
            let stays = self.names_one_of(others, versions)?;
            let meanwhile = match stays {
                true => format!("`{alias}` names the one before it there"),
                false => format!("`{alias}` names nothing there"),
            };
            server.remark(format!(
                "`{name}` version {} is not on the server, and {meanwhile}, until its run is sent: `netsec tracking \
                 sync {}`",
                entry.version,
                entry.run_word()
            ));
            if stays {
                return Ok(());
            }
        }
        server.set_alias(name, alias, version)
    }

    fn names_one_of(
        &self,
        entries: &[&Entry],
        versions: &[RemoteVersion],
    ) -> Result<bool, TrackingError> {
        let mut known = entries
            .iter()
            .filter_map(|entry| find(versions, entry))
            .peekable();
        if known.peek().is_none() {
            return Ok(false);
        }
        let named = self.server.aliased(self.name, self.alias)?;
        Ok(named.is_some_and(|named| known.any(|version| version == named)))
    }
}

fn find<'a>(versions: &'a [RemoteVersion], entry: &Entry) -> Option<&'a str> {
    let bundle = entry.bundle.to_string();
    let mut versions = versions.iter();
    let found = versions.find(|version| version.bundle.as_ref() == Some(&bundle));
    found.map(|version| version.version.as_str())
}
