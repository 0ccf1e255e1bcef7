//! Random numbers: one ChaCha stream a tree, derived from the seed and the tree's index.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Starts the stream of one tree.
pub(crate) fn stream(seed: u64, tree: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(tree as u64);
    rng
}

/// The largest range that an index is drawn from with 32 bits: one is then at most 2^-8 likelier than
/// another.
const RANGE_OF_U32: usize = 1 << 24;

/// Draws an index below `n`.
pub(crate) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    if n <= RANGE_OF_U32 {
        return ((u64::from(rng.next_u32()) * n as u64) >> 32) as usize;
    }
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

/// Draws `k` of these, in ascending order.
pub(crate) fn some_of(rng: &mut ChaCha8Rng, features: &[u16], k: usize) -> Vec<u16> {
    let mut order = features.to_vec();
    let n = order.len();
    for i in 0..k {
        let j = i + below(rng, n - i);
        order.swap(i, j);
    }
    order.truncate(k);
    order.sort_unstable();
    order
}

/// Returns random bits for a place under a salt; cheap, and the same in whatever order it is asked.
#[inline]
pub(crate) fn noise(salt: u32, place: u32) -> u32 {
    let mut bits = (place ^ salt).wrapping_mul(0x9E37_79B1);
    bits ^= bits >> 15;
    bits = bits.wrapping_mul(0x85EB_CA6B);
    bits ^ (bits >> 13)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_drawn_evenly_below_any_number() {
        for n in [1, 3, 1 << 24, (1 << 24) + 1, 1 << 31] {
            let mut rng = stream(1, 0);
            let drawn: Vec<usize> = (0..10_000).map(|_| below(&mut rng, n)).collect();
            assert!(drawn.iter().all(|index| *index < n));
            let mean = drawn.iter().sum::<usize>() as f64 / 1e4;
            let expected = (n - 1) as f64 / 2.0;
            assert!((mean - expected).abs() <= 0.02 * expected, "{mean} of {n}");
        }
    }
}
