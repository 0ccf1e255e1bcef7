//! Exit codes: one table for every binary of the workspace.

use std::{io::Write as _, process::ExitCode, time::Duration};

use artifact::{ErrorKind, Failure, printable, without_secrets};
use clap::{Parser, error::ErrorKind as ClapKind};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

/// Exit code after Ctrl-C, as shells give it: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;
/// Exit code after SIGTERM: 128 + SIGTERM.
pub const TERMINATED: u8 = 143;

/// Returns the exit code of an error: that of the first [`Failure`] in its chain, else 70.
pub fn exit_code_of(error: &anyhow::Error) -> u8 {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Failure>())
        .map_or(ErrorKind::Internal, Failure::kind)
        .exit_code()
}

/// Parses the command line; what is wrong with it, or the help that was asked for, is printed.
///
/// # Errors
/// The code to end with: 0 for help and version, else that of [`ErrorKind::Usage`].
pub fn parse_arguments<A: Parser>() -> Result<A, ExitCode> {
    A::try_parse().map_err(|error| {
        print(&error);
        match error.kind() {
            ClapKind::DisplayHelp | ClapKind::DisplayVersion => ExitCode::SUCCESS,
            _ => ExitCode::from(ErrorKind::Usage.exit_code()),
        }
    })
}

/// Prints what is wrong with the command line, without the secrets of an address in the wrong place.
fn print(error: &clap::Error) {
    let text = error.render().to_string();
    let shown = without_secrets(&text);
    // A reader that went away is no reason to fail in another way.
    let _ = if shown == text {
        error.print()
    } else {
        std::io::stderr().write_all(shown.as_bytes())
    };
}

/// Ends `main`: prints an error with its causes on standard error and gives its exit code.
pub fn report_and_exit(result: anyhow::Result<u8>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Where standard error cannot be written, a full disk say, the exit code still speaks.
            let _ = writeln!(std::io::stderr(), "error: {}", for_terminal(&error));
            ExitCode::from(exit_code_of(&error))
        }
    }
}

/// Returns the text of an error line by line: its lines are ours, what stands in them may be data, or
/// an address that somebody gave in the place of something else.
fn for_terminal(error: &anyhow::Error) -> String {
    let text = without_secrets(&format!("{error:#}"));
    text.split('\n')
        .map(printable)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Ends the process on Ctrl-C with [`INTERRUPTED`] and on SIGTERM with [`TERMINATED`], at once: `leave` is
/// for what other machines are told of it, and is not waited for long.
///
/// Nothing else has to be undone than temporary files: every file is written whole or not at all, a
/// stage counts only once its manifest is there, and a model's history grows by one file made in one
/// step. Where a file system hangs, what was being written stays behind as `.NAME.PID-N.tmp`, where
/// nothing looks for data. SIGHUP keeps its usual effect, so that `nohup` works.
///
/// # Errors
/// When the handler cannot be installed.
pub fn stop_on_interrupt(leave: fn()) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new()
        .name("interruption".to_owned())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                within(MOMENT, || {
                    let message = "\ninterrupted: what was committed so far is kept";
                    let _ = writeln!(std::io::stderr(), "{message}");
                });
                within(MOMENT, artifact::remove_temporaries);
                within(3 * MOMENT, leave);
                let code = if signal == SIGINT {
                    INTERRUPTED
                } else {
                    TERMINATED
                };
                std::process::exit(i32::from(code));
            }
        })?;
    Ok(())
}

const MOMENT: Duration = Duration::from_millis(200);

/// Does it, but does not wait for a reader of standard error that has stopped reading, nor for a file
/// system that hangs.
fn within(limit: Duration, act: impl FnOnce() + Send + 'static) {
    let (done, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        act();
        // The other side has stopped waiting only when the process is ending.
        let _ = done.send(());
    });
    let _ = heard.recv_timeout(limit);
}
