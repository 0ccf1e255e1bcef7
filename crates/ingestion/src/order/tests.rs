use proptest::prelude::*;

use super::*;

fn numbers(values: &[f64]) -> Cells {
    Cells::Numbers {
        values: values.to_vec(),
        unparsed: Vec::new(),
    }
}

fn check(columns: &[Cells], defects: &[(u64, String)]) -> Vec<u32> {
    let columns: Vec<&Cells> = columns.iter().collect();
    canonical_order(&columns, defects, columns[0].n_rows() as u32)
}

const NAN: f64 = f64::NAN;

#[test]
fn numbers_ascend_and_missing_ones_come_last() {
    assert_eq!(check(&[numbers(&[2.0, NAN, -1.0, 0.5])], &[]), [2, 3, 0, 1]);
    assert_eq!(
        check(&[numbers(&[f64::MAX, NAN, f64::MIN, 5e-324, -5e-324])], &[]),
        [2, 4, 3, 0, 1]
    );
}

#[test]
fn unreadable_cells_follow_missing_ones_in_the_order_of_their_texts() {
    let cells = Cells::Numbers {
        values: vec![NAN, NAN, 1.0, NAN],
        unparsed: vec![(0, "b".to_owned()), (3, "a".to_owned())],
    };
    assert_eq!(check(&[cells], &[]), [2, 1, 3, 0]);
}

#[test]
fn rows_that_are_missing_throughout_compare_by_their_defects() {
    let defects = [(0, "y".to_owned()), (2, "x".to_owned())];
    assert_eq!(check(&[numbers(&[NAN, NAN, NAN])], &defects), [1, 2, 0]);
}

#[test]
fn equal_rows_keep_the_order_of_the_source() {
    let ones = numbers(&[1.0; 5]);
    assert_eq!(check(&[ones.clone(), ones], &[]), [0, 1, 2, 3, 4]);
}

/// Compares two rows cell by cell, as the module says it.
fn compare(columns: &[Cells], a: usize, b: usize) -> std::cmp::Ordering {
    let key = |cells: &Cells, row: usize| match cells {
        Cells::Numbers { values, .. } if values[row].is_nan() => (1, 0.0),
        Cells::Numbers { values, .. } => (0, values[row]),
        Cells::Texts { codes, .. } => (0, f64::from(codes[row])),
    };
    columns
        .iter()
        .map(|cells| {
            let (a, b) = (key(cells, a), key(cells, b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        })
        .find(|ordering| ordering.is_ne())
        .unwrap_or(a.cmp(&b))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn packed_keys_order_as_cells_do(
        rows in prop::collection::vec((
            prop_oneof![Just(NAN), Just(0.25), Just(-0.5), Just(1e300)],
            prop_oneof![Just(NAN), (-3i32..3).prop_map(f64::from)],
            prop_oneof![Just(1e-300), Just(7.5)],
            prop_oneof![Just(MISSING_CODE), 0u32..3],
            prop_oneof![Just(0.1), Just(1e200), Just(NAN)],
            prop_oneof![Just(-1e15), Just(9e15)],
        ), 1..60)
    ) {
        let columns = [
            numbers(&rows.iter().map(|r| r.0).collect::<Vec<_>>()),
            numbers(&rows.iter().map(|r| r.1).collect::<Vec<_>>()),
            numbers(&rows.iter().map(|r| r.2).collect::<Vec<_>>()),
            Cells::Texts {
                dictionary: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
                codes: rows.iter().map(|r| r.3).collect(),
            },
            numbers(&rows.iter().map(|r| r.4).collect::<Vec<_>>()),
            numbers(&rows.iter().map(|r| r.5).collect::<Vec<_>>()),
        ];
        let mut expected: Vec<u32> = (0..rows.len() as u32).collect();
        expected.sort_by(|a, b| compare(&columns, *a as usize, *b as usize));
        prop_assert_eq!(check(&columns, &[]), expected);
    }
}
