//! Distances in bytes: exact for columns of few small whole numbers, such as flags and -1/0/1 codes.

/// Donors whose sums stay in registers.
pub(super) const CHUNK: usize = 64;
/// More levels would take more memory than the table itself.
const MAX_LEVELS: usize = 16;

/// The squared differences of all donors to one value of one column, by chunks of donors; 0 for a
/// donor without a value.
pub(super) type Plane<'a> = &'a [[u8; CHUNK]];

/// For each column and each value in it, the plane of squared differences.
#[derive(Debug, Clone)]
pub(super) struct Planes {
    /// The distinct values of each column, ascending.
    levels: Vec<Vec<f64>>,
    squares: Vec<Vec<Vec<[u8; CHUNK]>>>,
}

impl Planes {
    /// Makes the planes, when all columns hold whole numbers and no sum can exceed a byte.
    pub(super) fn new(columns: &[Vec<f64>]) -> Option<Self> {
        let levels = columns.iter().map(|column| small_levels(column));
        let levels: Vec<Vec<f64>> = levels.collect::<Option<_>>()?;
        let span = |levels: &Vec<f64>| match levels.as_slice() {
            [first, .., last] => (last - first).powi(2),
            _ => 0.0,
        };
        if levels.iter().map(span).sum::<f64>() > f64::from(u8::MAX) {
            return None;
        }
        let squares = columns.iter().zip(&levels);
        let squares = squares.map(|(column, levels)| {
            let planes = levels.iter().map(|level| plane(column, *level));
            planes.collect()
        });
        Some(Self {
            squares: squares.collect(),
            levels,
        })
    }

    /// Returns the level of each cell; `None` when one of them is in no training row.
    pub(super) fn levels_of(&self, present: &[(usize, f64)]) -> Option<Vec<usize>> {
        let level = |&(column, cell): &(usize, f64)| {
            let found = self.levels[column].binary_search_by(|level| level.total_cmp(&cell));
            found.ok()
        };
        present.iter().map(level).collect()
    }

    /// Returns the planes of a row's cells.
    pub(super) fn of(&self, present: &[(usize, f64)], levels: &[usize]) -> Vec<Plane<'_>> {
        let cells = present.iter().zip(levels);
        cells
            .map(|((column, _), level)| self.squares[*column][*level].as_slice())
            .collect()
    }
}

/// Returns the sum above which a donor is of no use, saturated at the greatest.
pub(super) fn limit(bound: f64) -> u8 {
    bound as u8
}

/// Sums the squares of one chunk of donors; `None` when all exceed the limit.
pub(super) fn sums(planes: &[Plane], chunk: usize, limit: u8) -> Option<[u8; CHUNK]> {
    let mut sums = [0_u8; CHUNK];
    for plane in planes {
        for (sum, square) in sums.iter_mut().zip(&plane[chunk]) {
            // Never wraps: the planes were made so that no sum exceeds a byte.
            *sum = sum.wrapping_add(*square);
        }
    }
    let least = sums.iter().fold(u8::MAX, |least, sum| least.min(*sum));
    (least <= limit).then_some(sums)
}

fn plane(column: &[f64], level: f64) -> Vec<[u8; CHUNK]> {
    let mut plane = vec![[0; CHUNK]; column.len().div_ceil(CHUNK)];
    for (square, value) in plane.as_flattened_mut().iter_mut().zip(column) {
        // NaN becomes 0.
        *square = (value - level).powi(2) as u8;
    }
    plane
}

/// Returns the distinct values of a column, ascending, if they are few whole numbers.
fn small_levels(column: &[f64]) -> Option<Vec<f64>> {
    let mut levels: Vec<f64> = Vec::new();
    for &value in column.iter().filter(|v| !v.is_nan()) {
        let Err(at) = levels.binary_search_by(|level| level.total_cmp(&value)) else {
            continue;
        };
        if levels.len() == MAX_LEVELS || value.fract() != 0.0 {
            return None;
        }
        levels.insert(at, value);
    }
    Some(levels)
}
