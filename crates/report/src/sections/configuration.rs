//! What the run was told to do.

use artifact::without_secrets;

use super::paragraph;
use crate::{
    markup::{Markup, tag},
    run_report::RunReport,
};

pub fn body(run: &RunReport) -> Markup {
    let version = run.stages.first().map_or(String::new(), |stage| {
        format!(" It was run by version {} of netsec.", stage.code_version)
    });
    let text = without_secrets(run.configuration.trim_end());
    let frame = [("tabindex", "0"), ("aria-label", "Configuration")];
    Markup::from([
        paragraph(format!(
            "The configuration in full, as config.yaml of the run directory has it.{version}"
        )),
        tag("pre", &frame, tag("code", &[], text)),
    ])
}
