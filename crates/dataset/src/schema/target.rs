//! What is to be learned: which values of the target are benign and which are which threat.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{ClassNames, Label};

/// The target column and the meaning of its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetSpec {
    /// Name of the column.
    pub column: String,
    /// Label of what is harmless, with the values that mean it.
    pub benign: BTreeMap<String, Vec<String>>,
    /// Threat families, each with the values that mean it.
    pub threats: BTreeMap<String, Vec<String>>,
    /// Whether to learn threat against benign, or the families.
    #[serde(default)]
    pub classes: ClassMode,
    /// Label of a threat when families are not learned; with one family its name by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threat_name: Option<String>,
}

/// What the classifier tells apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassMode {
    /// Threat or benign; families are kept aside for evaluation.
    #[default]
    Binary,
    /// Benign or one of the families.
    Families,
}

impl TargetSpec {
    /// Returns the names of the classes that are learned, benign first.
    pub fn class_names(&self) -> ClassNames {
        let benign = self.benign.keys().cloned();
        match self.classes {
            ClassMode::Families => ClassNames::new(benign.chain(self.threats.keys().cloned())),
            ClassMode::Binary => ClassNames::new(benign.chain([self.binary_threat_name()])),
        }
    }

    /// Returns the names of benign and all families, whatever is learned.
    pub fn family_names(&self) -> ClassNames {
        ClassNames::new(
            self.benign
                .keys()
                .cloned()
                .chain(self.threats.keys().cloned()),
        )
    }

    /// Returns the class of a value of the target, as learned; `None` for a value that is not listed.
    pub fn label_of(&self, value: &str) -> Option<Label> {
        let family = self.family_of(value)?;
        Some(match self.classes {
            ClassMode::Families => family,
            ClassMode::Binary if family.is_threat() => Label::threat(0),
            ClassMode::Binary => Label::BENIGN,
        })
    }

    /// Returns the family of a value of the target, whatever is learned; `-1.0` is listed as `-1` as well.
    pub fn family_of(&self, value: &str) -> Option<Label> {
        self.family_where(|listed| listed == value).or_else(|| {
            let number: f64 = value.parse().ok()?;
            self.family_where(|listed| listed.parse() == Ok(number))
        })
    }

    fn family_where(&self, is_it: impl Fn(&str) -> bool) -> Option<Label> {
        if self.benign.values().flatten().any(|listed| is_it(listed)) {
            return Some(Label::BENIGN);
        }
        let mut families = self.threats.values();
        let family = families.position(|values| values.iter().any(|listed| is_it(listed)))?;
        Some(Label::threat(family as u16))
    }

    fn binary_threat_name(&self) -> String {
        match (&self.threat_name, self.threats.len()) {
            (Some(name), _) => name.clone(),
            (None, 1) => self.threats.keys().next().cloned().unwrap_or_default(),
            (None, _) => "threat".to_owned(),
        }
    }

    /// Returns in what the labels and their values contradict one another.
    pub(super) fn problem(&self) -> Option<String> {
        if self.benign.len() != 1 {
            return Some(format!(
                "target: `benign` needs exactly one label, not {}",
                self.benign.len()
            ));
        }
        if self.threats.is_empty() {
            return Some("target: `threats` needs at least one family".to_owned());
        }
        if self.threats.len() > 1000 {
            return Some(format!(
                "target: {} families, at most 1000",
                self.threats.len()
            ));
        }
        if let Some(both) = self.threats.keys().find(|t| self.benign.contains_key(*t)) {
            return Some(format!(
                "target: `{both}` names a threat and what is benign"
            ));
        }
        if let Some(name) = &self.threat_name
            && (name.trim().is_empty() || self.benign.contains_key(name))
        {
            return Some(format!(
                "target: `threat_name` is `{name}`: give a name that is not empty and not that of \
                 what is benign"
            ));
        }
        let mut seen = BTreeSet::new();
        let all = self.benign.iter().chain(&self.threats);
        for (name, values) in all {
            if values.is_empty() {
                return Some(format!(
                    "target: `{name}` has no values: list the harmless values of column `{}` under \
                     `benign`, the others under `threats`",
                    self.column
                ));
            }
            if let Some(twice) = values.iter().find(|v| !seen.insert(v.as_str())) {
                return Some(format!("target: value `{twice}` is listed twice"));
            }
        }
        None
    }
}
