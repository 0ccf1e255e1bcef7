//! Stage `champion`: what the run is compared with, pinned at its start.

use artifact::{Artifact, CodecError, Context, Stage};
use dataset::ReferenceProfile;
use model::{ModelBundle, TrainingGroups};
use serde::{Deserialize, Serialize};

use crate::{Entry, Registry, RegistryError};

/// The champion as it stood when the run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one in a run, and it is mostly the large one"
)]
pub enum Incumbent {
    /// There was none.
    None,
    /// Version, bundle and training groups.
    Champion(u64, ModelBundle, TrainingGroups),
    /// There was one whose layout is no longer read: it can be promoted over, but not compared with.
    Outdated {
        /// Its version.
        version: u64,
        /// What is no longer read, and what to do.
        reason: String,
    },
}

impl Artifact for Incumbent {
    const KIND: &'static str = "incumbent";
    // It holds a bundle: its layout is raised with that of `ModelBundle`.
    const LAYOUT: u16 = 2;
    artifact::payload!();

    fn check(&self) -> Result<(), String> {
        let Self::Champion(_, bundle, groups) = self else {
            return Ok(());
        };
        bundle.check()?;
        groups.check()
    }
}

/// The stage that reads the champion from the registry.
pub struct Champion {
    registry: Registry,
    name: String,
}

impl Champion {
    /// Makes the stage for a registered model's name.
    pub fn new(registry: Registry, name: impl Into<String>) -> Self {
        Self {
            registry,
            name: name.into(),
        }
    }
}

impl Stage for Champion {
    const NAME: &'static str = "champion";
    const ORDER: u8 = 0;
    type Config = ();
    type Inputs = ();
    type Outputs = (Incumbent, ReferenceProfile);
    type Error = RegistryError;

    fn config(&self) -> &() {
        &()
    }

    fn run(&self, (): (), context: &mut Context) -> Result<Self::Outputs, RegistryError> {
        let entry = match self.registry.entry(&self.name, None) {
            Ok(entry) => entry,
            Err(error) if error.is_absence() => return Ok((Incumbent::None, NO_REFERENCE)),
            Err(error) => return Err(error),
        };
        context.report("champion", &entry);
        let incumbent = self.read(&entry)?;
        let reference = match &incumbent {
            Incumbent::Champion(version, bundle, _) => ReferenceProfile {
                version: Some(*version),
                profile: Some(bundle.profile.clone()),
            },
            Incumbent::None | Incumbent::Outdated { .. } => NO_REFERENCE,
        };
        Ok((incumbent, reference))
    }
}

const NO_REFERENCE: ReferenceProfile = ReferenceProfile {
    version: None,
    profile: None,
};

impl Champion {
    fn read(&self, entry: &Entry) -> Result<Incumbent, RegistryError> {
        let version = entry.version;
        let bundle = self.registry.bundle(&self.name, entry);
        match bundle
            .and_then(|bundle| Ok((bundle, self.registry.training_groups(&self.name, entry)?)))
        {
            Ok((bundle, groups)) => Ok(Incumbent::Champion(version, bundle, groups)),
            Err(RegistryError::Codec {
                source: CodecError::Older { kind, found, known },
                ..
            }) => Ok(Incumbent::Outdated {
                version,
                reason: format!(
                    "an earlier program wrote it: its `{kind}` has layout {found}, and {known} is \
                     read; --force --why TEXT promotes over it"
                ),
            }),
            Err(error) => Err(error),
        }
    }
}
