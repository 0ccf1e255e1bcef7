//! Whose rows a snapshot holds: what is given to one user is not taken for what is given to another.

use serde_json::Value;

use super::{
    database::{Database, Kind, PASSWORD, SERVERS},
    http,
    mongodb::push_tiny,
    server::Server,
};
use crate::support::{TINY, Workplace, tiny_csv};

/// Trains on a source as somebody; gives the number of rows, and whether they are of a snapshot.
fn rows(place: &Workplace, source: &str, who: &[(&str, &str)]) -> (u64, bool) {
    let fixed = ["run", "--json", "--source", source];
    let called = place.call_with(&[&fixed[..], &TINY[..]].concat(), who);
    assert_eq!(called.code, 0, "{source} {who:?}: {}", called.err);
    let run: Value = serde_json::from_str(&called.out).unwrap();
    (
        run["rows"]["total"].as_u64().unwrap(),
        !run["snapshot"].is_null(),
    )
}

#[test]
fn users_of_a_database_have_snapshots_of_their_own() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(600);
        push_tiny(&place, &database.address("tiny"), &[]);
        let user = match kind {
            Kind::Postgres => {
                database.ask(&format!("CREATE USER reader PASSWORD '{PASSWORD}'"));
                database.ask("GRANT SELECT ON tiny TO reader");
                "current_user"
            }
            _ => "LEFT(current_user(), 6)",
        };
        let query = format!("query=SELECT a, b, y FROM tiny WHERE {user} = 'netsec' OR a < 50");
        let source = database.uri(database.port, &query);
        let source = source.replace(&format!("netsec:{PASSWORD}@"), "");
        let of = |user| {
            [
                ("NETSEC_SQL_USERNAME", user),
                ("NETSEC_SQL_PASSWORD", PASSWORD),
            ]
        };
        assert_eq!(rows(&place, &source, &of("netsec")), (600, false));
        let (few, is_kept) = rows(&place, &source, &of("reader"));
        assert!(few < 600 && !is_kept, "{kind:?} {few} {is_kept}");
        assert_eq!(rows(&place, &source, &of("reader")), (few, true));
        assert_eq!(rows(&place, &source, &of("netsec")), (600, true));
    }
}

#[test]
fn a_file_of_sqlite_is_known_by_where_it_is_and_not_by_what_it_is_called() {
    let place = Workplace::new();
    place.write_tiny(0);
    let mut found = Vec::new();
    for (directory, n) in [("one", 300), ("two", 400)] {
        std::fs::create_dir(place.path(directory)).unwrap();
        place.write("tiny.csv", tiny_csv(n));
        let to = format!("sqlite://{directory}/records.db?table=tiny");
        push_tiny(&place, &to, &[]);
        let schema = place.path("tiny.yaml").display().to_string();
        let artifacts = place.path("artifacts").display().to_string();
        let source = "sqlite://records.db?table=tiny";
        let mut arguments = vec![
            "run",
            "--json",
            "--artifacts",
            &artifacts,
            "--source",
            source,
        ];
        arguments.extend(
            TINY.iter()
                .map(|a| if *a == "tiny.yaml" { &schema } else { *a }),
        );
        let called = place.call_at(directory, &arguments, &[]);
        assert_eq!(called.code, 0, "{}", called.err);
        let run: Value = serde_json::from_str(&called.out).unwrap();
        found.push(run["rows"]["total"].as_u64().unwrap());
    }
    assert_eq!(found, [300, 400]);
}

#[test]
fn users_of_mongodb_have_snapshots_of_their_own() {
    let server = Server::start();
    let place = Workplace::new();
    place.write_tiny(300);
    push_tiny(&place, &server.address("tiny"), &[]);
    let source = server.address("tiny");
    assert_eq!(rows(&place, &source, &[]), (300, false));
    assert_eq!(rows(&place, &source, &[]), (300, true));
    // The server knows no users, so that another one shows by being refused.
    let other = [
        ("NETSEC_MONGODB_USERNAME", "other"),
        ("NETSEC_MONGODB_PASSWORD", "x"),
    ];
    let called = place.call_with(&[&["run", "--source", &source], &TINY[..]].concat(), &other);
    assert_eq!(called.code, 69, "{}", called.err);
}

#[test]
fn who_has_another_token_of_a_web_server_has_other_snapshots() {
    let place = http::served();
    let server = http::Server::start(&place);
    place.write("served/t1.csv", tiny_csv(300));
    place.write("served/t2.csv", tiny_csv(400));
    let source = server.uri("/own/x.csv");
    let of = |token| [("NETSEC_HTTP_TOKEN", token)];
    assert_eq!(rows(&place, &source, &of("t1")), (300, false));
    assert_eq!(rows(&place, &source, &of("t2")), (400, false));
    assert_eq!(rows(&place, &source, &of("t1")), (300, true));
    for (token, n) in [("t1", 300), ("t2", 400)] {
        assert_eq!(
            rows(
                &place,
                &server.uri(&format!("/own/x.csv?api_key={token}")),
                &[]
            ),
            (n, false)
        );
        let header = format!("X-Key: {token}");
        let header = [("NETSEC_HTTP_HEADER", header.as_str())];
        assert_eq!(rows(&place, &server.uri("/own/y.csv"), &header), (n, false));
    }
    let kept = std::fs::read_dir(place.path("artifacts/feature-store")).unwrap();
    for entry in kept
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
    {
        let bytes = std::fs::read(&entry).unwrap();
        let has = |token: &[u8]| bytes.windows(token.len()).any(|window| window == token);
        assert!(
            !has(b"api_key=t1") && !has(b"Bearer t1"),
            "{}",
            entry.display()
        );
    }
}
