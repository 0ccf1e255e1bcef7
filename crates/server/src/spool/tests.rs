use std::future::poll_fn;

use actix_web::{body::to_bytes, rt::System};

use super::*;
use crate::slots::{Client, Slots};

fn piece(byte: u8, n: usize) -> Vec<u8> {
    vec![byte; n]
}

/// Writes pieces before any is read, then reads them all.
fn check(pieces: &[usize], in_file: bool) {
    let (writer, body) = spool(1 << 30);
    let mut expected = Vec::new();
    for (at, &n) in pieces.iter().enumerate() {
        let piece = piece(at as u8, n);
        expected.extend_from_slice(&piece);
        writer.push(piece).unwrap();
    }
    assert_eq!(lock(&writer.0).file.is_some(), in_file);
    assert!(lock(&writer.0).held <= IN_MEMORY);
    writer.finish(Ok(()));
    let read = System::new().block_on(to_bytes(body)).unwrap();
    assert!(
        read == expected,
        "{} of {} bytes",
        read.len(),
        expected.len()
    );
}

#[test]
fn what_is_written_is_read_from_memory_and_from_the_file_in_order() {
    check(&[], false);
    check(&[10, 1000, 3], false);
    check(&[IN_MEMORY, 1, 70_000], true);
    check(&[IN_MEMORY + 1, 5], true);
}

#[test]
fn after_the_file_was_read_memory_serves_again() {
    let (writer, body) = spool(1 << 30);
    writer.push(piece(1, IN_MEMORY)).unwrap();
    writer.push(piece(2, 10)).unwrap();
    let mut spool = lock(&body.0);
    while spool.next().unwrap().is_some() {}
    assert!(spool.file.is_none());
    drop(spool);
    writer.push(piece(3, 10)).unwrap();
    assert_eq!(lock(&body.0).memory.len(), 1);
}

#[test]
fn an_answer_that_is_not_ended_or_has_failed_breaks_off() {
    let (writer, body) = spool(1 << 30);
    writer.push(piece(1, 10)).unwrap();
    drop(writer);
    assert!(System::new().block_on(to_bytes(body)).is_err());
    let (writer, body) = spool(1 << 30);
    let bad = Problem::bad_request("bad");
    writer.finish(Err(bad.clone()));
    assert_eq!(System::new().block_on(body.begun()), Err(bad));
}

#[test]
fn too_much_unread_and_nobody_to_read_end_the_writing() {
    let (writer, body) = spool(100);
    writer.push(piece(1, IN_MEMORY)).unwrap();
    let error = writer.push(piece(2, 101)).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("too much of the answer is unread")
    );
    drop(body);
    let error = writer.push(piece(3, 1)).unwrap_err();
    assert_eq!(error.to_string(), "nobody reads the answer any more");
}

#[test]
fn an_answer_that_nobody_reads_once_it_is_written_is_let_go_with_its_slot() {
    let slots = Slots::new(1, 1);
    let pause = Duration::from_millis(50);
    System::new().block_on(async {
        let (writer, body) = spool(1 << 30);
        body.keep(Arc::new(slots.take(Client::Unknown).unwrap()), pause);
        writer.push(piece(1, 2 * IN_MEMORY)).unwrap();
        // As long as it is not ended, the client may be sending.
        sleep(4 * pause).await;
        assert!(lock(&body.0).file.is_some() && slots.take(Client::Unknown).is_err());
        writer.finish(Ok(()));
        sleep(4 * pause).await;
        assert!(lock(&body.0).file.is_none() && slots.take(Client::Unknown).is_ok());
        assert!(to_bytes(body).await.is_err());
    });
}

#[test]
fn an_answer_that_is_read_slowly_comes_whole_and_its_slot_is_free_behind_it() {
    let slots = Slots::new(1, 1);
    let pause = Duration::from_millis(100);
    System::new().block_on(async {
        let (writer, mut body) = spool(1 << 30);
        body.keep(Arc::new(slots.take(Client::Unknown).unwrap()), pause);
        (0..8).for_each(|_| writer.push(piece(1, 10)).unwrap());
        writer.finish(Ok(()));
        let mut n_bytes = 0;
        while let Some(piece) = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
            n_bytes += piece.unwrap().len();
            sleep(pause / 2).await;
        }
        assert_eq!(n_bytes, 80);
        drop(body);
        assert!(slots.take(Client::Unknown).is_ok());
    });
}
