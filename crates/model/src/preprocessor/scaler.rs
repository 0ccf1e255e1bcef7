//! Scaling: one centre and one scale a feature.

use dataset::ScalerKind;
use serde::{Deserialize, Serialize};

use super::encoder::Encoder;
use super::quantile::{ascending, mean, quantile};

/// Fitted scales; a feature becomes `(x - centre) / scale`, and NaN stays NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Scaler {
    features: Vec<Scale>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Scale {
    centre: f64,
    scale: f64,
}

impl Scale {
    const IDENTITY: Self = Self {
        centre: 0.0,
        scale: 1.0,
    };
}

impl Scaler {
    /// Fits on rows of `width` cells, already imputed; one-hot features and categories stay as they are.
    pub(super) fn fit(kind: ScalerKind, encoder: &Encoder, rows: &[f64], width: usize) -> Self {
        let sources = encoder.sources();
        let unscaled = encoder.unscaled_features();
        let features = sources
            .iter()
            .zip(unscaled)
            .map(|(&column, unscaled)| {
                if unscaled || kind == ScalerKind::None {
                    return Scale::IDENTITY;
                }
                let cells = rows.iter().skip(column).step_by(width).copied();
                fit_scale(kind, &ascending(cells))
            })
            .collect();
        Self { features }
    }

    /// Scales a value of a feature.
    pub(super) fn scale(&self, feature: usize, value: f64) -> f64 {
        let Scale { centre, scale } = self.features[feature];
        (value - centre) / scale
    }

    /// Returns the centre and the scale of a feature.
    pub(super) fn centre_and_scale(&self, feature: usize) -> (f64, f64) {
        let Scale { centre, scale } = self.features[feature];
        (centre, scale)
    }

    pub(super) fn check(&self, one_hot: &[bool]) -> Result<(), String> {
        let (scales, features) = (self.features.len(), one_hot.len());
        if scales != features {
            return Err(format!("{scales} scales for {features} features"));
        }
        let bad = |(s, one_hot): &(&Scale, &bool)| {
            !(s.centre.is_finite() && s.scale.is_finite() && s.scale > 0.0)
                || (**one_hot && **s != Scale::IDENTITY)
        };
        match self.features.iter().zip(one_hot).position(|f| bad(&f)) {
            Some(feature) => Err(format!(
                "feature {feature} has the scale {:?}",
                self.features[feature]
            )),
            None => Ok(()),
        }
    }
}

fn fit_scale(kind: ScalerKind, ascending: &[f64]) -> Scale {
    let (Some(min), Some(max)) = (ascending.first(), ascending.last()) else {
        return Scale::IDENTITY;
    };
    let (centre, scale) = match kind {
        ScalerKind::None => return Scale::IDENTITY,
        ScalerKind::Standard => {
            let mean = mean(ascending);
            (mean, standard_deviation(ascending, mean))
        }
        ScalerKind::MinMax => (*min, nonzero(max - min)),
        ScalerKind::Robust => {
            let spread = quantile(ascending, 0.75) - quantile(ascending, 0.25);
            (quantile(ascending, 0.5), nonzero(spread))
        }
    };
    // Beyond f64's range (values of ±1e308) there is no scale to speak of.
    if centre.is_finite() && scale.is_finite() {
        Scale { centre, scale }
    } else {
        Scale::IDENTITY
    }
}

/// Returns the population standard deviation, or 1 when the values cannot be told from a constant
/// (scikit-learn's bound, after Chan, Golub and LeVeque 1983).
fn standard_deviation(values: &[f64], mean: f64) -> f64 {
    let n = values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    let rounding = n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2);
    if variance <= rounding {
        1.0
    } else {
        variance.sqrt()
    }
}

fn nonzero(spread: f64) -> f64 {
    if spread < 10.0 * f64::EPSILON {
        1.0
    } else {
        spread
    }
}
