//! Real servers, and what goes wrong on the way to them; `.ci/services` says where they are.

mod database;
mod faults;
mod http;
mod mongodb;
mod peer;
mod proxy;
mod server;
mod sql;
mod sql_faults;
mod sql_values;
