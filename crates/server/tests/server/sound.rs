//! Which records of flows the service has to take, found by another way than the service's.

use std::collections::BTreeMap;

use serde_json::{Map, Value, value::RawValue};

/// What is passed over is not looked into: it may hold what no [`Value`] can.
type Object<'a> = BTreeMap<String, &'a RawValue>;

/// Returns the records of a body, without what is passed over, when all of it is sound.
pub fn sound_records(body: &[u8], may_have_top: bool) -> Option<Vec<Value>> {
    let whole: Object<'_> = serde_json::from_slice(body).ok()?;
    let is_known = |(name, value): (&String, &&RawValue)| {
        name == "records" || may_have_top && name == "top" && is_top(value)
    };
    let records: Vec<Object<'_>> = serde_json::from_str(whole.get("records")?.get()).ok()?;
    let records: Option<Vec<_>> = records.into_iter().map(looked_at).collect();
    let records = records?;
    let is_whole = (1..=5).contains(&records.len()) && records.iter().all(is_sound);
    let is_sound = is_whole && whole.iter().all(is_known);
    is_sound.then(|| records.into_iter().map(Value::Object).collect())
}

fn is_top(value: &RawValue) -> bool {
    const MOST: f64 = 9_007_199_254_740_992.0;
    match serde_json::from_str(value.get()) {
        Ok(Value::Null) => true,
        Ok(Value::Number(n)) => {
            let is_whole = |n: f64| n.fract() == 0.0 && (0.0..=MOST).contains(&n);
            n.is_u64() || n.as_f64().is_some_and(is_whole)
        }
        _ => false,
    }
}

fn looked_at(record: Object<'_>) -> Option<Map<String, Value>> {
    let values = record.into_iter();
    let values = values.filter(|(name, _)| name != "id" && name != "attack");
    let value = |(name, value): (String, &RawValue)| {
        let value = serde_json::from_str(value.get()).ok()?;
        Some((name, value))
    };
    values.map(value).collect()
}

fn is_sound(record: &Map<String, Value>) -> bool {
    const COLUMNS: [&str; 5] = ["duration", "bytes", "protocol", "service", "root"];
    let number = |name: &str| record.get(name).and_then(Value::as_f64);
    let is_null = |name: &str| record.get(name).is_none_or(Value::is_null);
    let in_range = |n: f64| n.fract() == 0.0 && (0.0..=1000.0).contains(&n);
    let protocol = record.get("protocol").and_then(Value::as_str);
    record.keys().all(|name| COLUMNS.contains(&name.as_str()))
        && number("duration").is_some_and(in_range)
        && (is_null("bytes") || number("bytes").is_some_and(|n| n >= 0.0))
        && protocol.is_some_and(|p| ["icmp", "tcp", "udp"].contains(&p.trim()))
        && (is_null("service") || record["service"].is_string())
        && match &record.get("root") {
            Some(Value::Bool(_)) => true,
            Some(Value::Number(n)) => [Some(0.0), Some(1.0)].contains(&n.as_f64()),
            _ => false,
        }
}
