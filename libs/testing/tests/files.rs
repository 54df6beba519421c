//! How the files of this repository are cut.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use vedette_testing::pages::repository;

const LONGEST: usize = 450;
/// So many hundredths of all lines may be in one room.
const LARGEST_ROOM: usize = 35;
/// They rest on what only a kubelet tells of pods.
const ONLY_IN_A_CLUSTER: [&str; 3] = [
    "a_new_spec_is_ready_when_its_own_pods_are_and_not_before",
    "a_run_that_hangs_is_started_anew_when_its_cause_is_mended_and_one_at_work_is_left_to_end",
    "a_version_whose_pod_waits_for_kafka_is_not_taken_back_and_one_whose_pod_blames_it_is",
];
/// What a cluster has of these is in its other scenarios.
const ONLY_ON_A_LAPTOP: [&str; 2] = [
    "a_data_set_that_was_walked_is_not_walked_again_when_its_job_is_gone",
    "detectors_whose_only_model_failed_are_ended_where_none_runs_without",
];

/// Every Rust file of ours.
fn rust_files() -> Vec<PathBuf> {
    let ours = ["crds", "libs", "operator", "workloads", "cli", "e2e", "scripts"].map(|room| repository().join(room));
    let mut found = Vec::new();
    let mut open = Vec::from(ours);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !["node_modules", "target"].iter().any(|others| path.ends_with(others)) {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 300, "the look-up finds files: {found:?}");
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn no_file_is_too_long_to_be_read_at_once() {
    let long = rust_files().into_iter().filter(|path| text(path).lines().count() > LONGEST);
    assert_eq!(long.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn no_room_holds_more_than_its_share_of_the_code() {
    let mut rooms = BTreeMap::new();
    for path in rust_files() {
        let room = path.strip_prefix(repository()).unwrap().iter().next().unwrap().to_owned();
        *rooms.entry(room).or_insert(0) += text(&path).lines().count();
    }
    let all = rooms.values().sum::<usize>();
    rooms.retain(|_, lines| *lines * 100 > all * LARGEST_ROOM);
    assert!(rooms.is_empty(), "of {all} lines too many are in one room: {rooms:?}");
}

/// The names of the asynchronous tests of a file.
fn tests_of(file: &str) -> BTreeSet<String> {
    let text = text(&repository().join(file));
    let lines: Vec<_> = text.lines().collect();
    let test = |pair: &[&str]| {
        let name = pair[1].strip_prefix("async fn ")?.split('(').next()?;
        pair[0].starts_with("#[tokio::test").then(|| name.to_owned())
    };
    lines.windows(2).filter_map(test).collect()
}

#[test]
fn both_platforms_are_held_to_the_same() {
    let mut cluster = tests_of("operator/tests/scenarios/truth.rs");
    let mut laptop = tests_of("cli/src/local/reconcile/tests.rs");
    for name in ONLY_IN_A_CLUSTER {
        assert!(cluster.remove(name), "{name}");
    }
    for name in ONLY_ON_A_LAPTOP {
        assert!(laptop.remove(name), "{name}");
    }
    assert!(cluster.len() > 8, "the look-up finds tests: {cluster:?}");
    assert_eq!(cluster, laptop, "what counts is tested where a cluster runs it and where a laptop does, by one name");
}

#[test]
fn a_module_stands_where_its_name_says() {
    let elsewhere = rust_files().into_iter().filter(|path| text(path).lines().any(|line| line.starts_with("#[path")));
    assert_eq!(elsewhere.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

/// A module by its path from the root of its crate, which is empty.
type Module = Vec<String>;

/// The modules of a crate, each with its code.
type Modules = BTreeMap<Module, String>;

/// What each module of a crate uses of others.
type Uses = BTreeMap<Module, BTreeSet<Module>>;

/// The code of a file without its tests and comments.
fn code(text: &str) -> String {
    let mut is_test = false;
    let lines = text.lines().filter(|line| {
        let was_test = is_test;
        let ends_an_item = line.starts_with('}') || (line.ends_with(';') && !line.starts_with(' '));
        is_test = *line == "#[cfg(test)]" || (is_test && !ends_an_item);
        !was_test && !is_test
    });
    lines.map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
}

/// The modules of the libraries and programs, by the directories of their roots; tests are none.
fn crates() -> BTreeMap<PathBuf, Modules> {
    let mut crates = BTreeMap::<PathBuf, Modules>::new();
    let is_root = |place: &&Path| ["lib.rs", "main.rs"].iter().any(|root| place.join(root).is_file());
    for path in rust_files() {
        let Some(root) = path.ancestors().skip(1).find(is_root) else { continue };
        let steps = path.strip_prefix(root).unwrap().with_extension("");
        let mut module: Module = steps.iter().map(|step| step.to_str().unwrap().to_owned()).collect();
        module.pop_if(|last| ["lib", "main", "mod"].contains(&last.as_str()));
        if root.iter().any(|step| step == "src") && !module.iter().any(|step| step == "tests") {
            *crates.entry(root.to_owned()).or_default().entry(module).or_default() += &code(&text(&path));
        }
    }
    crates
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Finds the paths of a tree such as `a::{b, c::d}`, which has two. Gives what stands behind it.
fn spread<'a>(tree: &'a str, above: &[String], found: &mut Vec<Module>) -> &'a str {
    let tree = tree.trim_start();
    if let Some(mut rest) = tree.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches([' ', ',']);
            if rest.is_empty() || rest.starts_with('}') {
                return rest.get(1..).unwrap_or_default();
            }
            rest = spread(rest, above, found);
            rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
        }
    }
    let (name, rest) = tree.split_at(tree.find(|letter: char| !is_word(letter)).unwrap_or(tree.len()));
    let mut path = above.to_vec();
    path.push(name.to_owned());
    let Some(below) = rest.strip_prefix("::") else {
        found.push(path);
        return rest;
    };
    spread(below, &path, found)
}

/// All paths of the code that begin like this.
fn paths(code: &str, beginning: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(beginning) {
        if !code[..at].ends_with(|letter: char| is_word(letter) || letter == ':') {
            spread(&code[at..], &[], &mut found);
        }
    }
    found
}

/// What a module names like this, by its path from the root.
fn from_the_root(module: &[String], named: &[String]) -> Module {
    let Some((first, rest)) = named.split_first() else { return module.to_vec() };
    match first.as_str() {
        "crate" => rest.to_vec(),
        "self" => from_the_root(module, rest),
        "super" => from_the_root(&module[..module.len().saturating_sub(1)], rest),
        _ => [module, named].concat(),
    }
}

/// The code of a module without what it re-exports, and that by its name.
struct Part {
    code: String,
    shown: BTreeMap<String, Module>,
}

impl Part {
    fn of(module: &[String], code: &str) -> Self {
        let mut part = Self { code: String::new(), shown: BTreeMap::new() };
        for statement in code.split_inclusive(';') {
            let (before, tree) = statement.rsplit_once("use ").unwrap_or((statement, ""));
            if tree.is_empty() || !before.trim_end().ends_with(['b', ')']) {
                part.code.push_str(statement);
                continue;
            }
            let mut shown = Vec::new();
            spread(tree, &[], &mut shown);
            part.code.push_str(before);
            for path in shown {
                part.shown.insert(path.last().unwrap().clone(), from_the_root(module, &path));
            }
        }
        part
    }
}

/// The module that this path leads into.
fn file<'a>(parts: &BTreeMap<Module, Part>, path: &'a [String]) -> &'a [String] {
    let ancestors = (0..=path.len()).rev().map(|length| &path[..length]);
    ancestors.into_iter().find(|module| parts.contains_key(*module)).unwrap_or_default()
}

/// The module that has what this path names, by way of re-exports too.
fn home(parts: &BTreeMap<Module, Part>, path: &[String]) -> Module {
    let module = file(parts, path);
    let shown = path.get(module.len()).and_then(|name| parts[module].shown.get(name));
    match shown.filter(|shown| file(parts, shown) != module) {
        Some(shown) => home(parts, &[shown, &path[module.len() + 1..]].concat()),
        None => module.to_vec(),
    }
}

fn uses(modules: &Modules) -> Uses {
    let parts: BTreeMap<_, _> = modules.iter().map(|(module, code)| (module.clone(), Part::of(module, code))).collect();
    let used = |module: &[String], Part { code, shown }: &Part| {
        let children = parts.keys().filter(|child| child.len() == module.len() + 1 && child.starts_with(module));
        let children = children.map(|child| format!("{}::", child[module.len()]));
        let beginnings = ["crate::", "self::", "super::"].map(str::to_owned).into_iter().chain(children);
        let named = beginnings.flat_map(|beginning| paths(code, &beginning)).map(|path| from_the_root(module, &path));
        let words: BTreeSet<&str> = code.split(|letter| !is_word(letter)).collect();
        let shown = shown.iter().filter(|(name, _)| words.contains(name.as_str())).map(|(_, path)| path.clone());
        let homes = named.chain(shown).map(|path| home(&parts, &path));
        homes.filter(|home| !module.starts_with(home)).collect()
    };
    parts.iter().map(|(module, part)| (module.clone(), used(module, part))).collect()
}

/// All that a module uses, by way of others too.
fn reach(uses: &Uses, module: &[String]) -> BTreeSet<Module> {
    let (mut open, mut seen) = (vec![module.to_vec()], BTreeSet::new());
    while let Some(next) = open.pop() {
        open.extend(uses[&next].iter().filter(|used| seen.insert((*used).clone())).cloned());
    }
    seen
}

fn circle(modules: &Modules) -> Vec<String> {
    let uses = uses(modules);
    let is_in_one = |module: &&Module| reach(&uses, module).contains(*module);
    uses.keys().filter(is_in_one).map(|module| module.join("::")).collect()
}

/// A file uses another where it names what is written there, at whichever place it is re-exported. What a module uses of those
/// above it, which declare it, is no part of a circle, and neither is what a file does no more than declare or re-export.
#[test]
fn files_do_not_use_each_other_in_a_circle() {
    let circle_of = |files: &[(&str, &str)]| {
        let module = |name: &str| name.split("::").filter(|step| !step.is_empty()).map(str::to_owned).collect();
        circle(&files.iter().map(|(name, code)| (module(name), (*code).to_owned())).collect())
    };
    let none = Vec::<String>::new();
    let root = ("", "mod a; mod b; mod c; mod d; pub use a::A;");
    let [a, b] = [("a", "use crate::b::B;"), ("b", "use super::c::C;")];
    assert_eq!(circle_of(&[root, a, b, ("c", "use crate::{E, a::{F, A as G}};"), ("d", a.1)]), ["a", "b", "c"]);
    assert_eq!(circle_of(&[root, a, b, ("c", "use crate::A as G;"), ("d", a.1)]), ["a", "b", "c"]);
    assert_eq!(circle_of(&[root, a, b, ("c", "use crate::d::D;"), ("d", "")]), none);
    assert_eq!(circle_of(&[root, ("a", "mod x; struct A(x::X);"), ("a::x", "use super::A; use crate::E;")]), none);
    let of_both = |a, b| circle_of(&[root, ("a", a), ("a::x", "use crate::b::B;"), ("b", b)]);
    assert_eq!(of_both("mod x; pub use x::X; struct Y;", "use crate::a::Y;"), none);
    assert_eq!(of_both("mod x; pub use x::X; struct Y;", "use crate::a::X;"), ["a::x", "b"]);
    assert_eq!(of_both("mod x; pub(crate) use self::x::X; struct Y(X);", "use crate::a::Y;"), ["a", "a::x", "b"]);
    let found =
        paths("use super::{a::B, c as d, e::{f, self}}; super::super::g(); my_super::h; super::i::J", "super::");
    let found: Vec<_> = found.iter().map(|path| path.join("::")).collect();
    let wanted = ["super::a::B", "super::c", "super::e::f", "super::e::self", "super::super::g", "super::i::J"];
    assert_eq!(found, wanted);
    let file = "a; // b\n#[cfg(test)]\nmod testing;\nc;\n#[cfg(test)]\nmod tests {\n    d;\n}\ne;\n";
    assert_eq!(code(file), "a;  c; e;");

    let circles: Vec<_> = crates().into_iter().map(|(root, modules)| (root, circle(&modules))).collect();
    assert!(circles.len() > 20, "the look-up finds crates: {circles:?}");
    let circles: Vec<_> = circles.into_iter().filter(|(_, circle)| !circle.is_empty()).collect();
    assert!(circles.is_empty(), "move what both use to a file below: {circles:?}");
}
