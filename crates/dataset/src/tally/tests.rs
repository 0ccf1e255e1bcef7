use super::*;
use crate::{RawColumn, TextColumn};

/// A batch of one column of numbers and one of texts; `-` is a missing cell.
fn batch(rows: &[(f64, &str)]) -> RawBatch {
    RawBatch {
        names: vec!["b".to_owned(), "a".to_owned()],
        columns: vec![
            RawColumn::Number(rows.iter().map(|r| r.0).collect()),
            RawColumn::Text(rows.iter().map(|r| (r.1 != "-").then_some(r.1)).collect()),
        ],
        row_numbers: (1..=rows.len() as u64).collect(),
        defects: Vec::new(),
        ..RawBatch::default()
    }
}

fn tally(batches: &[RawBatch]) -> Tally {
    let mut tally = Tally::default();
    batches.iter().for_each(|batch| tally.add_batch(batch));
    tally
}

#[test]
fn order_and_batches_do_not_count_but_repetitions_do() {
    let (x, y) = ((1.0, "x"), (f64::NAN, "y"));
    let whole = tally(&[batch(&[x, y, x])]);
    assert_eq!(whole, tally(&[batch(&[y, x]), batch(&[x])]));
    assert_ne!(whole, tally(&[batch(&[x, y])]));
    assert_ne!(whole, tally(&[batch(&[y, y, x])]));
}

#[test]
fn a_number_counts_as_its_text_and_an_absent_column_as_missing_cells() {
    let numbers = batch(&[(-1.0, "-"), (0.5, "-")]);
    let texts = RawBatch {
        names: vec!["b".to_owned()],
        columns: vec![RawColumn::Text(TextColumn::from_iter([
            Some("-1"),
            Some("0.5"),
        ]))],
        row_numbers: vec![7, 8],
        defects: Vec::new(),
        ..RawBatch::default()
    };
    assert_eq!(tally(&[numbers]), tally(&[texts]));
}

#[test]
fn what_stands_in_another_column_is_another_record() {
    assert_ne!(
        tally(&[batch(&[(1.0, "2")])]),
        tally(&[batch(&[(2.0, "1")])])
    );
}

#[test]
fn what_is_taken_out_was_never_there() {
    let mut found = tally(&[batch(&[(1.0, "x"), (2.0, "y")])]);
    found.remove(record_digests(&batch(&[(2.0, "y")]))[0]);
    assert_eq!(found, tally(&[batch(&[(1.0, "x")])]));
}
