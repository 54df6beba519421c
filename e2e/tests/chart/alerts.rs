//! The alerts on what the operator tells: each goes by a metric and a condition that there are.

use std::collections::BTreeSet;

use serde_json::Value;
use vedette_core::status::{READY, STALLED, STREAM_COMPLETE};

use crate::helm::{rendered, repository_text};

fn rules(arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["--set", "prometheusRule.enabled=true"], arguments].concat();
    let objects = rendered(&arguments);
    let rule = objects.iter().find(|object| object["kind"] == "PrometheusRule").unwrap();
    rule["spec"]["groups"][0]["rules"].as_array().unwrap().clone()
}

/// What stands before the braces of each selector.
fn metrics(expression: &str) -> Vec<&str> {
    let before_braces = expression.split('{').rev().skip(1);
    before_braces
        .map(|text| text.rsplit(|letter: char| !(letter.is_alphanumeric() || letter == '_')).next().unwrap())
        .collect()
}

#[test]
fn there_are_none_by_default_and_each_goes_by_metrics_and_conditions_that_there_are() {
    assert!(!rendered(&[]).iter().any(|object| object["kind"] == "PrometheusRule"));
    let page = repository_text("docs/operator.md");
    let (mut names, mut conditions) = (BTreeSet::new(), BTreeSet::new());
    for rule in rules(&[]) {
        let (expression, summary) = (rule["expr"].as_str().unwrap(), rule["annotations"]["summary"].as_str().unwrap());
        let metrics = metrics(expression);
        assert!(!metrics.is_empty(), "{expression}");
        for metric in metrics {
            assert!(page.contains(&format!("| `{metric}")), "{metric} is not on the page");
        }
        // Of this release alone: another has alerts of its own.
        assert!(expression.contains(r#"namespace="vedette",service="vedette-operator""#), "{expression}");
        assert!(!summary.is_empty() && ["warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()));
        let condition =
            expression.split_once("condition=\"").map(|(_, rest)| rest.split('"').next().unwrap().to_owned());
        if let Some(condition) = condition {
            assert!(summary.contains("{{ $labels.object_namespace }}/{{ $labels.name }}"), "{summary}");
            assert!(conditions.insert(condition));
        }
        assert!(names.insert(rule["alert"].as_str().unwrap().to_owned()), "{rule}");
    }
    assert_eq!(conditions, BTreeSet::from([READY, STALLED, STREAM_COMPLETE].map(str::to_owned)));
    assert!(names.contains("VedetteNoLeader") && names.len() == 5, "{names:?}");
    let other = rules(&["--set", "fullnameOverride=watcher"]);
    assert!(other.iter().all(|rule| rule["expr"].as_str().unwrap().contains("service=\"watcher\"")));
}
