//! Real servers, and what goes wrong on the way to them; `.ci/services` says where they are.

mod authority;
mod bucket;
mod database;
mod dns;
mod dvc;
mod dynamodb;
mod equal_pushes;
mod faults;
mod http;
mod loading;
mod lost_answers;
mod mlflow;
mod mongodb;
mod openssl;
mod peer;
mod proxy;
mod registry;
mod registry_faults;
mod registry_server;
mod s3;
mod s3_faults;
mod server;
mod sql;
mod sql_faults;
mod sql_safety;
mod sql_values;
mod table;
mod tenants;
mod tls;
mod tls_proxy;
mod tracker;

use crate::support::{Called, TINY, Workplace};

impl Workplace {
    /// Trains a small tree of the tiny schema on a source, promoted whatever it is worth.
    pub fn train_tiny(&self, source: &str, environment: &[(&str, &str)]) -> Called {
        let fixed = [
            "run", "--json", "--force", "--why", "a test", "--source", source,
        ];
        self.call_with(&[&fixed[..], &TINY].concat(), environment)
    }
}
