//! An inferred schema as a YAML file for a person to edit: one line a column, comments where to look.

use artifact::yaml;

use super::{Column, Domain, FileLayout, Schema, SchemaError, TargetSpec, UnknownLevels};
use crate::format_number;

/// A schema that was inferred, and whether anybody has said which values of the target are threats.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The schema; its target's sides are a guess when `threat_is_known` is false.
    pub schema: Schema,
    /// Whether the threats were named, or harmless values are known by what they are called.
    pub threat_is_known: bool,
    /// Rows that were looked at.
    pub n_rows: u64,
}

impl Draft {
    /// Returns every value of the target, ascending.
    pub fn target_values(&self) -> Vec<&str> {
        let target = &self.schema.target;
        let sides = target.benign.values().chain(target.threats.values());
        let mut values: Vec<&str> = sides.flatten().map(String::as_str).collect();
        values.sort_unstable();
        values
    }

    /// Writes the file. While nobody has said which values are threats, its target has empty sides
    /// under a line that begins with `# EDIT`, and [`Schema::parse`] says what to do.
    ///
    /// # Errors
    /// [`SchemaError::Syntax`] when some text cannot be written so that it is read back as it was.
    pub fn to_yaml(&self) -> Result<String, SchemaError> {
        let whole = self.write(&sides(&self.schema.target));
        let failed = |reason: String| SchemaError::Syntax {
            origin: "just inferred".to_owned(),
            reason,
        };
        if Schema::parse(&whole, "just inferred")? != self.schema {
            return Err(failed("it does not read back as it was written".to_owned()));
        }
        if self.threat_is_known {
            return Ok(whole);
        }
        let values: Vec<String> = self.target_values().into_iter().map(scalar).collect();
        Ok(self.write(&format!(
            "  # EDIT: put the harmless values of this column under `benign`, the others under \
             `threats`.\n  # Found: {}\n  benign: {{benign: []}}\n  threats: {{threat: []}}\n",
            values.join(", ")
        )))
    }

    fn write(&self, sides: &str) -> String {
        let schema = &self.schema;
        let tokens: Vec<String> = schema.missing_tokens.iter().map(|t| scalar(t)).collect();
        let columns: String = schema.columns.iter().map(column_line).collect();
        format!(
            "# First draft of a schema, from {rows} rows: read it through, lines with REVIEW above all.\n\
             name: {name}\n\
             description: {description}\n\
             {file}\
             # Texts that mean that there is no value.\n\
             missing_tokens: [{tokens}]\n\
             # Add `never_use: true` to what must not be learned from: identifiers, outcomes.\n\
             columns:\n\
             {columns}\
             target:\n\
             \x20 column: {target}\n\
             {sides}\
             quality: {{max_bad_share: {share}}}\n\
             # What a model must reach on the holdout before it may serve, such as:\n\
             # promotion: {{pr_auc: 0.9, roc_auc: 0.9, recall: 0.5, max_fpr: 0.03}}\n",
            rows = self.n_rows,
            name = scalar(&schema.name),
            description = scalar(&schema.description),
            file = file_line(&schema.file),
            tokens = tokens.join(", "),
            target = scalar(&schema.target.column),
            share = number(schema.quality.max_bad_share),
        )
    }
}

fn file_line(file: &FileLayout) -> String {
    let FileLayout { header, delimiter } = file;
    let comment = if *header {
        ""
    } else {
        "# Files have no line of names: columns are taken in the order below.\n"
    };
    let delimiter = scalar(&delimiter.to_string());
    format!("{comment}file: {{header: {header}, delimiter: {delimiter}}}\n")
}

fn column_line(column: &Column) -> String {
    let kind = yaml::to_text(&column.kind).unwrap_or_default();
    let mut parts = vec![
        format!("name: {}", scalar(&column.name)),
        format!("type: {}", kind.trim()),
    ];
    match &column.domain {
        Domain::Any => {}
        Domain::Values(values) => {
            let values: Vec<String> = values.iter().map(|v| number(*v)).collect();
            parts.push(format!("values: [{}]", values.join(", ")));
        }
        Domain::Levels(levels) => {
            let levels: Vec<String> = levels.iter().map(|l| scalar(l)).collect();
            parts.push(format!("levels: [{}]", levels.join(", ")));
        }
        Domain::Range { min, max } => {
            parts.extend(min.map(|min| format!("min: {}", number(min))));
            parts.extend(max.map(|max| format!("max: {}", number(max))));
        }
    }
    if column.unknown_levels == UnknownLevels::Accept {
        parts.push("unknown_levels: accept".to_owned());
    }
    if column.may_be_missing {
        parts.push("may_be_missing: true".to_owned());
    }
    if column.never_use {
        parts.push("never_use: true".to_owned());
    }
    if !column.description.is_empty() {
        parts.push(format!("description: {}", scalar(&column.description)));
    }
    format!("  - {{{}}}\n", parts.join(", "))
}

fn sides(target: &TargetSpec) -> String {
    let side = |side: &std::collections::BTreeMap<String, Vec<String>>| {
        let lines = side.iter().map(|(name, values)| {
            let values: Vec<String> = values.iter().map(|v| scalar(v)).collect();
            format!("    {}: [{}]\n", scalar(name), values.join(", "))
        });
        lines.collect::<String>()
    };
    format!(
        "  benign:\n{}  threats:\n{}",
        side(&target.benign),
        side(&target.threats)
    )
}

/// Writes a text as a plain scalar where nothing could take it for something else, else quoted.
fn scalar(text: &str) -> String {
    let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let mut characters = text.chars();
    let is_plain = characters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && characters.all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        && !words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_plain {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() || "\u{2028}\u{2029}\u{feff}".contains(c) => {
            format!("\\u{:04x}", u32::from(c))
        }
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn number(number: f64) -> String {
    if number.abs() < 1e15 {
        format_number(number)
    } else {
        format!("{number:e}")
    }
}
