#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::*;

fn data(path: &str, n_files: Option<u64>) -> Data {
    let bytes = Data::of_bytes(path, b"a\n");
    Data { n_files, ..bytes }
}

#[test]
fn a_dvc_file_is_that_of_dvc() {
    let tree = Data {
        path: "we ird: #é".to_owned(),
        object: "8fa12a61ea2db990b20af71441fb5d31.dir".to_owned(),
        size: 13,
        n_files: Some(7),
        is_executable: false,
    };
    assert_eq!(
        dvc_file(&tree),
        "outs:\n- md5: 8fa12a61ea2db990b20af71441fb5d31.dir\n  size: 13\n  nfiles: 7\n  hash: md5\n  \
         path: 'we ird: #é'\n"
    );
    let script = Data {
        is_executable: true,
        ..data("ex.sh", None)
    };
    assert_eq!(
        dvc_file(&script),
        "outs:\n- md5: 60b725f10c9c85c70d97880dfe8191b3\n  size: 2\n  isexec: true\n  hash: md5\n  path: ex.sh\n"
    );
}

#[test]
fn digests_that_look_like_numbers_stay_texts() {
    for object in [
        "00000000000000000000000000000e12",
        "12345678901234567890123456789012",
    ] {
        let written = dvc_file(&Data {
            object: object.to_owned(),
            ..data("a", None)
        });
        let read: Value = yaml::parse(&written).unwrap();
        assert_eq!(read["outs"][0]["md5"].as_str(), Some(object), "{written}");
    }
}

#[test]
fn a_project_names_its_stages_and_the_lock_what_they_hold() {
    let stage = Stage {
        name: "train".to_owned(),
        commands: vec!["netsec stage training --run net".to_owned()],
        deps: vec![data("net/b ${x}", None), data("net/a", None)],
        params: Some((
            "net/config.yaml".to_owned(),
            vec![("seed".to_owned(), Value::from(7))],
        )),
        outs: vec![data("net/04-training", Some(3))],
        metrics: vec![data("net/metrics.json", None)],
        plots: vec![(data("net/roc.csv", None), Plot::new("ROC", "fpr", "recall"))],
    };
    let project = Project {
        stages: vec![stage],
    };
    assert_eq!(
        project.yaml(),
        r"stages:
  train:
    cmd: netsec stage training --run net
    deps:
    - net/a
    - net/b \${x}
    params:
    - net/config.yaml:
      - seed
    outs:
    - net/04-training
    metrics:
    - net/metrics.json:
        cache: false
    plots:
    - net/roc.csv:
        cache: false
        title: ROC
        x: fpr
        y: recall
"
    );
    assert_eq!(
        project.lock(),
        "schema: '2.0'
stages:
  train:
    cmd: netsec stage training --run net
    deps:
    - path: net/a
      hash: md5
      md5: 60b725f10c9c85c70d97880dfe8191b3
      size: 2
    - path: net/b ${x}
      hash: md5
      md5: 60b725f10c9c85c70d97880dfe8191b3
      size: 2
    params:
      net/config.yaml:
        seed: 7
    outs:
    - path: net/04-training
      hash: md5
      md5: 60b725f10c9c85c70d97880dfe8191b3
      size: 2
      nfiles: 3
    - path: net/metrics.json
      hash: md5
      md5: 60b725f10c9c85c70d97880dfe8191b3
      size: 2
    - path: net/roc.csv
      hash: md5
      md5: 60b725f10c9c85c70d97880dfe8191b3
      size: 2
"
    );
}

#[test]
fn paths_are_as_seen_from_the_document() {
    let check = |directory: &str, path: &str, expected: &str| {
        assert_eq!(relative(Path::new(directory), Path::new(path)), expected);
    };
    check("/r/net", "/r/net/a/b", "a/b");
    check("/r/net", "/r/data/x.csv", "../data/x.csv");
}
