//! Real servers, and what goes wrong on the way to them; `.ci/services` says where they are.

mod faults;
mod http;
mod mongodb;
mod peer;
mod proxy;
mod server;
