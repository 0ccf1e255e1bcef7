//! Minimisation of the mean penalised log-loss by Newton steps, each solved by conjugate gradients.

use super::LogisticError;
use super::preconditioner::Preconditioner;
use super::rows::FeatureRows;

/// Conjugate-gradient iterations a Newton step may take.
const MAX_INNER: usize = 300;

/// The mean log-loss of rows plus the penalty, as a function of weights, columns × outputs: of one
/// output, the sigmoid's; of more, the softmax's.
pub(super) struct Problem<'a> {
    rows: &'a FeatureRows,
    /// Class of each row, below 2 or the number of outputs.
    classes: &'a [u16],
    outputs: usize,
    /// Of each column; 0 for the intercept.
    penalties: Vec<f64>,
}

/// Where the descent is: weights, the sums that they give each row, and what follows from these.
struct State {
    weights: Vec<f64>,
    sums: Vec<f64>,
    /// Rows × outputs.
    probabilities: Vec<f64>,
    objective: f64,
}

/// Returns the weights, columns × outputs, at which no derivative exceeds `tol`, or those after the last
/// step, with a warning; goes there from `start`, or from the shares of the classes.
///
/// # Errors
/// [`LogisticError::NotConverged`] when the derivatives are no numbers any more.
pub(super) fn minimise(
    problem: &Problem<'_>,
    start: Option<&[f64]>,
    max_steps: u32,
    tol: f64,
) -> Result<Vec<f64>, LogisticError> {
    let mut state = problem.state(start.map_or_else(|| problem.shares(), <[f64]>::to_vec));
    let mut preconditioner = problem.preconditioner(&state);
    // What a new factorisation costs, in conjugate-gradient iterations.
    let patience = problem.rows.mean_filled() * (problem.outputs + 1) / 16;
    let mut derivative = f64::INFINITY;
    for _ in 0..=max_steps {
        let gradient = problem.gradient(&state);
        derivative = gradient.iter().fold(0.0, |largest, g| g.abs().max(largest));
        if derivative <= tol {
            return Ok(problem.centred(state.weights));
        }
        let (step, inner) = problem.newton_step(&state, &gradient, &preconditioner, derivative);
        problem.descend(&mut state, &gradient, &step);
        if inner > patience {
            preconditioner = problem.preconditioner(&state);
        }
    }
    if !derivative.is_finite() {
        return Err(LogisticError::NotConverged {
            steps: max_steps,
            derivative,
            tol,
        });
    }
    // Every step has come closer: the validation says what this is worth, and other candidates go on.
    tracing::warn!(
        steps = max_steps,
        derivative,
        tol,
        "logistic regression has not converged"
    );
    Ok(problem.centred(state.weights))
}

impl<'a> Problem<'a> {
    pub(super) fn new(
        rows: &'a FeatureRows,
        classes: &'a [u16],
        outputs: usize,
        penalty: f64,
    ) -> Self {
        let features = 0..rows.n_columns() - 1;
        let of_feature = |feature| penalty * rows.scale(feature).powi(2);
        Self {
            rows,
            classes,
            outputs,
            penalties: features.map(of_feature).chain([0.0]).collect(),
        }
    }

    /// Returns the weights that say no more than the shares of the classes.
    fn shares(&self) -> Vec<f64> {
        let mut counts = vec![0.0f64; self.outputs.max(2)];
        for &class in self.classes {
            counts[usize::from(class)] += 1.0;
        }
        let mut weights = vec![0.0; self.rows.n_columns() * self.outputs];
        let intercepts = weights.len() - self.outputs;
        match &mut weights[intercepts..] {
            [intercept] => *intercept = (counts[1] / counts[0]).ln(),
            intercepts => {
                for (intercept, count) in intercepts.iter_mut().zip(&counts) {
                    *intercept = (count / self.classes.len() as f64).ln();
                }
            }
        }
        weights
    }

    fn state(&self, weights: Vec<f64>) -> State {
        let n_sums = self.rows.n_rows() * self.outputs;
        let mut state = State {
            weights,
            sums: vec![0.0; n_sums],
            probabilities: vec![0.0; n_sums],
            objective: 0.0,
        };
        self.rows
            .multiply(&state.weights, self.outputs, &mut state.sums);
        self.evaluate(&mut state);
        state
    }

    /// Brings probabilities and objective up to date with weights and sums.
    fn evaluate(&self, state: &mut State) {
        let mut losses = 0.0;
        let rows = state.sums.chunks_exact(self.outputs).zip(self.classes);
        let places = state.probabilities.chunks_exact_mut(self.outputs);
        for ((sums, &class), probabilities) in rows.zip(places) {
            losses += match sums {
                &[sum] => sigmoid_loss(sum, class == 1, &mut probabilities[0]),
                sums => softmax_loss(sums, usize::from(class), probabilities),
            };
        }
        let columns = state.weights.chunks_exact(self.outputs);
        let penalty: f64 = columns
            .zip(&self.penalties)
            .map(|(weights, penalty)| penalty * dot(weights, weights))
            .sum();
        state.objective = losses / self.rows.n_rows() as f64 + 0.5 * penalty;
    }

    fn gradient(&self, state: &State) -> Vec<f64> {
        let n_rows = self.rows.n_rows() as f64;
        let mut residuals = state.probabilities.clone();
        for (row, &class) in residuals.chunks_exact_mut(self.outputs).zip(self.classes) {
            if self.outputs == 1 {
                row[0] -= f64::from(class);
            } else {
                row[usize::from(class)] -= 1.0;
            }
            row.iter_mut().for_each(|residual| *residual /= n_rows);
        }
        let mut gradient = vec![0.0; state.weights.len()];
        self.rows
            .multiply_transposed(&residuals, self.outputs, &mut gradient);
        self.add_penalty(&state.weights, &mut gradient);
        gradient
    }

    /// Adds the penalty's Hessian times a vector.
    fn add_penalty(&self, vector: &[f64], to: &mut [f64]) {
        let columns = to
            .chunks_exact_mut(self.outputs)
            .zip(vector.chunks_exact(self.outputs));
        for ((to, vector), penalty) in columns.zip(&self.penalties) {
            add_scaled(to, *penalty, vector);
        }
    }

    /// Returns the Hessian times a vector; `products` is room for rows × outputs.
    fn hessian_times(&self, state: &State, vector: &[f64], products: &mut [f64]) -> Vec<f64> {
        let n_rows = self.rows.n_rows() as f64;
        self.rows.multiply(vector, self.outputs, products);
        let probabilities = state.probabilities.chunks_exact(self.outputs);
        for (row, p) in products.chunks_exact_mut(self.outputs).zip(probabilities) {
            match (row, p) {
                ([product], [p]) => *product *= p * (1.0 - p) / n_rows,
                (row, p) => {
                    let mean = dot(row, p);
                    for (product, p) in row.iter_mut().zip(p) {
                        *product = p * (*product - mean) / n_rows;
                    }
                }
            }
        }
        let mut result = vec![0.0; vector.len()];
        self.rows
            .multiply_transposed(products, self.outputs, &mut result);
        self.add_penalty(vector, &mut result);
        result
    }

    fn preconditioner(&self, state: &State) -> Preconditioner {
        Preconditioner::new(self.rows, &self.penalties, &state.probabilities)
    }

    /// Solves for the Newton step by preconditioned conjugate gradients, more exactly the nearer the
    /// minimum is; returns it and the number of iterations.
    fn newton_step(
        &self,
        state: &State,
        gradient: &[f64],
        preconditioner: &Preconditioner,
        derivative: f64,
    ) -> (Vec<f64>, usize) {
        let mut products = vec![0.0; state.sums.len()];
        let mut step = vec![0.0; gradient.len()];
        let mut residual: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut direction = preconditioner.apply(&residual);
        let mut error = dot(&residual, &direction);
        let enough = error * derivative.min(0.01);
        for inner in 1..=MAX_INNER {
            let curved = self.hessian_times(state, &direction, &mut products);
            let curvature = dot(&direction, &curved);
            // Along what the softmax cannot tell apart, only rounding is left.
            if curvature <= 0.0 {
                return (step, inner);
            }
            let length = error / curvature;
            add_scaled(&mut step, length, &direction);
            add_scaled(&mut residual, -length, &curved);
            let preconditioned = preconditioner.apply(&residual);
            let last = std::mem::replace(&mut error, dot(&residual, &preconditioned));
            if error <= enough {
                return (step, inner);
            }
            for (direction, next) in direction.iter_mut().zip(&preconditioned) {
                *direction = next + error / last * *direction;
            }
        }
        (step, MAX_INNER)
    }

    /// Goes along a step, halved until the objective falls (Armijo's rule).
    fn descend(&self, state: &mut State, gradient: &[f64], step: &[f64]) {
        let mut change = vec![0.0; state.sums.len()];
        self.rows.multiply(step, self.outputs, &mut change);
        let (before, slope) = (state.objective, dot(gradient, step));
        // Near the minimum the objective changes by less than its rounding.
        let rounding = 16.0 * f64::EPSILON * before;
        let mut length = 1.0;
        add_scaled(&mut state.weights, length, step);
        add_scaled(&mut state.sums, length, &change);
        self.evaluate(state);
        while state.objective > before + 1e-4 * length * slope + rounding && length > 1e-10 {
            length /= 2.0;
            add_scaled(&mut state.weights, -length, step);
            add_scaled(&mut state.sums, -length, &change);
            self.evaluate(state);
        }
    }

    /// Makes the intercepts of a softmax sum to 0, which changes no probability.
    fn centred(&self, mut weights: Vec<f64>) -> Vec<f64> {
        let first = weights.len() - self.outputs;
        if self.outputs > 1 {
            let mean = weights[first..].iter().sum::<f64>() / self.outputs as f64;
            weights[first..]
                .iter_mut()
                .for_each(|weight| *weight -= mean);
        }
        weights
    }
}

fn sigmoid_loss(sum: f64, positive: bool, probability: &mut f64) -> f64 {
    let small = (-sum.abs()).exp();
    let of_larger = 1.0 / (1.0 + small);
    *probability = if sum >= 0.0 {
        of_larger
    } else {
        small * of_larger
    };
    let wrong_side = if positive { -sum } else { sum };
    wrong_side.max(0.0) + small.ln_1p()
}

fn softmax_loss(sums: &[f64], class: usize, probabilities: &mut [f64]) -> f64 {
    let largest = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut total = 0.0;
    for (probability, sum) in probabilities.iter_mut().zip(sums) {
        *probability = (sum - largest).exp();
        total += *probability;
    }
    probabilities
        .iter_mut()
        .for_each(|probability| *probability /= total);
    total.ln() + largest - sums[class]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add_scaled(to: &mut [f64], factor: f64, from: &[f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}
