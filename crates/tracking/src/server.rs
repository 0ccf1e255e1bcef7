//! MLflow's REST interface, as far as a run needs it.

mod models;
mod runs;

use std::{cell::RefCell, sync::Arc};

use registry::BlobStore;
use serde_json::Value;

use crate::{
    Settings, TrackingError,
    client::{Call, Client, Trouble, Verb},
};

pub(crate) use models::{BUNDLE_TAG, RemoteVersion};
pub(crate) use runs::{NewRun, Put, RemoteRun};

/// A tracking server.
pub(crate) struct Server {
    client: Client,
    remarks: RefCell<Vec<String>>,
    /// The bucket that was opened last, by its address.
    bucket: RefCell<Option<(String, Arc<dyn BlobStore>)>>,
}

impl Server {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            client: Client::new(settings),
            remarks: RefCell::default(),
            bucket: RefCell::default(),
        }
    }

    pub(crate) fn location(&self) -> String {
        self.client.location()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.client.requests()
    }

    /// Returns the name of the experiment that the environment asks for.
    pub(crate) fn experiment_name(&self) -> Option<&str> {
        self.client.settings().experiment.as_deref()
    }

    /// Notes what could not be logged, once.
    pub(crate) fn remark(&self, text: impl Into<String>) {
        let text = text.into();
        let mut remarks = self.remarks.borrow_mut();
        if !remarks.contains(&text) {
            remarks.push(text);
        }
    }

    pub(crate) fn remarks(&self) -> Vec<String> {
        self.remarks.borrow().clone()
    }

    /// Returns the server's version, where it tells it.
    pub(crate) fn version(&self) -> Result<Option<String>, TrackingError> {
        let asked = self.client.call(&Call {
            path: "version",
            verb: Verb::Get(&[]),
        });
        match asked {
            Ok(answer) => Ok(text(&answer)),
            Err(unreached @ TrackingError::Unavailable { .. }) => Err(unreached),
            // Hosted servers answer with a page.
            Err(_) => Ok(None),
        }
    }

    /// Checks that it answers as every MLflow does.
    fn is_mlflow(&self) -> Result<(), TrackingError> {
        let name = self.experiment_name().unwrap_or("Default");
        let path = "mlflow/experiments/get-by-name";
        let asked = self.get(path, &[("experiment_name", name)]);
        none_if(asked, "RESOURCE_DOES_NOT_EXIST").map(drop)
    }

    /// Says that it answers as MLflow does, and in which version, where it tells that.
    pub(crate) fn answers(&self) -> Result<String, TrackingError> {
        self.is_mlflow()?;
        let version = self.version()?;
        Ok(version.map_or("it answers".to_owned(), |version| {
            format!("version {version}")
        }))
    }

    /// Returns the proxy through which it is asked, if there is one.
    pub(crate) fn proxy(&self) -> Option<String> {
        self.client.proxy()
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, TrackingError> {
        self.client.call(&Call {
            path: &api(path),
            verb: Verb::Get(query),
        })
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, TrackingError> {
        self.client.call(&Call {
            path: &api(path),
            verb: Verb::Post(body),
        })
    }

    /// Returns what is there, or makes it.
    fn ensure<T>(
        &self,
        find: impl Fn() -> Result<Option<T>, TrackingError>,
        path: &str,
        body: &Value,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, TrackingError> {
        match find()? {
            Some(found) => Ok(found),
            None => self.make(find, path, body, read),
        }
    }

    /// Makes something that is not there; looks again before each further attempt, since one whose answer
    /// was lost may have made it.
    fn make<T>(
        &self,
        find: impl Fn() -> Result<Option<T>, TrackingError>,
        path: &str,
        body: &Value,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, TrackingError> {
        let call = Call {
            path: &api(path),
            verb: Verb::Post(body),
        };
        let mut failed = 0;
        loop {
            match self.client.attempt(&call) {
                Ok(answer) => return read(&answer).ok_or_else(|| self.unexpected(path, &answer)),
                // Another process was quicker.
                Err(Trouble::Lasting(error)) if error.is("RESOURCE_ALREADY_EXISTS") => {
                    return find()?.ok_or(error);
                }
                Err(trouble) => self.client.recover(trouble, &mut failed)?,
            }
            if let Some(found) = find()? {
                return Ok(found);
            }
        }
    }

    fn unexpected(&self, path: &str, answer: &Value) -> TrackingError {
        let text: String = answer.to_string().chars().take(100).collect();
        TrackingError::Answer {
            location: self.location(),
            call: path.to_owned(),
            reason: text,
        }
    }
}

fn api(path: &str) -> String {
    format!("api/2.0/{path}")
}

/// Returns nothing where the server has said that there is nothing.
fn none_if(
    answer: Result<Value, TrackingError>,
    code: &str,
) -> Result<Option<Value>, TrackingError> {
    match answer {
        Err(error) if error.is(code) => Ok(None),
        answer => answer.map(Some),
    }
}

/// Reads a text that some servers write as a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Returns the value of a tag.
fn tag<'a>(tags: &'a Value, key: &str) -> Option<&'a str> {
    let mut tags = tags.as_array()?.iter();
    tags.find(|tag| tag["key"] == key)?["value"].as_str()
}

/// Returns tags as the server takes them.
fn tags_json(tags: &[(String, String)]) -> Value {
    let pair = |(key, value): &(String, String)| serde_json::json!({"key": key, "value": value});
    tags.iter().map(pair).collect()
}
