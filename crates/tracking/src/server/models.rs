//! Registered models, their versions and aliases.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Server, none_if, tag, tags_json, text};
use crate::{
    TrackingError,
    client::{Call, Verb},
};

/// The tag that a version is found again by: the digest of our bundle.
pub(crate) const BUNDLE_TAG: &str = "netsec.bundle";

/// The tag of a registered model that says whose history its aliases follow.
const HISTORY_TAG: &str = "netsec.history";

/// The tag by which it is seen on the server that a version was withdrawn here, and what it says then.
const STATUS_TAG: &str = "netsec.status";
const WITHDRAWN: &str = "withdrawn";

/// A version on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteVersion {
    /// The server's own number, which need not be ours.
    pub version: String,
    pub bundle: Option<String>,
    /// Whether it is marked as withdrawn.
    pub is_withdrawn: bool,
}

impl Server {
    /// Returns whether the server keeps models, and remarks that it does not.
    pub(crate) fn keeps_models(&self) -> Result<bool, TrackingError> {
        let path = "mlflow/registered-models/search";
        self.if_it_keeps_models(|| self.get(path, &[("max_results", "1")]).map(drop))
    }

    /// Does what asks for the model registry, and returns whether the server has all of it that this takes; what it lacks
    /// is remarked.
    pub(crate) fn if_it_keeps_models(
        &self,
        ask: impl FnOnce() -> Result<(), TrackingError>,
    ) -> Result<bool, TrackingError> {
        match ask() {
            Err(TrackingError::Absent { call, status, .. }) => {
                // What is no MLflow has none of its calls, or is a proxy whose server is away.
                self.is_mlflow()?;
                self.remark(format!(
                    "the server has no model registry, or not all of it (no call {call}: {status}): runs and artifacts \
                     alone are logged"
                ));
                Ok(false)
            }
            asked => asked.map(|()| true),
        }
    }

    /// Finds or makes a registered model.
    pub(crate) fn model(&self, name: &str) -> Result<(), TrackingError> {
        let find = || {
            let asked = self.get("mlflow/registered-models/get", &[("name", name)]);
            Ok(none_if(asked, "RESOURCE_DOES_NOT_EXIST")?.map(|_| ()))
        };
        let path = "mlflow/registered-models/create";
        self.ensure(find, path, &json!({"name": name}), |_| Some(()))
    }

    /// Lets the aliases of a registered model follow a history, unless they follow another one, or may do so since the model
    /// has other bundles than those of this one; returns whether they do.
    pub(crate) fn follows(
        &self,
        name: &str,
        history: &str,
        bundles: &BTreeSet<String>,
    ) -> Result<bool, TrackingError> {
        let asked = self.get("mlflow/registered-models/get", &[("name", name)]);
        let Some(found) = none_if(asked, "RESOURCE_DOES_NOT_EXIST")? else {
            return Ok(true);
        };
        if let Some(followed) = tag(&found["registered_model"]["tags"], HISTORY_TAG) {
            return Ok(followed == history);
        }
        let there = self.versions(name)?.into_iter();
        if !there
            .filter_map(|version| version.bundle)
            .all(|bundle| bundles.contains(&bundle))
        {
            return Ok(false);
        }
        let body = json!({"name": name, "key": HISTORY_TAG, "value": history});
        match self.post("mlflow/registered-models/set-tag", &body) {
            // Whose they are is known to nobody then.
            Err(error) if error.is_absence() => Ok(true),
            set => set.map(|_| true),
        }
    }

    /// Returns the versions of a model, none where there is no such model.
    pub(crate) fn versions(&self, name: &str) -> Result<Vec<RemoteVersion>, TrackingError> {
        let filter = format!("name = '{name}'");
        let mut found = Vec::new();
        let mut page = String::new();
        loop {
            let mut query = vec![("filter", filter.as_str()), ("max_results", "200")];
            if !page.is_empty() {
                query.push(("page_token", page.as_str()));
            }
            let answer = self.get("mlflow/model-versions/search", &query)?;
            let versions = answer["model_versions"].as_array().into_iter().flatten();
            found.extend(versions.filter_map(RemoteVersion::read));
            page = answer["next_page_token"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if page.is_empty() {
                return Ok(found);
            }
        }
    }

    /// Finds or makes the version that holds a bundle.
    pub(crate) fn version_of(
        &self,
        name: &str,
        bundle: &str,
        source: (&str, &str),
        tags: &[(String, String)],
    ) -> Result<RemoteVersion, TrackingError> {
        let find = || {
            let mut versions = self.versions(name)?.into_iter();
            Ok(versions.find(|version| version.bundle.as_deref() == Some(bundle)))
        };
        let (run_id, place) = source;
        let body = json!({
            "name": name, "source": place, "run_id": run_id, "tags": tags_json(tags),
        });
        self.ensure(find, "mlflow/model-versions/create", &body, |made| {
            RemoteVersion::read(&made["model_version"])
        })
    }

    /// Marks a version as withdrawn, or takes the mark away; where the server's versions have no tags, that is remarked.
    pub(crate) fn set_withdrawn(
        &self,
        name: &str,
        version: &str,
        is_withdrawn: bool,
    ) -> Result<(), TrackingError> {
        let mut body = json!({"name": name, "version": version, "key": STATUS_TAG});
        let call = if is_withdrawn {
            "set-tag"
        } else {
            "delete-tag"
        };
        let path = format!("api/2.0/mlflow/model-versions/{call}");
        let verb = match is_withdrawn {
            true => {
                body["value"] = json!(WITHDRAWN);
                Verb::Post(&body)
            }
            false => Verb::Delete(&body),
        };
        match self.client.call(&Call { path: &path, verb }) {
            Err(error) if error.is_absence() => {
                self.remark("the server knows no tags of versions: withdrawn ones are not marked");
                Ok(())
            }
            set => set.map(|_| ()),
        }
    }

    /// Returns the version that an alias names, if it names one.
    pub(crate) fn aliased(&self, name: &str, alias: &str) -> Result<Option<String>, TrackingError> {
        let query = [("name", name), ("alias", alias)];
        match self.get("mlflow/registered-models/alias", &query) {
            // Servers have several ways to say that there is none.
            Err(TrackingError::Refused { .. } | TrackingError::Absent { .. }) => Ok(None),
            asked => Ok(text(&asked?["model_version"]["version"])),
        }
    }

    /// Lets an alias name a version, or none; where the server has no aliases, that is remarked.
    pub(crate) fn set_alias(
        &self,
        name: &str,
        alias: &str,
        version: Option<&str>,
    ) -> Result<(), TrackingError> {
        let path = "api/2.0/mlflow/registered-models/alias";
        let body = match version {
            Some(version) => json!({"name": name, "alias": alias, "version": version}),
            None => json!({"name": name, "alias": alias}),
        };
        let verb = match version {
            Some(_) => Verb::Post(&body),
            None => Verb::Delete(&body),
        };
        match self.client.call(&Call { path, verb }) {
            Err(error) if error.is_absence() => {
                self.remark("the server knows no aliases (MLflow 2.3 does): champion and challenger are not marked");
                Ok(())
            }
            // Some refuse to remove what is not there.
            Err(TrackingError::Refused { .. }) if version.is_none() => Ok(()),
            set => set.map(|_| ()),
        }
    }
}

impl RemoteVersion {
    fn read(version: &Value) -> Option<Self> {
        let tags = &version["tags"];
        Some(Self {
            version: text(&version["version"])?,
            bundle: tag(tags, BUNDLE_TAG).map(str::to_owned),
            is_withdrawn: tag(tags, STATUS_TAG) == Some(WITHDRAWN),
        })
    }
}
