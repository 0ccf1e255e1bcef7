//! The real server, with a real bundle, over real HTTP.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod administration;
#[cfg(feature = "browser")]
mod browser;
#[cfg(feature = "browser")]
mod chromium;
mod client;
mod files;
mod health;
mod input;
mod limits;
mod log;
mod media;
mod models;
mod mutations;
mod page;
mod predictions;
mod process;
mod protocols;
mod quality;
mod registry;
mod registry_place;
mod reload;
mod security;
mod sound;
mod tls;
mod trained;
mod trainings;
