//! Folds: which rows are scored by a model that has not seen them.

use std::collections::BTreeMap;

use artifact::Digest;
use dataset::{GroupKey, Label};

/// Assigns every row a fold such that whole groups stay together and each fold has about the same
/// number of rows of each class; after scikit-learn's `StratifiedGroupKFold`, but by keyed hash
/// instead of by row order.
pub fn grouped_stratified(
    groups: &[GroupKey],
    labels: &[Label],
    folds: usize,
    seed: u64,
) -> Vec<u8> {
    let mut members: BTreeMap<GroupKey, BTreeMap<usize, usize>> = BTreeMap::new();
    for (group, label) in groups.iter().zip(labels) {
        *members
            .entry(*group)
            .or_default()
            .entry(label.class())
            .or_insert(0) += 1;
    }
    let assigned = assign(members, folds, seed);
    groups.iter().map(|group| assigned[group]).collect()
}

/// Assigns every row a fold with equal shares of each class, ignoring groups: the usual way, kept to
/// show what it leaks.
pub fn row_wise_stratified(labels: &[Label], folds: usize, seed: u64) -> Vec<u8> {
    let row_keys: Vec<GroupKey> = (0..labels.len() as u64).map(GroupKey).collect();
    grouped_stratified(&row_keys, labels, folds, seed)
}

/// Deals groups out, the largest first and equals in the order of a keyed hash: each goes to the fold
/// that has the fewest rows of the group's main class.
fn assign(
    members: BTreeMap<GroupKey, BTreeMap<usize, usize>>,
    folds: usize,
    seed: u64,
) -> BTreeMap<GroupKey, u8> {
    let mut order: Vec<(usize, u64, GroupKey, usize)> = members
        .iter()
        .map(|(group, classes)| {
            let main = classes
                .iter()
                .max_by_key(|(class, n)| (**n, usize::MAX - **class));
            let (class, _) = main.expect("a group has a row");
            (
                usize::MAX - classes.values().sum::<usize>(),
                keyed(*group, seed),
                *group,
                *class,
            )
        })
        .collect();
    order.sort_unstable();
    let mut rows: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut totals = vec![0usize; folds];
    let mut assigned = BTreeMap::new();
    for (_, _, group, class) in order {
        let load = |fold: &usize| {
            (
                rows.get(&(class, *fold)).copied().unwrap_or(0),
                totals[*fold],
                *fold,
            )
        };
        let fold = (0..folds).min_by_key(load).expect("there are folds");
        for (class, n) in &members[&group] {
            *rows.entry((*class, fold)).or_insert(0) += n;
            totals[fold] += n;
        }
        assigned.insert(group, fold as u8);
    }
    assigned
}

fn keyed(group: GroupKey, seed: u64) -> u64 {
    let mut bytes = *b"folds:..................";
    bytes[8..16].copy_from_slice(&seed.to_le_bytes());
    bytes[16..].copy_from_slice(&group.0.to_le_bytes());
    Digest::of(&bytes).prefix()
}

#[cfg(test)]
mod tests;
