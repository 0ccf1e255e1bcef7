//! What is logged at once, in pieces that a server takes.

use serde_json::{Value, json};

/// Metrics, parameters and tags together, in one request.
const MAX_ENTITIES: usize = 1_000;
const MAX_PARAMETERS: usize = 100;
const MAX_TAGS: usize = 100;
/// Of 1 MB, with room for what stands around them.
const MAX_BYTES: usize = 1_000_000 - 10_000;
/// What servers since 2018 take; newer ones take more.
const MAX_KEY: usize = 250;
const MAX_PARAMETER: usize = 500;
const MAX_TAG: usize = 5_000;

/// What is to be logged to one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Batch {
    pub metrics: Vec<Metric>,
    pub parameters: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
}

/// A metric at a step. Logging it twice leaves one, since all of it is the same.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metric {
    pub key: String,
    pub value: f64,
    pub step: usize,
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

impl Batch {
    pub(crate) fn parameter(&mut self, key: &str, value: impl Into<String>) {
        let value = cut(&value.into(), MAX_PARAMETER);
        self.parameters.push((name(key), value));
    }

    pub(crate) fn tag(&mut self, key: &str, value: impl Into<String>) {
        self.tags.push((name(key), cut(&value.into(), MAX_TAG)));
    }

    pub(crate) fn metric(&mut self, key: &str, value: f64, step: usize, timestamp: i64) {
        self.metrics.push(Metric {
            key: name(key),
            value,
            step,
            timestamp,
        });
    }

    /// Returns the bodies of the requests that log all of it to a run.
    pub(crate) fn requests(&self, run_id: &str) -> Vec<Value> {
        let mut pieces = vec![Piece::default()];
        let pair = |(key, value): &(String, String)| json!({"key": key, "value": value});
        let tags = self.tags.iter().map(pair).map(Entity::Tag);
        let parameters = self.parameters.iter().map(pair).map(Entity::Parameter);
        let metrics = self.metrics.iter().map(Metric::to_json).map(Entity::Metric);
        for entity in tags.chain(parameters).chain(metrics) {
            let bytes = entity.bytes();
            if !pieces
                .last()
                .is_some_and(|piece| piece.takes(&entity, bytes))
            {
                pieces.push(Piece::default());
            }
            if let Some(piece) = pieces.last_mut() {
                piece.push(entity, bytes);
            }
        }
        pieces.retain(|piece| piece.bytes > 0);
        pieces.into_iter().map(|p| p.into_body(run_id)).collect()
    }
}

impl Metric {
    fn to_json(&self) -> Value {
        // What JSON has no number for, servers read as a text.
        let value = match self.value {
            v if v.is_nan() => json!("NaN"),
            f64::INFINITY => json!("Infinity"),
            f64::NEG_INFINITY => json!("-Infinity"),
            v => json!(v),
        };
        json!({"key": self.key, "value": value, "timestamp": self.timestamp, "step": self.step})
    }
}

enum Entity {
    Metric(Value),
    Parameter(Value),
    Tag(Value),
}

impl Entity {
    fn bytes(&self) -> usize {
        let (Self::Metric(value) | Self::Parameter(value) | Self::Tag(value)) = self;
        value.to_string().len() + 1
    }
}

/// What goes into one request.
#[derive(Default)]
struct Piece {
    metrics: Vec<Value>,
    parameters: Vec<Value>,
    tags: Vec<Value>,
    bytes: usize,
}

impl Piece {
    fn takes(&self, entity: &Entity, bytes: usize) -> bool {
        let n = self.metrics.len() + self.parameters.len() + self.tags.len();
        let has_room = match entity {
            Entity::Metric(_) => true,
            Entity::Parameter(_) => self.parameters.len() < MAX_PARAMETERS,
            Entity::Tag(_) => self.tags.len() < MAX_TAGS,
        };
        has_room && n < MAX_ENTITIES && self.bytes + bytes <= MAX_BYTES
    }

    fn push(&mut self, entity: Entity, bytes: usize) {
        self.bytes += bytes;
        match entity {
            Entity::Metric(value) => self.metrics.push(value),
            Entity::Parameter(value) => self.parameters.push(value),
            Entity::Tag(value) => self.tags.push(value),
        }
    }

    fn into_body(self, run_id: &str) -> Value {
        json!({
            "run_id": run_id,
            "metrics": self.metrics,
            "params": self.parameters,
            "tags": self.tags,
        })
    }
}

/// Writes a name with what names of servers may hold: letters, digits, `_-./ :`.
fn name(text: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || "_-./ :".contains(c);
    let plain = text.chars().map(|c| if allowed(c) { c } else { '_' });
    plain.take(MAX_KEY).collect()
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    kept + "…"
}

#[cfg(test)]
mod tests;
