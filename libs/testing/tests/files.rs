//! How the files of this repository are cut.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use vedette_testing::pages::repository;

const LONGEST: usize = 450;

/// Every Rust file of ours.
fn rust_files() -> Vec<PathBuf> {
    let ours = ["crds", "libs", "operator", "workloads", "cli", "e2e"].map(|room| repository().join(room));
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
