//! Whether a source can be reached: one step after another, so that the failing one is named.

pub(crate) mod peer;

use std::{
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use artifact::Failure;
use dataset::SourceError;

/// What is advised besides where no server is reached, to whoever does not look at the steps already.
pub(crate) const LOOK: &str =
    "; `netsec doctor --source` with this address looks at one step after another";
const PATIENCE: Duration = Duration::from_secs(5);

/// What trying the steps to a source has found, in their order, up to the first that failed.
#[derive(Default)]
pub struct Probed(pub Vec<Probe>);

/// One step on the way to a source.
pub struct Probe {
    /// What was tried: a name, a port, TLS, credentials, a permission.
    pub check: &'static str,
    /// What was found.
    pub outcome: Result<String, Failure>,
    /// Whether it works, but not as well as it could; what was found says what to do.
    pub is_doubtful: bool,
}

/// Marks that a step has failed.
pub(crate) struct Ended;

/// Why a step has failed, for whoever looks at the steps already and need not be advised to.
pub(crate) trait OfStep {
    fn of_step(self) -> SourceError;
}

impl OfStep for SourceError {
    fn of_step(self) -> SourceError {
        self
    }
}

impl Probed {
    /// Notes how a step went; a failure ends the probing.
    pub(crate) fn step<T>(
        &mut self,
        check: &'static str,
        result: Result<T, impl OfStep>,
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
                    outcome: Err(error.of_step().into()),
                    is_doubtful: false,
                });
                Err(Ended)
            }
        }
    }

    pub(crate) fn ok(&mut self, check: &'static str, said: impl Into<String>) {
        self.0.push(Probe {
            check,
            outcome: Ok(said.into()),
            is_doubtful: false,
        });
    }

    #[cfg(feature = "s3")]
    pub(crate) fn warn(&mut self, check: &'static str, said: impl Into<String>) {
        self.0.push(Probe {
            check,
            outcome: Ok(said.into()),
            is_doubtful: true,
        });
    }
}

/// Looks a host up; an IPv6 address may stand in brackets.
pub(crate) fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = (host.trim_matches(['[', ']']), port).to_socket_addrs();
    found
        .map(Iterator::collect)
        .map_err(|e| format!("`{host}`: {e}"))
}

/// Writes addresses for people.
pub(crate) fn listed(addresses: &[SocketAddr]) -> String {
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    shown.join(", ")
}

/// Returns the first of some addresses at which somebody listens, or why there is none.
pub(crate) fn reach(addresses: &[SocketAddr]) -> Result<SocketAddr, String> {
    let mut last = "it has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(_) => return Ok(*address),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(last)
}
