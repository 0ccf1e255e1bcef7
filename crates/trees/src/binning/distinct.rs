//! Equal rows are kept once.

/// Returns each row's place among the distinct rows, and these row-major, in order of appearance.
pub(super) fn rows(columns: &[Vec<u8>], n_rows: usize) -> (Vec<u32>, Vec<u8>) {
    let width = columns.len();
    let all = transpose(columns, n_rows);
    let row = |i: u32| &all[i as usize * width..][..width];
    let first_equal = first_equal_rows(n_rows, row);
    let mut distinct_of_row = vec![0; n_rows];
    let mut kept = Vec::new();
    let mut next = 0;
    for i in 0..n_rows {
        let first = first_equal[i] as usize;
        distinct_of_row[i] = if first == i {
            kept.extend_from_slice(row(i as u32));
            next += 1;
            next - 1
        } else {
            distinct_of_row[first]
        };
    }
    (distinct_of_row, kept)
}

fn transpose(columns: &[Vec<u8>], n_rows: usize) -> Vec<u8> {
    let width = columns.len();
    let mut rows = vec![0; n_rows * width];
    for (feature, column) in columns.iter().enumerate() {
        let cells = rows[feature..].iter_mut().step_by(width);
        cells.zip(column).for_each(|(cell, bin)| *cell = *bin);
    }
    rows
}

/// Returns, for each row, the first row that equals it; rows of one hash are compared in full.
fn first_equal_rows<'a>(n_rows: usize, row: impl Fn(u32) -> &'a [u8]) -> Vec<u32> {
    let mut hashed: Vec<(u64, u32)> = (0..n_rows as u32).map(|i| (hash(row(i)), i)).collect();
    hashed.sort_unstable();
    let mut first_equal = vec![0; n_rows];
    let mut firsts: Vec<u32> = Vec::new();
    for run in hashed.chunk_by(|a, b| a.0 == b.0) {
        firsts.clear();
        for &(_, i) in run {
            let known = firsts.iter().find(|first| row(**first) == row(i)).copied();
            first_equal[i as usize] = known.unwrap_or_else(|| {
                firsts.push(i);
                i
            });
        }
    }
    first_equal
}

/// Mixes eight bytes at a time; collisions cost a comparison, never a wrong answer.
fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut tail = [0; 8];
    tail[..rest.len()].copy_from_slice(rest);
    words.iter().chain([&tail]).fold(0, |state, word| {
        let mixed = (state ^ u64::from_le_bytes(*word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 32)
    })
}
