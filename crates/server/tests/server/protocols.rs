use serde_json::{Value, json};

use crate::{
    process::Server,
    trained::{FLOW, Place},
};

fn plain(server: &Server) -> Value {
    let answer = server.post("/v1/predict", &format!(r#"{{"records":[{FLOW},{FLOW}]}}"#));
    answer.json()["predictions"].clone()
}

/// Sends two equal records in some shape to MLflow's path.
#[track_caller]
fn check_invocation(body: &Value) {
    let server = Server::start(&Place::with_flows(), &[]);
    let answer = server.post("/invocations", &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut expected = plain(&server);
    for row in expected.as_array_mut().unwrap() {
        row.as_object_mut().unwrap().remove("imputed");
    }
    assert_eq!(answer.json(), json!({"predictions": expected}));
}

#[test]
fn mlflow_frames_and_inputs_give_what_records_give() {
    let record: Value = serde_json::from_str(FLOW).unwrap();
    check_invocation(&json!({"dataframe_records": [record, record]}));
    check_invocation(&json!({"instances": [record, record]}));
    check_invocation(&json!({"inputs": [record, record], "params": {"a": [1]}}));
    let row = json!([7, false, 12.5, "tcp", "http", 40]);
    let columns = ["id", "root", "bytes", "protocol", "service", "duration"];
    let split = json!({"index": [0, 1], "columns": columns, "data": [row, row]});
    check_invocation(&json!({"dataframe_split": split}));
    check_invocation(&json!({"inputs": {
        "duration": [40, 40], "bytes": [12.5, 12.5], "protocol": ["tcp", "tcp"],
        "service": ["http", "http"], "root": [false, false],
    }}));
}

/// Sends a body that is refused.
#[track_caller]
fn check_refusal(path: &str, body: &str, status: u16, problems: &Value) {
    let server = Server::start(&Place::with_flows(), &["--max-rows", "3"]);
    let answer = server.post(path, body);
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(
        answer.json().get("problems").unwrap_or(&json!([])),
        problems
    );
}

#[test]
fn bad_invocations_are_refused_with_their_places() {
    let check =
        |body: &str, status, problems| check_refusal("/invocations", body, status, &problems);
    let one = "give one of `dataframe_split`, `dataframe_records`, `inputs`, `instances`";
    check("{}", 422, json!([{"path": "", "problem": one}]));
    check("{", 400, json!([]));
    check(
        r#"{"dataframe_split":{"columns":["duration","zz","protocol","root"],"data":[[NaN,1,"tcp",true],[1]]}}"#,
        422,
        json!([
            {"path": "dataframe_split.columns.zz", "problem": "there is no such column"},
            {"path": "dataframe_split.data[0].duration", "problem": "`NaN` is not a whole number"},
            {"path": "dataframe_split.data[1]", "problem": "1 values for 4 columns"},
            {"path": "dataframe_split.data[1].protocol", "problem": "missing"},
            {"path": "dataframe_split.data[1].root", "problem": "missing"},
        ]),
    );
    check(
        r#"{"inputs":{"duration":[1,2],"root":[true]}}"#,
        422,
        json!([{"path": "inputs", "problem": "columns of 2 and of 1 values"}]),
    );
    let many = "more than 3 records: send them as a file, or in parts";
    check(
        r#"{"inputs":{"duration":[1,2,3,4],"root":[true,true,true,true],"protocol":["tcp","tcp","tcp","tcp"]}}"#,
        422,
        json!([{"path": "inputs", "problem": many}]),
    );
}

fn tensor(name: &str, datatype: &str, data: &Value) -> Value {
    let n = data.as_array().unwrap().len();
    json!({"name": name, "shape": [n], "datatype": datatype, "data": data})
}

#[test]
fn the_open_inference_protocol_gives_what_records_give() {
    let server = Server::start(&Place::with_flows(), &[]);
    let body = json!({"id": "a", "inputs": [
        tensor("duration", "INT64", &json!([40, 40])),
        {"name": "bytes", "shape": [2, 1], "datatype": "FP64", "data": [12.5, 12.5]},
        tensor("protocol", "BYTES", &json!(["tcp", "tcp"])),
        tensor("service", "BYTES", &json!(["http", "http"])),
        tensor("root", "BOOL", &json!([false, false])),
    ]});
    let expected = plain(&server);
    let column = |name: &str| -> Vec<&Value> {
        expected
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row[name])
            .collect()
    };
    for path in [
        "/v2/models/flows/infer",
        "/v2/models/flows/versions/1/infer",
    ] {
        let answer = server.post(path, &body.to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let outputs = [
            tensor("label", "BYTES", &json!(column("label"))),
            tensor("threat", "BOOL", &json!(column("threat"))),
            tensor(
                "threat_probability",
                "FP64",
                &json!(column("threat_probability")),
            ),
        ];
        let whole = json!({
            "model_name": "flows", "model_version": "1", "id": "a", "outputs": outputs,
        });
        assert_eq!(answer.json(), whole);
    }
}

#[test]
fn the_open_inference_protocol_describes_the_model_that_serves_and_no_other() {
    let server = Server::start(&Place::with_flows(), &[]);
    let metadata = server.get("/v2/models/flows").json();
    assert_eq!(metadata["versions"], json!(["1"]));
    let first = json!({"name": "duration", "datatype": "INT64", "shape": [-1]});
    assert_eq!(metadata["inputs"][0], first);
    assert_eq!(server.get("/v2/models/flows/ready").status, 200);
    assert_eq!(server.get("/v2").json()["name"], json!("netsec-server"));
    for path in [
        "/v2/models/other",
        "/v2/models/other/ready",
        "/v2/models/flows/versions/2",
        "/v2/models/flows/versions/2/ready",
        "/v2/models/%2e%2e",
        "/v2/models/flows/versions/%2e%2e%2fx",
    ] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    assert_eq!(
        server
            .post("/v2/models/other/infer", r#"{"inputs":[]}"#)
            .status,
        404
    );
}

#[test]
fn bad_tensors_are_refused_with_their_places() {
    let check = |body: &Value, problems| {
        check_refusal("/v2/models/flows/infer", &body.to_string(), 422, &problems)
    };
    check(
        &json!({"inputs": [{"name": "duration", "shape": [3], "datatype": "INT64", "data": [1]}]}),
        json!([
            {"path": "inputs[0].shape", "problem": "1 values do not have the shape [3]: use [1] or [1, 1]"},
            {"path": "inputs[0].protocol", "problem": "missing"},
            {"path": "inputs[0].root", "problem": "missing"},
        ]),
    );
    check(
        &json!({"inputs": []}),
        json!([{"path": "inputs", "problem": "no records: give at least one"}]),
    );
}

#[test]
fn mlflow_finds_the_service_alive() {
    let server = Server::start(&Place::with_flows(), &[]);
    assert_eq!(server.get("/ping").status, 200);
}
