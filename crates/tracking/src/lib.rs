//! Experiment tracking: what a run has left in its directory, told to an MLflow server.
//!
//! Owns the client of MLflow's REST interface, what of a run is logged under which name, the model flavour
//! and the spool of what is still to be sent. Must not know stages, nor the command line, and no run waits
//! for it: everything is derived from artifacts that are committed (`docs/adr/0040-*.md`).

mod aliases;
mod batch;
mod client;
mod error;
mod flavour;
mod origin;
mod probe;
mod record;
mod server;
mod settings;
mod spool;
mod sync;
mod upload;

pub use error::TrackingError;
pub use origin::Origin;
pub use probe::{Step, probe};
pub use settings::{OpenBucket, Settings};
pub use spool::{Noted, Pending, Subject};
pub use sync::{Sent, Tracking};
