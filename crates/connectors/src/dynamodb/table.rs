//! A table: its state, its key, and how one is made.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::client::Client;
use crate::failure::{Cause, Trouble};

const ASKED: &str = "look at the table";
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often a table is looked at that is being made: for two minutes.
const LOOKS: u32 = 480;

/// What the server says of a table.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Table {
    #[serde(rename = "TableStatus")]
    pub status: String,
    #[serde(default)]
    key_schema: Vec<KeyElement>,
    #[serde(default)]
    attribute_definitions: Vec<Definition>,
}

/// A part of a key, and its type as DynamoDB names it: `S`, `N` or `B`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyPart {
    pub name: String,
    pub kind: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyElement {
    attribute_name: String,
    key_type: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    table: Table,
}

impl Table {
    /// Returns the parts of the key, that which tells the partition first.
    pub(super) fn key(&self) -> Vec<KeyPart> {
        let kind_of = |name: &str| {
            let mut all = self.attribute_definitions.iter();
            all.find(|d| d.attribute_name == name)
                .map_or(String::new(), |d| d.attribute_type.clone())
        };
        let mut parts: Vec<&KeyElement> = self.key_schema.iter().collect();
        parts.sort_by_key(|part| part.key_type != "HASH");
        let part = |part: &KeyElement| KeyPart {
            name: part.attribute_name.clone(),
            kind: kind_of(&part.attribute_name),
        };
        parts.into_iter().map(part).collect()
    }
}

impl Client {
    /// Looks at the table.
    pub(super) async fn describe(&self) -> Result<Table, Trouble> {
        let parameters = json!({"TableName": self.address.table});
        let described: Described = self.ask(ASKED, "DescribeTable", &parameters).await?;
        Ok(described.table)
    }

    /// Returns the table once it can be used; one that is not there is made with a key.
    pub(super) async fn open_table(&self, key: &[KeyPart]) -> Result<Table, Trouble> {
        let mut found = self.describe().await;
        if let Err(Trouble {
            cause: Cause::Missing,
            ..
        }) = found
        {
            self.create(key).await?;
            found = self.describe().await;
        }
        for _ in 0..LOOKS {
            match found {
                Ok(table) if table.status == "CREATING" => {}
                // It is not known everywhere at once.
                Err(trouble) if trouble.cause == Cause::Missing => {}
                Ok(table) if matches!(table.status.as_str(), "ACTIVE" | "UPDATING") => {
                    return Ok(table);
                }
                Ok(table) => return Err(self.unusable(&table.status)),
                Err(trouble) => return Err(trouble),
            }
            sleep(LOOK_EVERY).await;
            found = self.describe().await;
        }
        Err(self.unusable("CREATING"))
    }

    /// Says of a table that is not found what the server knows of it.
    pub(super) async fn explained(&self, trouble: Trouble) -> Trouble {
        if trouble.cause != Cause::Missing {
            return trouble;
        }
        match self.describe().await {
            Ok(table) => self.unusable(&table.status),
            Err(_) => trouble,
        }
    }

    fn unusable(&self, status: &str) -> Trouble {
        let reason = match status {
            "CREATING" => "the table is still being made: try again in a minute".to_owned(),
            "DELETING" => "the table is being deleted: wait until it is gone".to_owned(),
            status => format!("the table is {status}, and neither read nor written then"),
        };
        self.trouble(ASKED, Cause::Refused, reason)
    }

    async fn create(&self, key: &[KeyPart]) -> Result<(), Trouble> {
        let element = |(i, part): (usize, &KeyPart)| {
            let kind = if i == 0 { "HASH" } else { "RANGE" };
            json!({"AttributeName": part.name, "KeyType": kind})
        };
        let definition =
            |part: &KeyPart| json!({"AttributeName": part.name, "AttributeType": part.kind});
        let parameters = json!({
            "TableName": self.address.table,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": key.iter().enumerate().map(element).collect::<Vec<Value>>(),
            "AttributeDefinitions": key.iter().map(definition).collect::<Vec<Value>>(),
        });
        let table = &self.address.table;
        tracing::info!(table, "the table is not there, making it");
        let made = self.ask::<Value>("make the table", "CreateTable", &parameters);
        match made.await {
            // So it looks when it was done, and the answer was lost.
            Err(trouble) if trouble.reason.contains("ResourceInUseException") => Ok(()),
            made => made.map(|_| ()),
        }
    }
}
