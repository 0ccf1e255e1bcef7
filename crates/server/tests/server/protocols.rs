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
    let imputed = |row: &mut Value| row.as_object_mut().unwrap().remove("imputed");
    let rows = expected.as_array_mut().unwrap().iter_mut();
    let imputed: Vec<_> = rows.map(imputed).collect();
    let whole = json!({
        "predictions": expected, "imputed": imputed,
        "model": of_model(&server, "model"), "threshold": of_model(&server, "threshold"),
    });
    assert_eq!(answer.json(), whole);
}

/// Returns what `/v1/predict` says of the model.
fn of_model(server: &Server, what: &str) -> Value {
    let answer = server.post("/v1/predict", &format!(r#"{{"records":[{FLOW}]}}"#));
    answer.json()[what].clone()
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
    check_invocation(&json!({"instances": {
        "duration": [40, 40], "bytes": [12.5, 12.5], "protocol": ["tcp", "tcp"],
        "service": ["http", "http"], "root": [false, false],
    }}));
}

#[test]
fn other_protocols_say_what_was_imputed() {
    let server = Server::start(&Place::with_flows(), &[]);
    let first = json!({"duration": 40, "bytes": 1, "protocol": "tcp", "root": true});
    let second = json!({"duration": 40, "bytes": null, "protocol": "tcp", "root": true});
    let body = json!({"dataframe_records": [first, second]});
    let answer = server.post("/invocations", &body.to_string()).json();
    let imputed = json!([["service"], ["bytes", "service"]]);
    assert_eq!(answer["imputed"], imputed);
    let body = json!({"inputs": [
        tensor("duration", "INT64", &json!([40, 40])), tensor("bytes", "FP64", &json!([1, null])),
        tensor("protocol", "BYTES", &json!(["tcp", "tcp"])), tensor("root", "BOOL", &json!([true, true])),
    ]});
    let answer = server.post("/v2/models/flows/infer", &body.to_string());
    let texts = json!([r#"["service"]"#, r#"["bytes","service"]"#]);
    assert_eq!(
        answer.json()["outputs"][3],
        tensor("imputed", "BYTES", &texts)
    );
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
        r#"{"dataframe_split":{"columns":["duration","zz","protocol"],"data":[[NaN,1,"tcp"],[1],5],"x":0}}"#,
        422,
        json!([
            {"path": "dataframe_split.x", "problem": "unknown: give `columns`, `data`, `index`"},
            {"path": "dataframe_split.columns[1]", "problem": "zz: there is no such column"},
            {"path": "dataframe_split.columns", "problem": "root: missing"},
            {"path": "dataframe_split.data[0][0]", "problem": "duration: missing"},
            {"path": "dataframe_split.data[1]", "problem": "1 values for 3 columns"},
            {"path": "dataframe_split.data[2]", "problem": "`5` is not a list of values"},
        ]),
    );
    check(
        r#"{"dataframe_split":{"data":[]}}"#,
        422,
        json!([{"path": "dataframe_split.columns", "problem": "missing: give a list of column names"}]),
    );
    check(
        r#"{"inputs":{"root":[1,2],"duration":[1],"protocol":["tcp","udp"],"root":[]}}"#,
        422,
        json!([
            {"path": "inputs.root", "problem": "named twice"},
            {"path": "inputs.duration", "problem": "1 values, but `root` has 2"},
        ]),
    );
    check(
        r#"{"instances":{"root":[true,2],"duration":[1,"1"],"bytes":5}}"#,
        422,
        json!([
            {"path": "instances.protocol", "problem": "missing"},
            {"path": "instances.bytes", "problem": "`5` is not a list of values"},
        ]),
    );
    check(
        r#"{"instances":{"root":[true,2],"duration":[1,"1"],"protocol":["tcp","tcp"]}}"#,
        422,
        json!([
            {"path": "instances.root[1]", "problem": "`2` is not true or false"},
            {"path": "instances.duration[1]", "problem": "`\"1\"` is not a whole number"},
        ]),
    );
    let lists = "a list of values does not say which column each is of: give records by column name, a list \
         for each column name, or `dataframe_split`";
    check(
        r#"{"inputs":[[1,2],[3,4]]}"#,
        422,
        json!([{"path": "inputs[0]", "problem": lists}]),
    );
    check(
        r#"{"instances":5}"#,
        422,
        json!([{"path": "instances", "problem": "not a list: give a list of records"}]),
    );
    let many = "4 values, more than 3 records: send them as a file, or in parts";
    check(
        r#"{"inputs":{"duration":[1,2,3,4],"root":[true,true,true],"protocol":["tcp","tcp","tcp"]}}"#,
        422,
        json!([{"path": "inputs.duration", "problem": many}]),
    );
    check(
        r#"{"dataframe_split":{"columns":["duration","root","protocol"],
            "data":[[1,true,"tcp"],[1,true,"tcp"],[1,true,"tcp"],[1,true,"tcp"]]}}"#,
        422,
        json!([{"path": "dataframe_split.data", "problem": many}]),
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
        {"name": "protocol", "shape": [2, 1], "datatype": "BYTES", "data": [["tcp"], ["tcp"]]},
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
            tensor("imputed", "BYTES", &json!(["[]", "[]"])),
        ];
        let model = of_model(&server, "model");
        let parameters = json!({
            "digest": model["digest"], "simulated": false, "threshold": of_model(&server, "threshold"),
        });
        let whole = json!({
            "model_name": "flows", "model_version": "1", "id": "a", "parameters": parameters,
            "outputs": outputs,
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

const NO_DATATYPE: &str = "there is no such datatype; JSON can have BOOL, INT8, INT16, INT32, INT64, UINT8, \
     UINT16, UINT32, UINT64, FP16, FP32, FP64, BYTES";

/// Two equal records as tensors, and what else a request may have.
fn infer_request(more: &Value) -> Value {
    let mut request = json!({"inputs": [
        tensor("duration", "INT32", &json!([40, 40])), tensor("protocol", "BYTES", &json!(["tcp", "tcp"])),
        tensor("root", "UINT8", &json!([0, 1])),
    ]});
    let more = more.as_object().unwrap().clone();
    request.as_object_mut().unwrap().extend(more);
    request
}

#[test]
fn only_outputs_that_are_asked_for_are_given() {
    let server = Server::start(&Place::with_flows(), &[]);
    let path = "/v2/models/flows/infer";
    let given = |outputs: Value| {
        let more = json!({"outputs": outputs, "parameters": {"binary_data_output": false}});
        let answer = server.post(path, &infer_request(&more).to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        let outputs = answer["outputs"].as_array().unwrap().iter();
        outputs
            .map(|o| o["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = ["label", "threat", "threat_probability", "imputed"];
    assert_eq!(given(json!([])), all);
    assert_eq!(given(Value::Null), all);
    let asked = json!([{"name": "threat_probability", "parameters": {"binary_data": false}}, {"name": "label"}]);
    assert_eq!(given(asked), ["threat_probability", "label"]);
    let outputs = json!({"outputs": [{"name": "label"}, {"name": "x"}, {"name": "label"}, 5]});
    check_refusal(
        path,
        &infer_request(&outputs).to_string(),
        422,
        &json!([
            {"path": "outputs[1].name", "problem": "there is no such output; the model gives label, threat, \
                threat_probability, imputed"},
            {"path": "outputs[2].name", "problem": "asked for twice"},
            {"path": "outputs[3]", "problem": "`5` is not an object: give `name`, `parameters`"},
        ]),
    );
}

#[test]
fn the_open_inference_protocol_has_its_errors_its_own_way_and_others_have_not() {
    let server = Server::start(&Place::with_flows(), &[]);
    let error = |answer: &crate::client::Answer, status: u16| {
        assert_eq!(answer.status, status, "{}", answer.text());
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/problem+json"));
        answer.json()["error"].clone()
    };
    let path = "/v2/models/flows/infer";
    let refused = server.post(path, r#"{"inputs":[]}"#);
    let said =
        "1 problem with the content: nothing was done; inputs: no records: give at least one";
    assert_eq!(error(&refused, 422), json!(said));
    let other = error(&server.get("/v2/models/other"), 404);
    assert_eq!(other, json!("here serves `flows` version 1 alone"));
    let method = server.get(path);
    assert_eq!(error(&method, 405), json!("this path takes POST"));
    assert_eq!(method.header("allow"), Some("POST"));
    assert!(error(&server.post(path, "{"), 400).is_string());
    for path in [
        "/v2/nothing",
        "/v2/models/flows/stats",
        "/v2/repository/index",
    ] {
        let nothing = error(&server.get(path), 404);
        assert_eq!(nothing, json!("there is nothing at this path"), "{path}");
    }
    let binary = ["Inference-Header-Content-Length: 2"];
    let triton = server.connect().call("POST", path, &binary, b"{}\xff\xfe");
    let said = "`set_data_from_numpy(values, binary_data=False)`";
    assert!(error(&triton, 400).as_str().unwrap().contains(said));
    let host = ["Host: evil.example"];
    let foreign = server.connect().call("GET", "/v2", &host, b"");
    assert!(error(&foreign, 421).is_string());
    assert_eq!(error(&server.post("/invocations", "{}"), 422), Value::Null);
    let empty = Server::start(&Place::empty(), &[]);
    assert!(error(&empty.get("/v2/health/ready"), 503).is_string());
    assert_eq!(empty.get("/v2/health/live").json(), json!({"live": true}));
    assert_eq!(
        server.get("/v2/health/ready").json(),
        json!({"ready": true})
    );
}

#[test]
fn every_path_of_other_protocols_is_described() {
    let server = Server::start(&Place::with_flows(), &[]);
    let described = server.get("/openapi.json").json();
    for path in [
        "/ping",
        "/invocations",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/{name}",
        "/v2/models/{name}/ready",
        "/v2/models/{name}/infer",
        "/v2/models/{name}/versions/{version}",
        "/v2/models/{name}/versions/{version}/ready",
        "/v2/models/{name}/versions/{version}/infer",
    ] {
        assert!(described["paths"][path].is_object(), "{path}");
    }
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
            {"path": "inputs", "problem": "protocol: missing"},
            {"path": "inputs", "problem": "root: missing"},
        ]),
    );
    check(
        &json!({"id": 5, "parameters": [], "inputs": [
            {"name": "duration", "shape": [2, 1], "datatype": "INT8", "data": [1, 128], "more": 1},
            tensor("protocol", "BYTES", &json!(["tcp", "sctp"])),
            tensor("root", "UINT8", &json!([1, 2])),
            tensor("bytes", "FP32", &json!([1e300, "1"])),
            tensor("servic", "BYTES", &json!(["http", "http"])),
        ]}),
        json!([
            {"path": "id", "problem": "`5` is not a text"},
            {"path": "parameters", "problem": "`a list` is not an object"},
            {"path": "inputs[0].more", "problem": "unknown: give `name`, `shape`, `datatype`, `data`, `parameters`"},
            {"path": "inputs[4].name", "problem": "servic: there is no such column; did you mean `service`?"},
            {"path": "inputs[3].data[0]", "problem": "bytes: `1e300` is no FP32"},
            {"path": "inputs[0].data[1]", "problem": "duration: `128` is no INT8"},
            {"path": "inputs[1].data[1]", "problem": "protocol: `sctp` is not one of icmp, tcp, udp"},
            {"path": "inputs[2].data[1]", "problem": "root: `2` is not true or false"},
            {"path": "inputs[3].data[1]", "problem": "bytes: `\"1\"` is no FP32"},
        ]),
    );
    check(
        &json!({"inputs": [
            tensor("duration", "BYTES", &json!(["1"])), tensor("protocol", "INT64", &json!([1])),
            {"shape": [1], "datatype": "INT128", "data": 5},
        ]}),
        json!([
            {"path": "inputs[2].name", "problem": "missing: give the name of a column"},
            {"path": "inputs[2].datatype", "problem": NO_DATATYPE},
            {"path": "inputs[2].data", "problem": "`5` is not a list of values, as JSON"},
        ]),
    );
    check(
        &json!({"inputs": [
            tensor("protocol", "INT64", &json!([1])), tensor("root", "BOOL", &json!([true])),
            tensor("duration", "FP64", &json!([1.5])),
        ]}),
        json!([
            {"path": "inputs[0].datatype", "problem": "protocol: INT64 does not suit the column: use BYTES"},
            {"path": "inputs[2].data[0]", "problem": "duration: `1.5` is not a whole number"},
        ]),
    );
    let nested = |shape: Value, data: Value| {
        let duration =
            json!({"name": "duration", "shape": shape, "datatype": "INT64", "data": data});
        let protocol = tensor("protocol", "BYTES", &json!(["tcp"]));
        json!({"inputs": [duration, protocol, tensor("root", "BOOL", &json!([true]))]})
    };
    let problem = "1 lists of a value do not have the shape [1]: use [1, 1]";
    check(
        &nested(json!([1]), json!([[1]])),
        json!([{"path": "inputs[0].shape", "problem": problem}]),
    );
    check(
        &nested(json!([2, 1]), json!([[1], [1, 2]])),
        json!([{"path": "inputs[0].data[1]", "problem": "2 values, where one stands for a row"}]),
    );
    let problem = "`a list` is not a list of values, nor one of lists with a value each";
    check(
        &nested(json!([1, 1]), json!([[1], 2])),
        json!([{"path": "inputs[0].data", "problem": problem}]),
    );
    check(
        &nested(json!([1, 1]), json!([[-1]])),
        json!([{"path": "inputs[0].data[0]", "problem": "duration: -1 is not between 0 and 1000"}]),
    );
    check(
        &nested(json!([2, 1]), json!([[], [1, 2]])),
        json!([
            {"path": "inputs[0].data[0]", "problem": "0 values, where one stands for a row"},
            {"path": "inputs[0].data[1]", "problem": "2 values, where one stands for a row"},
        ]),
    );
    let problem = "4 values, more than 3 records: send them as a file, or in parts";
    for data in [json!([[1], [1, 2], [], [4]]), json!([1, 2, 3, 4])] {
        check(
            &nested(json!([4, 1]), data),
            json!([{"path": "inputs[0].data", "problem": problem}]),
        );
    }
    check(
        &json!({"inputs": []}),
        json!([{"path": "inputs", "problem": "no records: give at least one"}]),
    );
}

#[test]
fn a_tensor_of_millions_of_values_takes_little_memory_before_it_is_refused() {
    let server = Server::start(&Place::with_flows(), &[]);
    let before = server.peak();
    let rows = "[1],".repeat(1_900_000) + "[1]";
    let row = format!("[{}1]", "1,".repeat(4_000_000));
    for (data, path, problem) in [
        (
            rows,
            "inputs[0].data",
            "1900001 values, more than 10000 records: send them as a file, or in parts",
        ),
        (
            row,
            "inputs[0].data[0]",
            "4000001 values, where one stands for a row",
        ),
    ] {
        let body = format!(
            r#"{{"inputs":[{{"name":"duration","shape":[1,1],"datatype":"INT64","data":[{data}]}}]}}"#
        );
        let answer = server.post("/v2/models/flows/infer", &body);
        assert_eq!(answer.status, 422, "{}", answer.text());
        let expected = json!([{"path": path, "problem": problem}]);
        assert_eq!(answer.json()["problems"], expected);
    }
    let grown = server.peak().saturating_sub(before);
    assert!(grown < 100 << 10, "{grown} KiB more than before");
}

#[test]
fn mlflow_finds_the_service_alive() {
    let server = Server::start(&Place::with_flows(), &[]);
    assert_eq!(server.get("/ping").status, 200);
}

#[test]
fn what_pandas_leaves_empty_is_missing() {
    let server = Server::start(&Place::with_flows(), &[]);
    let body = r#"{"dataframe_split":{"columns":["duration","bytes","protocol","root"],"data":[[40,NaN,"tcp",true]]}}"#;
    let answer = server.post("/invocations", body);
    assert_eq!(answer.json()["imputed"], json!([["bytes", "service"]]));
    let body = body.replace("NaN", "\"NaN\"");
    let answer = server.post("/invocations", &body);
    assert_eq!(answer.status, 422, "{}", answer.text());
}

#[test]
fn a_long_shape_is_not_given_back_whole() {
    let server = Server::start(&Place::with_flows(), &[]);
    let mut tensor = tensor("duration", "INT64", &json!([40]));
    tensor["shape"] = json!(vec![1; 100_000]);
    let answer = server.post(
        "/v2/models/flows/infer",
        &json!({"inputs": [tensor]}).to_string(),
    );
    let said = "1 values do not have the shape [1, 1, 1, 1, 1, 1, 1, 1, …]: use [1] or [1, 1]";
    assert!(answer.text().contains(said), "{}", answer.text());
    assert!(answer.body.len() < 2000, "{} bytes", answer.body.len());
}

#[test]
fn more_names_than_any_model_has_are_not_read() {
    let server = Server::start(&Place::with_flows(), &[]);
    let names = vec!["\"\""; 70_000].join(",");
    let body = format!("{{\"dataframe_split\":{{\"columns\":[{names}],\"data\":[]}}}}");
    let answer = server.post("/invocations", &body);
    let said = "70000 names, at most 65536 are read";
    assert!(answer.text().contains(said), "{}", answer.text());
    let members = vec!["\"\":[]"; 70_000].join(",");
    let body = format!("{{\"inputs\":{{{members}}}}}");
    let answer = server.post("/invocations", &body);
    let said = "an object of 70000 members, at most 65536 are read";
    assert!(answer.text().contains(said), "{:.500}", answer.text());
}
