//! Which target values share their statistics: a rare one joins its family, then its class.

use std::collections::BTreeMap;

use dataset::{Records, Schema};

use super::MIN_POOL;
use crate::SynthError;

/// Rows of target values that share their statistics.
#[derive(Debug, Clone)]
pub(super) struct PooledRows {
    pub(super) class: String,
    /// Name of the threat family, or of what is benign.
    family: String,
    pub(super) values: BTreeMap<String, u32>,
    /// Indices of the rows, ascending.
    pub(super) rows: Vec<usize>,
}

/// Pools the rows by target value, so that each pool has at least [`MIN_POOL`] rows.
pub(super) fn pool(schema: &Schema, records: &Records) -> Result<Vec<PooledRows>, SynthError> {
    let pools = join_rare(by_value(schema, records), |pool| pool.family.clone());
    let pools = join_rare(pools, |pool| pool.class.clone());
    match pools.iter().find(|pool| pool.rows.len() < MIN_POOL) {
        Some(small) => Err(SynthError::TooFewRows {
            class: small.class.clone(),
            rows: small.rows.len(),
            needed: MIN_POOL,
        }),
        None => Ok(pools),
    }
}

fn by_value(schema: &Schema, records: &Records) -> Vec<PooledRows> {
    let names = schema.target.class_names();
    let families = schema.target.family_names();
    let labels = records.labels(schema);
    let family_labels = records.families(schema);
    let mut pools: BTreeMap<&str, PooledRows> = BTreeMap::new();
    for row in 0..records.n_rows() {
        let value = records.target.text(row);
        let pool = pools.entry(value).or_insert_with(|| PooledRows {
            class: names.name(labels[row]).to_owned(),
            family: families.name(family_labels[row]).to_owned(),
            values: BTreeMap::new(),
            rows: Vec::new(),
        });
        pool.rows.push(row);
        *pool.values.entry(value.to_owned()).or_insert(0) += 1;
    }
    pools.into_values().collect()
}

/// Joins the rare pools of each group; what is still rare then joins the smallest other of its group.
fn join_rare(pools: Vec<PooledRows>, group: impl Fn(&PooledRows) -> String) -> Vec<PooledRows> {
    let mut groups: BTreeMap<String, Vec<PooledRows>> = BTreeMap::new();
    for pool in pools {
        groups.entry(group(&pool)).or_default().push(pool);
    }
    groups.into_values().flat_map(join_rare_of_group).collect()
}

fn join_rare_of_group(pools: Vec<PooledRows>) -> Vec<PooledRows> {
    let (rare, mut frequent): (Vec<_>, Vec<_>) = pools
        .into_iter()
        .partition(|pool| pool.rows.len() < MIN_POOL);
    let Some(rare) = rare.into_iter().reduce(PooledRows::join) else {
        return frequent;
    };
    let smallest = (0..frequent.len()).min_by_key(|&index| frequent[index].rows.len());
    match smallest {
        Some(index) if rare.rows.len() < MIN_POOL => {
            let host = frequent.remove(index);
            frequent.insert(index, host.join(rare));
        }
        _ => frequent.push(rare),
    }
    frequent
}

impl PooledRows {
    fn join(mut self, other: Self) -> Self {
        self.values.extend(other.values);
        self.rows.extend(other.rows);
        self.rows.sort_unstable();
        self
    }
}
