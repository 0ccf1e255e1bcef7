//! Stages `champion`, `evaluation` and `promotion`, and the model registry that they write.
//!
//! Owns versions, aliases, their one append-only history, and the rules by which a candidate earns
//! the champion's place. Must not know how models are learned, nor where blobs lie (a [`BlobStore`]).

mod blob;
mod champion;
mod error;
mod evaluation;
mod history;
mod local;
mod location;
mod manifest;
mod promotion;
mod signature;
mod store;

pub use blob::{BlobError, BlobStore, is_key, most_bytes};
pub use champion::{Champion, Incumbent};
pub use error::RegistryError;
pub use evaluation::{
    Canary, Comparison, Curves, Decision, Evaluating, Evaluation, EvaluationConfig, FamilyRecall,
    HoldoutMetrics,
};
pub use history::{Action, Entry, History, VersionState};
pub use local::LocalDirectory;
pub use location::Location;
pub use manifest::{Kind, Manifest, ManifestBlob};
pub use promotion::{Override, Promotion, PromotionConfig, PromotionRecord};
pub use signature::{SigningKey, TrustedKeys};
pub use store::{Chosen, KeptFile, KeptRun, Registry, Seal, Signed, VersionCheck, check_name};
