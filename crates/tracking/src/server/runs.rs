//! Experiments, runs and their artifacts.

use std::collections::BTreeMap;

use dataset::SourceUri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Server, none_if, tag, tags_json, text};
use crate::{
    OpenBucket, TrackingError,
    batch::Batch,
    client::{Call, Verb},
};

/// The tag that a run is found again by.
pub(crate) const RUN_TAG: &str = "netsec.run_id";
const PARENT_TAG: &str = "mlflow.parentRunId";
const PROXY: &str = "mlflow-artifacts:";
const PAGE: u32 = 500;
/// The status by which a request is refused for its size.
const TOO_LARGE: &str = "413";
/// What a path may hold as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// A run to be made.
pub(crate) struct NewRun<'a> {
    pub experiment: &'a str,
    /// What it is found again by.
    pub id: &'a str,
    pub name: &'a str,
    pub parent: Option<&'a str>,
    /// Milliseconds since 1970.
    pub start: i64,
    /// Whether the server was just asked for it, and has none.
    pub is_absent: bool,
}

/// A run on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteRun {
    pub id: String,
    pub artifacts: String,
    pub is_finished: bool,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    Taken,
    /// It is too large for the server, or for what stands before it.
    LeftOut,
    /// There is no place for files at all.
    NoPlace,
}

impl Server {
    /// Finds or makes the experiment of a name; returns its number.
    pub(crate) fn experiment(&self, name: &str) -> Result<String, TrackingError> {
        let find = || {
            let path = "mlflow/experiments/get-by-name";
            let asked = self.get(path, &[("experiment_name", name)]);
            let Some(answer) = none_if(asked, "RESOURCE_DOES_NOT_EXIST")? else {
                return Ok(None);
            };
            let found = &answer["experiment"];
            if found["lifecycle_stage"] == "deleted" {
                return Err(TrackingError::Setting {
                    variable: "MLFLOW_EXPERIMENT_NAME",
                    reason: format!(
                        "the experiment `{name}` is deleted on {}: restore it there, or set another name and name the \
                         run that is to go there: `netsec tracking sync RUN`",
                        self.location()
                    ),
                });
            }
            Ok(text(&found["experiment_id"]))
        };
        let path = "mlflow/experiments/create";
        self.ensure(find, path, &json!({"name": name}), |made| {
            text(&made["experiment_id"])
        })
    }

    /// Finds or makes a run.
    pub(crate) fn run(&self, new: &NewRun<'_>) -> Result<RemoteRun, TrackingError> {
        let find = || self.find_run(new.experiment, new.id);
        let (path, read) = ("mlflow/runs/create", |made: &Value| {
            RemoteRun::read(&made["run"])
        });
        match new.is_absent {
            true => self.make(find, path, &new.body(), read),
            false => self.ensure(find, path, &new.body(), read),
        }
    }

    fn find_run(&self, experiment: &str, id: &str) -> Result<Option<RemoteRun>, TrackingError> {
        let filter = format!("tags.`{RUN_TAG}` = '{}'", quoted(id));
        let found = self.search(experiment, &filter)?;
        Ok(found.first().and_then(RemoteRun::read))
    }

    /// Returns the runs nested below a run, by what each is found again by.
    pub(crate) fn nested(
        &self,
        experiment: &str,
        parent: &str,
    ) -> Result<BTreeMap<String, RemoteRun>, TrackingError> {
        let filter = format!("tags.`{PARENT_TAG}` = '{}'", quoted(parent));
        let found = self.search(experiment, &filter)?;
        let named = |run: &Value| {
            let id = tag(&run["data"]["tags"], RUN_TAG)?;
            Some((id.to_owned(), RemoteRun::read(run)?))
        };
        // The newest stand first: an older one of the same name stays.
        Ok(found.iter().filter_map(named).collect())
    }

    fn search(&self, experiment: &str, filter: &str) -> Result<Vec<Value>, TrackingError> {
        let mut found = Vec::new();
        let mut page = Value::Null;
        loop {
            let mut body = json!({
                "experiment_ids": [experiment], "filter": filter, "max_results": PAGE,
            });
            if page.is_string() {
                body["page_token"] = page;
            }
            let mut answer = self.post("mlflow/runs/search", &body)?;
            if let Some(runs) = answer["runs"].as_array_mut() {
                found.append(runs);
            }
            page = answer["next_page_token"].take();
            if page.as_str().is_none_or(str::is_empty) {
                return Ok(found);
            }
        }
    }

    /// Logs metrics, parameters and tags.
    pub(crate) fn log(&self, run: &RemoteRun, batch: &Batch) -> Result<(), TrackingError> {
        let requests = batch.requests(&run.id);
        requests.iter().try_for_each(|body| {
            self.post("mlflow/runs/log-batch", body)?;
            Ok(())
        })
    }

    /// Logs the data sets that a run has used.
    pub(crate) fn log_inputs(
        &self,
        run: &RemoteRun,
        inputs: &[Value],
    ) -> Result<(), TrackingError> {
        if inputs.is_empty() {
            return Ok(());
        }
        let body = json!({"run_id": run.id, "datasets": inputs});
        match self.post("mlflow/runs/log-inputs", &body) {
            Err(error) if error.is_absence() => {
                self.remark(
                    "the server knows no data sets (MLflow 2.4 does): their lineage is left out",
                );
                Ok(())
            }
            // It would refuse the same the next time.
            Err(refused @ TrackingError::Refused { .. }) => {
                self.remark(format!("the lineage of the data is left out: {refused}"));
                Ok(())
            }
            logged => logged.map(|_| ()),
        }
    }

    /// Ends a run.
    pub(crate) fn finish(
        &self,
        run: &RemoteRun,
        status: &str,
        end: i64,
    ) -> Result<(), TrackingError> {
        let body = json!({"run_id": run.id, "status": status, "end_time": end});
        self.post("mlflow/runs/update", &body).map(|_| ())
    }

    /// Puts a file below a run through the server's artifact proxy, or into the bucket that it leaves to its clients;
    /// what is not taken is remarked.
    pub(crate) fn put_artifact(
        &self,
        run: &RemoteRun,
        path: &str,
        bytes: &[u8],
    ) -> Result<Put, TrackingError> {
        let Some(root) = proxied(&run.artifacts) else {
            if run.artifacts.starts_with("s3://")
                && let Some(open) = self.client.settings().buckets
            {
                self.put_in_bucket(open, run, path, bytes)?;
                return Ok(Put::Taken);
            }
            let place = artifact::without_secrets(&run.artifacts);
            self.remark(format!(
                "artifacts are left out: the server keeps them at {place}, where clients write \
                 themselves; start it with --serve-artifacts --artifacts-destination"
            ));
            return Ok(Put::NoPlace);
        };
        let whole = format!("api/2.0/mlflow-artifacts/artifacts/{root}/{path}");
        let put = self.client.call(&Call {
            path: &utf8_percent_encode(&whole, PATH).to_string(),
            verb: Verb::Put(bytes),
        });
        match put {
            Err(error) if error.is_absence() => {
                self.remark("artifacts are left out: the server has no artifact proxy");
                Ok(Put::NoPlace)
            }
            Err(refused) if refused.is(TOO_LARGE) => {
                self.remark(format!(
                    "`{path}` ({} bytes) is left out: {} takes no file so large (413): raise the limit there or of what \
                     stands before it (nginx: client_max_body_size), and send the run again: `netsec tracking sync RUN`",
                    bytes.len(),
                    self.location()
                ));
                Ok(Put::LeftOut)
            }
            put => put.map(|_| Put::Taken),
        }
    }

    fn put_in_bucket(
        &self,
        open: OpenBucket,
        run: &RemoteRun,
        path: &str,
        bytes: &[u8],
    ) -> Result<(), TrackingError> {
        let failed = |reason: String| TrackingError::Artifact {
            location: artifact::without_secrets(&run.artifacts),
            path: path.to_owned(),
            reason,
        };
        let mut opened = self.bucket.borrow_mut();
        let bucket = match &*opened {
            Some((of, bucket)) if *of == run.artifacts => bucket.clone(),
            _ => {
                let Ok(address) = run.artifacts.parse::<SourceUri>();
                let bucket = open(&address).map_err(|e| failed(e.to_string()))?;
                *opened = Some((run.artifacts.clone(), bucket.clone()));
                bucket
            }
        };
        bucket.put(path, bytes).map_err(|e| failed(e.reason))
    }
}

impl NewRun<'_> {
    fn body(&self) -> Value {
        let mut tags = vec![
            (RUN_TAG.to_owned(), self.id.to_owned()),
            ("mlflow.runName".to_owned(), self.name.to_owned()),
        ];
        if let Some(parent) = self.parent {
            tags.push((PARENT_TAG.to_owned(), parent.to_owned()));
        }
        json!({
            "experiment_id": self.experiment,
            "run_name": self.name,
            "start_time": self.start,
            "tags": tags_json(&tags),
        })
    }
}

impl RemoteRun {
    fn read(run: &Value) -> Option<Self> {
        let info = &run["info"];
        Some(Self {
            id: text(&info["run_id"])?,
            artifacts: text(&info["artifact_uri"])?,
            is_finished: matches!(info["status"].as_str(), Some("FINISHED" | "FAILED")),
        })
    }
}

/// Returns where a run's artifacts lie below the proxy's, for `mlflow-artifacts:/…` with or without a host.
fn proxied(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix(PROXY)?;
    let path = match rest.strip_prefix("//") {
        Some(hosted) => hosted.split_once('/')?.1,
        None => rest,
    };
    Some(path.trim_matches('/'))
}

/// Writes a text for between the quotation marks of a filter, which has no way to escape one.
fn quoted(text: &str) -> String {
    text.replace('\'', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_go_to_the_proxy_alone() {
        let cases = [
            ("mlflow-artifacts:/1/ab/artifacts", Some("1/ab/artifacts")),
            (
                "mlflow-artifacts://host:5000/1/ab/artifacts",
                Some("1/ab/artifacts"),
            ),
            ("s3://bucket/1/ab/artifacts", None),
            ("/var/mlruns/1/ab/artifacts", None),
        ];
        for (uri, expected) in cases {
            assert_eq!(proxied(uri), expected, "{uri}");
        }
    }
}
