use std::time::Duration;

use dataset::RawColumn;

use super::*;

mod peer;

use peer::{Fault, Peer};

const N_DOCUMENTS: usize = 20_000;

fn open(peer: &Peer, more: &str) -> MongoSource {
    let text = "name: s\ncolumns: [{name: a, type: number}]\n\
                target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}\n";
    let schema = Schema::parse(text, "test").unwrap();
    let port = peer.port;
    let uri = format!("mongodb://127.0.0.1:{port}/db?collection=c&directConnection=true{more}");
    MongoSource::open(&SourceUri::new(uri), &schema).unwrap()
}

/// Returns the numbers of a batch's documents.
fn numbers(batch: &RawBatch) -> Vec<usize> {
    let [RawColumn::Number(numbers)] = &batch.columns[..] else {
        panic!("{:?}", batch.names);
    };
    numbers.iter().map(|number| *number as usize).collect()
}

fn read_all(source: &mut MongoSource) -> Vec<Vec<usize>> {
    std::iter::from_fn(|| source.next_batch().unwrap())
        .map(|batch| numbers(&batch))
        .collect()
}

/// Waits until something is so; some seconds at most.
fn eventually(is_so: impl Fn() -> bool) -> bool {
    (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        is_so()
    })
}

#[test]
fn documents_keep_their_order_whatever_the_batches_of_the_server_are() {
    for batch_size in [700, 8192, 15_000] {
        let peer = Peer::with(N_DOCUMENTS, None);
        let read = read_all(&mut open(&peer, &format!("&batch_size={batch_size}")));
        let lengths: Vec<usize> = read.iter().map(Vec::len).collect();
        assert_eq!(lengths, [8192, 8192, 3616]);
        assert!(read.concat().into_iter().eq(0..N_DOCUMENTS));
    }
}

#[test]
fn one_batch_is_read_ahead_and_no_more() {
    let peer = Peer::with(N_DOCUMENTS, None);
    let mut source = open(&peer, "&batch_size=1000");
    for n_ahead in [10, 18] {
        source.next_batch().unwrap();
        assert!(eventually(|| peer.n_batches() == n_ahead));
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(peer.n_batches(), n_ahead);
    }
}

#[test]
fn what_came_before_a_failure_is_given_before_it() {
    let peer = Peer::with(N_DOCUMENTS, Some((9000, Fault::Code(8))));
    let mut source = open(&peer, "&batch_size=1000");
    let first = source.next_batch().unwrap().unwrap();
    assert!(eventually(|| peer.n_batches() == 10));
    assert!(numbers(&first).into_iter().eq(0..8192));
    let failed = source.next_batch().unwrap_err().to_string();
    assert!(failed.contains("read documents"), "{failed}");
    assert!(failed.contains("scripted"), "{failed}");
}

#[test]
fn a_reading_is_taken_up_behind_the_last_document_that_was_given() {
    for fault in [Fault::Code(43), Fault::Silence] {
        let peer = Peer::with(N_DOCUMENTS, Some((9000, fault)));
        let mut source = open(&peer, "&batch_size=1000&time_limit=1");
        let read = read_all(&mut source).concat();
        assert!(read.into_iter().eq(0..N_DOCUMENTS));
        let finds = peer.asked("find");
        let filter = finds[1].get_document("filter").unwrap();
        assert_eq!(peer::behind(filter), Some(9000), "{filter}");
    }
}

#[test]
fn a_source_that_is_dropped_stops_reading_and_closes_its_cursor() {
    for fault in [None, Some((9000, Fault::Silence))] {
        let peer = Peer::with(N_DOCUMENTS, fault);
        let mut source = open(&peer, "&batch_size=1000");
        source.next_batch().unwrap();
        assert!(eventually(|| peer.n_batches() == 10));
        assert_eq!(peer.asked("killCursors").len(), 0);
        drop(source);
        assert_eq!(peer.asked("killCursors").len(), 1);
        assert_eq!(peer.n_batches(), 10);
    }
}

#[test]
fn a_source_that_has_come_to_its_end_has_no_cursor_to_close() {
    let peer = Peer::with(N_DOCUMENTS, None);
    read_all(&mut open(&peer, ""));
    assert_eq!(peer.asked("killCursors").len(), 0);
}
