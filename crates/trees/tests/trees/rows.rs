//! Generated rows whose signal is known.

use ndarray::Array2;

/// Numbers in [0, 1), the same in every run.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// Rows of six features, the last of few levels and sometimes missing; the class hangs on the first two
/// and the last.
pub fn sample(n_rows: usize) -> (Array2<f32>, Vec<u16>) {
    let mut numbers = Numbers::new(7);
    let mut x = Array2::zeros((n_rows, 6));
    let mut y = Vec::with_capacity(n_rows);
    for mut row in x.rows_mut() {
        row.iter_mut().for_each(|cell| *cell = numbers.next());
        let level = (numbers.next() * 3.0).floor();
        row[5] = if numbers.next() < 0.1 {
            f32::NAN
        } else {
            level
        };
        let signal = row[0] + row[1] + if row[5] == 2.0 { 0.6 } else { 0.0 };
        y.push(u16::from(signal + 0.2 * numbers.next() > 1.2));
    }
    (x, y)
}

/// Rows of a category of 40 codes in an order that says nothing, and one number; every third code, and
/// a large number, raise the odds of class 1.
pub fn categories(n_rows: usize) -> (Array2<f32>, Vec<u16>) {
    let mut numbers = Numbers::new(11);
    let mut x = Array2::zeros((n_rows, 2));
    let mut y = Vec::with_capacity(n_rows);
    for mut row in x.rows_mut() {
        let code = (numbers.next() * 40.0).floor();
        row[0] = code;
        row[1] = numbers.next();
        let threat = if code % 3.0 == 0.0 { 0.8 } else { 0.2 };
        let threat = threat + 0.2 * (row[1] - 0.5);
        y.push(u16::from(numbers.next() < threat));
    }
    (x, y)
}

/// Three classes by the ring that the first two features fall into.
pub fn rings(n_rows: usize) -> (Array2<f32>, Vec<u16>) {
    let mut numbers = Numbers::new(13);
    let x = Array2::from_shape_fn((n_rows, 3), |_| numbers.next() * 2.0 - 1.0);
    let ring = |row: ndarray::ArrayView1<'_, f32>| match row[0].hypot(row[1]) {
        radius if radius < 0.5 => 0,
        radius if radius < 0.9 => 1,
        _ => 2,
    };
    let y = x.rows().into_iter().map(ring).collect();
    (x, y)
}
