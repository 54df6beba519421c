//! The tables of `docs/simulator.md`, written from the tables that are drawn from, so that they cannot differ.

use std::fmt::Write;

use super::profile::{Draw, Profile, Weighted};
use super::{ATTACKS, NORMAL_TRAFFIC};
use vedette_datasets::columns::Column;

/// The page ends with what follows this line.
const MARK: &str = "<!-- Written by the test `the_page_has_the_tables`; UPDATE_DOCS=1 rewrites it. -->\n";

#[test]
fn the_page_has_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/simulator.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (prose, written) = page.split_once(MARK).unwrap();
    let tables = tables();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{prose}{MARK}{tables}")).unwrap();
    } else {
        assert!(written == tables, "docs/simulator.md is stale: run this test with UPDATE_DOCS=1");
    }
}

fn tables() -> String {
    let mut text = String::new();
    for (title, kinds) in [("Normal traffic", NORMAL_TRAFFIC), ("Attacks", ATTACKS)] {
        writeln!(text, "\n## {title}").unwrap();
        for kind in kinds {
            section(&mut text, kind);
        }
    }
    text
}

fn section(text: &mut String, kind: &Profile) {
    let Profile { name, label, percent, services, flags, window, values } = kind;
    let named = |services: &[Weighted<(&str, &str)>]| -> Vec<Weighted<String>> {
        services.iter().map(|(weight, (protocol, service))| (*weight, format!("{protocol}/{service}"))).collect()
    };
    writeln!(text, "\n### {name}\n\n{percent} %, label `{label}`\n").unwrap();
    writeln!(text, "| column | distribution |\n| --- | --- |").unwrap();
    writeln!(text, "| protocol_type/service | {} |", weighted(&named(services), String::clone)).unwrap();
    writeln!(text, "| flag | {} |", weighted(flags, |flag| (*flag).to_owned())).unwrap();
    for column in Column::ALL {
        let of_the_column = |(named, _): &&(Column, Draw)| *named == column;
        if let Some((_, draw)) = values.iter().rfind(of_the_column).or(window.iter().rfind(of_the_column)) {
            writeln!(text, "| {} | {} |", column.name(), describe(draw)).unwrap();
        }
    }
}

fn describe(draw: &Draw) -> String {
    match draw {
        Draw::Fixed(value) => format!("{value}"),
        Draw::Uniform(low, high) => format!("U({low}, {high})"),
        Draw::LogNormal(median, sigma) => format!("LogN({median}, {sigma})"),
        Draw::Exponential(mean) => format!("Exp({mean})"),
        Draw::Chance(probability) => format!("1 with probability {probability}, else 0"),
        Draw::Mix(alternatives) => weighted(alternatives, describe),
        Draw::Times(column, low, high) if low == high => format!("{} × {low}", column.name()),
        Draw::Times(column, low, high) => format!("{} × U({low}, {high})", column.name()),
    }
}

fn weighted<T>(list: &[Weighted<T>], describe: impl Fn(&T) -> String) -> String {
    if let [(_, only)] = list {
        return describe(only);
    }
    let total: f64 = list.iter().map(|(weight, _)| weight).sum();
    let percent = |weight: f64| (weight / total * 1_000.0).round() / 10.0;
    let parts = list.iter().map(|(weight, item)| format!("{} % {}", percent(*weight), describe(item)));
    parts.collect::<Vec<_>>().join("; ")
}
