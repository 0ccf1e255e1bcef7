//! Whole numbers as JSON may write them: 691, 691.0 and 6.91e2 are the same one.

use std::fmt;

use serde::{
    Deserialize, Serialize,
    de::{Deserializer, Error, Unexpected, Visitor},
};

/// A whole number of at least 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Whole(pub u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyWhole)
    }
}

impl Whole {
    /// What it is, for those who have sent something else.
    pub const WHAT: &'static str = "a whole number of at least 0";
}

struct AnyWhole;

impl Visitor<'_> for AnyWhole {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Whole::WHAT)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
        let refuse = |_| E::invalid_value(Unexpected::Signed(number), &self);
        u64::try_from(number).map(Whole).map_err(refuse)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
        // Beyond it a number of 64 bits does not say which whole number is meant.
        const MOST: f64 = 9_007_199_254_740_992.0;
        if number.fract() == 0.0 && (0.0..=MOST).contains(&number) {
            return Ok(Whole(number as u64));
        }
        Err(E::invalid_value(Unexpected::Float(number), &self))
    }
}
