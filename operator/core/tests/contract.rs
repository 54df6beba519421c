//! Every container's arguments and environment are read back by the workload's own clap struct.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use k8s_openapi::api::core::v1::Container;
use support::{every_template, generator_deployment, pipeline, site, text, trainings, version};
use vedette_contract::arguments::{
    ArchiverArguments, DetectorArguments, GeneratorArguments, NotifierArguments, ProcessingGuarantee, TopicsArguments,
    TrainerArguments,
};
use vedette_contract::gate::NewestRecords;
use vedette_contract::incident::Severity;
use vedette_contract::receiver::{Address, ReceiverKind};
use vedette_contract::search::{SearchAlgorithm, SearchMetric, SearchSpace};
use vedette_contract::topic::{LOG_APPEND_TIME, TIMESTAMP_TYPE, TopicSpecification};
use vedette_core::desired::{Live, build_pipeline, build_training_job};
use vedette_testing::container::{POD_NAME, parse};

/// By the telemetry, and by clients that heed a proxy: what a manifest may add.
const READ_ELSEWHERE: &[&str] = &["RUST_LOG", "HTTPS_PROXY"];

fn container(template: &k8s_openapi::api::core::v1::PodTemplateSpec) -> &Container {
    &template.spec.as_ref().unwrap().containers[0]
}

#[test]
fn every_container_is_understood_by_its_workload() {
    let mut seen = std::collections::BTreeSet::new();
    for (component, template) in every_template() {
        let container = container(&template);
        match component.as_str() {
            "topics" => drop(parse::<TopicsArguments>(container, READ_ELSEWHERE)),
            "generator" => drop(parse::<GeneratorArguments>(container, READ_ELSEWHERE)),
            "detector" => drop(parse::<DetectorArguments>(container, READ_ELSEWHERE)),
            "archiver" => drop(parse::<ArchiverArguments>(container, READ_ELSEWHERE)),
            "notifier" => drop(parse::<NotifierArguments>(container, READ_ELSEWHERE)),
            "trainer" => drop(parse::<TrainerArguments>(container, READ_ELSEWHERE)),
            other => panic!("no workload reads what {other} is given"),
        }
        seen.insert(component);
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        ["archiver", "detector", "generator", "notifier", "topics", "trainer"]
    );
}

#[test]
fn a_detector_understands_what_the_manifest_says() {
    let children = build_pipeline(&pipeline(&text("full.yaml")), &site(), Some(&version()), &Live::default());
    let detector: DetectorArguments = parse(container(&children.detector.unwrap().spec.template), READ_ELSEWHERE);
    assert_eq!(detector.kafka.sasl_username.as_deref(), Some("vedette-kafka/username"));
    assert_eq!(detector.bucket.secret_access_key.unwrap().reveal(), "vedette-bucket/secretAccessKey");
    assert_eq!(detector.kafka.kafka_properties.len(), 2);
    assert_eq!(detector.owner.site.as_str(), "east");
    assert_eq!(detector.group, "payments.transactions.detector");
    assert_eq!(detector.max_message_bytes, 524_288);
    assert_eq!(detector.processing_guarantee, ProcessingGuarantee::AtLeastOnce);
    assert_eq!(detector.calculated_fields[1].value, "country != card_country");
    assert_eq!((detector.score_threshold, detector.alert_budget_per_million), (Some(0.998), None));
    assert_eq!(detector.model_version, Some(version()));
    assert_eq!(detector.service.pod_name, POD_NAME);
}

#[test]
fn a_generator_understands_what_the_manifest_says() {
    let children = build_pipeline(&pipeline(&text("full.yaml")), &site(), None, &Live::default());
    let generator: GeneratorArguments =
        parse(container(&generator_deployment(&children).spec.template), READ_ELSEWHERE);
    assert!((generator.records_per_second - 2500.0).abs() < f64::EPSILON);
    assert_eq!(generator.dataset_object.as_deref(), Some("payments/transactions/datasets/transactions-2026.csv.zst"));
    assert_eq!(generator.normal_labels, ["genuine", "refunded"]);
    assert_eq!((generator.topic.as_str(), generator.max_message_bytes), ("payments.transactions", 262_144));
}

#[test]
fn topics_and_archiver_understand_what_the_manifest_says() {
    let children = build_pipeline(&pipeline(&text("full.yaml")), &site(), None, &Live::default());
    let topics: TopicsArguments = parse(container(&children.topics_job.spec.unwrap().template), READ_ELSEWHERE);
    assert_eq!(topics.topics.len(), 5);
    assert_eq!(topics.topics[0].configuration["max.message.bytes"], "262144");
    assert_eq!(topics.topics[1].configuration["max.message.bytes"], "524288");
    assert_eq!(topics.topics[3].configuration["retention.ms"], "-1");
    let archiver: ArchiverArguments = parse(container(&children.archiver.spec.template), READ_ELSEWHERE);
    assert_eq!((archiver.rolling_max_bytes, archiver.rolling_max_age_seconds), (268_435_456, 5400));
    assert_eq!(
        archiver.topics.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "enriched_data=payments.transactions.enriched",
            "alerts=payments.transactions.alerts",
            "incidents=payments.transactions.incidents"
        ]
    );
}

#[test]
fn a_notifier_understands_what_the_manifest_says() {
    let children = build_pipeline(&pipeline(&text("full.yaml")), &site(), None, &Live::default());
    let topics: TopicsArguments = parse(container(&children.topics_job.spec.unwrap().template), READ_ELSEWHERE);
    let template = children.notifier.unwrap().spec.template;
    let notifier: NotifierArguments = parse(container(&template), READ_ELSEWHERE);
    assert_eq!(notifier.incidents_topic, topics.topics[4].name);
    assert_eq!(notifier.max_message_bytes, 524_288);
    assert_eq!(topics.topics[4].configuration["cleanup.policy"], "compact,delete");
    let time = |topic: &TopicSpecification| topic.configuration.get(TIMESTAMP_TYPE).cloned();
    let [input, outputs @ ..] = topics.topics.as_slice() else { panic!("{topics:?}") };
    assert_eq!((time(input), outputs.len()), (None, 4));
    for output in outputs {
        assert!(time(output).as_deref() == Some(LOG_APPEND_TIME) && !output.states(TIMESTAMP_TYPE), "{output}");
    }
    assert_eq!(notifier.alerts_topic.as_str(), "payments.transactions.alerts");
    assert_eq!(notifier.group, "payments.transactions.notifier.east");
    assert_eq!((notifier.window_seconds, notifier.group_by), (900, vec!["card_country".to_owned()]));
    let [on_call, _chat, desk] = notifier.receivers.try_into().unwrap();
    assert_eq!((on_call.to, on_call.minimum_severity), (ReceiverKind::Alertmanager {}, Severity::High));
    let ReceiverKind::Webhook { hmac_key_file: Some(key) } = desk.to.clone() else { panic!("{desk:?}") };
    let mounts: Vec<_> =
        container(&template).volume_mounts.iter().flatten().map(|mount| mount.mount_path.clone()).collect();
    let Address::Secret { file: url } = desk.url else { panic!("{:?}", desk.url) };
    for file in [key, url, desk.authorization_file.unwrap(), desk.ca_file.unwrap(), on_call.authorization_file.unwrap()]
    {
        let directory = file.parent().unwrap().to_str().unwrap().to_owned();
        assert!(mounts.contains(&directory), "{directory} is none of {mounts:?}");
    }
}

#[test]
fn a_trainer_understands_what_the_manifest_says() {
    let training = &trainings(&text("full.yaml"))[0];
    let job = build_training_job(training, &site(), "transactions-1795423330");
    let trainer: TrainerArguments = parse(container(&job.spec.unwrap().template), READ_ELSEWHERE);
    assert_eq!(trainer.owner.pipeline.as_str(), "transactions");
    assert_eq!(trainer.data_sites.len(), 2);
    assert_eq!(trainer.lookback_seconds, Some(2_592_000));
    let window = trainer.reference_window.unwrap().to_string();
    assert_eq!(window, "2026-11-02T00:00:00Z/2026-11-16T00:00:00Z");
    let learner = trainer.learner;
    assert_eq!((learner.trees, learner.rows_per_tree, learner.max_depth), (Some(200), Some(512), Some(12)));
    assert_eq!(learner.thresholds_per_split, Some(3));
    assert_eq!((trainer.minimum_auroc, trainer.minimum_recall, trainer.keep), (Some(0.9), Some(0.5), 10));
    assert_eq!(trainer.numeric_features, ["amount", "items", "amount_per_item"]);
    assert!(trainer.search.search.is_none());
}

#[test]
fn a_trainer_understands_what_is_searched() {
    let training = &trainings(&text("full.yaml"))[1];
    let job = build_training_job(training, &site(), "transactions-synthetic-1795423330");
    let trainer: TrainerArguments = parse(container(&job.spec.unwrap().template), READ_ELSEWHERE);
    let search = trainer.search;
    let algorithm = search.search.unwrap();
    assert_eq!((algorithm, search.search_metric), (SearchAlgorithm::Grid, Some(SearchMetric::Separation)));
    assert_eq!((search.max_trials, search.parallel_trials, trainer.folds), (24, 2, 5));
    let spaces: Vec<String> = search.parameters.iter().map(ToString::to_string).collect();
    assert_eq!(spaces, ["maxDepth=4..16/4", "syntheticFraction=0.5,1", "trees=50,100"]);
    let spaces = search.parameters.into_iter().map(|parameter| (parameter.name, parameter.space)).collect();
    let space = SearchSpace::new(trainer.algorithm, &trainer.learner, &spaces, (algorithm, search.max_trials));
    assert_eq!(space.unwrap().size(), Some(16));
}

#[test]
fn a_trainer_looks_at_the_newest_records_unless_the_manifest_says_not_to() {
    for choice in [NewestRecords::Check, NewestRecords::Ignore] {
        let manifest = text("full.yaml").replace("newestRecords: Check", &format!("newestRecords: {choice}"));
        let job = build_training_job(&trainings(&manifest)[0], &site(), "transactions-1795423330");
        let trainer: TrainerArguments = parse(container(&job.spec.unwrap().template), READ_ELSEWHERE);
        assert_eq!(trainer.gate_newest_records, choice);
    }
}
