//! The dashboards for Grafana: each expression is one, and goes by metrics that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::helm::{all, named, rendered};
use crate::prometheus::{assert_known, promtool};

const CHOSEN: [(&str, &str); 4] =
    [("$__rate_interval", "1m"), ("$site", ".*"), ("$namespace", ".*"), ("$pipeline", ".*")];

fn dashboards() -> BTreeMap<String, Value> {
    let maps: Vec<ConfigMap> = all(&rendered(&["--set", "grafanaDashboards.enabled=true"]), "ConfigMap");
    let map = named(&maps, "vedette-operator-dashboards").clone();
    assert_eq!(map.metadata.labels.unwrap()["grafana_dashboard"], "1", "what Grafana's chart looks for");
    let parse = |(name, text): (String, String)| (name, serde_json::from_str(&text).unwrap());
    map.data.unwrap().into_iter().map(parse).collect()
}

fn list<'a>(value: &'a Value, place: &str) -> &'a [Value] {
    value.pointer(place).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// As Prometheus is asked.
fn expressions(dashboard: &Value) -> Vec<String> {
    let targets = list(dashboard, "/panels").iter().flat_map(|panel| list(panel, "/targets"));
    let panels = targets.map(|target| target["expr"].as_str().unwrap().to_owned());
    let of_values =
        |query: &str| query.strip_prefix("label_values(").and_then(|rest| Some(rest.rsplit_once(", ")?.0.to_owned()));
    let variables = list(dashboard, "/templating/list").iter().filter(|variable| variable["type"] == "query");
    let choices = variables.map(|variable| of_values(variable["query"].as_str().unwrap()).unwrap());
    let chosen = |text: String| CHOSEN.iter().fold(text, |text, (name, value)| text.replace(name, value));
    panels.chain(choices).map(chosen).collect()
}

#[test]
fn each_expression_is_one_and_goes_by_metrics_that_there_are() {
    let dashboards = dashboards();
    let names: Vec<_> = dashboards.keys().map(String::as_str).collect();
    assert_eq!(names, ["vedette-operator.json", "vedette-site.json", "vedette-sites.json", "vedette-training.json"]);
    let mut rules = Vec::new();
    for (name, dashboard) in &dashboards {
        let expressions = expressions(dashboard);
        assert!(expressions.len() >= 10, "{name}: {expressions:?}");
        for expression in expressions {
            assert_known(&expression);
            assert!(!expression.contains('$'), "{name}: {expression}");
            rules.push(json!({ "record": format!("vedette:panel_{}", rules.len()), "expr": expression }));
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let file = json!({ "groups": [{ "name": "panels", "rules": rules }] });
    fs::write(directory.path().join("rules.yaml"), serde_yaml::to_string(&file).unwrap()).unwrap();
    promtool(directory.path(), &["check", "rules", "rules.yaml"]).unwrap_or_else(|said| panic!("{said}"));
}

#[test]
fn each_has_a_name_of_its_own_and_asks_the_chosen_prometheus() {
    let mut identities = BTreeSet::new();
    for (name, dashboard) in dashboards() {
        assert!(identities.insert(dashboard["uid"].as_str().unwrap().to_owned()), "{name}");
        for panel in list(&dashboard, "/panels") {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
            assert!(panel["title"].is_string() && panel["description"].is_string(), "{panel}");
        }
    }
    assert!(!rendered(&[]).iter().any(|object| object["metadata"]["name"] == "vedette-operator-dashboards"));
}
