//! What Amazon's services have in common: who asks, of whom, over which connections.

mod credentials;
mod failure;
mod identity;
mod settings;
mod threads;
mod transport;
mod way;

pub(crate) use credentials::Login;
#[cfg(feature = "dynamodb")]
pub(crate) use failure::of_code;
pub(crate) use failure::{chain, of_connecting};
pub(crate) use identity::identity;
pub(crate) use settings::{Given, Service, settings};
pub(crate) use threads::Threads;
#[cfg(feature = "dynamodb")]
pub(crate) use transport::connector;
pub(crate) use way::{Place, Way, approach, official};
