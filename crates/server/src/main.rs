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
    harness::init_telemetry();
    let result = loaded.and_then(|()| server::run(&arguments));
    harness::report_and_exit(result.map_err(|e: Failure| anyhow::Error::from(e)))
}
