//! Gauss-Legendre quadrature on [0, 1].

use std::f64::consts::PI;

/// Points that are computed together; where a rule has more, they are taken in several passes.
pub(super) const POINTS: usize = 4;

/// One value for each of [`POINTS`].
pub(super) type Lanes = [f64; POINTS];

/// Rules of one, two, three … times [`POINTS`] points, made when first asked for.
#[derive(Default)]
pub(super) struct Rules(Vec<Vec<(f64, f64)>>);

impl Rules {
    /// Returns the smallest rule of at least `n_points` points, in portions of [`POINTS`].
    pub(super) fn with(&mut self, n_points: usize) -> impl Iterator<Item = &[(f64, f64)]> {
        let passes = n_points.div_ceil(POINTS).max(1);
        while self.0.len() < passes {
            self.0.push(gauss_legendre((self.0.len() + 1) * POINTS));
        }
        self.0[passes - 1].chunks_exact(POINTS)
    }
}

/// Returns `n` points, in (0, 1), and their weights: exact for polynomials of degree up to `2n - 1`.
///
/// The roots of the Legendre polynomial by Newton's method from Chebyshev's approximation, in O(n²);
/// see Press et al., Numerical Recipes, §4.6.
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    (0..n).map(|i| point(n, i)).collect()
}

fn point(n: usize, i: usize) -> (f64, f64) {
    let mut root = (PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
    let mut slope = 0.0;
    for _ in 0..100 {
        let value;
        (value, slope) = legendre(n, root);
        let step = value / slope;
        root -= step;
        if step.abs() < 1e-15 {
            break;
        }
    }
    let weight = 2.0 / ((1.0 - root * root) * slope * slope);
    ((1.0 - root) / 2.0, weight / 2.0)
}

/// Returns the value and the derivative of the Legendre polynomial of degree `n` at `x`.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (
            value,
            ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k,
        );
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monomials_up_to_degree_2n_minus_1_integrate_exactly() {
        for n in [1, 2, 4, 8, 16, 40] {
            let points = gauss_legendre(n);
            for degree in 0..2 * n {
                let sum: f64 = points.iter().map(|(t, w)| w * t.powi(degree as i32)).sum();
                let exact = 1.0 / (degree as f64 + 1.0);
                assert!((sum / exact - 1.0).abs() < 1e-12, "{n} {degree} {sum}");
            }
            assert!(points.iter().all(|(t, w)| *t > 0.0 && *t < 1.0 && *w > 0.0));
        }
    }
}
