//! The CRDs as an API server sees them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kube::core::cel::apply_defaults;
use serde_json::{Value, json};
use vedette_contract::parameters::{PARAMETERS, Values};
use vedette_crds::{AnomalyPipeline, AnomalyPipelineStatus, ModelTraining, ModelTrainingStatus, definitions};

fn schema(
    definition: &k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
) -> Value {
    let version = &definition.spec.versions[0];
    serde_json::to_value(version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap()).unwrap()
}

/// Calls back with every schema below this one, and its path.
fn walk(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), visit);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            walk(&schema[inner], &format!("{path}[]"), visit);
        }
    }
}

#[test]
fn the_page_of_all_fields_has_each_with_its_type_and_default() {
    let page = include_str!("../../docs/fields.md");
    let mut fields = 0;
    for definition in definitions::all() {
        walk(&schema(&definition), "", &mut |path, schema| {
            let is_field = [".spec.", ".status."].iter().any(|part| path.starts_with(part)) && !path.ends_with("[]");
            if is_field && schema["description"].is_string() {
                fields += 1;
                assert!(page.contains(&format!("| `{}` |", &path[1..])), "{path} is not on the page");
            }
        });
    }
    assert!(fields > 100, "{fields}");
    for row in [
        "| `spec.topics.alerts.management` | `Create` or `Manage` or `None` | `Create` |",
        "| `spec.model.versionPolicy` | `Latest` or `Pinned` | `Latest` |",
        "| `spec.archiver.rolling.maxAge` | duration | `15m` |",
        "| `spec.data.sites` | list of string | |",
        "| `spec.data.pipeline` | string | required |",
        "| `spec.detector.calculatedFields[].name` | string | required |",
        "| `spec.generator.dataset.simulator` | object | |",
        "| `spec.detector.alerting` | object | |",
    ] {
        assert!(page.contains(row), "{row}");
    }
}

#[test]
fn the_schema_is_structural() {
    for definition in definitions::all() {
        let file = &definition.spec.names.plural;
        walk(&schema(&definition), "", &mut |path, schema| {
            let typed = schema["type"].is_string() || schema["x-kubernetes-int-or-string"] == true;
            assert!(typed, "{file} {path} has no type");
            for forbidden in ["$ref", "nullable", "anyOf", "allOf", "not", "definitions"] {
                assert!(schema.get(forbidden).is_none(), "{file} {path} has {forbidden}");
            }
            for branch in schema["oneOf"].as_array().into_iter().flatten() {
                let keys: Vec<&String> = branch.as_object().unwrap().keys().collect();
                assert_eq!(keys, ["required"], "{file} {path} has more than a choice in oneOf");
            }
        });
    }
}

/// `kubectl apply` and Argo CD keep all of what they applied in an annotation, for which there is no more room.
#[test]
fn a_definition_fits_into_the_annotation_of_who_applies_it() {
    const ANNOTATIONS_BYTES: usize = 256 << 10;
    for definition in definitions::all() {
        let bytes = serde_json::to_vec(&definition).unwrap().len();
        assert!(bytes < ANNOTATIONS_BYTES * 3 / 4, "{}: {bytes} bytes", definition.spec.names.plural);
    }
}

#[test]
fn every_field_of_ours_is_documented() {
    for definition in definitions::all() {
        let file = &definition.spec.names.plural;
        walk(&schema(&definition), "", &mut |path, schema| {
            let kubernetes_own = [".spec.pod.affinity.", ".spec.pod.tolerations[]", ".status.conditions[]"];
            let ours = path.starts_with(".s")
                && !path.ends_with("[]")
                && !kubernetes_own.iter().any(|own| path.starts_with(own));
            assert!(!ours || schema["description"].is_string(), "{file} {path} has no description");
        });
    }
}

#[test]
fn only_names_that_cannot_be_guessed_are_required() {
    let mut required = Vec::new();
    for definition in definitions::all() {
        walk(&schema(&definition)["properties"]["spec"], "spec", &mut |path, schema| {
            if !path.starts_with("spec.pod.") {
                required.extend(
                    schema["required"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|field| format!("{path}.{}", field.as_str().unwrap())),
                );
            }
        });
    }
    let expected = [
        "spec.detector.autoscaling.maxReplicas",
        "spec.detector.autoscaling.behavior.scaleDown.policies[].periodSeconds",
        "spec.detector.autoscaling.behavior.scaleDown.policies[].type",
        "spec.detector.autoscaling.behavior.scaleDown.policies[].value",
        "spec.detector.autoscaling.behavior.scaleUp.policies[].periodSeconds",
        "spec.detector.autoscaling.behavior.scaleUp.policies[].type",
        "spec.detector.autoscaling.behavior.scaleUp.policies[].value",
        "spec.detector.calculatedFields[].expression",
        "spec.detector.calculatedFields[].name",
        "spec.detector.lookups[].columns",
        "spec.detector.lookups[].field",
        "spec.detector.lookups[].keyColumn",
        "spec.detector.lookups[].name",
        "spec.detector.lookups[].table",
        "spec.detector.lookups[].table.bucket.key",
        "spec.detector.lookups[].table.configMap.key",
        "spec.detector.lookups[].table.configMap.name",
        "spec.detector.renamedFields[].name",
        "spec.detector.renamedFields[].to",
        "spec.generator.recordsPerSecond",
        "spec.generator.dataset.object.key",
        "spec.generator.dataset.object.label.field",
        "spec.generator.dataset.object.label.normal",
        "spec.incidents.receivers[].name",
        "spec.incidents.receivers[].alertmanager.url",
        "spec.incidents.receivers[].alertmanager.authorizationSecret.key",
        "spec.incidents.receivers[].alertmanager.authorizationSecret.name",
        "spec.incidents.receivers[].webhook.authorizationSecret.key",
        "spec.incidents.receivers[].webhook.authorizationSecret.name",
        "spec.incidents.receivers[].webhook.hmacSecret.key",
        "spec.incidents.receivers[].webhook.hmacSecret.name",
        "spec.incidents.receivers[].webhook.urlSecret.key",
        "spec.incidents.receivers[].webhook.urlSecret.name",
        "spec.data",
        "spec.site",
        "spec.data.pipeline",
        "spec.data.referenceWindow.from",
        "spec.data.referenceWindow.to",
        "spec.features.label.field",
        "spec.features.label.normal",
        "spec.search.algorithm",
        "spec.search.parameters",
    ];
    assert_eq!(required, expected);
}

#[test]
fn a_status_needs_nothing() {
    for definition in definitions::all() {
        let file = &definition.spec.names.plural;
        let status = &schema(&definition)["properties"]["status"];
        assert!(status.get("required").is_none(), "{file}: {}", status["required"]);
        assert_eq!(status["default"], json!({ "observedGeneration": -1 }), "{file}");
    }
    let never = r#"{ "observedGeneration": -1 }"#;
    assert_eq!(serde_json::from_str::<AnomalyPipelineStatus>(never).unwrap(), AnomalyPipelineStatus::default());
    assert_eq!(serde_json::from_str::<ModelTrainingStatus>(never).unwrap(), ModelTrainingStatus::default());
    let running = json!({ "job": "flows-1", "startedAt": "2026-11-23T08:42:10Z", "records": 5 });
    let run: vedette_crds::TrainingRun = serde_json::from_value(running.clone()).unwrap();
    assert_eq!(serde_json::to_value(run).unwrap(), running);
}

#[test]
fn the_schema_and_the_types_have_the_same_defaults() {
    let generators =
        [json!({ "recordsPerSecond": 10 }), json!({ "recordsPerSecond": 10, "dataset": { "object": { "key": "a" } } })];
    let mut specs = vec![
        json!({}),
        json!({ "topics": { "alerts": {} } }),
        json!({ "archiver": { "rolling": {} }, "detector": {} }),
        json!({ "detector": { "autoscaling": { "maxReplicas": 4 } } }),
        json!({ "detector": { "autoscaling": { "maxReplicas": 4, "behavior": { "scaleUp": {}, "scaleDown": {} } } } }),
        json!({ "incidents": {} }),
        json!({ "incidents": { "receivers": [{ "name": "a", "webhook": { "url": "http://a" } }] } }),
    ];
    specs.extend(generators.map(|generator| json!({ "generator": generator })));
    let schema_of_pipeline = schema(&definitions::anomaly_pipeline());
    for spec in specs {
        let object = json!({
            "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline", "metadata": { "name": "flows" }, "spec": spec
        });
        let typed: AnomalyPipeline = serde_json::from_value(object.clone()).unwrap();
        assert_same(&apply_defaults(&schema_of_pipeline, &object)["spec"], &serde_json::to_value(typed.spec).unwrap());
    }
    let object = json!({
        "apiVersion": "vedette.io/v1alpha1", "kind": "ModelTraining", "metadata": { "name": "flows" },
        "spec": { "site": "east", "data": { "pipeline": "flows" } }
    });
    let typed: ModelTraining = serde_json::from_value(object.clone()).unwrap();
    assert_same(
        &apply_defaults(&schema(&definitions::model_training()), &object)["spec"],
        &serde_json::to_value(typed.spec).unwrap(),
    );
}

/// What `kubectl apply` sends is merged into what is stored, where its own last manifest said nothing.
#[test]
fn a_default_that_was_stored_never_stands_beside_what_is_chosen_later() {
    let schema = schema(&definitions::anomaly_pipeline());
    let stored = |spec: Value| {
        let object = json!({ "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline", "metadata": { "name": "flows" }, "spec": spec });
        apply_defaults(&schema, &object)["spec"].clone()
    };
    let first = stored(json!({ "generator": { "recordsPerSecond": 1 }, "detector": { "reasons": 1 } }));
    for chosen in [["detector", "alerting"], ["generator", "dataset"], ["detector", "calculatedFields"]] {
        assert_eq!(first[chosen[0]].get(chosen[1]), None, "{chosen:?}");
    }
}

#[test]
fn every_parameter_has_its_limits_and_says_what_it_is_where_it_is_omitted() {
    let schema = schema(&definitions::model_training());
    let properties = &schema["properties"]["spec"]["properties"]["parameters"]["properties"];
    assert_eq!(properties.as_object().unwrap().len(), PARAMETERS.len());
    for parameter in PARAMETERS {
        let property = &properties[parameter.name];
        let limits = json!([property["minimum"], property["maximum"], property["enum"]]);
        let expected = match &parameter.values {
            Values::Count(range) => json!([f64::from(*range.start()), f64::from(*range.end()), null]),
            Values::Number(range) => json!([range.start(), range.end(), null]),
            Values::Flag => json!([null, null, null]),
            Values::OneOf(names) => json!([null, null, names()]),
        };
        assert_eq!(limits, expected, "{}", parameter.name);
        let (algorithm, default) = &parameter.defaults[0];
        let expected = format!("Default: {} {default}", algorithm.as_str());
        assert!(property["description"].as_str().unwrap().contains(&expected), "{}", parameter.name);
    }
}

/// Equal, where 10 and 10.0 are the same number.
fn assert_same(server: &Value, typed: &Value) {
    fn normal(value: &Value) -> Value {
        match value {
            Value::Number(number) => json!(number.as_f64()),
            Value::Array(items) => items.iter().map(normal).collect(),
            Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), normal(value))).collect(),
            other => other.clone(),
        }
    }
    assert_eq!(normal(server), normal(typed));
}

#[test]
fn lists_and_names_show_what_people_look_for() {
    let columns =
        |definition: &k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
         priority| {
            let columns = definition.spec.versions[0].additional_printer_columns.clone().unwrap();
            let shown = columns.into_iter().filter(|column| column.priority.unwrap_or(0) == priority);
            shown.map(|column| column.name).collect::<Vec<_>>()
        };
    let (pipeline, training) = (definitions::anomaly_pipeline(), definitions::model_training());
    let always = ["Site", "Ready", "Reason", "Model", "Detectors", "Age"];
    assert_eq!(columns(&pipeline, 0), always);
    assert_eq!(columns(&pipeline, 1), ["Training", "Rolling To", "Message"]);
    assert_eq!(columns(&training, 0), ["Schedule", "Ready", "Status", "Model", "Score", "Records", "Age"]);
    assert_eq!(columns(&training, 1), ["Pipeline", "Site", "Message"]);
    assert_eq!(pipeline.spec.names.short_names.unwrap(), ["apl"]);
    assert_eq!(training.spec.names.short_names.unwrap(), ["mt"]);
    let scale = pipeline.spec.versions[0].subresources.clone().unwrap().scale.unwrap();
    assert_eq!(scale.spec_replicas_path, ".spec.detector.replicas");
    assert_eq!(scale.status_replicas_path, ".status.replicas");
    assert_eq!(scale.label_selector_path.unwrap(), ".status.selector");
}
