//! `netsec-server`: starts the prediction service and reports how it ended.

use std::process::ExitCode;

use artifact::Failure;
use server::Arguments;

fn main() -> ExitCode {
    let loaded = harness::load_environment();
    let arguments = match harness::parse_arguments::<Arguments>() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    // It would say of every malformed request that a stream has an error.
    harness::init_telemetry_without("actix_http::h1::dispatcher=off");
    let result = loaded.and_then(|()| server::run(&arguments));
    harness::report_and_exit(result.map_err(|e: Failure| anyhow::Error::from(e)))
}
