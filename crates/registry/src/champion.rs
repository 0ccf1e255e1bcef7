//! Stage `champion`: what the run is compared with, pinned at its start.

use artifact::{Artifact, Context, Stage};
use dataset::ReferenceProfile;
use model::{ModelBundle, TrainingGroups};
use serde::{Deserialize, Serialize};

use crate::{Registry, RegistryError};

/// The champion as it stood when the run began; empty when there was none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incumbent {
    /// Version, bundle and training groups.
    pub champion: Option<(u64, ModelBundle, TrainingGroups)>,
}

impl Artifact for Incumbent {
    const KIND: &'static str = "incumbent";
    // It holds a bundle: its layout is raised with that of `ModelBundle`.
    const LAYOUT: u16 = 2;
    artifact::payload!();

    fn check(&self) -> Result<(), String> {
        self.champion
            .as_ref()
            .map_or(Ok(()), |(_, bundle, groups)| {
                bundle.check()?;
                groups.check()
            })
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
        let entry = match self.registry.champion(&self.name) {
            Ok(found) => Some(found),
            Err(error) if error.is_absence() => None,
            Err(error) => return Err(error),
        };
        let Some((entry, bundle)) = entry else {
            return Ok((
                Incumbent { champion: None },
                ReferenceProfile {
                    version: None,
                    profile: None,
                },
            ));
        };
        context.report("champion", &entry);
        let groups = self.registry.training_groups(&entry)?;
        let reference = ReferenceProfile {
            version: Some(entry.version),
            profile: Some(bundle.profile.clone()),
        };
        Ok((
            Incumbent {
                champion: Some((entry.version, bundle, groups)),
            },
            reference,
        ))
    }
}
