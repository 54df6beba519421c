//! Docs and chart name only conditions and reasons that exist.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vedette_core::{reason, status};

/// What a bucket answers has its words where its errors are.
const BUCKET_ERRORS: &str = include_str!("../../../libs/streams/src/bucket/error.rs");

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn texts(directory: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(repository().join(directory)).unwrap();
    let paths =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|is| is == extension));
    paths.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn is_reason(word: &str) -> bool {
    reason::all().contains(&word) || BUCKET_ERRORS.contains(&format!("=> \"{word}\""))
}

fn conditions() -> BTreeSet<&'static str> {
    BTreeSet::from([
        status::READY,
        status::RECONCILING,
        status::STALLED,
        status::GENERATOR_AVAILABLE,
        status::TOPICS_READY,
        status::BUCKET_REACHABLE,
        status::DETECTOR_AVAILABLE,
        status::ARCHIVER_AVAILABLE,
        status::NOTIFIER_AVAILABLE,
        status::MODEL_CURRENT,
        status::STREAM_COMPLETE,
        status::FEATURES_PRESENT,
        status::SCORES_STABLE,
        status::BUDGET_HELD,
        status::RECEIVERS_USABLE,
        status::DATA_AVAILABLE,
        status::TRAINED,
        status::GATE_PASSED,
        status::PUBLISHED,
    ])
}

/// What stands between back-ticks, and what stands between it and the next.
fn quoted(line: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = line.split('`').collect();
    (1..parts.len()).step_by(2).map(|at| (parts[at], parts.get(at + 1).copied().unwrap_or_default())).collect()
}

fn is_camel_case(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.chars().all(|letter| letter.is_ascii_alphanumeric())
}

#[test]
fn docs_name_only_reasons_that_exist() {
    let mut found = 0;
    for (path, text) in texts("docs", "md") {
        for line in text.lines() {
            for pair in quoted(line).windows(2) {
                let [(condition, between), (word, _)] = pair else { continue };
                if conditions().contains(condition) && *between == " " && is_camel_case(word) {
                    assert!(is_reason(word), "{}: {condition} is never {word}", path.display());
                    found += 1;
                }
            }
        }
    }
    assert!(found >= 3, "the docs name reasons of conditions");
}

#[test]
fn the_tables_of_conditions_name_only_conditions_and_reasons_that_exist() {
    let text = std::fs::read_to_string(repository().join("docs/operator.md")).unwrap();
    let sections: Vec<&str> = text.split("\n## ").filter(|section| section.starts_with("Conditions of")).collect();
    assert_eq!(sections.len(), 2);
    let rows = sections.iter().flat_map(|section| section.lines()).filter(|line| line.starts_with('|'));
    let words: Vec<&str> = rows.flat_map(quoted).map(|(word, _)| word).filter(|word| is_camel_case(word)).collect();
    for word in &words {
        assert!(conditions().contains(word) || is_reason(word), "nothing is ever {word}");
    }
    assert!(conditions().iter().all(|condition| words.contains(condition)), "a condition is missing: {words:?}");
}

#[test]
fn the_chart_names_only_reasons_that_exist() {
    for directory in ["charts/vedette", "charts/vedette/templates"] {
        for (path, text) in texts(directory, "yaml").into_iter().chain(texts(directory, "json")) {
            for matcher in text.split("reason=").skip(1) {
                let words = matcher.trim_start_matches(['~', '\\']).strip_prefix('"').unwrap_or_default();
                let words = words.split(['"', '\\']).next().unwrap_or_default();
                for word in words.split('|').filter(|word| is_camel_case(word)) {
                    assert!(is_reason(word), "{}: no reason is {word}", path.display());
                }
            }
        }
    }
}
