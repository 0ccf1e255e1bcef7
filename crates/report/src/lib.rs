//! The report of a run: one HTML file that explains itself, without a network.
//!
//! Owns how findings are shown: markup, pictures, the order of the sections. Sees the stages' report
//! types and is seen by the orchestrator alone. Must not compute a finding of its own, nor decide anything.

mod bars;
mod figures;
mod markup;
mod page;
mod plot;
mod run_report;
mod sections;
mod table;

use std::path::PathBuf;

use artifact::{Run, StoreError};

pub use markup::Markup;
pub use page::html;
pub use run_report::{RunReport, Settings};

/// Name of the report within the run directory.
pub const FILE_NAME: &str = "report.html";

/// Writes the report of a run as far as it came, and returns its path; `failure` says why the run
/// ended early.
///
/// # Errors
/// [`StoreError`] when something in the run directory cannot be read, or the report not be written.
pub fn write(run: &Run, failure: Option<String>) -> Result<PathBuf, StoreError> {
    let page = html(&RunReport::read(run, failure)?);
    run.keep(FILE_NAME, page.as_bytes())
}

#[cfg(test)]
mod tests;
