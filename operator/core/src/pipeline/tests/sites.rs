//! What the operators of other sites, and consoles, read of a pipeline.

use super::*;

#[test]
fn other_sites_read_ready_as_the_condition_says_it() {
    let ready = |change: fn(&mut PipelineSeen)| concluded("{}", change).site_status.unwrap().status.ready;
    assert!(ready(|_| ()));
    // The detectors' rollout is complete, and the pipeline is not ready.
    assert!(!ready(|seen| short(&mut seen.archiver)));
    // A roll is under way, and the pipeline is ready.
    assert!(ready(|seen| seen.detector.deployment.as_mut().unwrap().is_complete = false));
}

#[test]
fn other_sites_read_which_topics_the_pipeline_has() {
    let topics = |spec: &str| concluded(spec, |_| ()).site_status.unwrap().status.topics.unwrap();
    let named = topics("{topics: {alerts: {name: my-alerts}}}");
    assert_eq!(
        (named.alerts.as_str(), named.sensor_messages.as_str(), named.incidents),
        ("my-alerts", "sensor_messages", None)
    );
}

#[test]
fn other_sites_read_the_budget_of_the_alerts_where_there_is_one() {
    let budget = |spec: &str| concluded(spec, |_| ()).site_status.unwrap().status.alert_budget_per_million;
    assert_eq!(budget("{}"), Some(1000.0));
    assert_eq!(budget("{detector: {alerting: {alertBudgetPerMillion: 0.5}}}"), Some(0.5));
    assert_eq!(budget("{detector: {alerting: {scoreThreshold: 0.9}}}"), None);
}

#[test]
fn other_sites_read_which_fields_get_other_names() {
    let renamed = |spec: &str| concluded(spec, |_| ()).site_status.unwrap().status.renamed_fields.unwrap();
    assert!(renamed("{}").is_empty());
    let renamed = renamed("{detector: {renamedFields: [{name: simulated, to: of_theirs}]}}");
    assert_eq!(renamed, [("simulated".to_owned(), "of_theirs".to_owned())].into());
}
