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

/// Draws an index below `n`, which is at most 2^24: the bias stays under 2^-8 of a step.
pub(crate) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u64::from(rng.next_u32()) * n as u64) >> 32) as usize
}

/// Draws `k` of the features below `n`, in ascending order.
pub(crate) fn some_features(rng: &mut ChaCha8Rng, n: usize, k: usize) -> Vec<u16> {
    let mut order: Vec<u16> = (0..=u16::MAX).take(n).collect();
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
