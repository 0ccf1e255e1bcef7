//! Judging rows one by one against the schema.

use std::collections::BTreeMap;

use dataset::{
    Cells, Column, ColumnType, Domain, GroupKey, MISSING_CODE, RawDataset, Records, Schema, Table,
    TableColumn, Target,
    cell::{CellProblem, value_problem},
    format_number,
    schema::UnknownLevels,
};

/// What is wrong with which rows.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Every problem of every bad row (canonical index), in column order.
    pub bad: BTreeMap<usize, Vec<RowProblem>>,
    n_rows: usize,
}

/// One problem of one row.
#[derive(Debug, Clone)]
pub(crate) struct RowProblem {
    /// Column, or `None` for a row that could not be taken apart.
    pub column: Option<String>,
    /// Kind of problem, in words that group alike ones.
    pub kind: &'static str,
    /// The problem with its values.
    pub text: String,
}

/// Fills in the levels of text columns with an open domain: those found, unknown ones accepted later.
pub(crate) fn resolve_levels(raw: &RawDataset) -> Schema {
    let mut schema = raw.schema.clone();
    let target = schema.target.column.clone();
    let open = schema.columns.iter_mut().filter(|c| {
        c.kind == ColumnType::Text && c.domain == Domain::Any && !c.never_use && c.name != target
    });
    for column in open {
        if let Some(Cells::Texts { dictionary, codes }) = raw.cells(&column.name)
            && let levels = levels_of_whole_rows(dictionary, codes, &raw.defects)
            && !levels.is_empty()
        {
            column.domain = Domain::Levels(levels);
            column.unknown_levels = UnknownLevels::Accept;
        }
    }
    schema
}

/// Leaves out what only rows have that could not be taken apart: their cells may stand elsewhere.
fn levels_of_whole_rows(
    dictionary: &[String],
    codes: &[u32],
    defects: &[(u64, String)],
) -> Vec<String> {
    if defects.is_empty() {
        return dictionary.to_vec();
    }
    let mut found = vec![false; dictionary.len()];
    for (row, code) in codes.iter().enumerate() {
        let is_defective = defects
            .binary_search_by_key(&(row as u64), |(r, _)| *r)
            .is_ok();
        if let Some(found) = found.get_mut(*code as usize).filter(|_| !is_defective) {
            *found = true;
        }
    }
    let levels = dictionary.iter().zip(found).filter(|(_, found)| *found);
    levels.map(|(level, _)| level.clone()).collect()
}

/// Judges every row by every column; collects all problems instead of stopping at the first.
pub(crate) fn judge(schema: &Schema, raw: &RawDataset) -> Judged {
    let mut judged = Judged {
        n_rows: raw.n_rows as usize,
        ..Judged::default()
    };
    for (row, reason) in &raw.defects {
        judged.note(*row as usize, None, "malformed row", reason.clone());
    }
    for column in schema.features() {
        if let Some(cells) = raw.cells(&column.name) {
            judge_column(column, cells, &mut judged);
        }
    }
    judge_target(schema, raw, &mut judged);
    judged
}

/// Judges rows that are a part of a data set: a column that is absent here may be there elsewhere, so
/// that every row lacks its value.
pub(crate) fn judge_part(raw: &RawDataset) -> Judged {
    let schema = resolve_levels(raw);
    let mut judged = judge(&schema, raw);
    for name in raw.absent.iter().filter(|name| schema.needs(name)) {
        for row in 0..judged.n_rows {
            judged.note(row, Some(name), "missing value", format!("{name}: missing"));
        }
    }
    judged
}

impl Judged {
    fn note(&mut self, row: usize, column: Option<&str>, kind: &'static str, text: String) {
        let problems = self.bad.entry(row).or_default();
        // Where a row could not be taken apart, what its cells lack says nothing.
        if problems.iter().any(|p| p.column.is_none()) {
            return;
        }
        problems.push(RowProblem {
            column: column.map(str::to_owned),
            kind,
            text,
        });
    }

    fn note_cell(&mut self, row: usize, column: &Column, problem: CellProblem, value: &str) {
        let kind = match problem {
            CellProblem::Missing => "missing value",
            CellProblem::WrongType => "wrong type",
            CellProblem::OutsideDomain => "outside the domain",
        };
        self.note(
            row,
            Some(&column.name),
            kind,
            problem.explain(column, value),
        );
    }

    /// Returns the rows that nothing is wrong with, as typed records.
    pub(crate) fn accepted(&self, schema: &Schema, raw: &RawDataset) -> Records {
        let rows: Vec<usize> = (0..self.n_rows)
            .filter(|row| !self.bad.contains_key(row))
            .collect();
        let columns = schema
            .features()
            .map(|column| TableColumn {
                name: column.name.clone(),
                values: typed_values(column, raw.cells(&column.name), &rows),
            })
            .collect();
        let table = Table::new(rows.len(), columns);
        let groups = GroupKey::of_rows(schema, &table);
        Records {
            groups,
            target: target_of(schema, raw, &rows),
            table,
        }
    }
}

fn judge_column(column: &Column, cells: &Cells, judged: &mut Judged) {
    match cells {
        Cells::Numbers { values, unparsed } => {
            let mut unreadable = unparsed.iter().peekable();
            for (row, value) in values.iter().enumerate() {
                if let Some((_, text)) = unreadable.next_if(|(r, _)| *r == row as u64) {
                    judged.note_cell(row, column, CellProblem::WrongType, text);
                } else if value.is_nan() {
                    if !column.may_be_missing {
                        judged.note_cell(row, column, CellProblem::Missing, "");
                    }
                } else if let Some(problem) = value_problem(column, *value) {
                    judged.note_cell(row, column, problem, &format_number(*value));
                }
            }
        }
        Cells::Texts { dictionary, codes } => {
            let known: Vec<bool> = dictionary
                .iter()
                .map(|text| column.level_code(text).is_some())
                .collect();
            for (row, code) in codes.iter().enumerate() {
                if *code == MISSING_CODE {
                    if !column.may_be_missing {
                        judged.note_cell(row, column, CellProblem::Missing, "");
                    }
                } else if !known[*code as usize] {
                    let text = &dictionary[*code as usize];
                    judged.note_cell(row, column, CellProblem::OutsideDomain, text);
                }
            }
        }
    }
}

fn judge_target(schema: &Schema, raw: &RawDataset, judged: &mut Judged) {
    let name = schema.target.column.as_str();
    let Some(Cells::Texts { dictionary, codes }) = raw.cells(name) else {
        return;
    };
    let known: Vec<bool> = dictionary
        .iter()
        .map(|text| schema.target.family_of(text).is_some())
        .collect();
    for (row, code) in codes.iter().enumerate() {
        if *code == MISSING_CODE {
            judged.note(
                row,
                Some(name),
                "missing target",
                format!("{name}: missing target"),
            );
        } else if !known[*code as usize] {
            let text: String = dictionary[*code as usize].chars().take(40).collect();
            let text = format!("{name}: `{text}` is not a target value of the schema");
            judged.note(row, Some(name), "unknown target", text);
        }
    }
}

fn typed_values(column: &Column, cells: Option<&Cells>, rows: &[usize]) -> Vec<f64> {
    match cells {
        None => vec![f64::NAN; rows.len()],
        Some(Cells::Numbers { values, .. }) => rows.iter().map(|&row| values[row]).collect(),
        Some(Cells::Texts { dictionary, codes }) => {
            let by_code: Vec<f64> = dictionary
                .iter()
                .map(|t| column.level_code(t).unwrap_or(f64::NAN))
                .collect();
            let value = |code: u32| by_code.get(code as usize).copied().unwrap_or(f64::NAN);
            rows.iter().map(|&row| value(codes[row])).collect()
        }
    }
}

/// Makes the target of the accepted rows, with only the values that they bear.
fn target_of(schema: &Schema, raw: &RawDataset, rows: &[usize]) -> Target {
    let Some(Cells::Texts { dictionary, codes }) = raw.cells(&schema.target.column) else {
        return Target::default();
    };
    let mut used = vec![false; dictionary.len()];
    rows.iter()
        .for_each(|&row| used[codes[row] as usize] = true);
    let mut new_code = vec![0u16; dictionary.len()];
    let mut values = Vec::new();
    for (code, text) in dictionary
        .iter()
        .enumerate()
        .filter(|(code, _)| used[*code])
    {
        new_code[code] = u16::try_from(values.len()).expect("a schema lists few target values");
        values.push(text.clone());
    }
    Target {
        codes: rows
            .iter()
            .map(|&row| new_code[codes[row] as usize])
            .collect(),
        values,
    }
}
