//! TLS on the way to databases: what is trusted is read, and what is not says what to do.

use std::time::{Duration, Instant};

use super::{
    authority::Authority,
    database::{Database, Kind, SERVERS},
    dns::{CLUSTER, Dns, SHARD},
    mongodb::push_tiny,
    server::Server,
    tls_proxy,
};
use crate::support::{Called, TINY, Workplace};

/// Makes a place with rows, an authority and another one that has issued nothing.
fn place() -> (Workplace, Authority) {
    let place = Workplace::new();
    place.write_tiny(500);
    let authority = Authority::new();
    place.write("ca.pem", authority.pem());
    place.write("other.pem", Authority::new().pem());
    (place, authority)
}

fn run(place: &Workplace, source: &str) -> Called {
    place.call(&[&["run", "--refresh", "--source", source], &TINY[..]].concat())
}

fn accepted(place: &Workplace, source: &str) {
    let called = run(place, source);
    assert_eq!(called.code, 0, "{source}: {}", called.err);
    let doctor = place.call(&["doctor", "--dataset", "tiny.yaml", "--source", source]);
    assert_eq!(doctor.code, 0, "{source}: {}", doctor.out);
    assert!(
        doctor.out.contains("TLS agreed on"),
        "{source}: {}",
        doctor.out
    );
}

/// Checks that a run and the doctor both say what is wrong, and soon: it would be the same the next time.
fn refused(place: &Workplace, source: &str, code: i32, words: &[&str]) {
    let since = Instant::now();
    let called = run(place, source);
    assert!(
        since.elapsed() < Duration::from_secs(8),
        "{source}: {}",
        called.err
    );
    let doctor = place.call(&["doctor", "--dataset", "tiny.yaml", "--source", source]);
    let step = if code == 64 {
        "FAIL  address"
    } else {
        "FAIL  TLS"
    };
    assert!(doctor.out.contains(step), "{source}: {}", doctor.out);
    for (found, said) in [(called.code, &called.err), (doctor.code, &doctor.out)] {
        assert_eq!(found, code, "{source}: {said}");
        assert!(
            words.iter().all(|word| said.contains(word)),
            "{source}: {said}"
        );
    }
}

const UNTRUSTED: &str = "the issuer of the server's certificate is not trusted";

/// Returns a table's address whose server has to prove its name by an authority.
fn verified(database: &Database, host: &str, authority: &str) -> String {
    let chosen = match database.kind {
        Kind::Postgres => format!("table=tiny&sslmode=verify-full&sslrootcert={authority}"),
        _ => format!("table=tiny&ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}"),
    };
    let uri = database.uri(database.port, &chosen);
    uri.replace("127.0.0.1", host)
}

#[test]
fn a_database_is_asked_when_its_certificate_is_of_a_trusted_issuer_and_for_its_name() {
    for kind in SERVERS {
        let (place, authority) = place();
        let database = Database::start_with(kind, &authority.issue("localhost"));
        push_tiny(&place, &verified(&database, "localhost", "ca.pem"), &[]);
        accepted(&place, &verified(&database, "localhost", "ca.pem"));
        let trust = match kind {
            Kind::Postgres => "sslrootcert=FILE",
            _ => "ssl-ca=FILE",
        };
        let untrusted = verified(&database, "localhost", "other.pem");
        refused(&place, &untrusted, 69, &[UNTRUSTED, trust]);
        let elsewhere = verified(&database, "127.0.0.1", "ca.pem");
        refused(
            &place,
            &elsewhere,
            69,
            &["is for another name", "localhost"],
        );
        let unknown = verified(&database, "localhost", "none.pem");
        refused(&place, &unknown, 64, &["none.pem", "No such file"]);
    }
}

#[test]
fn a_database_whose_certificate_has_expired_or_that_has_none_is_not_asked() {
    for kind in SERVERS {
        let (place, authority) = place();
        let database = Database::start_with(kind, &authority.issue_expired("localhost"));
        let expired = verified(&database, "localhost", "ca.pem");
        refused(&place, &expired, 69, &["has expired", "renewed"]);
        let pushed = place.call(&[
            "push",
            "--dataset",
            "tiny.yaml",
            "--from",
            "tiny.csv",
            "--to",
            &expired,
        ]);
        assert_eq!(pushed.code, 69, "{}", pushed.err);
        assert!(pushed.err.contains("has expired"), "{}", pushed.err);
        let plain = Database::start(kind);
        let unproven = verified(&plain, "localhost", "ca.pem");
        refused(&place, &unproven, 69, &["does not speak TLS"]);
    }
}

/// Returns the address of a collection behind TLS.
fn collection(host: &str, port: u16, authority: &str) -> String {
    format!(
        "mongodb://{host}:{port}/network_security?collection=tiny&directConnection=true\
         &serverSelectionTimeoutMS=1000&tls=true&tlsCAFile={authority}"
    )
}

#[test]
fn mongodb_is_asked_when_its_certificate_is_of_a_trusted_issuer_and_for_its_name() {
    let (place, authority) = place();
    let server = Server::start();
    let port = tls_proxy::before(server.port, &authority.issue("localhost"));
    push_tiny(&place, &collection("localhost", port, "ca.pem"), &[]);
    accepted(&place, &collection("localhost", port, "ca.pem"));
    let untrusted = collection("localhost", port, "other.pem");
    refused(&place, &untrusted, 69, &[UNTRUSTED, "tlsCAFile=FILE"]);
    let elsewhere = collection("127.0.0.1", port, "ca.pem");
    refused(
        &place,
        &elsewhere,
        69,
        &["is for another name", "localhost"],
    );
    let expired = tls_proxy::before(server.port, &authority.issue_expired("localhost"));
    let expired = collection("localhost", expired, "ca.pem");
    refused(&place, &expired, 69, &["has expired"]);
}

#[test]
fn a_cluster_is_found_by_its_record_and_asked_over_tls() {
    let (place, authority) = place();
    let server = Server::start();
    push_tiny(&place, &server.address("tiny"), &[]);
    let port = tls_proxy::before(server.port, &authority.issue(SHARD));
    let dns = Dns::start(port);
    let source = format!(
        "mongodb+srv://{CLUSTER}/network_security?collection=tiny\
         &serverSelectionTimeoutMS=2000&tlsCAFile=ca.pem"
    );
    let called = dns.call(&place, &[&["run", "--source", &source], &TINY[..]].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    let doctor = |source: &str| {
        dns.call(
            &place,
            &["doctor", "--dataset", "tiny.yaml", "--source", source],
        )
    };
    let said = doctor(&source);
    assert_eq!(said.code, 0, "{}", said.out);
    let record = format!("_mongodb._tcp.{CLUSTER}: {SHARD}:{port}");
    for words in [&record, "TLS agreed on"] {
        assert!(said.out.contains(words), "{words} in {}", said.out);
    }

    let unknown = source.replace("cluster", "none");
    let called = dns.call(
        &place,
        &[&["run", "--source", &unknown], &TINY[..]].concat(),
    );
    let said = doctor(&unknown);
    assert!(said.out.contains("FAIL  SRV record"), "{}", said.out);
    for (code, said) in [(called.code, called.err), (said.code, said.out)] {
        assert_eq!(code, 69, "{said}");
        for words in [
            "SRV record `_mongodb._tcp.none.netsec.example`",
            "check the name",
        ] {
            assert!(said.contains(words), "{words} in {said}");
        }
    }
}
