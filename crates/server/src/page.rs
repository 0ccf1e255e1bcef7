//! The page for people: HTML from what serves, with a little script and nothing from elsewhere.

mod administration;

use std::fmt::{Display, Write as _};

use dataset::{
    Column, ColumnType, Domain,
    drift::{ColumnDrift, DriftReport},
    format_number,
    profile::{ColumnProfile, Values},
};
use model::resampling::Interval;
use registry::{Action, Entry, History};

use crate::{detector::Detector, diagnosis::Diagnosis, jobs::TrainingSource};

pub const STYLE: &str = include_str!("page/page.css");
pub const SCRIPT: &str = include_str!("page/page.js");

/// What the page shows.
pub struct Page<'a> {
    /// The model that serves.
    pub detector: Option<&'a Detector>,
    /// Its history, or why that cannot be read.
    pub history: Option<Result<History, String>>,
    pub traffic: Traffic,
    /// What is wrong with the registry, if anything is.
    pub diagnosis: Option<&'a Diagnosis>,
    /// Whether a key was asked for.
    pub has_key: bool,
    /// What may be trained on; for administrators alone.
    pub sources: Option<&'a [TrainingSource]>,
}

/// What came in since the start.
pub struct Traffic {
    pub records: u64,
    pub threats: u64,
    pub drift: Option<DriftReport>,
}

impl Page<'_> {
    /// Writes the page.
    pub fn render(&self) -> String {
        let administration = administration::render(self);
        let body = match self.detector {
            None => without_model(self.diagnosis) + &administration,
            Some(detector) => [
                warning(detector),
                not_taken_up(self.diagnosis, detector),
                champion(detector),
                administration,
                record_form(detector),
                file_form(detector),
                traffic_section(&self.traffic),
                self.history
                    .as_ref()
                    .map_or_else(String::new, history_section),
            ]
            .concat(),
        };
        let button = match self.has_key {
            true => FORGET,
            false => "",
        };
        frame(button, &body)
    }
}

fn without_model(diagnosis: Option<&Diagnosis>) -> String {
    match diagnosis {
        Some(found) if !found.is_absence => format!(
            "<section><h2>No model</h2><p class=\"fault\" role=\"alert\">{}</p></section>",
            sentence(&found.without_model())
        ),
        _ => "<section><h2>No model yet</h2><p>Train one with <code>netsec run</code>: the service takes it up by \
             itself, and this page shows it.</p></section>"
            .to_owned(),
    }
}

/// Writes what programs are told as a sentence for people: what stands between backticks is code.
fn sentence(said: &str) -> String {
    let mut all = String::new();
    for (at, part) in said.split('`').enumerate() {
        let part = escape(part);
        all += &match at % 2 {
            1 => format!("<code>{part}</code>"),
            _ => part,
        };
    }
    let first = all.chars().next().map_or(0, char::len_utf8);
    all[..first].to_uppercase() + &all[first..] + "."
}

/// Writes the page that asks for a key.
pub fn render_key_form(refused: bool) -> String {
    let said = if refused {
        "<p class=\"fault\" role=\"alert\">This key is not known.</p>"
    } else {
        ""
    };
    let form = format!(
        "<section><h2>API key</h2><p>The service asks for a key, once for this browser.</p>{said}\
         <form method=\"post\" action=\"/session\"><label>Key <input type=\"password\" name=\"key\" \
         autocomplete=\"current-password\" required></label> <button>Open</button></form></section>"
    );
    frame("", &form)
}

/// Ends the session of the browser.
const FORGET: &str = "<form method=\"post\" action=\"/session/end\"><button class=\"second\">Forget the key</button>\
     </form>";

fn frame(button: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Threat detection</title><link rel=\"stylesheet\" href=\"/assets/page.css\">\
         <link rel=\"icon\" href=\"data:,\"></head><body>\
         <a class=\"skip\" href=\"#main\">To the content</a>\
         <header><h1>Network-security threat detection</h1>{button}</header><main id=\"main\">{body}</main>\
         <footer class=\"soft\"><a href=\"/docs/\">API documentation</a> · \
         <a href=\"/openapi.json\">OpenAPI</a></footer>\
         <script src=\"/assets/page.js\" defer></script></body></html>"
    )
}

fn warning(detector: &Detector) -> String {
    if !detector.bundle.simulated {
        return String::new();
    }
    "<p class=\"warning\" role=\"note\"><strong>Simulated data.</strong> This model has learned from \
     generated records, not from real traffic: its verdicts are for trying things out.</p>"
        .to_owned()
}

/// Says that another version than this one should serve, or may.
fn not_taken_up(diagnosis: Option<&Diagnosis>, detector: &Detector) -> String {
    let said = diagnosis.map(|found| sentence(&found.with_model(detector.entry.version)));
    said.map_or_else(String::new, |said| {
        format!("<p class=\"fault\" role=\"alert\">{said}</p>")
    })
}

fn champion(detector: &Detector) -> String {
    let (bundle, entry) = (&detector.bundle, &detector.entry);
    let (name, version) = (escape(&detector.name), entry.version);
    let facts = [
        ("Data set", escape(&bundle.schema.name)),
        ("About it", escape(&bundle.schema.description)),
        (
            "Learned from",
            format!(
                "{} {} records, {} of them distinct",
                bundle.training.n_rows,
                if bundle.simulated {
                    "simulated"
                } else {
                    "real"
                },
                bundle.training.n_groups
            ),
        ),
        ("Chosen model", escape(&bundle.training.candidate)),
        ("Champion since", moment(&entry.at)),
        ("Run", escape(&entry.run)),
        (
            "Called a threat from",
            format!("{:.4}", bundle.thresholds.operating),
        ),
        ("Bundle", format!("<code>{}</code>", entry.bundle)),
    ];
    let rows: String = facts
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(what, value)| format!("<tr><th scope=\"row\">{what}</th><td>{value}</td></tr>"))
        .collect();
    format!(
        "<section><h2>{name} version {version}</h2><div class=\"scroll\"><table><caption>The model that \
         serves</caption><tbody>{rows}</tbody></table></div></section>{}",
        metrics(detector)
    )
}

fn metrics(detector: &Detector) -> String {
    let evaluation = &detector.evaluation;
    let m = &evaluation.metrics;
    let shown = [
        ("Precision", m.precision),
        ("Recall", m.recall),
        ("False-positive rate", m.fpr),
        ("F1", m.f1),
        ("Accuracy", m.accuracy),
        ("ROC AUC", m.roc_auc),
        ("PR AUC", m.pr_auc),
        ("Recall at 1 % false positives", m.recall_at_fpr_1pct),
    ];
    let row = |(name, interval): &(&str, Interval)| {
        let Interval { value, low, high } = interval;
        format!(
            "<tr><th scope=\"row\">{name}</th><td class=\"n\">{value:.4}</td>\
             <td class=\"n\">{}</td></tr>",
            if low.is_nan() {
                "–".to_owned()
            } else {
                format!("{low:.4} to {high:.4}")
            }
        )
    };
    let rows: String = shown.iter().map(row).collect();
    format!(
        "<section><h2>How good it is</h2><div class=\"scroll\"><table><caption>On {} records that it \
         has not learned from, {} of them threats, at the threshold above</caption><thead><tr>\
         <th scope=\"col\">measure</th><th scope=\"col\" class=\"n\">value</th>\
         <th scope=\"col\" class=\"n\">95 % interval</th></tr></thead><tbody>{rows}</tbody></table></div>\
         </section>",
        evaluation.n_rows, evaluation.n_threats
    )
}

fn record_form(detector: &Detector) -> String {
    let profile = &detector.bundle.profile;
    let field = |column: &Column| {
        let known = profile.column(&column.name);
        field(column, known.and_then(|known| typical(column, known)))
    };
    let fields: String = detector.columns().iter().map(field).collect();
    format!(
        "<section><h2>One record</h2><form id=\"record\" novalidate><div class=\"fields\">{fields}</div>\
         <button>Predict</button> <button type=\"button\" id=\"typical\" class=\"second\">Fill in usual \
         values</button></form><div id=\"verdict\" class=\"scroll\" aria-live=\"polite\"></div></section>"
    )
}

fn field(column: &Column, typical: Option<String>) -> String {
    let name = escape(&column.name);
    let title = if column.description.is_empty() {
        String::new()
    } else {
        format!(" title=\"{}\"", escape(&column.description))
    };
    let optional = if column.may_be_missing {
        " <span class=\"soft\">(may be empty)</span>"
    } else {
        ""
    };
    let kind = match column.kind {
        ColumnType::Text => "text",
        ColumnType::Boolean => "boolean",
        ColumnType::Integer | ColumnType::Number => "number",
    };
    let typical = typical.map(|value| format!(" data-typical=\"{}\"", escape(&value)));
    let typical = typical.unwrap_or_default();
    let attributes = format!("name=\"{name}\" data-kind=\"{kind}\"{typical}{title}");
    let control = match choices(column) {
        Some(choices) => select(&attributes, &choices),
        None => input(&attributes, column),
    };
    format!("<label>{name}{optional}{control}</label>")
}

/// Returns the value that is most frequent in the training data, or of those that the column may hold the one nearest
/// to the middle.
fn typical(column: &Column, profile: &ColumnProfile) -> Option<String> {
    match &profile.values {
        Values::Levels(levels) => {
            let level = levels.iter().max_by_key(|level| level.count)?;
            Some(level.text.clone())
        }
        Values::Hashed(_) => None,
        Values::Numbers(numbers) => {
            let middle = numbers.quantiles.quantile(0.5)?;
            let distance = |value: &&f64| (**value - middle).abs();
            Some(match (&column.domain, column.kind) {
                (_, ColumnType::Boolean) => (middle >= 0.5).to_string(),
                (Domain::Values(values), _) => {
                    let nearest = values
                        .iter()
                        .min_by(|a, b| distance(a).total_cmp(&distance(b)));
                    format_number(*nearest?)
                }
                (_, ColumnType::Integer) => format_number(middle.round()),
                _ => format_number(middle),
            })
        }
    }
}

/// Returns what a column may hold, when that is a short list.
fn choices(column: &Column) -> Option<Vec<String>> {
    const MOST: usize = 200;
    match (&column.kind, &column.domain) {
        (ColumnType::Boolean, _) => Some(vec!["false".to_owned(), "true".to_owned()]),
        (_, Domain::Values(values)) if values.len() <= MOST => {
            Some(values.iter().map(|v| format_number(*v)).collect())
        }
        (_, Domain::Levels(levels))
            if levels.len() <= MOST
                && column.unknown_levels == dataset::schema::UnknownLevels::Reject =>
        {
            Some(levels.clone())
        }
        _ => None,
    }
}

fn select(attributes: &str, choices: &[String]) -> String {
    let options: String = choices
        .iter()
        .map(|choice| format!("<option>{}</option>", escape(choice)))
        .collect();
    format!("<select {attributes}><option value=\"\">–</option>{options}</select>")
}

fn input(attributes: &str, column: &Column) -> String {
    if column.kind == ColumnType::Text {
        return format!("<input type=\"text\" {attributes}>");
    }
    let mut more = String::new();
    if let Domain::Range { min, max } = column.domain {
        for (name, end) in [("min", min), ("max", max)] {
            if let Some(end) = end {
                // Writing into a string does not fail.
                let _ = write!(more, " {name}=\"{}\"", format_number(end));
            }
        }
    }
    let step = if column.kind == ColumnType::Integer {
        "1"
    } else {
        "any"
    };
    format!("<input type=\"number\" step=\"{step}\"{more} {attributes}>")
}

fn file_form(detector: &Detector) -> String {
    let delimiter = escape(&detector.bundle.schema.file.delimiter);
    format!(
        "<section><h2>A file</h2><label class=\"drop\" id=\"drop\" data-delimiter=\"{delimiter}\">Drop a \
         CSV file with a line of names here, or choose one<input type=\"file\" id=\"file\" \
         accept=\".csv,.txt,.gz,text/csv\"></label><progress id=\"progress\" max=\"1\" hidden \
         aria-label=\"Scored so far\"></progress><p id=\"said\" aria-live=\"polite\"></p>\
         <p><a id=\"download\" hidden>Download the file with verdicts</a></p>\
         <div id=\"rows\" class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Scored rows\"></div>\
         </section>"
    )
}

fn traffic_section(traffic: &Traffic) -> String {
    let Traffic {
        records,
        threats,
        drift,
    } = traffic;
    let share = if *records == 0 {
        String::new()
    } else {
        format!(" ({:.1} %)", 100.0 * *threats as f64 / *records as f64)
    };
    format!(
        "<section><h2>Traffic</h2><p>{records} records scored since the start, {threats} of them called \
         a threat{share}.</p>{}</section>",
        drift.as_ref().map_or(String::new(), drift_table)
    )
}

fn drift_table(report: &DriftReport) -> String {
    if report.rows_fresh == 0 {
        return "<p class=\"soft\">Nothing came in the last hour that could be compared with the \
                training data.</p>"
            .to_owned();
    }
    let n = report.drifted().count();
    let verdict = match n {
        0 => "None of the columns has drifted.".to_owned(),
        1 => "One column has drifted: the model may no longer fit.".to_owned(),
        n => format!("{n} columns have drifted: the model may no longer fit."),
    };
    let mut columns: Vec<&ColumnDrift> = report.columns.iter().collect();
    // Stable: drifted ones first, each part in the schema's order.
    columns.sort_by_key(|column| !column.drifted);
    let row = |column: &&ColumnDrift| {
        let (effect, least) = column
            .values
            .as_ref()
            .map_or((f64::NAN, f64::NAN), |f| (f.effect, f.effect_threshold));
        let number = |x: f64| {
            if x.is_nan() {
                "–".to_owned()
            } else {
                format!("{x:.3}")
            }
        };
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{:.1} %</td></tr>",
            escape(&column.name),
            if column.drifted {
                "drifted"
            } else {
                "as before"
            },
            number(effect),
            number(least),
            100.0 * column.missing_share_fresh
        )
    };
    let rows: String = columns.iter().map(row).collect();
    format!(
        "<p>{verdict}</p><details><summary>Every column</summary><div class=\"scroll\"><table><caption>{} \
         records of the last hour, against the {} that the model has learned from</caption><thead><tr>\
         <th scope=\"col\">column</th><th scope=\"col\">verdict</th><th scope=\"col\" class=\"n\">moved \
         by</th><th scope=\"col\" class=\"n\">counts from</th><th scope=\"col\" class=\"n\">missing</th>\
         </tr></thead><tbody>{rows}</tbody></table></div></details>",
        report.rows_fresh, report.rows_reference
    )
}

fn history_section(history: &Result<History, String>) -> String {
    let content = match history {
        Ok(history) => history_table(history),
        Err(said) => format!("<p class=\"fault\" role=\"alert\">{}</p>", sentence(said)),
    };
    format!("<section><h2>History</h2>{content}</section>")
}

fn history_table(history: &History) -> String {
    const SHOWN: usize = 20;
    let row = |entry: &Entry| {
        let (action, number) = match entry.action {
            Action::Promoted => ("promoted", entry.version),
            Action::Declined => ("declined", entry.version),
            Action::RolledBack => ("rolled back to", entry.version),
            Action::Withdrawn => ("withdrawn", entry.version),
            Action::Disowned(other) => ("disowned: entry", other),
        };
        let why = entry.why.iter().chain(&entry.reasons);
        let mut why: Vec<String> = why.map(escape).collect();
        if let Some(by) = history.disowned_by(entry.sequence) {
            why.push(format!("does not count, by entry {by}"));
        }
        format!(
            "<tr><td>{}</td><td>{action}</td><td class=\"n\">{number}</td><td>{}</td></tr>",
            moment(&entry.at),
            why.join("; ")
        )
    };
    let rows: String = history
        .entries()
        .iter()
        .rev()
        .take(SHOWN)
        .map(row)
        .collect();
    format!(
        "<div class=\"scroll\"><table class=\"history\"><caption>The latest first</caption><thead>\
         <tr><th scope=\"col\">when</th><th scope=\"col\">what</th><th scope=\"col\" class=\"n\">version\
         </th><th scope=\"col\">why</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// Writes a time, which is RFC 3339 in UTC, for people.
fn moment(at: &str) -> String {
    let whole = escape(at);
    match (at.get(..10), at.get(11..16), at.ends_with('Z')) {
        (Some(day), Some(time), true) => {
            let (day, time) = (escape(day), escape(time));
            format!("<time datetime=\"{whole}\">{day} {time} UTC</time>")
        }
        _ => whole,
    }
}

/// Writes a text so that it is text in HTML, in attributes too.
fn escape(text: &(impl Display + ?Sized)) -> String {
    let mut escaped = String::new();
    for c in text.to_string().chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
