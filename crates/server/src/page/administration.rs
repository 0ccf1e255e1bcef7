//! What administrators do on the page: promotions, reloads, trainings.

use registry::History;

use super::{Page, escape, sentence};
use crate::jobs::TrainingSource;

/// Writes the section, for administrators alone; `page.js` sends what its forms hold.
pub fn render(page: &Page<'_>) -> String {
    let Some(sources) = page.sources else {
        return String::new();
    };
    let of_model = match (page.detector, &page.history) {
        (Some(detector), Some(Ok(history))) => model_forms(&detector.name, history),
        _ => String::new(),
    };
    format!(
        "<section id=\"administration\"><h2>Administration</h2>{}<p id=\"done\" role=\"status\"></p>{of_model}\
         <form data-action=\"/reload\" data-done=\"The registry was looked at.\"><h3>Registry</h3>\
         <button class=\"second\">Look at it now</button></form>{}</section>",
        found(page),
        training_form(sources)
    )
}

/// Says what the last look at the registry has found wrong.
fn found(page: &Page<'_>) -> String {
    match page.diagnosis {
        Some(found) if !found.is_absence || page.detector.is_some() => {
            let said = sentence(&found.private);
            format!("<p class=\"fault\" role=\"alert\">{said}</p>")
        }
        _ => String::new(),
    }
}

fn model_forms(name: &str, history: &History) -> String {
    let champion = history.champion().map(|entry| entry.version);
    let versions = history.versions().into_iter().map(|state| state.version);
    let versions = versions.filter(|version| history.withdrawal(*version).is_none());
    let others = versions.rev().filter(|version| Some(*version) != champion);
    let options: String = others
        .map(|version| format!("<option>{version}</option>"))
        .collect();
    if options.is_empty() {
        return "<p class=\"soft\">The champion is the only version: there is nothing to promote.</p>"
            .to_owned();
    }
    let name = escape(name);
    let why = "<label>Why <input name=\"why\" autocomplete=\"off\"></label>";
    format!(
        "<form data-action=\"/models/{name}/promote\" data-done=\"The version was promoted.\"><h3>Promote\
         </h3><div class=\"fields\"><label>Version <select name=\"version\" data-kind=\"whole\">{options}\
         </select></label>{why}</div><label class=\"check\"><input type=\"checkbox\" name=\"force\"> against \
         the rules of promotion, for the reason above</label><button>Promote</button></form>\
         <form data-action=\"/models/{name}/rollback\" data-done=\"The model was rolled back.\"><h3>Roll back\
         </h3><div class=\"fields\"><label>To <select name=\"to\" data-kind=\"whole\"><option value=\"\">the \
         champion before</option>{options}</select></label>{why}</div><button>Roll back</button></form>"
    )
}

fn training_form(sources: &[TrainingSource]) -> String {
    if sources.is_empty() {
        return "<h3>Training</h3><p class=\"soft\">No source is listed: start the service with \
                <code>--train-source NAME=URI</code>.</p>"
            .to_owned();
    }
    let options: String = sources
        .iter()
        .map(|source| format!("<option>{}</option>", escape(&source.name)))
        .collect();
    format!(
        "<form id=\"train\"><h3>Training</h3><div class=\"fields\"><label>Source <select name=\"source\">\
         {options}</select></label></div><button>Train</button> <button type=\"button\" id=\"cancel\" \
         class=\"second\" hidden>Cancel</button><progress id=\"training\" max=\"1\" hidden \
         aria-label=\"Training so far\"></progress><p id=\"stage\" aria-live=\"polite\"></p></form>"
    )
}
