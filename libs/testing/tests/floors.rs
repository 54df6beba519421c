//! The floors of the house, as its manifests have them: words, libraries, decisions, shells, programs. Each uses only what
//! lies below it, tests included.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use vedette_testing::pages::repository;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Floor {
    /// Names and shapes.
    Words,
    Libraries,
    /// The pure core of the operator.
    Decisions,
    /// What looks, applies and tells: in a cluster, on a laptop.
    Shells,
    /// What a shell runs. They know their arguments, and nothing of what decides or runs them.
    Programs,
    /// What runs all of it.
    EndToEnd,
}

impl Floor {
    fn of(directory: &str) -> Self {
        match directory.split('/').collect::<Vec<_>>()[..] {
            ["crds"] | ["libs", "contract"] => Self::Words,
            ["libs", _] => Self::Libraries,
            ["operator", "core"] => Self::Decisions,
            ["operator" | "cli"] | ["operator", "look"] => Self::Shells,
            ["workloads", _] => Self::Programs,
            ["e2e"] => Self::EndToEnd,
            _ => panic!("on which floor is {directory}?"),
        }
    }

    fn may_use(self, other: Self) -> bool {
        use Floor::{Decisions, EndToEnd, Libraries, Programs, Shells, Words};
        match self {
            Words => other == Words,
            Libraries | Programs => matches!(other, Words | Libraries),
            Decisions => matches!(other, Words | Libraries | Decisions),
            Shells => matches!(other, Words | Libraries | Decisions | Shells),
            EndToEnd => true,
        }
    }
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked"])
        // Features as a package has them by itself, whoever else is built beside it.
        .env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION")
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The directory of every package of ours, and the directories of ours that it depends on in any way.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let arrows = packages.map(|package| {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let used = dependencies.filter_map(|dependency| Some(below_root(Path::new(dependency["path"].as_str()?))));
        (below_root(manifest.parent().unwrap()), used.collect())
    });
    arrows.collect()
}

fn below_root(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap().to_str().unwrap().to_owned()
}

/// Everything that a package is built of; with its tests, where these are edges too.
fn tree(package: &str, edges: &str) -> BTreeSet<String> {
    let tree = cargo(&["tree", "--package", package, "--edges", edges, "--prefix", "none"]);
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn assert_without(package: &str, edges: &str, strangers: &[&str]) {
    let tree = tree(package, edges);
    let found: Vec<_> = tree.iter().filter(|name| strangers.contains(&name.as_str())).collect();
    assert!(found.is_empty(), "{package} ({edges}) has {found:?} in its tree");
}

#[test]
fn no_arrow_points_upward() {
    let arrows = arrows();
    for (user, used) in &arrows {
        for used in used {
            let (from, to) = (Floor::of(user), Floor::of(used));
            assert!(from.may_use(to), "{user} ({from:?}) must not depend on {used} ({to:?}), not even in its tests");
        }
    }
    assert!(arrows["operator"].contains("operator/core"), "the look-up finds arrows: {arrows:?}");
    assert!(arrows["workloads/trainer"].contains("libs/testing"), "those of tests too: {arrows:?}");
}

#[test]
fn the_decisions_have_no_runtime_and_no_client() {
    assert_without(
        "vedette-core",
        "normal",
        &["tokio", "hyper", "tower", "kube-client", "kube-runtime", "rdkafka", "aws-sdk-s3", "rand"],
    );
    let operator = tree("vedette-operator", "normal");
    assert!(["tokio", "kube-client"].iter().all(|name| operator.contains(*name)), "the look-up finds: {operator:?}");
}

#[test]
fn the_operator_and_its_tests_do_not_link_librdkafka() {
    assert_without("vedette-operator", "normal,dev", &["rdkafka", "rdkafka-sys"]);
    assert!(tree("vedette-detector", "normal").contains("rdkafka-sys"));
}

#[test]
fn the_command_line_has_no_client_of_kubernetes() {
    assert_without("vedette-cli", "normal", &["vedette-operator", "kube-client", "kube-runtime", "kube-lease-manager"]);
    assert!(tree("vedette-cli", "normal").contains("vedette-look"));
}

#[test]
fn no_program_and_none_of_its_tests_knows_kubernetes() {
    let programs: Vec<_> = arrows().into_keys().filter(|user| Floor::of(user) == Floor::Programs).collect();
    assert!(programs.len() >= 5, "{programs:?}");
    for directory in programs {
        let package = directory.replace("workloads/", "vedette-");
        let strangers = ["kube", "kube-core", "k8s-openapi", "vedette-crds", "vedette-core", "vedette-operator"];
        assert_without(&package, "normal,dev", &strangers);
    }
}
