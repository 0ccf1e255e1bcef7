//! What servers of S3 do on bad days, what is asked of them and over how many connections.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    bucket::{Bucket, environment},
    proxy::{Fault, Proxy},
    s3::{SCHEMA, count, doctor, fails, push_tiny, tiny, train},
    server::free_port,
};
use crate::support::{Workplace, tiny_csv};

const ROWS: &str = "a,b,y\n1,2,0\n";

/// Lets a command read from a server that says this, and then no more.
fn said(bytes: &'static str, times: usize, from: &str, code: i32) -> String {
    let (bucket, place) = (Bucket::new(), tiny(10));
    let proxy = Proxy::before(bucket.server.port, Fault::Say { bytes, times });
    let from = bucket.uri(from);
    let fixed = ["push", "--dry-run", "--json", "--from", &from];
    let to = ["--to", "s3://bucket/nowhere.csv"];
    let arguments = [&fixed[..], &to, &SCHEMA].concat();
    let said = fails(&place, &environment(proxy.port), &arguments, code);
    assert!(proxy.cuts() >= times, "{said}");
    said
}

fn left_in(place: &Workplace, folder: &str) -> Vec<String> {
    let files = fs::read_dir(place.path(folder)).unwrap();
    files
        .map(|file| file.unwrap().path().display().to_string())
        .collect()
}

#[test]
fn a_thousand_objects_come_over_a_few_connections() {
    let (bucket, place) = (Bucket::new(), tiny(10));
    place.write("row.csv", ROWS);
    for i in 0..1_003 {
        bucket.put(&format!("many/{i}.csv"), &place.path("row.csv"));
    }
    let proxy = Proxy::before(bucket.server.port, Fault::Keep);
    assert_eq!(count(&place, proxy.port, &bucket.uri("many/")), 1_003);
    assert_eq!(proxy.n_requests("list-type=2"), 2);
    assert!(proxy.n_requests("GET ") > 1_003);
    assert!(proxy.n_connections() < 10, "{}", proxy.n_connections());
}

#[test]
fn whoever_wants_the_first_rows_downloads_one_object() {
    let (bucket, place) = (Bucket::new(), tiny(5_000));
    for key in ["p/1.csv", "p/2.csv", "p/3.csv"] {
        bucket.put(key, &place.path("tiny.csv"));
    }
    let proxy = Proxy::before(bucket.server.port, Fault::None);
    let called = place.call_in(&doctor(&bucket.uri("p/")), &environment(proxy.port));
    assert_eq!(called.code, 0, "{}", called.out);
    assert_eq!(proxy.n_requests("/p/1.csv"), 1);
    assert_eq!(proxy.n_requests("/p/2.csv"), 0);
    assert_eq!(count(&place, proxy.port, &bucket.uri("p/")), 15_000);
}

#[test]
fn what_a_server_says_behind_the_last_byte_does_not_matter() {
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\ntransfer-encoding: chunked\r\netag: \"x\"\r\n\
                 connection: close\r\n\r\nc\r\na,b,y\n1,2,0\n\r\n";
    let read = said(whole, 1, "x.csv", 0);
    assert!(read.contains("\"accepted\":1"), "{read}");
    let empty = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\netag: \"x\"\r\n\
                 connection: close\r\n\r\n";
    said(empty, 1, "x.csv", 65);
    // Nor is one that is damaged taken for one that is whole.
    let damaged = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\netag: \"x\"\r\nx-amz-checksum-crc32: AAAAAA==\r\n\
                   connection: close\r\n\r\na,b,y\n1,2,0\n";
    let damaged = said(damaged, 3, "x.csv", 69);
    assert!(damaged.contains("it is damaged"), "{damaged}");
}

#[test]
fn a_refusal_says_what_to_do_about_it() {
    let elsewhere = "HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1\r\n\
                     content-length: 49\r\nconnection: close\r\n\r\n\
                     <Error><Code>PermanentRedirect</Code></Error>    ";
    let read = said(elsewhere, 1, "x.csv", 64);
    assert!(read.contains("in eu-west-1: set AWS_REGION"), "{read}");
    let forbidden = "HTTP/1.1 403 Forbidden\r\nx-amz-bucket-region: eu-west-1\r\n\
                     content-length: 40\r\nconnection: close\r\n\r\n\
                     <Error><Code>AccessDenied</Code></Error>";
    let read = said(forbidden, 1, "x.csv", 69);
    assert!(!read.contains("AWS_REGION"), "{read}");
    let archived = "HTTP/1.1 403 Forbidden\r\ncontent-length: 46\r\nconnection: close\r\n\r\n\
                    <Error><Code>InvalidObjectState</Code></Error>";
    let read = said(archived, 1, "x.csv", 69);
    assert!(read.contains("it is archived: restore it first"), "{read}");
}

#[test]
fn a_listing_that_cannot_be_continued_is_no_whole_listing() {
    let without = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 121\r\n\r\n<ListBucketResult>\
                   <IsTruncated>true</IsTruncated><Contents><Key>p/1.csv</Key><Size>9</Size></Contents>\
                   </ListBucketResult>";
    let twice = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 116\r\n\r\n<ListBucketResult>\
                 <IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>\
                 </ListBucketResult>";
    for (bytes, times) in [(without, 1), (twice, 2)] {
        let said = said(bytes, times, "p/", 69);
        assert!(said.contains("but not how to ask for them"), "{said}");
    }
}

#[test]
fn an_object_that_has_gone_since_it_was_listed_is_no_wrong_address() {
    let (bucket, place) = (Bucket::new(), tiny(10));
    bucket.put("p/1.csv", &place.path("tiny.csv"));
    let gone = Fault::Refuse(&[("/p/1.csv", "404 Not Found")]);
    let proxy = Proxy::before(bucket.server.port, gone);
    let from = bucket.uri("p/");
    let arguments = ["push", "--dry-run", "--from", &from, "--to", "s3://b/x.csv"];
    let arguments = [&arguments[..], &SCHEMA].concat();
    let said = fails(&place, &environment(proxy.port), &arguments, 69);
    assert!(said.contains("run it again"), "{said}");
    assert_eq!(proxy.n_refused(), 1);
}

#[test]
fn an_upload_is_begun_again_when_the_server_is_busy_and_forgotten_when_it_fails() {
    let (bucket, place) = (Bucket::new(), tiny(1_300_000));
    fs::create_dir(place.path("tmp")).unwrap();
    let to = bucket.uri("long.csv");
    let push = ["push", "--from", "tiny.csv", "--to", &to];
    let push = [&push[..], &SCHEMA].concat();
    let with = |port: u16| {
        let mut environment = environment(port);
        environment.push(("TMPDIR", place.path("tmp").display().to_string()));
        environment
    };
    let refused = Fault::Refuse(&[
        ("uploads", "503 Slow Down"),
        ("partNumber=2", "403 Forbidden"),
        ("DELETE ", "503 Slow Down"),
    ]);
    let proxy = Proxy::before(bucket.server.port, refused);
    let said = fails(&place, &with(proxy.port), &push, 69);
    assert!(said.contains("403"), "{said}");
    assert_eq!(proxy.n_refused(), 3, "{said}");
    assert!(!said.contains("left on the server"), "{said}");
    assert_eq!((bucket.keys().len(), bucket.n_uploads()), (0, 0));
    assert!(left_in(&place, "tmp").is_empty());

    let child = Command::new(env!("CARGO_BIN_EXE_netsec"))
        .args(&push)
        .current_dir(place.path(""))
        .envs(with(bucket.server.port))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while left_in(&place, "tmp").is_empty() {
        assert!(since.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = format!("kill -INT {}", child.id());
    let killed = Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    assert!(left_in(&place, "tmp").is_empty());

    let called = place.call_in(&push, &with(bucket.server.port));
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(left_in(&place, "tmp").is_empty());
}

#[test]
fn an_answer_that_is_lost_does_not_make_a_failure_of_what_was_done() {
    for (rows, lost, mode) in [
        (300, Fault::Lose("PUT /", &[]), "append"),
        (1_300_000, Fault::Lose(".csv?uploadId=", &[]), "append"),
        // Some servers forget an upload that is complete.
        (
            1_300_000,
            Fault::Lose(".csv?uploadId=", &["404 Not Found"]),
            "replace",
        ),
    ] {
        let (bucket, place) = (Bucket::new(), tiny(rows));
        let proxy = Proxy::before(bucket.server.port, lost);
        let more = ["--mode", mode];
        let pushed = push_tiny(&place, proxy.port, &bucket.uri("x.csv"), &more);
        assert_eq!(pushed["written"], rows);
        assert_eq!(proxy.cuts(), 2);
        assert_eq!(bucket.n_uploads(), 0);
    }
}

#[test]
fn parts_are_asked_for_without_a_version_unless_the_address_names_one() {
    let (bucket, place) = (Bucket::new(), tiny(1_300_000));
    let status = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    bucket.ask("put_bucket_versioning", status);
    let version = bucket.put("long.csv", &place.path("tiny.csv"));
    for (more, n) in [("", 0), (version.as_str().unwrap(), 2)] {
        let proxy = Proxy::before(bucket.server.port, Fault::None);
        let query = if more.is_empty() { "" } else { "?version_id=" };
        let uri = bucket.uri(&format!("long.csv{query}{more}"));
        assert_eq!(count(&place, proxy.port, &uri), 1_300_000);
        let n_passes = proxy.n_requests("/long.csv") / 2;
        assert_eq!(proxy.n_requests("versionId="), n * n_passes, "{uri}");
    }
}

#[test]
fn keys_may_hold_anything() {
    let (bucket, place) = (Bucket::new(), tiny(300));
    let port = bucket.server.port;
    for (address, key) in [
        ("a%20b/é+&=;,$@:!'().csv", "a b/é+&=;,$@:!'().csv"),
        ("%23%25%3F%2A.csv", "#%?*.csv"),
        ("x//y/./z..csv", "x//y/./z..csv"),
    ] {
        let uri = bucket.uri(address);
        assert_eq!(push_tiny(&place, port, &uri, &[])["written"], 300);
        assert!(
            bucket.keys().contains(&key.to_owned()),
            "{:?}",
            bucket.keys()
        );
        assert_eq!(bucket.get(key)["Body"], tiny_csv(300), "{key}");
        assert_eq!(train(&place, port, &uri)["rows"]["total"], 300, "{key}");
    }
}

#[test]
fn who_asks_is_found_once() {
    let (bucket, place) = (Bucket::new(), tiny(300));
    bucket.put("tiny.csv", &place.path("tiny.csv"));
    let answer = json!({"Version": 1, "AccessKeyId": "any", "SecretAccessKey": "hunter2"});
    place.write("answer.json", answer.to_string());
    let process = place.write("process", "echo x >> asked; cat answer.json\n");
    let config = format!("[default]\ncredential_process = sh {process}\n");
    let mut environment = environment(bucket.server.port);
    environment[1].1.clear();
    environment[2].1.clear();
    environment[3].1 = place.write("config", config);
    let to = bucket.uri("copy.csv");
    let arguments = ["push", "--from", "tiny.csv", "--to", &to];
    fails(&place, &environment, &[&arguments[..], &SCHEMA].concat(), 0);
    assert_eq!(fs::read_to_string(place.path("asked")).unwrap(), "x\n");
}

#[test]
fn a_server_is_found_where_a_profile_says_and_by_a_proxy() {
    let (bucket, place) = (Bucket::new(), tiny(300));
    bucket.put("tiny.csv", &place.path("tiny.csv"));
    let uri = bucket.uri("tiny.csv");
    let port = bucket.server.port;
    let config = format!(
        "[profile mine]\nservices = all\nendpoint_url = http://127.0.0.1:1\n[services all]\ns3 =\n  \
         endpoint_url = http://127.0.0.1:{port}\n"
    );
    let mut by_profile = environment(port);
    by_profile[0] = ("AWS_PROFILE", "mine".to_owned());
    by_profile[3].1 = place.write("config", config);
    let said = fails(&place, &by_profile, &doctor(&uri), 0);
    assert!(
        said.contains(&format!("127.0.0.1:{port} answers")),
        "{said}"
    );

    let closed = free_port();
    by_profile.push(("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true".to_owned()));
    by_profile.push(("AWS_EC2_METADATA_DISABLED", "true".to_owned()));
    by_profile.push((
        "HTTPS_PROXY",
        format!("http://me:hunter2@127.0.0.1:{closed}"),
    ));
    let said = fails(&place, &by_profile, &doctor(&uri), 69);
    let way = format!(".s3.us-east-1.amazonaws.com:443 by the proxy 127.0.0.1:{closed}");
    assert!(said.contains(&way), "{said}");
    assert!(said.contains("FAIL  port "), "{said}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_asked() {
    let place = tiny(10);
    let nowhere = environment(free_port());
    let check = |environment: &[(&str, String)], to: &str, words: &str| {
        let arguments = ["push", "--dry-run", "--from", "tiny.csv", "--to", to];
        let said = fails(&place, environment, &[&arguments[..], &SCHEMA].concat(), 64);
        assert!(said.contains(words), "{words}: {said}");
    };
    check(&nowhere, "s3://b/x.arff", "no format to write it in");
    check(
        &nowhere,
        "s3://b/p/?format=arff",
        "no format to write it in",
    );
    check(&nowhere, "s3://b/x.csv?format=a/csv", "no ending of a name");
    let mut with_login = nowhere.clone();
    with_login[0].1 = "http://me:hunter2@127.0.0.1:1".to_owned();
    check(&with_login, "s3://b/x.csv", "holds a login");
    let mut damaged = nowhere.clone();
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    damaged.push(("AWS_CA_BUNDLE", place.write("ca.pem", pem)));
    check(
        &damaged,
        "s3://b/x.csv",
        "ca.pem: it holds no usable certificate",
    );
}
