//! The requests that are made, each with what it used.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{attribute::Item, client::Client};
use crate::failure::{Cause, Trouble};

/// Items of one request to write at most.
pub(super) const WRITTEN_AT_ONCE: usize = 25;
/// Keys of one request to read at most.
const READ_AT_ONCE: usize = 100;

/// A page of a scan.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    #[serde(default)]
    pub items: Vec<Box<RawValue>>,
    pub last_evaluated_key: Option<Value>,
    consumed_capacity: Option<Consumed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Consumed {
    #[serde(default)]
    capacity_units: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    #[serde(default)]
    unprocessed_items: BTreeMap<String, Vec<Value>>,
    #[serde(default)]
    consumed_capacity: Vec<Consumed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Got {
    #[serde(default)]
    responses: BTreeMap<String, Vec<Item>>,
    #[serde(default)]
    unprocessed_keys: BTreeMap<String, Value>,
    #[serde(default)]
    consumed_capacity: Vec<Consumed>,
}

impl Client {
    /// Reads a page; what else is asked for stands in the parameters.
    pub(super) async fn scan(
        &self,
        parameters: &Value,
        from: Option<&Value>,
    ) -> Result<Page, Trouble> {
        let mut parameters = parameters.clone();
        parameters["TableName"] = json!(self.address.table);
        parameters["ReturnConsumedCapacity"] = json!("TOTAL");
        if let Some(from) = from {
            parameters["ExclusiveStartKey"] = from.clone();
        }
        self.reading.wait().await;
        let mut page: Page = self.ask("read items", "Scan", &parameters).await?;
        let consumed = page.consumed_capacity.iter();
        self.reading.note(consumed.map(|c| c.capacity_units).sum());
        page.last_evaluated_key = page.last_evaluated_key.filter(|key| *key != json!({}));
        if page.last_evaluated_key.is_some() && page.last_evaluated_key.as_ref() == from {
            let reason = "it says there are more, but not how to ask for them";
            return Err(self.trouble("read items", Cause::Refused, reason));
        }
        Ok(page)
    }

    /// Writes or deletes some items, until the server has taken all.
    pub(super) async fn write(&self, mut requests: Vec<Value>) -> Result<(), Trouble> {
        let (asked, table) = ("write items", &self.address.table);
        let mut failed = 0;
        loop {
            let n = requests.len();
            let parameters =
                json!({"RequestItems": {table: requests}, "ReturnConsumedCapacity": "TOTAL"});
            self.writing.wait().await;
            let mut written: Written = self.ask(asked, "BatchWriteItem", &parameters).await?;
            let consumed = written.consumed_capacity.iter();
            self.writing.note(consumed.map(|c| c.capacity_units).sum());
            requests = written.unprocessed_items.remove(table).unwrap_or_default();
            match requests.len() {
                0 => return Ok(()),
                left if left < n => failed = 0,
                _ => {}
            }
            let reason = format!("it has not taken {} of {n} items", requests.len());
            let trouble = self.trouble(asked, Cause::Busy, reason);
            self.wait(trouble, &mut failed).await?;
        }
    }

    /// Reads the items of some keys; those that are not there are left out.
    pub(super) async fn get(&self, keys: &[Item]) -> Result<Vec<Item>, Trouble> {
        let (asked, table) = ("read items back", &self.address.table);
        let mut found = Vec::new();
        for some in keys.chunks(READ_AT_ONCE) {
            let (mut open, mut failed) = (json!({"Keys": some, "ConsistentRead": true}), 0);
            loop {
                let parameters =
                    json!({"RequestItems": {table: open}, "ReturnConsumedCapacity": "TOTAL"});
                self.reading.wait().await;
                let mut got: Got = self.ask(asked, "BatchGetItem", &parameters).await?;
                let consumed = got.consumed_capacity.iter();
                self.reading.note(consumed.map(|c| c.capacity_units).sum());
                let items = got.responses.remove(table).unwrap_or_default();
                if !items.is_empty() {
                    failed = 0;
                }
                found.extend(items);
                let Some(left) = got.unprocessed_keys.remove(table) else {
                    break;
                };
                open = left;
                let trouble = self.trouble(asked, Cause::Busy, "it has not given all of them");
                self.wait(trouble, &mut failed).await?;
            }
        }
        Ok(found)
    }
}
