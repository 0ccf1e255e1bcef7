//! The process shell: configuration layers, logs, progress, exit codes, and the `main` of stage binaries.
//!
//! Owns everything between the operating system and a typed call.
//! Must not know any data set, model or stage.

pub mod config;
mod exit;
mod progress;
mod stage_main;
mod telemetry;
mod variables;

pub use config::{RunConfig, load_dotenv as load_environment};
pub use exit::{
    INTERRUPTED, TERMINATED, exit_code_of, parse_arguments, report_and_exit, stop_on_interrupt,
};
pub use progress::{ProgressMode, ProgressReporter};
pub use stage_main::{execute_stage, stage_main};
pub use telemetry::{init_telemetry, init_telemetry_without};
pub use variables::unread_variables;
