use serde_json::json;

use crate::{process::Server, trained::Place};

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
fn no_path_leads_out_of_the_registry() {
    let place = Place::with_flows();
    std::os::unix::fs::symlink("/etc", place.path().join("registry/models/link")).unwrap();
    let server = Server::start(&place, &[]);
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
    ] {
        assert!(
            document["paths"][path].is_object(),
            "{path} is not described"
        );
    }
    let record = &document["components"]["schemas"]["Record"];
    assert_eq!(
        record["properties"]["duration"],
        json!({"type": "integer", "minimum": 0, "maximum": 1000})
    );
    assert_eq!(record["required"], json!(["duration", "protocol", "root"]));
    assert_eq!(record["additionalProperties"], json!(false));
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
