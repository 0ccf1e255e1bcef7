//! The champion's training profile, as the reference that drift is measured against.

use artifact::Artifact;
use serde::{Deserialize, Serialize};

use crate::profile::Profile;

/// The reference for drift: empty while there is no champion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferenceProfile {
    /// Version of the champion that the profile belongs to.
    pub version: Option<u64>,
    /// Profile of the champion's training data.
    pub profile: Option<Profile>,
}

impl Artifact for ReferenceProfile {
    const KIND: &'static str = "reference-profile";
    const LAYOUT: u16 = 1;
    artifact::payload!();

    fn check(&self) -> Result<(), String> {
        self.profile.as_ref().map_or(Ok(()), Profile::check)
    }
}
