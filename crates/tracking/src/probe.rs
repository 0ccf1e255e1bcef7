//! Whether a tracking server can be reached: one step after another, so that the failing one is named.

use std::{
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use crate::{Settings, TrackingError, server::Server};

/// How long a step waits: somebody looks on.
const PATIENCE: Duration = Duration::from_secs(5);

/// One step on the way to a tracking server.
#[derive(Debug)]
pub struct Step {
    /// What was tried: its name, its port, TLS, an answer, credentials, its model registry.
    pub check: &'static str,
    /// What was found.
    pub outcome: Result<String, TrackingError>,
    /// Whether it works, but not all of it; what was found says what does not.
    pub is_doubtful: bool,
}

/// Tries the steps to a server, up to the first that fails. Nothing is written there.
pub fn probe(settings: &Settings) -> Vec<Step> {
    let mut steps = Steps(Vec::new());
    // Which step has failed is noted already.
    let _ = steps.run(settings);
    steps.0
}

/// Marks that a step has failed.
struct Ended;

struct Steps(Vec<Step>);

impl Steps {
    fn run(&mut self, settings: &Settings) -> Result<(), Ended> {
        let server = Server::new(Settings {
            time_limit: settings.time_limit.min(PATIENCE),
            attempts: 1,
            ..settings.clone()
        });
        match server.proxy() {
            Some(proxy) => self.ok("proxy", proxy),
            None => self.reach(settings)?,
        }
        let asked = server.answers();
        if settings.base.scheme() == "https" {
            self.tls(settings, &asked)?;
        }
        match asked {
            Err(error) if is_about_login(&error) => {
                self.ok("answer", "it asks who asks");
                self.step("credentials", Err(error))?;
            }
            asked => self.step("answer", asked)?,
        }
        self.ok(
            "credentials",
            match settings.authorization {
                Some(_) => "it accepts who asks",
                None => "it asks for none",
            },
        );
        match server.keeps_models() {
            Ok(false) => self.doubt("registry", server.remarks().join("; ")),
            Ok(true) => self.ok("registry", "it keeps models"),
            Err(error) => self.step("registry", Err(error))?,
        }
        Ok(())
    }

    fn reach(&mut self, settings: &Settings) -> Result<(), Ended> {
        let unavailable = |reason: String| TrackingError::Unavailable {
            location: settings.location(),
            reason,
        };
        let host = settings.base.host_str().unwrap_or_default();
        let port = settings.base.port_or_known_default().unwrap_or_default();
        let found = (host.trim_matches(['[', ']']), port).to_socket_addrs();
        let found = found.map(Iterator::collect::<Vec<_>>);
        let addresses = found.as_ref().map_or(Vec::new(), Clone::clone);
        let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let named = found.map(|_| listed.join(", "));
        self.step(
            "name",
            named.map_err(|e| unavailable(format!("`{host}`: {e}"))),
        )?;
        self.step("port", connected(&addresses).map_err(unavailable))
    }

    fn tls(
        &mut self,
        settings: &Settings,
        asked: &Result<String, TrackingError>,
    ) -> Result<(), Ended> {
        match asked {
            Err(TrackingError::Unavailable { location, reason }) if reason.starts_with("TLS") => {
                self.step(
                    "TLS",
                    Err(TrackingError::Unavailable {
                        location: location.clone(),
                        reason: reason.clone(),
                    }),
                )
            }
            // Whether it would have come to an answer by TLS is not known.
            Err(error @ TrackingError::Unavailable { .. }) if !is_about_login(error) => Ok(()),
            _ if settings.tls.disable_verification() => {
                self.doubt(
                    "TLS",
                    "any certificate is accepted: MLFLOW_TRACKING_INSECURE_TLS",
                );
                Ok(())
            }
            _ => {
                self.ok("TLS", "its certificate is accepted");
                Ok(())
            }
        }
    }

    fn step(
        &mut self,
        check: &'static str,
        outcome: Result<String, TrackingError>,
    ) -> Result<(), Ended> {
        let ended = outcome.as_ref().map_or(Err(Ended), |_| Ok(()));
        self.0.push(Step {
            check,
            outcome,
            is_doubtful: false,
        });
        ended
    }

    fn ok(&mut self, check: &'static str, said: impl Into<String>) {
        self.0.push(Step {
            check,
            outcome: Ok(said.into()),
            is_doubtful: false,
        });
    }

    fn doubt(&mut self, check: &'static str, said: impl Into<String>) {
        self.0.push(Step {
            check,
            outcome: Ok(said.into()),
            is_doubtful: true,
        });
    }
}

/// Returns the first address at which somebody listens, or why there is none.
fn connected(addresses: &[SocketAddr]) -> Result<String, String> {
    let mut last = "it has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(_) => return Ok(format!("{address} listens")),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(last)
}

fn is_about_login(error: &TrackingError) -> bool {
    let TrackingError::Unavailable { reason, .. } = error else {
        return false;
    };
    ["401", "403"]
        .iter()
        .any(|status| reason.starts_with(status))
}
