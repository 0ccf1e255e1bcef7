//! The program as its users run it: whole runs, single stages, wrong input, damage.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_config;
mod bad_input;
mod champion;
mod configuration;
mod damage;
mod export;
mod families;
mod faults;
mod forgeries;
#[cfg(feature = "faults")]
mod injected;
mod inspection;
mod integrity;
#[cfg(unix)]
mod interruption;
mod predictions;
mod push;
#[cfg(feature = "real-data")]
mod real_data;
mod registry_place;
mod report;
mod runs;
mod same_rows;
mod schema_infer;
mod secrets;
#[cfg(feature = "services")]
mod services;
mod stages;
mod support;
mod synth;
#[cfg(feature = "tracking")]
mod tracking;
