//! Maps from a classifier's probabilities to frequencies, fitted on out-of-fold probabilities.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// How far probabilities are drawn in before their logit is taken, so that 0 and 1 have one.
pub const SHRINKAGE: f64 = 1e-6;

/// A monotone map from probability to calibrated probability.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum Calibration {
    /// Probabilities stay as they are.
    #[default]
    None,
    /// `1 / (1 + exp(a · f + b))` with f the [`logit`] of the probability, after Platt (1999).
    Platt {
        /// Slope, at most 0.
        a: f64,
        /// Offset.
        b: f64,
    },
    /// Linear between points and constant beyond them.
    Isotonic {
        /// Probability and calibrated probability; the former ascends, the latter does not descend.
        points: Vec<(f64, f64)>,
    },
}

impl Calibration {
    /// Fits Platt scaling by maximum likelihood with the smoothed targets of Platt (1999) and the
    /// numerically sound Newton method of Lin, Lin and Weng (2007). The figures are those of
    /// scikit-learn's sigmoid calibration on the [`logit`] of the probabilities.
    ///
    /// The slope is kept from turning the ranking over: probabilities that rank threats below benign rows
    /// calibrate to a constant. With one class only, there is nothing to fit: [`Calibration::None`].
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn fit_platt(probabilities: &[f64], truth: &[bool]) -> Self {
        assert_eq!(probabilities.len(), truth.len(), "one probability a row");
        let threats = truth.iter().filter(|&&threat| threat).count() as f64;
        let benign = truth.len() as f64 - threats;
        if threats == 0.0 || benign == 0.0 {
            return Self::None;
        }
        let (high, low) = ((threats + 1.0) / (threats + 2.0), 1.0 / (benign + 2.0));
        let rows: Vec<(f64, f64)> = probabilities
            .iter()
            .zip(truth)
            .map(|(&p, &threat)| (logit(p), if threat { high } else { low }))
            .collect();
        let (a, b) = newton(&rows, ((benign + 1.0) / (threats + 1.0)).ln());
        if a <= 0.0 {
            return Self::Platt { a, b };
        }
        let mean = (threats * high + benign * low) / (threats + benign);
        Self::Platt {
            a: 0.0,
            b: ((1.0 - mean) / mean).ln(),
        }
    }

    /// Fits an isotonic regression by pooling adjacent violators, rows of equal probability first pooled
    /// into one: scikit-learn's `IsotonicRegression(out_of_bounds="clip")`.
    ///
    /// Without rows, it is [`Calibration::None`].
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn fit_isotonic(probabilities: &[f64], truth: &[bool]) -> Self {
        assert_eq!(probabilities.len(), truth.len(), "one probability a row");
        let mut rows: Vec<(f64, bool)> = probabilities
            .iter()
            .map(|p| p + 0.0)
            .zip(truth.iter().copied())
            .collect();
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut blocks: Vec<Block> = Vec::new();
        for ties in rows.chunk_by(|a, b| a.0 == b.0) {
            let mut block = Block::of(ties);
            while let Some(last) = blocks.pop_if(|last| last.mean() >= block.mean()) {
                block = last.join(&block);
            }
            blocks.push(block);
        }
        if blocks.is_empty() {
            return Self::None;
        }
        let mut points: Vec<(f64, f64)> = blocks.iter().flat_map(Block::corners).collect();
        points.dedup();
        Self::Isotonic { points }
    }

    /// Returns the calibrated probability; it never falls where the given one rises.
    pub fn apply(&self, probability: f64) -> f64 {
        match self {
            Self::None => probability,
            Self::Platt { a, b } => sigmoid(-(a * logit(probability) + b)),
            Self::Isotonic { points } => interpolate(points, probability),
        }
    }

    /// Checks a calibration after decoding.
    ///
    /// # Errors
    /// A sentence with the value that is not finite, not monotone or not a probability.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::None => Ok(()),
            Self::Platt { a, b } if a.is_finite() && b.is_finite() && *a <= 0.0 => Ok(()),
            Self::Platt { a, b } => Err(format!("Platt scaling by a = {a}, b = {b}")),
            Self::Isotonic { points } => check_points(points),
        }
    }
}

/// Returns the log-odds of a probability drawn in by a millionth, `ε + (1 - 2ε) p`: finite at 0 and 1,
/// and still strictly ascending.
pub fn logit(probability: f64) -> f64 {
    let drawn_in = SHRINKAGE + (1.0 - 2.0 * SHRINKAGE) * probability;
    (drawn_in / (1.0 - drawn_in)).ln()
}

pub(crate) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// Minimises the cross-entropy of targets and `1 / (1 + exp(a f + b))` over rows `(f, target)`.
fn newton(rows: &[(f64, f64)], prior: f64) -> (f64, f64) {
    let (mut a, mut b) = (0.0, prior);
    let mut value = cross_entropy(rows, a, b);
    for _ in 0..100 {
        let [ga, gb, haa, hab, hbb] = derivatives(rows, a, b);
        let determinant = haa * hbb - hab * hab;
        let (da, db) = (
            -(hbb * ga - hab * gb) / determinant,
            -(haa * gb - hab * ga) / determinant,
        );
        let slope = ga * da + gb * db;
        let step = (0..40).map(|k| 0.5f64.powi(k)).find_map(|step| {
            let next = cross_entropy(rows, a + step * da, b + step * db);
            (next < value + 1e-4 * step * slope).then_some((step, next))
        });
        // At the minimum, rounding leaves no step that descends.
        let Some((step, next)) = step else { break };
        (a, b, value) = (a + step * da, b + step * db, next);
    }
    (a, b)
}

fn cross_entropy(rows: &[(f64, f64)], a: f64, b: f64) -> f64 {
    let losses = rows.iter().map(|&(f, target)| {
        let z = a * f + b;
        let shift = if z >= 0.0 { target } else { target - 1.0 };
        shift * z + (-z.abs()).exp().ln_1p()
    });
    losses.sum()
}

/// Returns the gradient and, with a ridge that keeps it invertible, the Hessian.
fn derivatives(rows: &[(f64, f64)], a: f64, b: f64) -> [f64; 5] {
    const RIDGE: f64 = 1e-12;
    let mut sums = [0.0, 0.0, RIDGE, 0.0, RIDGE];
    for &(f, target) in rows {
        let p = sigmoid(-(a * f + b));
        let (error, curvature) = (target - p, p * (1.0 - p));
        sums[0] += f * error;
        sums[1] += error;
        sums[2] += f * f * curvature;
        sums[3] += f * curvature;
        sums[4] += curvature;
    }
    sums
}

/// Neighbouring probabilities that share one calibrated value.
struct Block {
    low: f64,
    high: f64,
    threats: u64,
    rows: u64,
}

impl Block {
    fn of(ties: &[(f64, bool)]) -> Self {
        Self {
            low: ties[0].0,
            high: ties[0].0,
            threats: ties.iter().filter(|row| row.1).count() as u64,
            rows: ties.len() as u64,
        }
    }

    fn mean(&self) -> f64 {
        self.threats as f64 / self.rows as f64
    }

    fn join(&self, above: &Self) -> Self {
        Self {
            low: self.low,
            high: above.high,
            threats: self.threats + above.threats,
            rows: self.rows + above.rows,
        }
    }

    fn corners(&self) -> [(f64, f64); 2] {
        [(self.low, self.mean()), (self.high, self.mean())]
    }
}

fn interpolate(points: &[(f64, f64)], x: f64) -> f64 {
    let above = points.partition_point(|point| point.0 <= x);
    match (above.checked_sub(1).map(|at| points[at]), points.get(above)) {
        (Some((x0, y0)), Some(&(x1, y1))) => {
            // Clamped, since rounding could take it past the next point.
            (y0 + (y1 - y0) * ((x - x0) / (x1 - x0))).clamp(y0, y1)
        }
        (Some((_, y)), None) | (None, Some(&(_, y))) => y,
        (None, None) => x,
    }
}

fn check_points(points: &[(f64, f64)]) -> Result<(), String> {
    if points.is_empty() {
        return Err("isotonic calibration without points".to_owned());
    }
    let outside = |&&(x, y): &&(f64, f64)| !((0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y));
    if let Some((x, y)) = points.iter().find(outside) {
        return Err(format!("isotonic point ({x}, {y}) is outside [0, 1]"));
    }
    let disordered = |pair: &&[(f64, f64)]| !(pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
    match points.windows(2).find(disordered) {
        Some(pair) => Err(format!(
            "isotonic points {:?} and {:?} are not in order",
            pair[0], pair[1]
        )),
        None => Ok(()),
    }
}
