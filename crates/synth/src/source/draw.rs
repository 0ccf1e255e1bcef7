//! Exact draws from random bits.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

/// Draws a whole number in `0..n` (0 when `n` is 0); its bias is below n / 2⁶⁴.
pub(super) fn below(n: u64, rng: &mut ChaCha8Rng) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(n)) >> 64) as u64
}

/// Draws a number in [0, 1).
pub(super) fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Draws an index with probability proportional to its weight; `None` when all weights are zero.
pub(super) fn index(
    weights: impl Iterator<Item = u64> + Clone,
    rng: &mut ChaCha8Rng,
) -> Option<usize> {
    let total: u64 = weights.clone().sum();
    let mut ticket = below(total, rng);
    weights.enumerate().find_map(|(index, weight)| {
        let hit = ticket < weight;
        ticket = ticket.saturating_sub(weight);
        hit.then_some(index)
    })
}

/// Shares `n` out in proportion to weights: each share is the exact one rounded down or up, the mean
/// over draws is the exact one, and they sum to `n` (systematic sampling).
pub(super) fn quotas(weights: &[u64], n: u64, rng: &mut ChaCha8Rng) -> Vec<u64> {
    let total: u64 = weights.iter().sum();
    let offset = below(total, rng);
    let place = |sum: u64| {
        let place = u128::from(sum) * u128::from(n) + u128::from(offset);
        (place / u128::from(total.max(1))) as u64
    };
    let mut sum = 0;
    weights
        .iter()
        .map(|weight| {
            let before = place(sum);
            sum += weight;
            place(sum) - before
        })
        .collect()
}
