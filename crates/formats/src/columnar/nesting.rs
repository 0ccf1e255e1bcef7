//! Which columns of a file are parts of structures and lists, and in which rows one of these stands.

use std::collections::BTreeMap;

use dataset::{RawColumn, schema::MAX_NAME_BYTES};

/// The structures and lists of a file whose dotted names a schema's column can have.
#[derive(Default)]
pub(super) struct Nesting {
    groups: Vec<Group>,
    /// The innermost group that each column is a part of.
    of_columns: Vec<Option<usize>>,
}

/// Comes behind the one that it is a part of.
struct Group {
    path: String,
    parent: Option<usize>,
}

impl Nesting {
    /// Takes the next column, with the names on the way to it; those of one group follow one another.
    pub(super) fn add(&mut self, before: &[String], parts: &[String]) {
        let outer = &parts[..parts.len().saturating_sub(1)];
        let mut open = self.open();
        let common = outer.iter().zip(before).take_while(|(a, b)| a == b);
        open.truncate(common.count());
        let mut group = open.last().copied();
        for part in &outer[open.len()..] {
            let above = group.map_or("", |group| self.groups[group].path.as_str());
            let gap = if above.is_empty() { "" } else { "." };
            // What lies deeper has a longer name still.
            if above.len() + gap.len() + part.len() > MAX_NAME_BYTES {
                break;
            }
            let path = format!("{above}{gap}{part}");
            self.groups.push(Group {
                path,
                parent: group,
            });
            group = Some(self.groups.len() - 1);
        }
        self.of_columns.push(group);
    }

    /// Returns the groups of the last column, the outermost first.
    fn open(&self) -> Vec<usize> {
        let last = self.of_columns.last().copied().flatten();
        let parent = |group: &usize| self.groups[*group].parent;
        let mut open: Vec<usize> = std::iter::successors(last, parent).collect();
        open.reverse();
        open
    }

    /// Returns the number of groups: each is looked at in each row.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Returns the rows in which a group has a value, by its name; what is not read has one in each.
    pub(super) fn rows(
        &self,
        columns: &[RawColumn],
        is_read: impl Fn(usize) -> bool,
    ) -> BTreeMap<String, Vec<usize>> {
        let n_rows = columns.first().map_or(0, RawColumn::len);
        let mut masks = vec![vec![false; n_rows]; self.groups.len()];
        for (at, (cells, group)) in columns.iter().zip(&self.of_columns).enumerate() {
            if let Some(group) = group {
                for (row, stands) in masks[*group].iter_mut().enumerate() {
                    *stands |= !is_read(at) || !cells.is_missing(row);
                }
            }
        }
        let mut found: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, group) in self.groups.iter().enumerate().rev() {
            let mask = std::mem::take(&mut masks[at]);
            if let Some(parent) = group.parent {
                for (of_parent, stands) in masks[parent].iter_mut().zip(&mask) {
                    *of_parent |= stands;
                }
            }
            let rows = mask.iter().enumerate().filter(|(_, stands)| **stands);
            let rows: Vec<usize> = rows.map(|(row, _)| row).collect();
            if !rows.is_empty() {
                found.entry(group.path.clone()).or_default().extend(rows);
            }
        }
        // Two may have one name.
        for rows in found.values_mut() {
            rows.sort_unstable();
            rows.dedup();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows the rows of each group, of columns of numbers; an empty cell is `-`, of a column that is not read `?`.
    fn check(columns: &[(&str, &str)], expected: &[(&str, &[usize])]) {
        let mut nesting = Nesting::default();
        let mut before = Vec::new();
        for (path, _) in columns {
            let parts: Vec<String> = path.split('.').map(str::to_owned).collect();
            nesting.add(&before, &parts);
            before = parts;
        }
        let number = |cell: &str| match cell {
            "-" | "?" => f64::NAN,
            cell => cell.parse().unwrap(),
        };
        let cells = |cells: &str| RawColumn::Number(cells.split(' ').map(number).collect());
        let cells: Vec<RawColumn> = columns.iter().map(|(_, text)| cells(text)).collect();
        let found = nesting.rows(&cells, |at| !columns[at].1.contains('?'));
        let found: Vec<_> = found.iter().map(|(n, r)| (n.as_str(), &**r)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_structure_stands_where_any_of_its_parts_has_a_value() {
        check(&[("a", "1 1"), ("b", "- 1")], &[]);
        check(&[("a.x", "1 - -"), ("a.y", "- - 1")], &[("a", &[0, 2])]);
        check(
            &[("a.b.x", "1 -"), ("a.c.y", "- 1"), ("a", "1 1")],
            &[("a", &[0, 1]), ("a.b", &[0]), ("a.c", &[1])],
        );
        check(&[("a.x", "- -"), ("b.x", "? ?")], &[("b", &[0, 1])]);
        check(
            &[("a.x", "- 1"), ("b", "- -"), ("a.y", "1 -")],
            &[("a", &[0, 1])],
        );
    }

    #[test]
    fn names_that_no_column_can_have_are_left_out() {
        let long = "n".repeat(MAX_NAME_BYTES);
        let path = |of: &str| format!("{of}.x");
        check(&[(&path(&long), "1")], &[(&long, &[0])]);
        check(&[(&path(&format!("{long}n")), "1")], &[]);
        check(
            &[(&path(&format!("{long}.a.b")), "1"), ("c", "1")],
            &[(&long, &[0])],
        );
        let deep = vec!["d"; 10_000].join(".");
        let mut nesting = Nesting::default();
        let parts: Vec<String> = deep.split('.').map(str::to_owned).collect();
        nesting.add(&[], &parts);
        nesting.add(&parts, &parts);
        assert_eq!(nesting.len(), MAX_NAME_BYTES / 2);
    }
}
