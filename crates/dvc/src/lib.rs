//! Files under DVC, version 3: its cache, its directory hashes and its documents, as the program itself writes them.
//!
//! Owns where a repository keeps its objects, what DVC ignores, and how a workspace is linked to the cache.
//! Must not know runs, stages, models or the command line.

mod cache;
mod digest;
mod documents;
mod error;
mod export;
mod git;
mod ignore;
mod listing;

mod repository;
mod settings;
mod tracked;
mod tree;
mod workspace;

pub use digest::Md5;
pub use documents::{Data, Plot, Project, Stage};
pub use error::DvcError;
pub use export::{Export, Written};
pub use repository::{Repository, absolute};
pub use settings::Link;
pub use tracked::Tracked;
pub use tree::Entry;
