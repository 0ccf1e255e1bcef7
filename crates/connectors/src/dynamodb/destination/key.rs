//! The key of a table, and what records get for it.

use dataset::{ColumnType, LoadMode, Schema};

use crate::dynamodb::{
    OWN_KEY,
    attribute::{Attribute, Item},
    table::KeyPart,
};

/// What tells the items of a table apart.
#[derive(Debug, Clone)]
pub(super) enum Key {
    /// A text that is no part of the records: `LOAD-ROW`.
    Own(String),
    /// Columns.
    Columns(Vec<KeyPart>),
}

impl Default for Key {
    fn default() -> Self {
        Self::Columns(Vec::new())
    }
}

impl Key {
    /// Checks that records can be written by a table's key.
    pub(super) fn of(parts: &[KeyPart], mode: &LoadMode, schema: &Schema) -> Result<Self, String> {
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let shown = names.join(", ");
        let is_column = |name: &&str| schema.file_columns().iter().any(|c| c == name);
        match (mode, parts) {
            (LoadMode::Upsert(key), _) => {
                let is_same =
                    key.len() == names.len() && key.iter().all(|k| names.contains(&k.as_str()));
                if !is_same {
                    let flags: Vec<String> = names.iter().map(|n| format!("--key {n}")).collect();
                    return Err(format!(
                        "its key is ({shown}), and an item is written over by that alone: {}",
                        flags.join(" ")
                    ));
                }
                match parts.iter().find(|part| part.kind == "B") {
                    Some(part) => Err(format!("`{}` of its key is binary", part.name)),
                    None => Ok(Self::Columns(parts.to_vec())),
                }
            }
            (_, [only]) if only.kind == "S" && !is_column(&only.name.as_str()) => {
                Ok(Self::Own(only.name.clone()))
            }
            _ => Err(format!(
                "its key is ({shown}), but records are added under one text that is no column of the \
                 schema, as is `{OWN_KEY}` in tables that a push makes: use --mode upsert, or another table"
            )),
        }
    }

    /// Returns the name of a key that is no part of the records.
    pub(super) fn own(&self) -> Option<&str> {
        match self {
            Self::Own(name) => Some(name),
            Self::Columns(_) => None,
        }
    }

    /// Gives an item its key, in the type that the table wants.
    pub(super) fn put(&self, item: &mut Item, load: &str, row: u64) -> Result<(), String> {
        match self {
            Self::Own(name) => {
                item.insert(name.clone(), Attribute::Text(format!("{load}-{row:010}")));
            }
            Self::Columns(parts) => {
                for part in parts {
                    let value = item.remove(&part.name).unwrap_or(Attribute::Null(true));
                    item.insert(part.name.clone(), typed(part, value)?);
                }
            }
        }
        Ok(())
    }

    /// Returns the key of an item.
    pub(super) fn of_item(&self, item: &Item) -> Item {
        let Self::Columns(parts) = self else {
            return Item::new();
        };
        let value = |part: &KeyPart| Some((part.name.clone(), item.get(&part.name)?.clone()));
        parts.iter().filter_map(value).collect()
    }
}

/// Returns the key of the table that a push makes.
pub(super) fn of_new_table(mode: &LoadMode, schema: &Schema) -> Vec<KeyPart> {
    let LoadMode::Upsert(key) = mode else {
        return vec![KeyPart {
            name: OWN_KEY.to_owned(),
            kind: "S".to_owned(),
        }];
    };
    let part = |name: &String| {
        let kind = schema.column(name).map(|column| column.kind);
        let is_number = matches!(kind, Some(ColumnType::Integer | ColumnType::Number));
        KeyPart {
            name: name.clone(),
            kind: if is_number { "N" } else { "S" }.to_owned(),
        }
    };
    key.iter().map(part).collect()
}

fn typed(part: &KeyPart, value: Attribute) -> Result<Attribute, String> {
    match (part.kind.as_str(), value) {
        ("N", Attribute::Number(text)) => Ok(Attribute::Number(text)),
        // What is written otherwise, `007` say, would come back as another text.
        ("N", Attribute::Text(text)) if is_plain(&text) => Ok(Attribute::Number(text)),
        ("S", Attribute::Number(text) | Attribute::Text(text)) if !text.is_empty() => {
            Ok(Attribute::Text(text))
        }
        ("S", Attribute::Boolean(truth)) => Ok(Attribute::Text(truth.to_string())),
        (_, Attribute::Text(text)) if text.is_empty() => {
            Err(format!("{}: an empty text cannot be of the key", part.name))
        }
        (kind, value) => Err(format!(
            "{}: {} cannot be of the key, which is of type {kind}",
            part.name,
            value.type_name()
        )),
    }
}

fn is_plain(text: &str) -> bool {
    text.parse()
        .is_ok_and(|whole: i64| whole.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_key_is_said() {
        let check = |kind: &str, value: Attribute, expected: &str| {
            let part = KeyPart {
                name: "id".to_owned(),
                kind: kind.to_owned(),
            };
            assert_eq!(typed(&part, value).unwrap_err(), expected);
        };
        let text = |text: &str| Attribute::Text(text.to_owned());
        let empty = "id: an empty text cannot be of the key";
        check("S", text(""), empty);
        check("N", text(""), empty);
        let of_type = "id: a string cannot be of the key, which is of type N";
        check("N", text("007"), of_type);
    }
}
