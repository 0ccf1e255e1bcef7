//! The prediction service: a registry's champion over HTTP, for programs and for people.
//!
//! Owns the HTTP surface, input checks on requests, hot reload, keys, limits, online drift and the page.
//! Must not know how models are learned, nor where rows come from: trainer, trees, transformation,
//! ingestion and connectors are out of its reach.

mod answer;
mod arguments;
mod body;
mod detector;
mod diagnosis;
mod ending;
mod feedback;
mod from_files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod guard;
mod intake;
mod jobs;
mod keys;
mod meters;
mod monitor;
mod page;
mod prediction_log;
mod problem;
mod rate_limit;
mod records;
mod routes;
mod service;
mod serving;
mod sessions;
mod settings;
mod slots;
mod spool;
mod tls;
mod unread;
mod unsent;
mod upload;
mod watch;

use arguments::Arguments;

use std::process::ExitCode;

/// Starts the service as the command line says and reports how it ended; returns the exit code.
pub fn main() -> ExitCode {
    let loaded = harness::load_environment();
    let arguments = match harness::parse_arguments::<Arguments>() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    // It would say of every malformed request that a stream has an error.
    harness::init_telemetry_without("actix_http::h1::dispatcher=off");
    for said in harness::unread_variables() {
        tracing::warn!("{said}");
    }
    let result = loaded.and_then(|()| service::run(&arguments));
    harness::report_and_exit(result.map_err(anyhow::Error::from))
}
