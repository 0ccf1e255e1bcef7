use dataset::{RawColumn, TextColumn};

use super::*;

fn check(batches: &[RawBatch]) {
    let mut spool = Spool::create(names()).unwrap();
    batches.iter().for_each(|batch| spool.push(batch).unwrap());
    let mut spooled = spool.finish().unwrap();
    for batch in batches.iter().filter(|batch| batch.n_rows() > 0) {
        assert_eq!(spooled.next_batch().unwrap().as_ref(), Some(batch));
    }
    assert!(spooled.next_batch().unwrap().is_none());
}

fn names() -> Vec<String> {
    vec!["n".to_owned(), "t".to_owned()]
}

fn batch(row_numbers: &[u64], numbers: RawColumn, texts: &[Option<&str>]) -> RawBatch {
    RawBatch {
        names: names(),
        columns: vec![numbers, RawColumn::Text(texts.iter().copied().collect())],
        row_numbers: row_numbers.to_vec(),
        defects: Vec::new(),
        ..RawBatch::default()
    }
}

#[test]
fn what_is_given_is_what_was_taken() {
    let numbers = RawColumn::Number(vec![0.1, -7.0, 1e300]);
    let first = batch(&[1, 5, u64::MAX], numbers, &[Some(""), None, Some("ä\n\0")]);
    // A column may lack in a batch.
    let absent = RawColumn::Text(TextColumn::from_iter([None]));
    let second = batch(&[6], absent, &[Some("x")]);
    let none = batch(&[], RawColumn::Number(Vec::new()), &[]);
    check(&[first, none.clone(), second]);
    check(&[none]);
    check(&[]);
}
