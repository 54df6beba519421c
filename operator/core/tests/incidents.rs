//! Incidents: what is refused of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{default_namespace, pipeline_with, site};
use vedette_core::manifest;

fn lines(text: &str) -> Vec<String> {
    let errors = manifest::load(text, &default_namespace(), &site()).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

fn spec_errors(spec: &str) -> Vec<String> {
    let text =
        format!("{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: flows}}, spec: {spec}}}");
    lines(&text).iter().map(|line| line.replace("AnomalyPipeline default/flows: ", "")).collect()
}

#[test]
fn incidents_that_nobody_could_be_told_of_are_refused() {
    let errors = spec_errors(
        "{incidents: {window: 0s, groupBy: [a, a], receivers: [{name: a, filter: 'alerts >', webhook: {url: 'http://a'}}, \
          {name: b, filter: 'src_bytes > 1', alertmanager: {url: 'http://a'}}]}}",
    );
    assert_eq!(errors.len(), 4, "{errors:#?}");
    for (error, beginning) in errors.iter().zip([
        "spec.incidents.window: must be between 1s and 168h",
        "spec.incidents.groupBy",
        "spec.incidents.receivers[0].filter: is not CEL",
        "spec.incidents.receivers[1].filter: speaks of src_bytes, which no incident has",
    ]) {
        assert!(error.starts_with(beginning), "{error}");
    }
    let by_the_schema = spec_errors(
        "{incidents: {receivers: [{name: a}, {name: a, webhook: {url: 'ftp://a', hmacSecret: {name: A, key: 'a/b'}}}, \
         {name: b, webhook: {}}, {name: c, webhook: {url: 'https://c', ca: {}}}]}}",
    );
    for complaint in [
        "exactly one of alertmanager and webhook",
        "two receivers have one name",
        "spec.incidents.receivers[1].webhook.url",
        "spec.incidents.receivers[1].webhook.hmacSecret.name",
        "spec.incidents.receivers[1].webhook.hmacSecret.key",
        "spec.incidents.receivers[2].webhook: needs exactly one of url and urlSecret",
        "spec.incidents.receivers[3].webhook.ca: needs exactly one of secret and configMap",
    ] {
        assert!(by_the_schema.iter().any(|error| error.contains(complaint)), "{complaint}: {by_the_schema:#?}");
    }
}

#[test]
fn a_password_in_the_url_of_a_receiver_is_refused_and_not_shown() {
    for kind in ["webhook", "alertmanager"] {
        let url = format!("{{name: a, {kind}: {{url: 'https://me:hidden@chat'}}}}");
        let errors = spec_errors(&format!("{{incidents: {{receivers: [{url}]}}}}"));
        assert_eq!(errors.len(), 1, "{errors:#?}");
        let named = errors[0].starts_with(&format!("spec.incidents.receivers[0].{kind}.url: leave out"));
        assert!(named && errors[0].contains("authorizationSecret") && !errors[0].contains("hidden"), "{errors:#?}");
    }
}

#[test]
fn the_topic_of_the_incidents_is_none_of_the_other_topics() {
    for other in ["sensor_messages", "enriched_data", "alerts", "dead_letters"] {
        let errors = spec_errors(&format!("{{incidents: {{topic: {{name: {other}}}}}}}"));
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].starts_with("spec.incidents.topic.name: incidents need a topic of their own"), "{errors:#?}");
    }
    let renamed = spec_errors("{topics: {alerts: {name: a}}, incidents: {topic: {name: a}}}");
    assert_eq!(renamed.len(), 1, "{renamed:#?}");
    pipeline_with("{topics: {alerts: {name: a}}, incidents: {topic: {name: alerts}}}");
}

#[test]
fn a_site_without_an_image_of_the_notifier_says_so() {
    let mut site = site();
    site.images.notifier = None;
    let text =
        "{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {name: flows}, spec: {incidents: {}}}";
    let errors = manifest::load(text, &default_namespace(), &site).unwrap_err();
    assert!(format!("{errors:?}").contains("set images.notifier"), "{errors:?}");
}

#[test]
fn two_pipelines_do_not_write_incidents_to_one_topic() {
    let pipeline = |name: &str| {
        let topics =
            format!("{{enrichedData: {{name: e{name}}}, alerts: {{name: a{name}}}, deadLetters: {{name: d{name}}}}}");
        format!(
            "---\n{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: {name}}}, spec: {{topics: {topics}, incidents: {{}}}}}}\n"
        )
    };
    let lines = lines(&(pipeline("one") + &pipeline("two")));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("AnomalyPipeline default/two: spec.incidents.topic.name"), "{lines:?}");
}
