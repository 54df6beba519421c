//! The chart's alerts: each goes by a metric and a condition that there are, fires when it should, and has a runbook.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use vedette_core::status::{
    BUDGET_HELD, MODEL_CURRENT, READY, RECEIVERS_USABLE, SCORES_STABLE, STALLED, STREAM_COMPLETE, TRAINED,
};

use crate::helm::{rendered, repository_text};
use crate::prometheus::{assert_known, promtool};

fn rule_object(arguments: &[&str]) -> Value {
    let arguments = [&["--set", "prometheusRule.enabled=true,console.enabled=true"], arguments].concat();
    let objects = rendered(&arguments);
    objects.into_iter().find(|object| object["kind"] == "PrometheusRule").unwrap()
}

/// Of the group that goes by what the operator tells, by what pipelines do, or by what the console hears of sites.
fn rules(group: usize, arguments: &[&str]) -> Vec<Value> {
    rule_object(arguments)["spec"]["groups"][group]["rules"].as_array().unwrap().clone()
}

fn text<'a>(rule: &'a Value, place: &str) -> &'a str {
    rule.pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("no {place}: {rule}"))
}

#[test]
fn there_are_none_by_default_and_each_goes_by_metrics_that_there_are_and_has_a_runbook() {
    assert!(!rendered(&[]).iter().any(|object| object["kind"] == "PrometheusRule"));
    let runbooks = repository_text("docs/runbooks.md");
    let mut names = BTreeSet::new();
    for rule in [rules(0, &[]), rules(1, &[]), rules(2, &[])].concat() {
        assert_known(text(&rule, "/expr"));
        assert!(["warning", "critical"].contains(&text(&rule, "/labels/severity")), "{rule}");
        assert!(runbooks.contains(&format!("\n## {}\n", text(&rule, "/alert"))), "{rule} has no runbook");
        assert!(names.insert(text(&rule, "/alert").to_owned()), "{rule}");
    }
    assert_eq!(runbooks.matches("\n## ").count(), names.len(), "each runbook is of an alert: {names:?}");
    let url = ["--set", "prometheusRule.runbookUrl=https://wiki.example.org/vedette"];
    let linked = rules(1, &url);
    assert_eq!(
        text(&linked[0], "/annotations/runbook_url"),
        "https://wiki.example.org/vedette#vedettedetectorlags",
        "{linked:?}"
    );
    assert!(rules(0, &[])[0]["annotations"].get("runbook_url").is_none());
}

#[test]
fn alerts_are_of_this_release_alone() {
    let mut conditions = BTreeSet::new();
    for rule in rules(0, &[]) {
        let expression = text(&rule, "/expr");
        assert!(expression.contains(r#"namespace="vedette",service="vedette-operator""#), "{expression}");
        let condition = expression.split_once("condition=\"").map(|(_, rest)| rest.split('"').next().unwrap());
        if let Some(condition) = condition {
            assert!(text(&rule, "/annotations/summary").contains("{{ $labels.object_namespace }}/{{ $labels.name }}"));
            assert!(conditions.insert(condition.to_owned()));
        }
    }
    let wanted =
        [READY, STALLED, STREAM_COMPLETE, MODEL_CURRENT, SCORES_STABLE, BUDGET_HELD, RECEIVERS_USABLE, TRAINED];
    assert_eq!(conditions, BTreeSet::from(wanted.map(str::to_owned)));
    let other = rules(0, &["--set", "fullnameOverride=watcher"]);
    assert!(other.iter().all(|rule| text(rule, "/expr").contains("service=\"watcher\"")));

    for rule in rules(2, &[]) {
        let expression = text(&rule, "/expr");
        assert!(expression.contains(r#"namespace="vedette",service="vedette-console-metrics""#), "{expression}");
    }
    let without = rule_object(&["--set", "console.enabled=false"]);
    assert_eq!(without["spec"]["groups"].as_array().unwrap().len(), 2, "who hears of no site has no alerts on them");

    let each_selects = |arguments: &[&str], matcher: &str| {
        for rule in rules(1, arguments) {
            let expression = text(&rule, "/expr");
            assert_eq!(expression.matches('{').count(), expression.matches(matcher).count(), "{expression}");
        }
    };
    each_selects(&["--set", "watchNamespaces={fraud,flows}"], r#"namespace=~"fraud|flows""#);
    each_selects(&["--set", "watchNamespaces={*}"], r#"namespace=~".+""#);
}

/// Prometheus itself evaluates them, over series that a fixture gives.
#[test]
fn each_fires_when_it_should_and_only_then() {
    let directory = tempfile::tempdir().unwrap();
    let rules = serde_yaml::to_string(&rule_object(&["--set", "watchNamespaces={flows}"])["spec"]).unwrap();
    let cases = repository_text("e2e/tests/chart/alerts.yaml");
    for rule in rules.lines().filter_map(|line| line.split_once("alert: ")) {
        assert!(cases.contains(&format!("alertname: {}\n", rule.1)), "{} is never tried", rule.1);
    }
    fs::write(directory.path().join("rules.yaml"), &rules).unwrap();
    fs::write(directory.path().join("cases.yaml"), &cases).unwrap();
    promtool(directory.path(), &["test", "rules", "cases.yaml"]).unwrap_or_else(|said| panic!("{said}{rules}"));
}
