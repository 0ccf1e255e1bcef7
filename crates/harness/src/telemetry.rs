//! Logs: structured, on standard error, filtered by `NETSEC_LOG`.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// What libraries say that only whoever writes programs with them can heed: that the checksum of an object that was
/// written in parts is not one of the whole, each time that one is read.
const NOISE: &str = "aws_sdk_s3::http_response_checksum=off";

/// Starts logging to standard error; `NETSEC_LOG` (for example `debug` or `ingestion=debug`) decides
/// what is shown, `warn` by default. Colour appears only on a terminal, and never with `NO_COLOR`.
///
/// Calling it again does nothing.
pub fn init_telemetry() {
    init_telemetry_without("");
}

/// Starts logging as [`init_telemetry`], but for `directives` such as `noisy::module=off`, unless
/// `NETSEC_LOG` names the same module.
pub fn init_telemetry_without(directives: &str) {
    let directives = format!("{NOISE},{directives}");
    let filter = |said: &str| EnvFilter::try_new(format!("{directives},{said}"));
    let said = std::env::var("NETSEC_LOG").unwrap_or_default();
    let said = Some(said).filter(|said| !said.is_empty());
    let filter = said.and_then(|said| filter(&said).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(format!("{directives},warn")));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // An error means that a subscriber is installed already, which is what is wanted.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(true)
        // They would be printed in a way that panics when standard error cannot be written.
        .log_internal_errors(false)
        .try_init();
}
