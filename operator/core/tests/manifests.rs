//! Reading and validating manifests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{default_namespace, load, manifests, pipeline, pipeline_with, site, text, trainings};
use vedette_contract::arguments::{DatasetArguments, DecimalMark, GeneratorMode, Separator, TextEncoding};
use vedette_contract::topic::{CLEANUP_POLICY, REPLICATION_FACTOR, TopicSpecification};
use vedette_core::FieldError;
use vedette_core::manifest;
use vedette_core::roll::VersionPolicy;
use vedette_core::validate::{Dataset, Scale, ValidatedTopics};

fn errors(text: &str) -> Vec<FieldError> {
    manifest::load(text, &default_namespace(), &site()).map(|manifests| panic!("accepted: {manifests:?}")).unwrap_err()
}

fn lines(text: &str) -> Vec<String> {
    errors(text).iter().map(ToString::to_string).collect()
}

fn spec_errors(spec: &str) -> Vec<String> {
    let text =
        format!("{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: flows}}, spec: {spec}}}");
    lines(&text).iter().map(|line| line.replace("AnomalyPipeline default/flows: ", "")).collect()
}

fn training_errors(spec: &str) -> Vec<String> {
    let text =
        format!("{{apiVersion: vedette.io/v1alpha1, kind: ModelTraining, metadata: {{name: flows}}, spec: {spec}}}");
    lines(&text).iter().map(|line| line.replace("ModelTraining default/flows: ", "")).collect()
}

#[test]
fn only_the_labels_that_are_ours_are_refused() {
    let ours = ["name", "instance", "component", "managed-by"].map(|name| format!("app.kubernetes.io/{name}"));
    for (spec, field) in [("{labels: {KEY: a}}", "spec.labels"), ("{pod: {labels: {KEY: a}}}", "spec.pod.labels")] {
        for key in ours.iter().map(String::as_str).chain(["vedette.io/model-version"]) {
            let errors = spec_errors(&spec.replace("KEY", key));
            let expected = format!("{field}.{key}: is set by Vedette; choose another name (is \"{key}\")");
            assert_eq!(errors, [expected]);
        }
        pipeline_with(&spec.replace("KEY", "app.kubernetes.io/version"));
    }
    assert_eq!(spec_errors("{annotations: {vedette.io/run: a}}").len(), 1);
    assert_eq!(training_errors("{site: a, data: {pipeline: flows}, labels: {team: '-'}}").len(), 1);
}

#[test]
fn every_manifest_of_the_repository_is_valid() {
    let mut files = 0;
    for entry in std::fs::read_dir(manifests()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "yaml") && text.contains("vedette.io/v1alpha1") {
            assert!(!load(&text).is_empty(), "{}", path.display());
            files += 1;
        }
    }
    assert!(files >= 3, "{files}");
}

#[test]
fn the_full_manifest_has_every_field_of_the_schema() {
    let documents = text("full.yaml");
    for definition in vedette_crds::definitions::all() {
        let schema = serde_json::to_value(&definition.spec.versions[0].schema).unwrap();
        let spec = &schema["openAPIV3Schema"]["properties"]["spec"];
        let mut names = Vec::new();
        collect_names(spec, &mut names);
        for name in names {
            // The simulator is the alternative to the object that the manifest shows.
            assert!(name == "simulator" || documents.contains(&format!("{name}:")), "{name} is not in full.yaml");
        }
    }
}

fn collect_names(schema: &serde_json::Value, names: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        names.push(name.clone());
        if !["affinity", "tolerations"].contains(&name.as_str()) {
            collect_names(property, names);
            collect_names(&property["items"], names);
        }
    }
}

#[test]
fn a_minimal_manifest_gets_the_documented_defaults() {
    let pipeline = pipeline(&text("minimal.yaml"));
    assert_eq!((pipeline.namespace.as_str(), pipeline.name.as_str()), ("default", "flows"));
    assert_eq!(
        pipeline.topics.enriched_data.to_string(),
        "enriched_data:partitions?=4,cleanup.policy?=delete,max.message.bytes?=2097152,message.timestamp.type?=LogAppendTime,retention.ms?=604800000"
    );
    assert_eq!(
        pipeline.topics.sensor_messages.to_string(),
        "sensor_messages:partitions?=4,max.message.bytes?=1048576,retention.ms?=604800000"
    );
    assert!(pipeline.generator.is_none());
    assert_eq!(pipeline.archiver.rolling_max_bytes, 134_217_728);
    assert_eq!(pipeline.archiver.rolling_max_age.as_secs(), 900);
    assert_eq!(pipeline.model.policy, VersionPolicy::Latest);
    assert_eq!(pipeline.detector.calculated_fields[0].to_string(), "total_bytes=src_bytes + dst_bytes");
    let training = &trainings(&text("minimal.yaml"))[0];
    assert!(!training.runs_at(&site()), "the fixture's site is east, the manifest's is local");
    assert_eq!(training.schedule.minimum_records, 10_000);
}

#[test]
fn the_sites_replication_factor_is_used_where_a_topic_has_none() {
    let mut site = site();
    site.kafka.replication_factor = Some(3);
    let text = "{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {name: flows}, spec: {topics: {alerts: {replicationFactor: 1}}}}";
    let loaded = manifest::load(text, &default_namespace(), &site).unwrap();
    let manifest::ValidatedManifest::Pipeline(pipeline) = &loaded[0] else { panic!("{loaded:?}") };
    assert_eq!(pipeline.topics.alerts.replication_factor, Some(1));
    assert_eq!(pipeline.topics.enriched_data.replication_factor, Some(3));
    let states = |topic: &TopicSpecification| topic.states(REPLICATION_FACTOR);
    assert!(states(&pipeline.topics.alerts) && !states(&pipeline.topics.enriched_data), "that is a default");
}

#[test]
fn how_many_replicas_a_topic_of_others_has_is_not_for_the_site_to_say() {
    let mut site = site();
    site.kafka.replication_factor = Some(1);
    let load = |alerts: &str| {
        let text = format!(
            "{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: flows}}, spec: {{topics: {{alerts: {alerts}}}}}}}"
        );
        manifest::load(&text, &default_namespace(), &site)
    };
    let loaded = load("{management: None, minInsyncReplicas: 2}").unwrap();
    let manifest::ValidatedManifest::Pipeline(pipeline) = &loaded[0] else { panic!("{loaded:?}") };
    assert_eq!(pipeline.topics.alerts.replication_factor, None);
    for refused in ["{management: None, replicationFactor: 1, minInsyncReplicas: 2}", "{minInsyncReplicas: 2}"] {
        assert!(load(refused).is_err(), "{refused}");
    }
}

#[test]
fn the_anomaly_fraction_is_left_to_the_generator_unless_it_is_given() {
    let fraction = |generator: &str| {
        let generator = pipeline_with(&format!("{{generator: {generator}}}")).generator.unwrap();
        (generator.mode, generator.anomaly_fraction)
    };
    assert_eq!(fraction("{recordsPerSecond: 1}"), (GeneratorMode::Random, None));
    assert_eq!(fraction("{recordsPerSecond: 1, anomalyFraction: 0}"), (GeneratorMode::Random, Some(0.0)));
    let sequential = "{recordsPerSecond: 1, mode: Sequential, dataset: {object: {key: a.csv}}}";
    assert_eq!(fraction(sequential), (GeneratorMode::Sequential, None));
}

#[test]
fn a_dataset_lies_in_the_pipelines_part_of_the_bucket() {
    let spec = "{generator: {recordsPerSecond: 1, dataset: {object: {key: kdd/10-percent.csv.gz}}}}";
    let dataset = pipeline_with(spec).generator.unwrap().dataset;
    let key = "default/flows/datasets/kdd/10-percent.csv.gz".to_owned();
    assert_eq!(dataset, Dataset::Object { key, label: None, format: DatasetArguments::default() });
}

#[test]
fn how_a_dataset_is_written_can_be_told() {
    let spec = "{generator: {recordsPerSecond: 1, dataset: {object: {key: a.csv, separator: Semicolon, \
                decimalMark: Comma, encoding: Windows1252, columns: [a, b]}}}}";
    let Dataset::Object { key: _, label: _, format } = pipeline_with(spec).generator.unwrap().dataset else {
        panic!("the simulator");
    };
    let expected = DatasetArguments {
        separator: Some(Separator::Semicolon),
        decimal_mark: Some(DecimalMark::Comma),
        encoding: Some(TextEncoding::Windows1252),
        columns: vec!["a".to_owned(), "b".to_owned()],
    };
    assert_eq!(format, expected);
}

#[test]
fn a_wrong_manifest_lists_every_error_at_once() {
    let text = r#"
apiVersion: vedette.io/v1alpha1
kind: AnomalyPipeline
metadata:
  name: flows
spec:
  suspended: true
  topics:
    sensorMessages: { name: "a b", partitions: 0 }
    alerts: { name: same }
    deadLetters: { name: same }
  generator:
    replicas: two
    mode: Backwards
    dataset: { simulator: {}, object: { key: ../secret } }
  detector:
    replica: 2
    calculatedFields:
      - { name: score, expression: "1 +" }
    alerting: { scoreThreshold: 3 }
    resources: { requests: { cpu: 2, memory: lots }, limits: { cpu: 1 } }
  archiver:
    rolling: { maxBytes: 1, maxAge: 1d }
  model: { versionPolicy: Pinned, version: latest }
  pod: { labels: { vedette.io/x: y, "a b": "c d" } }
---
apiVersion: vedette.io/v1
kind: ModelTraining
metadata:
  name: Flows
spec:
  schedule: 99 * * * *
  timeZone: Middle/Earth
  site: East
  data: { pipeline: flows, lookback: forever }
  features: { numeric: [score, label, x], categorical: [x], label: { field: label, normal: [] } }
  parameters: { syntheticFraction: 0.1, trees: 0 }
  seed: 1.5
---
kind: ConfigMap
"#;
    insta::assert_snapshot!(lines(text).join("\n"));
}

#[test]
fn what_is_not_a_manifest_is_one_clear_error() {
    let table = [
        ("", "manifest: (document): write at least one AnomalyPipeline or ModelTraining"),
        ("# nothing\n---\n", "manifest: (document): write at least one"),
        ("a: [", "document 1: (document): "),
        ("a: 1\na: 2", "document 1: (document): duplicate entry"),
        ("12", "document 1: "),
        ("{1: {2: 3}}", "document 1: "),
    ];
    for (text, expected) in table {
        let lines = lines(text);
        assert!(lines.iter().any(|line| line.starts_with(expected)), "{text:?}: {lines:?}");
    }
}

#[test]
fn an_error_in_one_document_does_not_hide_those_of_the_next() {
    let text =
        "{kind: AnomalyPipeline}\n---\n{apiVersion: vedette.io/v1alpha1, kind: ModelTraining, metadata: {name: x}}";
    let lines = lines(text);
    assert!(lines.iter().any(|line| line.starts_with("document 1: metadata.name: is required")), "{lines:?}");
    assert!(lines.contains(&"ModelTraining default/x: spec: is required (is missing)".to_owned()), "{lines:?}");
}

#[test]
fn an_unknown_field_is_an_error_that_names_the_nearest_one() {
    assert_eq!(
        spec_errors("{detector: {replica: 1}}"),
        ["spec.detector.replica: there is no such field; did you mean replicas? (is 1)"]
    );
    assert_eq!(
        spec_errors("{archiver: {rolling: {everything: 1}}}"),
        ["spec.archiver.rolling.everything: there is no such field; there are maxAge, maxBytes (is 1)"]
    );
    assert_eq!(
        spec_errors("{generator: {recordsPerSecond: 1, dataset: {simulator: {seed: 1}}}}"),
        ["spec.generator.dataset.simulator.seed: there is no such field, and no other one here (is 1)"]
    );
}

#[test]
fn null_is_as_good_as_nothing() {
    let pipeline = pipeline_with(
        "{generator: null, detector: {replicas: null, alerting: {alertBudgetPerMillion: null, scoreThreshold: 0.5}}}",
    );
    assert!(pipeline.generator.is_none());
    assert_eq!(pipeline.detector.scale, Scale::Fixed(1));
}

#[test]
fn numbers_out_of_range_are_errors() {
    assert_eq!(spec_errors("{detector: {replicas: -1}}"), ["spec.detector.replicas: must be at least 0 (is -1)"]);
    let twice = "{detector: {calculatedFields: [{name: a, expression: b}, {name: a, expression: c}]}}";
    let hint = "stands there twice; leave one out, or give it a name of its own";
    assert_eq!(spec_errors(twice), [format!("spec.detector.calculatedFields: {hint} (is \"a\")")]);
    assert_eq!(
        spec_errors("{detector: {replicas: 3000000000}}"),
        ["spec.detector.replicas: must be between -2147483648 and 2147483647 (is 3000000000)"]
    );
    assert_eq!(
        spec_errors("{generator: {recordsPerSecond: .nan}}"),
        ["spec.generator.recordsPerSecond: is required (is missing)"]
    );
    assert_eq!(
        spec_errors("{topics: {maxMessageBytes: -5}}"),
        ["spec.topics.maxMessageBytes: must be at least 1024 (is -5)"]
    );
    assert_eq!(
        spec_errors("{topics: {alerts: {retentionMs: 0}}}"),
        ["spec.topics.alerts.retentionMs: would keep nothing; use milliseconds, or -1 for ever (is 0)"]
    );
    assert_eq!(
        training_errors("{site: east, data: {pipeline: flows, sites: [east, east]}}"),
        ["spec.data.sites[1]: stands in the list twice (is \"east\")"]
    );
}

#[test]
fn a_request_over_its_limit_is_an_error() {
    assert_eq!(
        training_errors(
            "{site: east, data: {pipeline: flows}, job: {resources: {requests: {memory: 2Gi}, limits: {memory: 2G}}}}"
        ),
        ["spec.job.resources.requests.memory: must not be over the limit, 2G (is \"2Gi\")"]
    );
}

#[test]
fn a_schedule_needs_five_fields_and_a_known_zone() {
    let spec = |schedule: &str| format!("{{site: east, data: {{pipeline: flows}}, {schedule}}}");
    let four = training_errors(&spec("schedule: 0 0 * *, timeZone: Nowhere"));
    assert_eq!(four.len(), 2, "{four:?}");
    assert!(four[0].starts_with("spec.schedule: a schedule has five fields"), "{four:?}");
    assert!(four[1].starts_with("spec.timeZone: is not a time zone"), "{four:?}");
    assert_eq!(training_errors(&spec("schedule: '0 25 * * *'")).len(), 1);
}

#[test]
fn two_pipelines_do_not_write_to_the_same_topic() {
    let pipeline = |name: &str, topics: &str| {
        format!(
            "---\n{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: {name}}}, spec: {{topics: {topics}}}}}\n"
        )
    };
    let names = |suffix: &str| {
        format!("{{enrichedData: {{name: e{suffix}}}, alerts: {{name: a{suffix}}}, deadLetters: {{name: d{suffix}}}}}")
    };
    assert_eq!(load(&(pipeline("one", &names("1")) + &pipeline("two", &names("2")))).len(), 2);
    let lines = lines(&(pipeline("one", &names("1")) + &pipeline("two", &names("1"))));
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0]
            .contains("AnomalyPipeline default/two: spec.topics.enrichedData.name: AnomalyPipeline default/one writes")
    );
}

#[test]
fn the_same_object_twice_is_an_error() {
    let text = "{apiVersion: vedette.io/v1alpha1, kind: ModelTraining, metadata: {name: x}, spec: {site: a, data: {pipeline: x}}}";
    let lines = lines(&format!("{text}\n---\n{text}"));
    assert_eq!(
        lines,
        ["ModelTraining default/x: metadata.name: stands in this text twice; give it another name (is document 2)"]
    );
}

#[test]
fn a_topic_that_nobody_could_write_to_is_refused() {
    let mut site = site();
    site.kafka.replication_factor = Some(1);
    let text = "{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {name: flows}, spec: {topics: {alerts: {minInsyncReplicas: 2}}}}";
    let errors = manifest::load(text, &default_namespace(), &site).unwrap_err();
    let said = format!("{errors:?}");
    assert!(said.contains("spec.topics.alerts.minInsyncReplicas") && said.contains("nobody could write"), "{said}");
}

#[test]
fn no_cleanup_policy_is_stated_of_a_topic_that_is_there() {
    let topics = |spec: &str| {
        let pipeline = pipeline_with(spec);
        let ValidatedTopics { sensor_messages, enriched_data, alerts, dead_letters, .. } = pipeline.topics;
        let incidents = pipeline.incidents.unwrap().topic;
        [sensor_messages, enriched_data, alerts, dead_letters, incidents].map(|topic| {
            let made = topic.configuration.get(CLEANUP_POLICY).cloned();
            assert!(made.is_none() || !topic.states(CLEANUP_POLICY), "{topic}");
            made
        })
    };
    let made = [None, Some("delete"), Some("delete"), Some("delete"), Some("compact,delete")];
    let managed = "{topics: {alerts: {management: Manage}}, incidents: {topic: {management: Manage}}}";
    assert_eq!(topics(managed), made.map(|policy| policy.map(str::to_owned)));
}

#[test]
fn what_kubernetes_has_no_field_for_is_refused_by_name() {
    let errors = spec_errors(
        "{pod: {env: [{name: A, vlaue: b}], volumes: [{name: v, emptydir: {}}], volumeMounts: [{name: v, mountPath: /v, readonly: true}], \
          topologySpreadConstraints: [{maxSkew: 1, topologyKey: z, whenUnsatisfiable: ScheduleAnyway, skew: 1}]}, \
          detector: {pod: {tolerations: [{kee: a}], affinity: {nodeAffinty: {}}}}}",
    );
    let hint = "Kubernetes has no such field; mend its name or leave it out";
    assert_eq!(
        errors,
        [
            format!("spec.pod.topologySpreadConstraints[0].skew: {hint} (is 1)"),
            format!("spec.pod.env[0].vlaue: {hint} (is \"b\")"),
            format!("spec.pod.volumes[0].emptydir: {hint} (is {{}})"),
            format!("spec.pod.volumeMounts[0].readonly: {hint} (is true)"),
            format!("spec.detector.pod.affinity.nodeAffinty: {hint} (is {{}})"),
            format!("spec.detector.pod.tolerations[0].kee: {hint} (is \"a\")"),
        ]
    );
    assert_eq!(
        training_errors("{site: east, data: {pipeline: flows}, pod: {env: [{name: A, vlaue: b}]}}"),
        [format!("spec.pod.env[0].vlaue: {hint} (is \"b\")")]
    );
}

#[test]
fn every_mount_of_every_component_has_its_volume() {
    let all = "pod: {volumes: [{name: ca, emptyDir: {}}], volumeMounts: [{name: ca, mountPath: /ca}]}";
    let replaced = spec_errors(&format!("{{{all}, detector: {{pod: {{volumes: [{{name: x, emptyDir: {{}}}}]}}}}}}"));
    assert_eq!(replaced.len(), 1, "{replaced:?}");
    assert!(replaced[0].starts_with("spec.detector.pod.volumes: no volume of that name for the mount at /ca"));
    let mounts = "pod: {volumeMounts: [{name: ca, mountPath: /ca}]}";
    let missing = spec_errors(&format!("{{{mounts}}}"));
    assert_eq!(missing.len(), 1, "said once, not of each component: {missing:?}");
    assert!(missing[0].starts_with("spec.pod.volumeMounts: no volume of that name for the mount at /ca"));
    let own = "pod: {volumes: [{name: ca, emptyDir: {}}]}";
    pipeline_with(&format!("{{{mounts}, topics: {{{own}}}, detector: {{{own}}}, archiver: {{{own}}}}}"));
    assert_eq!(training_errors(&format!("{{site: east, data: {{pipeline: flows}}, {mounts}}}")).len(), 1);
}
