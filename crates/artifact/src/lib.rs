//! The spine of the pipeline: typed artifacts, their bytes on disk, and the one place that runs stages.
//!
//! Owns the artifact envelope, run directories, manifests, lineage and the classification of errors.
//! Must not know any data set, model, file format, connector, command line or network.

pub mod clock;
pub mod codec;
mod digest;
mod error;
mod file;
mod lineage;
mod manifest;
mod printable;
mod run;
pub mod secrets;
mod stage;
mod temporary;
pub mod yaml;

pub use codec::{Artifact, CodecError};
pub use digest::Digest;
pub use error::{Classified, ErrorKind, Failure};
pub use file::{
    StoreError, create_directory, is_no_file, lock_within, open_file, open_lock, read_bounded,
    read_file, remedy, write_atomic, write_new,
};
pub use lineage::{Lineage, LineageNode};
pub use manifest::{ArtifactRecord, FileRecord, Manifest};
pub use printable::{printable, shell_word};
pub use run::{Id, RUN_FILES, Run, digest_of_file};
pub use secrets::without_secrets;
pub use stage::{Advance, Context, Inputs, Outputs, Progress, Stage, Watch};
pub use temporary::{
    create_temporary, is_temporary, remove_temporaries, remove_temporary, rename_temporary,
};
