use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand};

const STAGES: [&str; 5] = [
    "ingestion",
    "validation",
    "transformation",
    "trainer",
    "registry",
];

struct Workspace {
    /// Direct dependencies of every package, build and development left out.
    direct: BTreeMap<String, BTreeSet<String>>,
    members: BTreeSet<String>,
}

impl Workspace {
    fn read() -> Self {
        Self::of(&mut MetadataCommand::new())
    }

    /// Reads the workspace as it is when `netsec` is built with every connector.
    fn with_every_connector() -> Self {
        Self::with("orchestrator/full")
    }

    fn with(feature: &str) -> Self {
        let features = CargoOpt::SomeFeatures(vec![feature.to_owned()]);
        Self::of(MetadataCommand::new().features(features))
    }

    fn of(command: &mut MetadataCommand) -> Self {
        let metadata = command.exec().unwrap();
        let name = |id| metadata[id].name.to_string();
        let resolve = metadata.resolve.as_ref().unwrap();
        let mut direct: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in &resolve.nodes {
            let normal = node.deps.iter().filter(|dependency| {
                dependency
                    .dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal)
            });
            let names = normal.map(|dependency| name(&dependency.pkg));
            direct.entry(name(&node.id)).or_default().extend(names);
        }
        let members = metadata
            .workspace_packages()
            .iter()
            .map(|p| p.name.to_string())
            .collect();
        Self { direct, members }
    }

    fn reached(&self, from: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.to_owned()];
        while let Some(next) = open.pop() {
            let direct = self.direct.get(&next).into_iter().flatten();
            open.extend(direct.filter(|d| seen.insert((*d).clone())).cloned());
        }
        assert!(
            !seen.is_empty(),
            "{from} is not a package of this workspace"
        );
        seen
    }

    fn direct_users(&self, dependency: &str) -> Vec<&str> {
        let users = self
            .members
            .iter()
            .filter(|m| self.direct[*m].contains(dependency));
        users.map(String::as_str).collect()
    }
}

#[test]
fn no_stage_reaches_another_stage_or_the_shell() {
    let workspace = Workspace::read();
    for stage in STAGES {
        let reached = workspace.reached(stage);
        let shell = [
            "tokio",
            "clap",
            "mongodb",
            "rusqlite",
            "sqlx",
            "ureq",
            "zip",
            "reqwest",
            "actix-web",
            "anyhow",
            "harness",
            "connectors",
            "tracking",
        ];
        for forbidden in STAGES.iter().filter(|other| **other != stage).chain(&shell) {
            assert!(!reached.contains(*forbidden), "{stage} reaches {forbidden}");
        }
        let web = |name: &&String| name.starts_with("aws-") || name.starts_with("actix");
        assert_eq!(reached.iter().find(web), None, "{stage} reaches it");
    }
}

#[test]
fn servers_are_reached_through_features_of_the_connectors() {
    let (usual, full) = (Workspace::read(), Workspace::with_every_connector());
    for dependency in [
        "tokio",
        "mongodb",
        "rusqlite",
        "sqlx",
        "ureq",
        "zip",
        "rustls",
        "aws-sdk-s3",
    ] {
        let reaches = |workspace: &Workspace, from| workspace.reached(from).contains(dependency);
        assert!(!reaches(&usual, "orchestrator"), "{dependency}");
        // With the feature it is there, so that what follows can fail.
        assert!(reaches(&full, "orchestrator"), "{dependency}");
        for user in full.direct_users(dependency) {
            let is_free = ["connectors", "server"].contains(&user)
                || (user, dependency) == ("tracking", "ureq");
            assert!(is_free, "{user} uses {dependency}");
        }
        for stage in STAGES {
            assert!(!reaches(&full, stage), "{stage} reaches {dependency}");
        }
    }
    for driver in [
        "mongodb",
        "rusqlite",
        "sqlx",
        "zip",
        "aws-sdk-s3",
        "aws-config",
        "aws-sigv4",
    ] {
        assert_eq!(full.direct_users(driver), ["connectors"], "{driver}");
    }
    assert_eq!(full.direct_users("ureq"), ["connectors", "tracking"]);
    assert_eq!(full.direct_users("connectors"), ["orchestrator"]);
    assert_eq!(full.direct_users("tracking"), ["orchestrator"]);
}

#[test]
fn exporting_is_apart_from_the_stages() {
    let workspace = Workspace::read();
    for stage in STAGES {
        assert!(!workspace.reached(stage).contains("onnx"), "{stage}");
        assert!(!workspace.reached("onnx").contains(stage), "{stage}");
    }
    assert_eq!(workspace.direct_users("onnx"), ["orchestrator", "tracking"]);
}

#[test]
fn files_under_dvc_are_apart_from_runs_and_stages() {
    let workspace = Workspace::read();
    for stage in STAGES {
        assert!(!workspace.reached(stage).contains("dvc"), "{stage}");
    }
    let own = workspace.direct["dvc"].intersection(&workspace.members);
    assert_eq!(own.collect::<Vec<_>>(), ["artifact"]);
    assert_eq!(workspace.direct_users("dvc"), ["orchestrator"]);
    assert_eq!(workspace.direct_users("md-5"), ["dvc"]);
}

#[test]
fn the_service_serves_and_does_not_learn() {
    let workspace = Workspace::read();
    let reached = workspace.reached("server");
    for forbidden in [
        "trainer",
        "trees",
        "transformation",
        "ingestion",
        "connectors",
    ] {
        assert!(!reached.contains(forbidden), "server reaches {forbidden}");
    }
    for own in ["model", "registry", "actix-web", "tokio"] {
        assert!(reached.contains(own), "server does not reach {own}");
    }
    assert_eq!(workspace.direct_users("actix-web"), ["server"]);
}

#[test]
fn the_service_reaches_buckets_with_a_feature_and_learns_no_more_with_it() {
    let workspace = Workspace::with("server/s3");
    let reached = workspace.reached("server");
    for own in ["connectors", "aws-sdk-s3"] {
        assert!(reached.contains(own), "server does not reach {own}");
    }
    for forbidden in [
        "trainer",
        "trees",
        "transformation",
        "ingestion",
        "mongodb",
        "rusqlite",
        "sqlx",
        "ureq",
    ] {
        assert!(!reached.contains(forbidden), "server reaches {forbidden}");
    }
    assert_eq!(
        workspace.direct_users("connectors"),
        ["orchestrator", "server"]
    );
    assert_eq!(workspace.direct_users("aws-sdk-s3"), ["connectors"]);
    // The trait is the registry's, who knows nobody that implements it.
    assert!(workspace.direct["connectors"].contains("registry"));
    assert!(!workspace.reached("registry").contains("connectors"));
}

#[test]
fn the_process_shell_knows_artifacts_and_nothing_of_data() {
    let workspace = Workspace::read();
    let own = workspace.direct["harness"].intersection(&workspace.members);
    let own: Vec<&str> = own.map(String::as_str).collect();
    assert_eq!(own, ["artifact"]);
}

#[test]
fn the_trainer_cannot_name_the_holdout() {
    assert!(!Workspace::read().reached("trainer").contains("holdout"));
}

#[test]
fn unmaintained_serializers_have_one_user_each() {
    let workspace = Workspace::read();
    assert_eq!(workspace.direct_users("bincode"), ["artifact"]);
    assert_eq!(workspace.direct_users("serde_yaml"), ["artifact"]);
}

#[test]
fn the_report_is_a_leaf_above_the_stages() {
    let workspace = Workspace::read();
    for stage in STAGES {
        assert!(
            !workspace.reached(stage).contains("report"),
            "{stage} reaches report"
        );
    }
    assert_eq!(workspace.direct_users("report"), ["orchestrator"]);
    assert_eq!(workspace.direct_users("plotters"), ["report"]);
}

#[test]
fn the_command_line_and_logging_stay_in_the_shell() {
    let workspace = Workspace::read();
    for dependency in ["anyhow", "clap", "tracing-subscriber"] {
        for user in workspace.direct_users(dependency) {
            assert!(
                ["harness", "orchestrator", "server", "bench"].contains(&user),
                "{user} uses {dependency}"
            );
        }
    }
    assert_eq!(workspace.direct_users("parquet"), ["formats"]);
}

#[test]
fn proven_types_are_made_where_the_proof_is() {
    let makers = [
        ("ValidatedDataset::passed_gate(", "validation"),
        ("TrainingSet::without_holdout(", "transformation"),
        ("HoldoutSet::split_off(", "transformation"),
        ("HoldoutSet::adopt(", "transformation"),
    ];
    for (constructor, owner) in makers {
        let callers: BTreeSet<String> = sources()
            .into_iter()
            .filter(|(_, text)| text.contains(constructor))
            .map(|(path, _)| crate_of(&path))
            .filter(|name| name != "itest")
            .collect();
        assert_eq!(callers, BTreeSet::from([owner.to_owned()]), "{constructor}");
    }
}

#[test]
fn time_is_measured_in_one_place() {
    // A service makes no artifacts, and its sessions end by the clock.
    let own = ["artifact", "bench", "server"];
    for (path, text) in sources() {
        let measures = text.contains("Instant::now") && !own.contains(&crate_of(&path).as_str());
        assert!(
            !measures,
            "{}: use artifact::clock::Stopwatch",
            path.display()
        );
    }
}

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn crate_of(path: &Path) -> String {
    let inside = path.strip_prefix(crates()).unwrap();
    inside.iter().next().unwrap().to_string_lossy().into_owned()
}

/// Returns every source file of the product: tests and examples left out.
pub fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![crates()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !["tests", "examples", "target"].contains(&name.as_str()) {
                open.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}
