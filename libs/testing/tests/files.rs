//! How the files of this repository are cut.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use vedette_testing::pages::repository;

const LONGEST: usize = 450;

/// Every Rust file of ours.
fn rust_files() -> Vec<PathBuf> {
    let ours = ["crds", "libs", "operator", "workloads", "cli", "e2e", "scripts"].map(|room| repository().join(room));
    let mut found = Vec::new();
    let mut open = Vec::from(ours);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
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
fn a_module_stands_where_its_name_says() {
    let elsewhere = rust_files().into_iter().filter(|path| text(path).lines().any(|line| line.starts_with("#[path")));
    assert_eq!(elsewhere.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

/// A room of a crate: its modules that are one file each, with what each uses of the others.
type Room = BTreeMap<String, BTreeSet<String>>;

/// The code of a file without its tests and comments.
fn code(path: &Path) -> String {
    let text = text(path);
    let code = text.split("#[cfg(test)]\n").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
}

/// The first names behind this path wherever it begins one, those in braces too.
fn named_behind(code: &str, path: &str) -> BTreeSet<String> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let begins = |at: usize| !code[..at].ends_with(|letter: char| is_word(letter) || letter == ':');
    let places = code.match_indices(path).filter(|(at, _)| begins(*at));
    let named = places.flat_map(|(at, path)| {
        let rest = &code[at + path.len()..];
        let Some(group) = rest.strip_prefix('{') else { return vec![rest.to_owned()] };
        let (mut depth, mut members) = (0, vec![String::new()]);
        for letter in group.chars() {
            match letter {
                '}' if depth == 0 => break,
                ',' if depth == 0 => members.push(String::new()),
                letter => {
                    depth += i32::from(letter == '{') - i32::from(letter == '}');
                    members.last_mut().unwrap().push(letter);
                }
            }
        }
        members
    });
    named.map(|name| name.trim().chars().take_while(|letter| is_word(*letter)).collect()).collect()
}

/// The modules beside each other in a directory that are no room of their own.
fn room(directory: &Path, source: &Path) -> Room {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let is_leaf = |path: &PathBuf| path.extension().is_some_and(|end| end == "rs") && !path.with_extension("").is_dir();
    let leaves = files.filter(|path| is_leaf(path) && !["lib", "main", "mod", "tests"].contains(&name(path).as_str()));
    let leaves: BTreeMap<String, PathBuf> = leaves.map(|path| (name(&path), path)).collect();
    let steps = directory.strip_prefix(source).unwrap().iter().map(|step| format!("{}::", step.to_str().unwrap()));
    let from_the_top = format!("crate::{}", steps.collect::<String>());
    let uses = |path: &PathBuf| {
        let code = code(path);
        let named = ["super::", &from_the_top].into_iter().flat_map(|path| named_behind(&code, path));
        named.filter(|used| leaves.contains_key(used)).collect()
    };
    leaves.iter().map(|(name, path)| (name.clone(), uses(path))).collect()
}

/// All that a module uses, by way of others too.
fn reach(room: &Room, module: &str) -> BTreeSet<String> {
    let (mut open, mut seen) = (vec![module.to_owned()], BTreeSet::new());
    while let Some(next) = open.pop() {
        open.extend(room[&next].iter().filter(|used| seen.insert((*used).clone())).cloned());
    }
    seen
}

#[test]
fn files_beside_each_other_do_not_use_each_other_in_a_circle() {
    let circle = |room: &Room| -> Vec<String> {
        room.keys().filter(|name| reach(room, name).contains(*name)).cloned().collect()
    };
    let of = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, used)| ((*name).to_owned(), BTreeSet::from([(*used).to_owned()]))).collect::<Room>()
    };
    let by_way_of_another = of(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]);
    assert_eq!(circle(&by_way_of_another), ["a", "b", "c"]);
    let code = "use super::{a::B, c as d}; use super::super::e; crate::room::f::g(); use crate::room::{h::{i, j}, k};";
    assert_eq!(named_behind(code, "super::").into_iter().collect::<Vec<_>>(), ["a", "c", "super"]);
    assert_eq!(named_behind(code, "crate::room::").into_iter().collect::<Vec<_>>(), ["f", "h", "k"]);

    let mut circles: Vec<(PathBuf, Vec<String>)> = Vec::new();
    let directories: BTreeSet<PathBuf> = rust_files().iter().map(|path| path.parent().unwrap().to_owned()).collect();
    for directory in directories {
        let Some(source) = directory.ancestors().find(|place| place.ends_with("src")) else { continue };
        let found = circle(&room(&directory, source));
        if !found.is_empty() {
            circles.push((directory.clone(), found));
        }
    }
    assert!(circles.is_empty(), "move what both use to a file below: {circles:?}");
}
