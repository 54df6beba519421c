//! What the builders make of manifests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::json;
use support::{
    build, generator_deployment, generator_job, pipeline, pipeline_with, refusals, site, text, trainings, version,
};
use vedette_core::desired::{
    Live, LiveReplicas, PipelineChildren, build_pipeline, build_training_job, build_training_service_account,
};

fn arguments(deployment: &Deployment) -> Vec<String> {
    deployment.spec.template.spec.as_ref().unwrap().containers[0].args.clone().unwrap()
}

#[test]
fn another_way_to_reach_kafka_or_the_bucket_does_not_replay_a_data_set() {
    let sequential =
        pipeline_with("{generator: {recordsPerSecond: 1, mode: Sequential, dataset: {object: {key: a.csv}}}}");
    let other_seed =
        pipeline_with("{generator: {recordsPerSecond: 1, mode: Sequential, seed: 7, dataset: {object: {key: a.csv}}}}");
    let mut moved = site();
    moved.kafka.bootstrap_servers = "elsewhere:9092".to_owned();
    moved.bucket.endpoint = Some("http://elsewhere:8333".to_owned());
    let here = site();
    let job = |pipeline, site| {
        let children = build_pipeline(pipeline, site, None, &Live::default());
        generator_job(&children).clone()
    };
    let (before, after) = (job(&sequential, &here), job(&sequential, &moved));
    assert_eq!(before.metadata.name, after.metadata.name);
    assert_ne!(before.spec, after.spec, "one that does not get on is corrected");
    assert_ne!(job(&other_seed, &here).metadata.name, before.metadata.name);
}

#[test]
fn children_of_the_minimal_pipeline() {
    let children = build_pipeline(&pipeline(&text("minimal.yaml")), &site(), None, &Live::default());
    assert!(children.generator.is_none());
    insta::assert_yaml_snapshot!("minimal_topics", children.topics_job);
    insta::assert_yaml_snapshot!("minimal_detector", children.detector);
    insta::assert_yaml_snapshot!("minimal_archiver", children.archiver);
}

#[test]
fn children_of_the_demo_pipeline_with_a_model() {
    let children = build_pipeline(&pipeline(&text("demo.yaml")), &site(), Some(&version()), &Live::default());
    insta::assert_yaml_snapshot!("demo_generator", generator_deployment(&children));
    insta::assert_yaml_snapshot!("demo_detector", children.detector);
}

#[test]
fn children_of_the_full_pipeline() {
    let mut pipeline = pipeline(&text("full.yaml"));
    pipeline.uid = Some("7c1f3a52-0f5c-4b0e-9c55-6d2c1c9c7f10".to_owned());
    let children = build_pipeline(&pipeline, &site(), Some(&version()), &Live::default());
    insta::assert_yaml_snapshot!("full_topics", children.topics_job);
    insta::assert_yaml_snapshot!("full_generator", generator_deployment(&children));
    insta::assert_yaml_snapshot!("full_detector", children.detector);
    insta::assert_yaml_snapshot!("full_archiver", children.archiver);
    insta::assert_yaml_snapshot!("full_notifier", children.notifier);
}

#[test]
fn what_stands_beside_the_workloads() {
    let children = build_pipeline(&pipeline(&text("minimal.yaml")), &site(), None, &Live::default());
    insta::assert_yaml_snapshot!("minimal_service_account", children.service_account);
    insta::assert_yaml_snapshot!("minimal_services", children.services);
    insta::assert_yaml_snapshot!("minimal_disruption_budgets", children.disruption_budgets);
    assert!(children.autoscaler.is_none());
    let full = build_pipeline(&pipeline(&text("full.yaml")), &site(), Some(&version()), &Live::default());
    assert!(full.service_account.is_none(), "the pipeline names one");
    let account = build_training_service_account(&trainings(&text("minimal.yaml"))[0]).unwrap();
    assert_eq!(account.metadata.name.as_deref(), Some("flows-training"));
}

#[test]
fn a_disruption_budget_can_be_left_out_or_let_more_go() {
    let spec = "{detector: {disruptionBudget: {enabled: false}}, archiver: {disruptionBudget: {maxUnavailable: 2}}}";
    let budgets = json!(build(spec).disruption_budgets);
    assert_eq!((budgets.as_array().unwrap().len(), &budgets[0]["spec"]["maxUnavailable"]), (1, &json!(2)));
    assert_eq!(budgets[0]["metadata"]["name"], "flows-archiver");
}

#[test]
fn a_service_account_that_is_named_is_somebody_elses() {
    let accounts = |spec: &str| {
        let PipelineChildren { service_account, named_service_accounts, .. } = build(spec);
        (service_account.and_then(|account| account.metadata.name), Vec::from_iter(named_service_accounts))
    };
    let ours = || Some("flows-pipeline".to_owned());
    assert_eq!(accounts("{}"), (ours(), vec![]));
    assert_eq!(accounts("{detector: {pod: {serviceAccountName: d}}}"), (ours(), vec!["d".to_owned()]));
    assert_eq!(accounts("{pod: {serviceAccountName: d}}"), (None, vec!["d".to_owned()]));
    for named in
        ["{pod: {serviceAccountName: flows-pipeline}}", "{detector: {pod: {serviceAccountName: flows-pipeline}}}"]
    {
        assert_eq!(accounts(named), (None, vec!["flows-pipeline".to_owned()]), "{named}");
    }
    let mut training = trainings(&text("minimal.yaml")).remove(0);
    training.pod.service_account_name = Some("flows-training".to_owned());
    assert_eq!(build_training_service_account(&training), None);
}

#[test]
fn labels_and_annotations_of_a_manifest_stand_on_all_that_is_made_of_it_and_not_on_pods() {
    let said = "labels: {team: a, app.kubernetes.io/part-of: fraud}, annotations: {contact: b}";
    let scaled = "generator: {recordsPerSecond: 1}, detector: {autoscaling: {maxReplicas: 2}}, incidents: {}";
    let spec = format!("{{{said}, {scaled}}}");
    let children = build(&spec);
    let PipelineChildren {
        service_account,
        named_service_accounts: _,
        topics_job,
        services,
        disruption_budgets,
        generator: _,
        detector,
        autoscaler,
        archiver,
        notifier,
    } = &children;
    let generator = generator_deployment(&children);
    let mut made = [json!(service_account), json!(topics_job), json!(detector), json!(autoscaler)].to_vec();
    made.extend([json!(archiver), json!(notifier), json!(generator)]);
    made.extend(services.iter().map(|service| json!(service)));
    made.extend(disruption_budgets.iter().map(|budget| json!(budget)));
    for object in made {
        let metadata = &object["metadata"];
        assert_eq!((&metadata["labels"]["team"], &metadata["annotations"]["contact"]), (&json!("a"), &json!("b")));
        assert_eq!(metadata["labels"]["app.kubernetes.io/part-of"], "fraud");
        assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "vedette-operator");
    }
    assert_eq!(archiver.spec.template, build("{incidents: {}}").archiver.spec.template, "no pod is rolled");
    let queued = format!("{}\n  labels: {{kueue.x-k8s.io/queue-name: q}}", text("minimal.yaml").trim_end());
    let job = build_training_job(&trainings(&queued)[0], &site(), "flows-1795423330");
    assert_eq!(job.metadata.labels.unwrap()["kueue.x-k8s.io/queue-name"], "q");
}

#[test]
fn another_annotation_rolls_what_runs() {
    let spec = |value: &str| format!("{{pod: {{annotations: {{example.org/secrets: '{value}'}}}}}}");
    let (before, after) = (build(&spec("1")), build(&spec("2")));
    assert_ne!(before.archiver.spec.template, after.archiver.spec.template);
    assert_ne!(before.detector.unwrap().spec.template, after.detector.unwrap().spec.template);
}

const SCALED: &str =
    "{detector: {autoscaling: {minReplicas: 2, maxReplicas: 4}, resources: {requests: {cpu: 1}}}, suspend: SUSPEND}";

#[test]
fn an_autoscaler_counts_the_detectors() {
    let pipeline = pipeline_with(&SCALED.replace("SUSPEND", "false"));
    let children = build_pipeline(&pipeline, &site(), None, &Live::default());
    insta::assert_yaml_snapshot!("scaled_autoscaler", children.autoscaler);
}

#[test]
fn how_fast_the_detectors_are_counted_is_kubernetes_to_say_unless_the_manifest_does() {
    let behavior = |said: &str| {
        let spec =
            format!("{{detector: {{autoscaling: {{maxReplicas: 4{said}}}, resources: {{requests: {{cpu: 1}}}}}}}}");
        json!(build(&spec).autoscaler.unwrap().spec.behavior)
    };
    assert_eq!(behavior(""), json!(null));
    assert_eq!(behavior(", behavior: {}"), json!({}));
    let slowly = "scaleDown: {stabilizationWindowSeconds: 900}";
    assert_eq!(
        behavior(&format!(", behavior: {{{slowly}}}")),
        json!({ "scaleDown": { "stabilizationWindowSeconds": 900 } })
    );
    let both = "scaleUp: {selectPolicy: Min, policies: [{type: Pods, value: 1, periodSeconds: 60}, {type: Percent, value: 50, \
                periodSeconds: 90}]}, scaleDown: {selectPolicy: Disabled}";
    let policies = [
        json!({ "type": "Pods", "value": 1, "periodSeconds": 60 }),
        json!({ "type": "Percent", "value": 50, "periodSeconds": 90 }),
    ];
    assert_eq!(
        behavior(&format!(", behavior: {{{both}}}")),
        json!({ "scaleUp": { "selectPolicy": "Min", "policies": policies }, "scaleDown": { "selectPolicy": "Disabled" } })
    );
}

/// What Kubernetes would refuse of the autoscaler is refused of the manifest.
#[test]
fn what_no_autoscaler_takes_is_refused_with_its_path() {
    for (rules, path) in [
        ("stabilizationWindowSeconds: 3601", "scaleUp.stabilizationWindowSeconds"),
        ("stabilizationWindowSeconds: -1", "scaleUp.stabilizationWindowSeconds"),
        ("policies: []", "scaleUp.policies"),
        ("policies: [{type: Pods, value: 0, periodSeconds: 1}]", "scaleUp.policies[0].value"),
        ("policies: [{type: Pods, value: 1, periodSeconds: 1801}]", "scaleUp.policies[0].periodSeconds"),
    ] {
        let autoscaling = format!("{{maxReplicas: 4, behavior: {{scaleUp: {{{rules}}}}}}}");
        let errors =
            refusals(&format!("{{detector: {{autoscaling: {autoscaling}, resources: {{requests: {{cpu: 1}}}}}}}}"));
        let path = format!("spec.detector.autoscaling.behavior.{path}");
        assert!(errors.iter().any(|error| error.contains(&path)), "{rules}: {errors:?}");
    }
}

/// A run that needs more records than the trigger asks for would end without a model, again and again.
#[test]
fn a_training_that_is_content_with_few_records_has_its_trainer_so() {
    for (asked, given) in [(50, 50), (100, 100), (10_000, 100)] {
        let manifest = format!("{}\n  trigger: {{minRecords: {asked}}}", text("minimal.yaml").trim_end());
        let job = build_training_job(&trainings(&manifest)[0], &site(), "flows-1795423330");
        let arguments = job.spec.unwrap().template.spec.unwrap().containers.remove(0).args.unwrap();
        assert!(arguments.contains(&format!("--min-records={given}")), "{asked}: {arguments:?}");
    }
}

#[test]
fn few_replica_sets_are_left_behind_by_models() {
    let children = build("{generator: {recordsPerSecond: 1}, incidents: {}}");
    let generator = generator_deployment(&children).clone();
    for deployment in [children.detector.unwrap(), children.archiver, children.notifier.unwrap(), generator] {
        assert_eq!(deployment.spec.revision_history_limit, Some(2), "{:?}", deployment.metadata.name);
    }
}

#[test]
fn on_the_switch_to_autoscaling_the_count_is_kept_until_another_sets_it() {
    let replicas = |suspend: &str, detector_replicas: LiveReplicas| {
        let live = Live { detector_replicas, ..Live::default() };
        let pipeline = pipeline_with(&SCALED.replace("SUSPEND", suspend));
        build_pipeline(&pipeline, &site(), None, &live).detector.unwrap().spec.replicas
    };
    let table = [
        (LiveReplicas::Absent, Some(2)),
        (LiveReplicas::Ours(3), Some(3)),
        (LiveReplicas::Ours(0), Some(2)),
        (LiveReplicas::Ours(9), Some(4)),
        (LiveReplicas::Theirs, None),
    ];
    for (live, expected) in table {
        assert_eq!(replicas("false", live), expected, "{live:?}");
        assert_eq!(replicas("true", live), Some(0), "{live:?}");
    }
    let fixed = |count: i32, detector_replicas: LiveReplicas| {
        let pipeline = pipeline_with(&format!("{{detector: {{replicas: {count}}}}}"));
        let live = Live { detector_replicas, ..Live::default() };
        build_pipeline(&pipeline, &site(), None, &live).detector.unwrap().spec.replicas
    };
    assert_eq!(fixed(2, LiveReplicas::Absent), Some(2));
    assert_eq!(fixed(2, LiveReplicas::Theirs), None, "somebody's autoscaler aims at the Deployment");
    assert_eq!(fixed(0, LiveReplicas::Theirs), Some(0));
}

#[test]
fn other_secrets_roll_what_runs_and_leave_jobs_alone() {
    let pipeline = pipeline(&text("demo.yaml"));
    let build = |hash: &str| {
        let live = Live { secrets_hash: Some(hash.to_owned()), ..Live::default() };
        build_pipeline(&pipeline, &site(), None, &live)
    };
    let (before, after) = (build("a"), build("b"));
    assert_eq!(before.topics_job, after.topics_job);
    assert_ne!(before.archiver.spec.template, after.archiver.spec.template);
    assert_ne!(before.detector.unwrap().spec.template, after.detector.unwrap().spec.template);
    assert_ne!(before.generator, after.generator);
}

#[test]
fn jobs_of_the_trainings() {
    let minimal = &trainings(&text("minimal.yaml"))[0];
    insta::assert_yaml_snapshot!("minimal_training", build_training_job(minimal, &site(), "flows-1795423330"));
    let full = trainings(&text("full.yaml"));
    insta::assert_yaml_snapshot!("full_training", build_training_job(&full[0], &site(), "transactions-1795423330"));
    insta::assert_yaml_snapshot!("synthetic_training", build_training_job(&full[1], &site(), "synthetic-1795423330"));
    insta::assert_yaml_snapshot!("baseline_training", build_training_job(&full[2], &site(), "baseline-1795423330"));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let pipeline = pipeline(&text("full.yaml"));
    let bytes = || format!("{:?}", build_pipeline(&pipeline, &site(), Some(&version()), &Live::default()));
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_suspended_pipeline_runs_no_pods() {
    let children = build("{suspend: true, generator: {recordsPerSecond: 1, replicas: 3}, incidents: {}}");
    assert_eq!(generator_deployment(&children).spec.replicas, Some(0));
    assert_eq!(children.detector.unwrap().spec.replicas, Some(0));
    assert_eq!(children.archiver.spec.replicas, Some(0));
    assert_eq!(children.notifier.unwrap().spec.replicas, Some(0));
    let children =
        build("{suspend: true, generator: {recordsPerSecond: 1, mode: Sequential, dataset: {object: {key: a.csv}}}}");
    assert_eq!(generator_job(&children).spec.as_ref().unwrap().suspend, Some(true));
}

#[test]
fn a_pipeline_that_waits_has_detectors_once_there_is_a_model() {
    let waits = pipeline_with("{model: {training: flows, missingModelPolicy: Wait}}");
    assert!(build_pipeline(&waits, &site(), None, &Live::default()).detector.is_none());
    let detector = build_pipeline(&waits, &site(), Some(&version()), &Live::default()).detector.unwrap();
    assert!(arguments(&detector).contains(&"--model-version=20261123T084210Z-1a2b3c4d".to_owned()));
}

#[test]
fn a_new_model_version_changes_the_detectors_template_and_nothing_else() {
    let pipeline = pipeline(&text("demo.yaml"));
    let build = |version: &str| build_pipeline(&pipeline, &site(), Some(&version.parse().unwrap()), &Live::default());
    let (before, after) = (build("20261123T084210Z-1a2b3c4d"), build("20261124T084210Z-5e6f7a8b"));
    assert_ne!(before.detector.as_ref().unwrap().spec.template, after.detector.as_ref().unwrap().spec.template);
    assert_eq!(before.detector.unwrap().spec.selector, after.detector.unwrap().spec.selector);
    assert_eq!(
        (before.topics_job, before.generator, before.archiver),
        (after.topics_job, after.generator, after.archiver)
    );
}

#[test]
fn a_pipeline_that_follows_no_training_loads_no_model() {
    let children = build_pipeline(&pipeline_with("{}"), &site(), Some(&version()), &Live::default());
    assert!(!arguments(&children.detector.unwrap()).iter().any(|argument| argument.starts_with("--model-version")));
}

#[test]
fn replicas_share_the_rate() {
    let children = build("{generator: {recordsPerSecond: 1000, replicas: 4}}");
    assert!(arguments(generator_deployment(&children)).contains(&"--records-per-second=250".to_owned()));
    // Scaled to nothing, the rate is what one replica would have.
    let children = build("{generator: {recordsPerSecond: 1000, replicas: 0}}");
    assert!(arguments(generator_deployment(&children)).contains(&"--records-per-second=1000".to_owned()));
}

#[test]
fn a_topic_job_is_named_by_what_it_creates() {
    let name = |spec: &str| build(spec).topics_job.metadata.name.unwrap();
    assert_eq!(name("{}"), name("{detector: {replicas: 9}, topics: {alerts: {name: alerts}}}"));
    assert_ne!(name("{}"), name("{topics: {alerts: {partitions: 5}}}"));
    assert_ne!(name("{}"), name("{topics: {maxMessageBytes: 2048}}"));
}

#[test]
fn the_longest_names_fit() {
    let longest = "p".repeat(40);
    let text = format!(
        "{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: {longest}}}, spec: {{generator: {{recordsPerSecond: 1, mode: Sequential, dataset: {{object: {{key: a.csv}}}}}}}}}}"
    );
    let children = build_pipeline(&pipeline(&text), &site(), None, &Live::default());
    for name in [children.topics_job.metadata.name.clone(), generator_job(&children).metadata.name.clone()] {
        assert!(name.as_ref().unwrap().len() <= 63, "{name:?}");
    }
    let job = vedette_core::schedule::job_name(&"t".repeat(52), jiff::Timestamp::from_second(9_999_999_999).unwrap());
    assert!(job.len() <= 63, "{job}");
}
