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
mod upload;
mod watch;

pub use arguments::Arguments;
pub use service::run;
