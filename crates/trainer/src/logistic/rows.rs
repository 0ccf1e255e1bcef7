//! Feature rows as the Newton method reads them: scaled, with a column of ones, zeros left out.

use ndarray::ArrayView2;

use super::LogisticError;

/// Above this share of values that are not 0, rows are kept whole.
const SPARSE_SHARE: f64 = 0.6;

/// Rows of features, each column divided by a power of two (so, without rounding) to a magnitude of at
/// most 2, with a last column of ones for the intercept.
pub(super) struct FeatureRows {
    n_rows: usize,
    n_columns: usize,
    scales: Vec<f32>,
    values: Vec<f32>,
    places: Places,
}

/// Which columns the values of a row are of.
enum Places {
    /// All of them.
    Whole,
    /// `columns[ends[row]..ends[row + 1]]`, ascending.
    Sparse { ends: Vec<usize>, columns: Vec<u32> },
}

impl FeatureRows {
    pub(super) fn new(x: ArrayView2<'_, f32>) -> Result<Self, LogisticError> {
        let (scales, filled) = scales(x)?;
        let whole = filled as f64 > SPARSE_SHARE * x.len() as f64;
        let mut rows = Self {
            n_rows: x.nrows(),
            n_columns: x.ncols() + 1,
            scales,
            values: Vec::new(),
            places: Places::Whole,
        };
        if whole {
            rows.fill_whole(x);
        } else {
            rows.fill_sparse(x, filled);
        }
        Ok(rows)
    }

    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Returns the number of columns, that of the intercept included.
    pub(super) fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Returns what a feature was multiplied by.
    pub(super) fn scale(&self, feature: usize) -> f64 {
        f64::from(self.scales[feature])
    }

    /// Returns the mean number of values in a row.
    pub(super) fn mean_filled(&self) -> usize {
        self.values.len() / self.n_rows
    }

    /// Writes `x · weights`: rows × outputs from columns × outputs.
    pub(super) fn multiply(&self, weights: &[f64], outputs: usize, out: &mut [f64]) {
        for (row, out) in out.chunks_exact_mut(outputs).enumerate() {
            out.fill(0.0);
            match (self.row(row), outputs) {
                ((None, values), 1) => out[0] = dot(values, weights),
                ((Some(columns), values), 1) => {
                    let pairs = columns.iter().zip(values);
                    out[0] = pairs
                        .map(|(&c, &v)| f64::from(v) * weights[c as usize])
                        .sum();
                }
                ((columns, values), _) => for_each(columns, values, |column, value| {
                    let weights = &weights[column * outputs..][..outputs];
                    add_scaled(out, value, weights);
                }),
            }
        }
    }

    /// Writes `xᵀ · rows`: columns × outputs from rows × outputs.
    pub(super) fn multiply_transposed(&self, rows: &[f64], outputs: usize, out: &mut [f64]) {
        out.fill(0.0);
        for (row, factors) in rows.chunks_exact(outputs).enumerate() {
            match (self.row(row), factors) {
                ((None, values), &[factor]) => {
                    for (out, &value) in out.iter_mut().zip(values) {
                        *out += factor * f64::from(value);
                    }
                }
                ((Some(columns), values), &[factor]) => {
                    for (&column, &value) in columns.iter().zip(values) {
                        out[column as usize] += factor * f64::from(value);
                    }
                }
                ((columns, values), _) => for_each(columns, values, |column, value| {
                    add_scaled(&mut out[column * outputs..][..outputs], value, factors);
                }),
            }
        }
    }

    /// Writes the lower triangle of `xᵀ · diag(curvature) · x`, columns × columns.
    pub(super) fn gram(&self, curvature: &[f64], lower: &mut [f64]) {
        lower.fill(0.0);
        match &self.places {
            Places::Whole => self.gram_whole(curvature, lower),
            Places::Sparse { .. } => {
                for (row, &curvature) in curvature.iter().enumerate() {
                    let (columns, values) = self.row(row);
                    let columns = columns.expect("sparse rows list their columns");
                    self.gram_sparse_row(curvature, columns, values, lower);
                }
            }
        }
    }

    /// Writes the diagonal of `xᵀ · diag(curvature) · x`.
    pub(super) fn gram_diagonal(&self, curvature: &[f64], diagonal: &mut [f64]) {
        diagonal.fill(0.0);
        for (row, &curvature) in curvature.iter().enumerate() {
            let (columns, values) = self.row(row);
            for_each(columns, values, |column, value| {
                diagonal[column] += curvature * value * value;
            });
        }
    }

    /// Writes the lower triangle of the softmax's mean Hessian, of weights that are columns × outputs, from
    /// the probabilities, rows × outputs.
    pub(super) fn gram_of_softmax(&self, probabilities: &[f64], outputs: usize, lower: &mut [f64]) {
        lower.fill(0.0);
        let every: Vec<u32> = (0..self.n_columns as u32).collect();
        let mut curvature = vec![0.0; outputs];
        for (row, p) in probabilities.chunks_exact(outputs).enumerate() {
            let (columns, values) = self.row(row);
            let columns = columns.unwrap_or(&every);
            for output in 0..outputs {
                let share = p[output] / self.n_rows as f64;
                for (curvature, other) in curvature.iter_mut().zip(p) {
                    *curvature = -share * other;
                }
                curvature[output] += share;
                self.gram_softmax_row(output, &curvature, columns, values, lower);
            }
        }
    }

    /// Adds a row's products to the lines of one output.
    fn gram_softmax_row(
        &self,
        output: usize,
        curvature: &[f64],
        columns: &[u32],
        values: &[f32],
        lower: &mut [f64],
    ) {
        let outputs = curvature.len();
        let n = self.n_columns * outputs;
        for (at, (&column, &value)) in columns.iter().zip(values).enumerate() {
            let line = &mut lower[(column as usize * outputs + output) * n..][..n];
            for (&other, &other_value) in columns[..=at].iter().zip(values) {
                let factor = f64::from(value) * f64::from(other_value);
                add_scaled(
                    &mut line[other as usize * outputs..][..outputs],
                    factor,
                    curvature,
                );
            }
        }
    }

    fn gram_sparse_row(&self, curvature: f64, columns: &[u32], values: &[f32], lower: &mut [f64]) {
        for (at, (&column, &value)) in columns.iter().zip(values).enumerate() {
            let factor = curvature * f64::from(value);
            let line = &mut lower[column as usize * self.n_columns..][..self.n_columns];
            for (&other, &value) in columns[..=at].iter().zip(values) {
                line[other as usize] += factor * f64::from(value);
            }
        }
    }

    /// Takes four rows at a time, since reading and writing the triangle is what costs.
    fn gram_whole(&self, curvature: &[f64], lower: &mut [f64]) {
        let n = self.n_columns;
        let mut block = vec![0.0; 4 * n];
        let blocks = self.values.chunks(4 * n).zip(curvature.chunks(4));
        for (values, curvature) in blocks {
            block.fill(0.0);
            for (to, &from) in block.iter_mut().zip(values) {
                *to = f64::from(from);
            }
            let (r0, rest) = block.split_at(n);
            let (r1, rest) = rest.split_at(n);
            let (r2, r3) = rest.split_at(n);
            let of = |at: usize| curvature.get(at).copied().unwrap_or(0.0);
            let d = [of(0), of(1), of(2), of(3)];
            for (column, line) in lower.chunks_exact_mut(n).enumerate() {
                let f = [
                    d[0] * r0[column],
                    d[1] * r1[column],
                    d[2] * r2[column],
                    d[3] * r3[column],
                ];
                let rows = r0.iter().zip(r1).zip(r2).zip(r3);
                for (to, (((a, b), c), d)) in line[..=column].iter_mut().zip(rows) {
                    *to += (f[0] * a + f[1] * b) + (f[2] * c + f[3] * d);
                }
            }
        }
    }

    fn row(&self, row: usize) -> (Option<&[u32]>, &[f32]) {
        match &self.places {
            Places::Whole => (None, &self.values[row * self.n_columns..][..self.n_columns]),
            Places::Sparse { ends, columns } => {
                let range = ends[row]..ends[row + 1];
                (Some(&columns[range.clone()]), &self.values[range])
            }
        }
    }

    fn fill_whole(&mut self, x: ArrayView2<'_, f32>) {
        self.values.reserve_exact(self.n_rows * self.n_columns);
        for row in x.rows() {
            let scaled = row
                .iter()
                .zip(&self.scales)
                .map(|(value, scale)| value * scale);
            self.values.extend(scaled);
            self.values.push(1.0);
        }
    }

    fn fill_sparse(&mut self, x: ArrayView2<'_, f32>, filled: usize) {
        let (mut ends, mut columns) = (vec![0], Vec::with_capacity(filled + self.n_rows));
        self.values.reserve_exact(filled + self.n_rows);
        for row in x.rows() {
            let cells = row.iter().zip(&self.scales).zip(0..);
            for ((&value, scale), column) in cells.filter(|((v, _), _)| **v != 0.0) {
                columns.push(column);
                self.values.push(value * scale);
            }
            columns.push(self.scales.len() as u32);
            self.values.push(1.0);
            ends.push(columns.len());
        }
        self.places = Places::Sparse { ends, columns };
    }
}

/// Returns what to multiply each column by, and how many values are not 0.
fn scales(x: ArrayView2<'_, f32>) -> Result<(Vec<f32>, usize), LogisticError> {
    let (mut largest, mut filled) = (vec![0.0f32; x.ncols()], 0);
    for (row, values) in x.rows().into_iter().enumerate() {
        for (feature, (largest, &value)) in largest.iter_mut().zip(values).enumerate() {
            if !value.is_finite() {
                return Err(LogisticError::NotFinite {
                    row,
                    feature,
                    value,
                });
            }
            *largest = largest.max(value.abs());
            filled += usize::from(value != 0.0);
        }
    }
    Ok((
        largest
            .into_iter()
            .map(power_of_two_below_inverse)
            .collect(),
        filled,
    ))
}

/// Returns the power of two that brings a magnitude to [1, 2); 1 for 0 and where it leaves `f32`.
fn power_of_two_below_inverse(magnitude: f32) -> f32 {
    if !magnitude.is_normal() {
        return 1.0;
    }
    let exponent = (magnitude.to_bits() >> 23) as i32 - 127;
    2f32.powi((-exponent).clamp(-126, 126))
}

fn for_each(columns: Option<&[u32]>, values: &[f32], mut visit: impl FnMut(usize, f64)) {
    match columns {
        None => {
            for (column, &value) in values.iter().enumerate() {
                visit(column, f64::from(value));
            }
        }
        Some(columns) => {
            for (&column, &value) in columns.iter().zip(values) {
                visit(column as usize, f64::from(value));
            }
        }
    }
}

/// Sums in four strands, which the processor can overlap; their order is fixed.
fn dot(values: &[f32], weights: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (quads, rest) = values.as_chunks::<4>();
    let (weight_quads, weights_rest) = weights.as_chunks::<4>();
    for (values, weights) in quads.iter().zip(weight_quads) {
        for at in 0..4 {
            sums[at] += f64::from(values[at]) * weights[at];
        }
    }
    let rest = rest.iter().zip(weights_rest);
    let rest: f64 = rest.map(|(&v, w)| f64::from(v) * w).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

fn add_scaled(to: &mut [f64], factor: f64, from: &[f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}
