//! The canonical order of rows: by typed content, so that every source of the same rows gives the same.

use std::cmp::Ordering;

use dataset::{Cells, Provenance, RawDataset};

/// Sorts the rows: by defect, then column by column in the schema's order, then by the source's row
/// number (which only decides between rows of equal content).
pub(crate) fn sort(raw: &mut RawDataset, provenance: &mut Provenance) {
    let keys: Vec<ColumnKey<'_>> = raw
        .columns
        .iter()
        .map(|c| ColumnKey::of(&c.cells))
        .collect();
    let defect = |row: usize| {
        let at = raw.defects.binary_search_by_key(&(row as u64), |(r, _)| *r);
        at.ok().map(|at| raw.defects[at].1.as_str())
    };
    let has_defects = !raw.defects.is_empty();
    let mut order: Vec<usize> = (0..raw.n_rows as usize).collect();
    order.sort_unstable_by(|&a, &b| {
        let by_defect = if has_defects {
            defect(a).cmp(&defect(b))
        } else {
            Ordering::Equal
        };
        let by_columns = || keys.iter().map(|key| key.compare(a, b)).find(|o| o.is_ne());
        by_defect
            .then_with(|| by_columns().unwrap_or(Ordering::Equal))
            .then_with(|| provenance.row_numbers[a].cmp(&provenance.row_numbers[b]))
    });
    apply(raw, provenance, &order);
}

/// What decides between two rows in one column.
struct ColumnKey<'a> {
    cells: &'a Cells,
    /// Whether some cells are unreadable texts, which then also decide.
    unparsed: &'a [(u64, String)],
}

impl<'a> ColumnKey<'a> {
    fn of(cells: &'a Cells) -> Self {
        let unparsed = match cells {
            Cells::Numbers { unparsed, .. } => unparsed.as_slice(),
            Cells::Texts { .. } => &[],
        };
        Self { cells, unparsed }
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        match self.cells {
            Cells::Texts { codes, .. } => codes[a].cmp(&codes[b]),
            // NaN comes after every number; there is no -0.0.
            Cells::Numbers { values, .. } if self.unparsed.is_empty() => {
                values[a].total_cmp(&values[b])
            }
            Cells::Numbers { values, .. } => values[a]
                .total_cmp(&values[b])
                .then_with(|| self.unparsed_text(a).cmp(&self.unparsed_text(b))),
        }
    }

    fn unparsed_text(&self, row: usize) -> Option<&str> {
        let at = self
            .unparsed
            .binary_search_by_key(&(row as u64), |(r, _)| *r);
        at.ok().map(|at| self.unparsed[at].1.as_str())
    }
}

/// Rearranges everything that is kept by row: row `i` becomes what was row `order[i]`.
fn apply(raw: &mut RawDataset, provenance: &mut Provenance, order: &[usize]) {
    let mut place = vec![0u64; order.len()];
    order
        .iter()
        .enumerate()
        .for_each(|(new, &old)| place[old] = new as u64);
    let renumber = |list: &mut Vec<(u64, String)>| {
        list.iter_mut()
            .for_each(|(row, _)| *row = place[*row as usize]);
        list.sort_unstable_by_key(|(row, _)| *row);
    };
    for column in &mut raw.columns {
        match &mut column.cells {
            Cells::Numbers { values, unparsed } => {
                *values = order.iter().map(|&row| values[row]).collect();
                renumber(unparsed);
            }
            Cells::Texts { codes, .. } => *codes = order.iter().map(|&row| codes[row]).collect(),
        }
    }
    renumber(&mut raw.defects);
    provenance.row_numbers = order
        .iter()
        .map(|&row| provenance.row_numbers[row])
        .collect();
}
