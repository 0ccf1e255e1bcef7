use expect_test::{Expect, expect};

use super::*;

/// Reads settings of variables, and writes what they say.
fn check(variables: &[(&str, &str)], expected: &Expect) {
    let find = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let text = match Settings::of(find) {
        None => "no tracking".to_owned(),
        Some(Err(error)) => error.to_string(),
        Some(Ok(s)) => {
            let who = s.authorization.as_ref().map_or("nobody", |a| a.0.as_str());
            assert!(!format!("{s:?}").contains(&who[who.len() - 4..]) || who == "nobody");
            format!(
                "{} as {who}, {} s, {} attempts, experiment {:?}",
                s.location(),
                s.time_limit.as_secs(),
                s.attempts,
                s.experiment
            )
        }
    };
    expected.assert_eq(&text);
}

#[test]
fn tracking_is_off_without_an_address() {
    check(&[], &expect!["no tracking"]);
    check(&[(URI, " "), (USERNAME, "u")], &expect!["no tracking"]);
}

#[test]
fn an_address_may_have_a_path_and_a_login() {
    check(
        &[(URI, "https://ann:p%40ss@dagshub.com/ann/flows.mlflow/")],
        &expect![
            "https://dagshub.com/ann/flows.mlflow as Basic YW5uOnBAc3M=, 30 s, 5 attempts, experiment None"
        ],
    );
}

#[test]
fn a_user_goes_before_a_token() {
    let base = (URI, "http://mlflow:5000");
    check(
        &[base, (TOKEN, "abcdefgh")],
        &expect!["http://mlflow:5000 as Bearer abcdefgh, 30 s, 5 attempts, experiment None"],
    );
    check(
        &[
            base,
            (TOKEN, "abcdefgh"),
            (USERNAME, "ann"),
            (PASSWORD, "pass"),
        ],
        &expect!["http://mlflow:5000 as Basic YW5uOnBhc3M=, 30 s, 5 attempts, experiment None"],
    );
}

#[test]
fn limits_and_the_experiment_are_those_of_the_environment() {
    let set = [
        (URI, "http://mlflow:5000"),
        (TIMEOUT, "7"),
        (RETRIES, "0"),
        (EXPERIMENT, "mine"),
    ];
    check(
        &set,
        &expect![[r#"http://mlflow:5000 as nobody, 7 s, 1 attempts, experiment Some("mine")"#]],
    );
}

#[test]
fn what_is_no_server_is_refused_without_its_password() {
    check(
        &[(URI, "sqlite://u:hunter2@host/mlflow.db")],
        &expect![
            "MLFLOW_TRACKING_URI: ***@host/mlflow.db: write http://HOST:PORT or https://HOST/PATH of a server: `mlflow server` makes one of a directory or a database"
        ],
    );
    for uri in [
        "admin:hunter2@host:5000",
        "admin:hun@ter2@host:5000",
        "//admin:hunter2@host:5000",
        "admin:hunter2@host:5000?token=hunter2",
        "https//admin:hunter2@host:5000",
        "http://admin:hun'ter2@host:5000",
        "http://ad min:hun`ter2@host:5000",
        "hunter2@host:5000",
    ] {
        // What would otherwise be an address fails for its port.
        let uri = uri.replace(":5000", ":5000x");
        let error = Settings::of(|name| (name == URI).then(|| uri.clone()));
        let said = error.unwrap().unwrap_err().to_string();
        let said = said.replace("5000x", "5000");
        assert!(said.contains("***@host:5000: "), "{said}");
        assert!(!said.contains("ter2"), "{said}");
    }
    let databricks = Settings::of(|name| (name == URI).then(|| "databricks://hunter2".to_owned()));
    let said = databricks.unwrap().unwrap_err().to_string();
    assert!(said.contains("databricks://***: "), "{said}");
    check(
        &[(URI, "mlruns")],
        &expect!["MLFLOW_TRACKING_URI: mlruns: it is no URL: relative URL without a base"],
    );
    check(
        &[(URI, "http://h"), (TIMEOUT, "soon")],
        &expect!["MLFLOW_HTTP_REQUEST_TIMEOUT: soon is no whole number"],
    );
}

#[test]
fn a_secret_of_a_file_is_taken_without_the_end_of_its_line() {
    let base = (URI, "http://mlflow:5000");
    check(
        &[base, (TOKEN, "abcdefgh\n")],
        &expect!["http://mlflow:5000 as Bearer abcdefgh, 30 s, 5 attempts, experiment None"],
    );
    check(
        &[base, (USERNAME, "ann"), (PASSWORD, "pass\r\n")],
        &expect!["http://mlflow:5000 as Basic YW5uOnBhc3M=, 30 s, 5 attempts, experiment None"],
    );
}

#[test]
fn any_certificate_is_trusted_in_the_words_that_mlflow_takes_and_in_no_others() {
    let trusted = |value: &str| {
        let find = |name: &str| match name {
            URI => Some("https://mlflow".to_owned()),
            INSECURE => Some(value.to_owned()),
            _ => None,
        };
        let settings = Settings::of(find).unwrap();
        settings.map(|s| s.tls.disable_verification())
    };
    for yes in ["true", "True", "TRUE", "1", " true\n"] {
        assert!(trusted(yes).unwrap(), "{yes}");
    }
    for no in ["false", "False", "0", ""] {
        assert!(!trusted(no).unwrap(), "{no}");
    }
    let said = trusted("yes").unwrap_err().to_string();
    assert_eq!(
        said,
        "MLFLOW_TRACKING_INSECURE_TLS: yes: write true or false"
    );
}
