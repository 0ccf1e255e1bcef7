//! What the workspace stands on: licences that allow it to be given away, and the compiler they need.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{
    DependencyKind, Metadata, MetadataCommand, Package, PackageId, semver::Version,
};

/// Licences under which a part may be given away within an Apache-2.0 work. `MPL-2.0` is none of them:
/// it asks for its own files' source, so it would have to be a decision.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Returns the metadata of everything that any feature on any platform can bring in.
fn metadata() -> Metadata {
    MetadataCommand::new()
        .features(cargo_metadata::CargoOpt::AllFeatures)
        .exec()
        .unwrap()
}

fn dependencies(metadata: &Metadata) -> Vec<&Package> {
    let members: BTreeSet<&PackageId> = metadata.workspace_members.iter().collect();
    let packages = metadata.packages.iter();
    let found: Vec<&Package> = packages.filter(|p| !members.contains(&p.id)).collect();
    assert!(found.len() > 50, "the dependencies were not found");
    found
}

/// Returns whether one of the choices that a licence expression gives is allowed in all its parts.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    if let Some((left, right)) = split_outside(expression, " OR ") {
        return is_allowed(left) || is_allowed(right);
    }
    if let Some((left, right)) = split_outside(expression, " AND ") {
        return is_allowed(left) && is_allowed(right);
    }
    match expression
        .strip_prefix('(')
        .and_then(|e| e.strip_suffix(')'))
    {
        Some(inside) => is_allowed(inside),
        None => ALLOWED.contains(&expression),
    }
}

/// Splits an expression at the first word that stands outside all parentheses.
fn split_outside<'a>(expression: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let is_outside = |at: &usize| {
        let before = &expression[..*at];
        before.matches('(').count() == before.matches(')').count()
    };
    let at = expression
        .match_indices(word)
        .map(|(at, _)| at)
        .find(is_outside)?;
    Some((&expression[..at], &expression[at + word.len()..]))
}

#[test]
fn licence_expressions_are_read_as_spdx_has_them() {
    for (expression, allowed) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("MPL-2.0", false),
    ] {
        assert_eq!(is_allowed(expression), allowed, "{expression}");
    }
}

#[test]
fn every_dependency_may_be_given_away_under_this_licence() {
    let metadata = metadata();
    for package in dependencies(&metadata) {
        let licence = package.license.as_deref().unwrap_or("none stated");
        assert!(
            is_allowed(licence),
            "{} {}: {licence}",
            package.name,
            package.version
        );
    }
}

#[test]
fn the_workspace_asks_for_the_compiler_that_its_dependencies_need() {
    let metadata = metadata();
    let workspace = metadata.workspace_packages()[0].rust_version.clone();
    let declared = workspace.expect("the workspace declares rust-version");
    for member in metadata.workspace_packages() {
        assert_eq!(
            member.rust_version,
            Some(declared.clone()),
            "{}",
            member.name
        );
    }
    let needed = dependencies(&metadata);
    let needed = needed
        .iter()
        .filter_map(|p| Some((p.rust_version.clone()?, &p.name)));
    let (most, by) = needed
        .max()
        .unwrap_or((Version::new(1, 0, 0), &metadata.packages[0].name));
    assert!(
        declared >= most,
        "{by} needs Rust {most}, the workspace declares {declared}: raise rust-version"
    );
}

/// Reads the sources of a crate; the product's are those outside its tests and examples.
fn sources(directory: &Path, with_tests: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_test = ["tests", "tests.rs", "examples", "benches"].contains(&name.as_str());
            if is_test && !with_tests {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if name.ends_with(".rs") {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

/// Returns whether a path in some source begins with the name of a dependency.
fn is_named(dependency: &str, source: &str) -> bool {
    let is_whole = |(at, _): (usize, &str)| {
        let before = source[..at].chars().next_back();
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        !before.is_some_and(is_word)
    };
    source
        .match_indices(&format!("{dependency}::"))
        .any(is_whole)
}

/// Returns what sources call a package: its library, whose name may be another.
fn library_of(metadata: &Metadata, package: &str) -> String {
    let packages = metadata.packages.iter();
    let mut targets = packages
        .filter(|p| p.name == package)
        .flat_map(|p| &p.targets);
    let library = targets.find(|target| target.is_lib() || target.is_proc_macro());
    library
        .map_or(package, |target| &target.name)
        .replace('-', "_")
}

#[test]
fn every_dependency_is_used_by_the_crate_that_names_it() {
    let mut idle = Vec::new();
    // `workspace-hack` asks for features of what it names, and for nothing else.
    let metadata = metadata();
    let members = metadata.workspace_packages().into_iter();
    for member in members.filter(|member| member.name.as_str() != "workspace-hack") {
        let directory = member.manifest_path.parent().unwrap();
        for dependency in &member.dependencies {
            let name = dependency.rename.as_ref().unwrap_or(&dependency.name);
            let with_tests = dependency.kind == DependencyKind::Development;
            let identifier = match &dependency.rename {
                Some(name) => name.replace('-', "_"),
                None => library_of(&metadata, &dependency.name),
            };
            let sources = sources(directory.as_std_path(), with_tests);
            if !sources.iter().any(|source| is_named(&identifier, source)) {
                idle.push(format!("{} {name}", member.name));
            }
        }
    }
    assert!(idle.is_empty(), "take out of each Cargo.toml: {idle:?}");
}

#[test]
fn every_dependency_of_the_workspace_has_a_user() {
    let metadata = metadata();
    let manifest = fs::read_to_string(metadata.workspace_root.join("Cargo.toml")).unwrap();
    let section = manifest.split("[workspace.dependencies]\n").nth(1).unwrap();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    // The workspace's own crates need no user.
    let lines = lines.filter(|line| !line.contains("path = "));
    let declared: BTreeSet<&str> = lines
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .filter(|name| !name.starts_with('#'))
        .collect();
    let members = metadata.workspace_packages();
    let used = members.iter().flat_map(|member| &member.dependencies);
    let used: BTreeSet<&str> = used.map(|dependency| dependency.name.as_str()).collect();
    assert!(declared.len() > 20, "{declared:?}");
    let idle: Vec<_> = declared.difference(&used).collect();
    assert!(
        idle.is_empty(),
        "nothing uses {idle:?}: take them out of Cargo.toml"
    );
}
