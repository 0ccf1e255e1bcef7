//! What trying the way to a server, step by step, has found.

use artifact::Failure;
#[cfg(any(feature = "http", feature = "mongodb"))]
use dataset::SourceError;

/// What trying the steps to a source has found, in their order, up to the first that failed.
#[derive(Default)]
pub struct Probed(pub Vec<Probe>);

/// One step on the way to a source.
pub struct Probe {
    /// What was tried: a name, a port, TLS, credentials, a permission.
    pub check: &'static str,
    /// What was found.
    pub outcome: Result<String, Failure>,
}

#[cfg(any(feature = "http", feature = "mongodb"))]
/// Marks that a step has failed.
pub(crate) struct Ended;

#[cfg(any(feature = "http", feature = "mongodb"))]
impl Probed {
    /// Notes how a step went; a failure ends the probing.
    pub(crate) fn step<T>(
        &mut self,
        check: &'static str,
        result: Result<T, SourceError>,
        say: impl FnOnce(&T) -> String,
    ) -> Result<T, Ended> {
        match result {
            Ok(found) => {
                self.ok(check, say(&found));
                Ok(found)
            }
            Err(error) => {
                self.0.push(Probe {
                    check,
                    outcome: Err(error.into()),
                });
                Err(Ended)
            }
        }
    }

    pub(crate) fn ok(&mut self, check: &'static str, said: impl Into<String>) {
        self.0.push(Probe {
            check,
            outcome: Ok(said.into()),
        });
    }
}
