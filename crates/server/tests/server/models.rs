use serde_json::json;

use crate::{
    client::Connection,
    process::Server,
    trained::{FLOW, Place},
};

#[test]
fn models_and_their_histories_are_told() {
    let place = Place::with_flows();
    place.promote("flows", |bundle| bundle.training.seed = 8);
    let server = Server::start(&place, &[]);
    let expected = json!([{
        "name": "flows", "serving": true, "champion": 2, "challenger": null, "versions": 2,
    }]);
    assert_eq!(server.get("/v1/models").json(), expected);
    let history = server.get("/v1/models/flows/history").json();
    assert_eq!(history.as_array().unwrap().len(), 2);
    assert_eq!(
        (&history[1]["version"], &history[1]["action"]),
        (&json!(2), &json!("promoted"))
    );
}

#[test]
fn a_damaged_history_is_told_of_and_takes_nothing_else_down() {
    let place = Place::with_flows();
    place.register_as("flows", "other");
    let server = Server::start_behind(&place, "", &["--model", "flows"]);
    let healthy = json!({
        "name": "other", "serving": false, "champion": 1, "challenger": null, "versions": 1,
    });
    let entry = std::fs::read_to_string(place.in_history("flows", "00000001.json")).unwrap();
    let damages = [
        ("00000002.json", &entry[..100]),
        // Of another history: it says that it is the first.
        ("00000002.json", &entry),
        ("notes.txt", "put back on Monday"),
    ];
    for (n, (file, content)) in damages.into_iter().enumerate() {
        let path = place.in_history("flows", file);
        std::fs::write(&path, content).unwrap();
        let said = format!(
            "the history of `flows` cannot be read: `models/flows/history/{file}` in the registry is \
             damaged, missing, or no entry of it; `netsec models list` says why and what to do"
        );
        let damaged = json!({
            "name": "flows", "serving": true, "champion": 1, "challenger": null, "versions": null,
            "problem": said,
        });
        assert_eq!(server.get("/v1/models").json(), json!([damaged, healthy]));
        let refused = server.get("/v1/models/flows/history");
        assert_eq!(
            (refused.status, &refused.json()["detail"]),
            (503, &json!(said))
        );
        assert_eq!(server.get("/v1/models/other/history").status, 200);
        let page = server.get("/");
        assert_eq!(page.status, 200);
        for part in [
            "<h2>flows version 1</h2>",
            "role=\"alert\">The history of <code>flows</code> cannot",
        ] {
            assert!(page.text().contains(part), "no `{part}` in {}", page.text());
        }
        let body = format!(r#"{{"records":[{FLOW}]}}"#);
        assert_eq!(server.post("/v1/predict", &body).status, 200);
        // However often it is asked for, the log says it once.
        let log = std::fs::read_to_string(place.path().join("stderr")).unwrap();
        assert_eq!(
            log.matches("history cannot be read").count(),
            n + 1,
            "{log}"
        );
        std::fs::remove_file(&path).unwrap();
    }
    for name in [
        ".nfs00000000000001c300000002",
        ".DS_Store",
        "00000002.json.tmp",
    ] {
        std::fs::write(place.in_history("flows", name), "{").unwrap();
    }
    assert_eq!(server.get("/v1/models/flows/history").status, 200);
    assert_eq!(server.get("/v1/models").json()[0]["versions"], json!(1));
}

#[test]
fn no_path_leads_out_of_the_registry() {
    let place = Place::with_flows();
    std::os::unix::fs::symlink("/etc", place.path().join("registry/models/link")).unwrap();
    let server = Server::start(&place, &["--admin-listen", "127.0.0.1:0"]);
    for name in [
        "..",
        ".",
        "%2e%2e",
        "%252e%252e",
        "%2e%2e%2f%2e%2e",
        "..%2f..%2fblobs",
        "a%5c..%5cb",
        "..;",
        "flows;x",
        "flows%00",
        "%00",
        "%2fetc%2fpasswd",
        "C:%5c",
        "%ff",
        "flows%20",
        "link",
        "%e2%80%ae",
        "*",
        "''",
    ] {
        let answer = server.get(&format!("/v1/models/{name}/history"));
        assert_eq!(answer.status, 404, "{name}: {}", answer.text());
        let text = answer.text();
        assert!(
            !text.contains("root:") && !text.contains("/tmp"),
            "{name}: {text}"
        );
        for (method, path) in [
            ("GET", format!("/v2/models/{name}")),
            ("GET", format!("/v2/models/{name}/ready")),
            ("POST", format!("/v2/models/{name}/infer")),
            ("GET", format!("/v2/models/flows/versions/{name}")),
            ("POST", format!("/v2/models/{name}/versions/1/infer")),
            ("GET", format!("/docs/{name}")),
            ("GET", format!("/jobs/{name}")),
            ("GET", format!("/jobs/{name}/events")),
            ("POST", format!("/models/{name}/rollback")),
            ("POST", format!("/models/{name}/promote")),
        ] {
            let mut connection = Connection::open(server.admin.unwrap());
            let lines = ["Content-Type: application/json"];
            let answer = connection.call(method, &path, &lines, b"{\"version\":1}");
            let (status, text) = (answer.status, answer.text());
            assert!((400..500).contains(&status), "{path}: {status} {text}");
            let leaks = text.contains("root:") || text.contains("/tmp");
            assert!(!leaks, "{path}: {text}");
        }
    }
}

#[test]
fn the_description_names_every_path_and_the_columns_of_the_model() {
    let server = Server::start(&Place::with_flows(), &[]);
    let document = server.get("/openapi.json").json();
    for path in [
        "/v1/predict",
        "/v1/explain",
        "/v1/models/{name}/history",
        "/readyz",
        "/",
        "/session",
        "/docs",
        "/docs/",
        "/openapi.json",
    ] {
        assert!(
            document["paths"][path].is_object(),
            "{path} is not described"
        );
    }
    for (path, of_path) in document["paths"].as_object().unwrap() {
        for (method, operation) in of_path.as_object().unwrap() {
            for status in ["400", "403", "405", "421"] {
                let known = &operation["responses"][status];
                assert!(
                    known.is_object(),
                    "{method} {path} does not tell of {status}"
                );
            }
        }
    }
    let record = &document["components"]["schemas"]["Record"];
    assert_eq!(
        record["properties"]["duration"],
        json!({"type": "integer", "minimum": 0, "maximum": 1000})
    );
    assert_eq!(record["required"], json!(["duration", "protocol", "root"]));
    assert_eq!(record["additionalProperties"], json!(false));
    for passed_over in ["attack", "id"] {
        assert!(record["properties"][passed_over].is_object(), "{record}");
    }
}

#[test]
fn swagger_ui_comes_from_the_binary() {
    let server = Server::start(&Place::with_flows(), &[]);
    assert_eq!(server.get("/docs").header("location"), Some("/docs/"));
    assert!(server.get("/docs/").text().contains("swagger-ui"));
    assert!(
        server
            .get("/docs/swagger-initializer.js")
            .text()
            .contains("/openapi.json")
    );
    assert_eq!(server.get("/docs/../../etc/passwd").status, 404);
}
