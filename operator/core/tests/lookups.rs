//! Lookups: what is refused of them, and what a pod is given.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::{default_namespace, pipeline, pipeline_with, site, text, version};
use vedette_contract::arguments::{DetectorArguments, GeneratorArguments};
use vedette_core::desired::{Live, build_pipeline};
use vedette_core::manifest;
use vedette_testing::container::parse;

fn errors(detector: &str) -> Vec<String> {
    let text = format!(
        "{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: flows}}, spec: {{detector: {detector}}}}}"
    );
    let errors = manifest::load(&text, &default_namespace(), &site()).unwrap_err();
    errors.iter().map(|error| format!("{}: {} (is {})", error.path, error.hint, error.value)).collect()
}

fn lookup(name: &str, field: &str, columns: &str, more: &str) -> String {
    format!(
        "{{name: {name}, field: {field}, table: {{bucket: {{key: a.csv}}}}, keyColumn: k, columns: [{columns}]{more}}}"
    )
}

#[test]
fn what_cannot_work_is_said_with_field_value_and_mend() {
    let one = |lookup: String| errors(&format!("{{lookups: [{lookup}]}}"));
    let path = "spec.detector.lookups[0]";
    let expected = [
        (
            one(lookup("a", "port", "score", "")),
            format!("{path}.columns[0]: would add \"score\", a field of Vedette's own; set prefix (is \"score\")"),
        ),
        (
            one(lookup("a", "port", "total_bytes", "")),
            format!(
                "{path}.columns[0]: would add \"total_bytes\", which spec.detector.calculatedFields[0] adds; set prefix (is \"total_bytes\")"
            ),
        ),
        (
            one(lookup("a", "x_name", "name", ", prefix: x_")),
            format!(
                "{path}.field: {path} adds it, so that no record has it; name a field of the records, or set prefix (is \"x_name\")"
            ),
        ),
        (
            one(lookup("a", "site", "name", "")),
            format!(
                "{path}.field: the detector adds it, so that no record has it; name a field of the records, or set prefix (is \"site\")"
            ),
        ),
        (
            one(lookup("A_b", "port", "name", "")),
            format!(
                "{path}.name: use 1 to 63 lower-case letters, digits and '-', with a letter or digit at both ends (is \"A_b\")"
            ),
        ),
        (
            one(lookup("a", "port", "name", "").replace("a.csv", "../a.csv")),
            format!(
                "{path}.table.bucket.key: use a file name below the namespace's prefix, of letters, digits, '.', '_', '-' and '/' (is \"../a.csv\")"
            ),
        ),
        (
            one(lookup("a", "port", "name", "").replace("bucket: {key: a.csv}", "configMap: {name: a_b, key: a/b}")),
            format!(
                "{path}.table.configMap.name: use the name of a ConfigMap: lower-case letters, digits, '-' and '.' (is \"a_b\")"
            ),
        ),
        (
            errors(&format!("{{lookups: [{}, {}]}}", lookup("a", "port", "name", ""), lookup("b", "src", "name", ""))),
            format!(
                "spec.detector.lookups[1].columns[0]: would add \"name\", which {path} adds; set prefix (is \"name\")"
            ),
        ),
        (
            errors(&format!(
                "{{lookups: [{}, {}]}}",
                lookup("a", "port", "name", ""),
                lookup("b", "name.x", "zone", "")
            )),
            format!(
                "spec.detector.lookups[1].field: {path} adds it, so that no record has it; name a field of the records, or set prefix (is \"name.x\")"
            ),
        ),
        (
            errors(&format!("{{lookups: [{}, {}]}}", lookup("a", "port", "name", ""), lookup("a", "src", "zone", ""))),
            "spec.detector.lookups: stands there twice; leave one out, or give it a name of its own (is \"a\")"
                .to_owned(),
        ),
    ];
    for (errors, expected) in expected {
        assert!(errors.contains(&expected), "{expected} in {errors:#?}");
    }
    let missing = errors("{lookups: [{name: a, field: port, table: {}, columns: [x]}]}").join("\n");
    for path in ["lookups[0].keyColumn: is required", "lookups[0].table: set one of bucket, configMap"] {
        assert!(missing.contains(path), "{path} in {missing}");
    }
    let none = one(lookup("a", "port", "", "")).join("\n");
    assert!(none.contains("lookups[0].columns: "), "{none}");
}

#[test]
fn a_detector_is_given_its_tables_and_no_hash_of_their_content() {
    let children = build_pipeline(&pipeline(&text("full.yaml")), &site(), Some(&version()), &Live::default());
    let template = children.detector.unwrap().spec.template;
    let pod = template.spec.as_ref().unwrap();
    let arguments: DetectorArguments = parse(&pod.containers[0], &["RUST_LOG", "HTTPS_PROXY"]);
    let lookups: Vec<String> = arguments.lookups.iter().map(ToString::to_string).collect();
    assert_eq!(
        lookups,
        [
            r#"{"name":"merchants","field":"merchant","place":{"object":"payments/tables/merchants.csv.gz"},"format":"Csv","keyColumn":"id","columns":["category","founded"],"prefix":"merchant_"}"#,
            r#"{"name":"currencies","field":"currency","place":"file","format":"JsonLines","keyColumn":"code","columns":["digits"]}"#,
        ]
    );
    let file = "currencies=/var/lib/vedette/vedette-lookup-currencies/currencies.jsonl";
    assert_eq!(arguments.lookup_files.iter().map(ToString::to_string).collect::<Vec<_>>(), [file]);
    let volume = pod.volumes.iter().flatten().find(|volume| volume.name == "vedette-lookup-currencies").unwrap();
    let items = json!([{ "key": "currencies.jsonl", "path": "currencies.jsonl" }]);
    assert_eq!(json!(volume.config_map), json!({ "name": "currencies", "items": items, "optional": true }));
    let annotations = template.metadata.unwrap().annotations.unwrap();
    let hashes: Vec<&String> = annotations.keys().filter(|key| key.starts_with("vedette.io/")).collect();
    assert_eq!(hashes, ["vedette.io/spec-hash"], "which is one of the template");
}

#[test]
fn a_data_set_may_not_have_a_field_that_is_looked_up() {
    let spec = format!(
        "{{generator: {{recordsPerSecond: 1, dataset: {{object: {{key: a.csv}}}}}}, detector: {{lookups: [{}]}}}}",
        lookup("a", "port", "name", ", prefix: dst_")
    );
    let children = build_pipeline(&pipeline_with(&spec), &site(), None, &Live::default());
    let generator = support::generator_deployment(&children).spec.template.spec.clone().unwrap();
    let arguments: GeneratorArguments = parse(&generator.containers[0], &[]);
    assert_eq!(arguments.calculated_names, ["dst_name", "total_bytes"]);
}

#[test]
fn a_pipeline_without_lookups_is_given_nothing_of_them() {
    let children = build_pipeline(&pipeline(&text("minimal.yaml")), &site(), None, &Live::default());
    let detector: Value = json!(children.detector);
    assert!(!detector.to_string().contains("lookup"));
}

#[test]
fn fields_that_get_other_names_reach_the_detectors_and_wrong_ones_are_named() {
    let pipeline = pipeline_with("{detector: {renamedFields: [{name: score, to: risk}, {name: a b, to: ab}]}}");
    let children = build_pipeline(&pipeline, &site(), None, &Live::default());
    let template = children.detector.unwrap().spec.template;
    let detector: DetectorArguments = parse(&template.spec.unwrap().containers[0], &[]);
    let renamed: Vec<_> = detector.renamed_fields.iter().map(ToString::to_string).collect();
    assert_eq!(renamed, ["score=risk", "a b=ab"]);
    for (fields, expected) in [
        ("{name: a, to: site}", "renamedFields[0].to: is a field of Vedette's own"),
        ("{name: a, to: total_bytes}", "renamedFields[0].to: is added to the records"),
        ("{name: a, to: c}, {name: b, to: c}", "renamedFields: stands there twice"),
        ("{name: a, to: a}", "must be another name"),
        ("{name: a=b, to: c}", "renamedFields[0].name"),
        ("{name: a, to: 1c}", "renamedFields[0].to"),
        ("{name: src_bytes, to: c}", "calculatedFields[0].expression: asks for a field that is called \"c\" by then"),
    ] {
        let errors = errors(&format!("{{renamedFields: [{fields}]}}"));
        assert!(errors.iter().any(|error| error.contains(expected)), "{expected} in {errors:?}");
    }
    let by_old_name = lookup("a", "site.room", "name", "");
    let errors = errors(&format!("{{renamedFields: [{{name: site, to: plant}}], lookups: [{by_old_name}]}}"));
    assert!(
        errors.iter().any(|error| error.contains("lookups[0].field: asks for a field that is called \"plant\"")),
        "{errors:?}"
    );
}
