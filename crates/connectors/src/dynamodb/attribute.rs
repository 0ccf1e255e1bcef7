//! Values as DynamoDB's JSON has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Attributes by their names.
pub(super) type Item = BTreeMap<String, Attribute>;

/// One value; numbers are texts on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Attribute {
    #[serde(rename = "S")]
    Text(String),
    #[serde(rename = "N")]
    Number(String),
    #[serde(rename = "BOOL")]
    Boolean(bool),
    #[serde(rename = "NULL")]
    Null(bool),
    #[serde(rename = "M")]
    Map(Item),
    #[serde(rename = "L")]
    List(Value),
    #[serde(rename = "B")]
    Binary(Value),
    #[serde(rename = "SS")]
    Texts(Value),
    #[serde(rename = "NS")]
    Numbers(Value),
    #[serde(rename = "BS")]
    Binaries(Value),
}

impl Attribute {
    /// Names a type as DynamoDB's documentation does.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Boolean(_) => "a boolean",
            Self::Null(_) => "null",
            Self::Map(_) => "a map",
            Self::List(_) => "a list",
            Self::Binary(_) => "binary data",
            Self::Texts(_) => "a string set",
            Self::Numbers(_) => "a number set",
            Self::Binaries(_) => "a binary set",
        }
    }

    /// Returns about how many bytes DynamoDB counts for it.
    pub(super) fn n_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            // Two digits a byte, and one more.
            Self::Number(text) => text.len() / 2 + 2,
            _ => 1,
        }
    }
}
