//! The inventory of metrics, and all that names one: the page that lists them, other pages, the chart's dashboards and its alerts.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;

use vedette_contract::metrics::{COMPONENTS, Metric, all};
use vedette_testing::pages::{pages, repository};

/// What Prometheus gives a target of the chart, or the ends of a histogram.
const GIVEN: [&str; 5] = ["site", "namespace", "service", "pod", "le"];

fn text(file: &str) -> String {
    fs::read_to_string(repository().join(file)).unwrap()
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn ident(text: &str) -> &str {
    &text[..text.find(|letter| !is_of_name(letter)).unwrap_or(text.len())]
}

/// The metrics that a text names, each with the labels that stand behind it in braces.
fn named(text: &str) -> Vec<(&str, Vec<&str>)> {
    let places = text.match_indices("vedette_").filter(|(at, _)| !text[..*at].ends_with(is_of_name));
    let named = places.map(|(at, _)| {
        let name = ident(&text[at..]);
        let braces = text[at + name.len()..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let labels = braces.map_or("", |(inner, _)| inner).split(',').map(|part| ident(part.trim()));
        (name, labels.filter(|label| !label.is_empty()).collect())
    });
    let is_metric = |name: &str| {
        COMPONENTS.iter().any(|(component, _)| {
            name.strip_prefix("vedette_")
                .and_then(|rest| rest.strip_prefix(component))
                .is_some_and(|rest| rest.len() > 1)
        })
    };
    named.filter(|(name, _)| is_metric(name)).collect()
}

/// Also of histograms, which pages name as a whole.
fn metric_of(name: &str) -> Option<&'static Metric> {
    Metric::of_series(name).or_else(|| all().find(|metric| metric.name == name))
}

fn assert_known(place: &str, text: &str) -> usize {
    let named = named(text);
    for (name, labels) in &named {
        let metric = metric_of(name).unwrap_or_else(|| panic!("{place}: {name} is no metric of the inventory"));
        for label in labels {
            let is_known = metric.labels.contains(label) || GIVEN.contains(label);
            assert!(is_known, "{place}: {name} has no label {label}, but {:?}", metric.labels);
        }
    }
    named.len()
}

/// What is summed up by labels is summed up by some that there are.
fn assert_groups_are_known(place: &str, text: &str) {
    let labels: BTreeSet<&str> = all().flat_map(|metric| metric.labels).copied().chain(GIVEN).collect();
    for group in text.split("by (").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        for label in group.split(',').map(str::trim) {
            let own = label.strip_prefix("exported_").unwrap_or(label);
            assert!(labels.contains(own), "{place}: no metric has the label {label}");
        }
    }
}

#[test]
fn the_page_of_metrics_has_each_with_what_it_is() {
    let page = text("docs/metrics.md");
    for (component, metrics) in COMPONENTS {
        let rows = metrics.iter().map(|Metric { name, kind, help, labels }| {
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            format!("| `{name}{labels}` | {} | {help} |\n", kind.as_str())
        });
        let table = format!("| metric | type | meaning |\n| --- | --- | --- |\n{}", rows.collect::<String>());
        let (_, section) = page.split_once(&format!("\n## {component}\n")).unwrap_or_else(|| panic!("no {component}"));
        let section = section.split("\n## ").next().unwrap();
        assert!(
            section.trim_end().ends_with(table.trim_end()),
            "docs/metrics.md is stale; of {component} it has to have\n{table}"
        );
    }
    assert_eq!(page.matches("| `vedette_").count(), all().count());
}

#[test]
fn no_page_names_a_metric_or_a_label_that_there_is_not() {
    let named: usize = pages().iter().map(|(path, page)| assert_known(&path.display().to_string(), page)).sum();
    assert!(named > 150, "only {named} were found");
}

#[test]
fn no_dashboard_and_no_alert_goes_by_a_metric_or_a_label_that_there_is_not() {
    let dashboards =
        ["operator", "site", "sites", "training"].map(|name| format!("charts/vedette/dashboards/{name}.json"));
    for (file, least) in
        dashboards.iter().map(String::as_str).zip([10; 4]).chain([("charts/vedette/templates/_alerts.tpl", 20)])
    {
        let text = text(file);
        let named = assert_known(file, &text);
        assert!(named >= least, "{file}: only {named} were found");
        assert_groups_are_known(file, &text);
    }
}

#[test]
fn a_misspelt_name_or_label_is_found() {
    let fails = |text: &'static str| {
        std::panic::catch_unwind(|| {
            assert_known("here", text);
            assert_groups_are_known("here", text);
        })
        .is_err()
    };
    assert!(!fails(
        "max by (site, exported_namespace) (vedette_operator_namespace_reachable{namespace=\"a\",site=~\"b\"}[5m])"
    ));
    assert!(!fails(
        "`vedette_detector_score`, `vedette_detector_score_bucket` of `info,vedette_detector=debug` and my_vedette_detector_x"
    ));
    for wrong in [
        "vedette_operator_namespaces_reachable",
        "vedette_detector_records",
        "vedette_detector_dead_letters_total{cause=\"empty\"}",
        "`vedette_archiver_lag_seconds{streams}`",
        "sum by (sites) (vedette_detector_records_total)",
    ] {
        assert!(fails(wrong), "{wrong}");
    }
}
