//! Equal rows are kept once, where that spares a quarter of them.

use rayon::prelude::*;

/// Adds a bin to a row's hash.
pub(super) fn mix(hash: u64, bin: u8) -> u64 {
    let mixed = (hash ^ u64::from(bin)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

/// Returns each row's place among the distinct rows, in order of appearance; none where too few are
/// equal for the copying to pay.
pub(super) fn rows(bins: &[u8], hashes: &[u64]) -> Option<Vec<u32>> {
    let n_rows = hashes.len();
    let mut sorted = hashes.to_vec();
    sorted.par_sort_unstable();
    let n_hashes = sorted.chunk_by(|a, b| a == b).count();
    drop(sorted);
    (n_hashes <= n_rows - n_rows / 4 && n_hashes < n_rows).then(|| places(bins, hashes))
}

fn places(bins: &[u8], hashes: &[u64]) -> Vec<u32> {
    let first_equal = first_equal_rows(bins, hashes);
    let mut place = vec![0; hashes.len()];
    let mut next = 0;
    for (row, first) in first_equal.into_iter().enumerate() {
        place[row] = if first as usize == row {
            next += 1;
            next - 1
        } else {
            place[first as usize]
        };
    }
    place
}

/// Returns the first row of each place: column-major bins like the given ones.
pub(super) fn keep_first(bins: &[u8], place_of_row: &[u32]) -> Vec<u8> {
    let mut next = 0;
    let mut firsts = Vec::new();
    for (row, place) in place_of_row.iter().enumerate() {
        if *place == next {
            firsts.push(row);
            next += 1;
        }
    }
    let columns = bins.par_chunks_exact(place_of_row.len());
    columns
        .flat_map_iter(|column| firsts.iter().map(|row| column[*row]))
        .collect()
}

/// Returns, for each row, the first row that equals it; rows of one hash are compared in full.
fn first_equal_rows(bins: &[u8], hashes: &[u64]) -> Vec<u32> {
    let n_rows = hashes.len();
    let equal = |a: u32, b: u32| {
        bins.chunks_exact(n_rows)
            .all(|column| column[a as usize] == column[b as usize])
    };
    let mut hashed: Vec<(u64, u32)> = hashes.iter().copied().zip(0..).collect();
    hashed.par_sort_unstable();
    let mut first_equal = vec![0; n_rows];
    let mut firsts: Vec<u32> = Vec::new();
    for run in hashed.chunk_by(|a, b| a.0 == b.0) {
        firsts.clear();
        for &(_, row) in run {
            let known = firsts.iter().find(|first| equal(**first, row)).copied();
            first_equal[row as usize] = known.unwrap_or_else(|| {
                firsts.push(row);
                row
            });
        }
    }
    first_equal
}
