//! How many features a node of a forest looks at.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{TreesError, parameter::require_share};

/// How many features a node looks at before it settles for the best split.
///
/// Written `sqrt`, `all` or a share such as `0.5`, in every format; always at least one feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFeatures {
    /// The square root of their number, rounded down.
    Sqrt,
    /// All of them.
    All,
    /// This share of them, in (0, 1], rounded down.
    Fraction(f64),
}

impl MaxFeatures {
    pub(super) fn check(self) -> Result<(), TreesError> {
        match self {
            Self::Fraction(share) => require_share("max_features", share),
            Self::Sqrt | Self::All => Ok(()),
        }
    }

    pub(super) fn of(self, n_features: usize) -> usize {
        let features = match self {
            Self::Sqrt => n_features.isqrt(),
            Self::All => n_features,
            Self::Fraction(share) => (share * n_features as f64) as usize,
        };
        features.clamp(1, n_features)
    }
}

impl fmt::Display for MaxFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqrt => f.write_str("sqrt"),
            Self::All => f.write_str("all"),
            Self::Fraction(share) => fmt::Display::fmt(share, f),
        }
    }
}

impl std::str::FromStr for MaxFeatures {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sqrt" => Ok(Self::Sqrt),
            "all" => Ok(Self::All),
            share => share
                .parse()
                .map(Self::Fraction)
                .map_err(|_| format!("max_features is `{text}`: write sqrt, all or a share")),
        }
    }
}

impl Serialize for MaxFeatures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fraction(share) if serializer.is_human_readable() => {
                serializer.serialize_f64(*share)
            }
            _ => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for MaxFeatures {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(AnyForm)
        } else {
            deserializer.deserialize_str(AnyForm)
        }
    }
}

struct AnyForm;

impl de::Visitor<'_> for AnyForm {
    type Value = MaxFeatures;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sqrt, all or a share of the features")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<MaxFeatures, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_f64<E>(self, share: f64) -> Result<MaxFeatures, E> {
        Ok(MaxFeatures::Fraction(share))
    }

    fn visit_u64<E>(self, share: u64) -> Result<MaxFeatures, E> {
        Ok(MaxFeatures::Fraction(share as f64))
    }
}
