//! What a training's search and reference window may be, and what is refused of them, with its field.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{default_namespace, site};
use vedette_core::manifest;

/// Everything that is wrong with a training of this spec.
fn training_errors(spec: &str) -> Vec<String> {
    let text =
        format!("{{apiVersion: vedette.io/v1alpha1, kind: ModelTraining, metadata: {{name: flows}}, spec: {spec}}}");
    let errors = manifest::load(&text, &default_namespace(), &site()).err().unwrap_or_default();
    errors.iter().map(|error| error.to_string().replace("ModelTraining default/flows: ", "")).collect()
}

fn accepts_training(spec: &str) {
    assert_eq!(training_errors(spec), [""; 0], "{spec}");
}

#[test]
fn a_search_that_would_not_end_is_refused_before_it_starts() {
    let spec = |algorithm: &str, parameters: &str| {
        format!(
            "{{site: east, data: {{pipeline: flows}}, algorithm: UnsupervisedRandomForest, parameters: {{maxBins: 64}}, \
             search: {{algorithm: {algorithm}, maxTrials: 10, parameters: {{{parameters}}}}}}}"
        )
    };
    accepts_training(&spec("Grid", "trees: {min: 10, max: 100, step: 10}"));
    accepts_training(&spec("Random", "trimFraction: {min: 0, max: 0.5}, deduplicate: {values: [true, false]}"));
    let table = [
        ("Grid", "", "spec.search.parameters: is an empty space: name a parameter"),
        ("Grid", "trees: {values: []}", "spec.search.parameters.trees: is an empty space: give values"),
        ("Grid", "trees: {min: 5, max: 4}", "spec.search.parameters.trees: is an empty space: min is greater than max"),
        ("Grid", "trimFraction: {min: 0, max: 0.5}", "spec.search.parameters.trimFraction: makes the grid infinite"),
        ("Grid", "trees: {min: 1, max: 11}", "spec.search.maxTrials: the grid has 11 combinations"),
        ("Random", "maxBins: {values: [8]}", "spec.search.parameters.maxBins: is fixed by spec.parameters, too"),
        ("Random", "trees: {values: [0]}", "spec.search.parameters.trees.values[0]: must be at least 1"),
        (
            "Random",
            "thresholdsPerSplit: {values: [2]}",
            "spec.search.parameters.thresholdsPerSplit: is no parameter of",
        ),
        ("Random", "leaves: {values: [2]}", "spec.search.parameters.leaves: there is no such field"),
    ];
    for (algorithm, parameters, expected) in table {
        let errors = training_errors(&spec(algorithm, parameters));
        assert!(errors.iter().any(|error| error.starts_with(expected)), "{expected}: {errors:?}");
    }
    let ensemble =
        "{site: east, data: {pipeline: flows}, search: {algorithm: Grid, parameters: {trees: {values: [5]}}}}";
    let expected = "spec.search: Ensemble has no parameters to search; choose another algorithm";
    assert!(
        matches!(&training_errors(ensemble)[..], [one] if one.starts_with(expected)),
        "{:?}",
        training_errors(ensemble)
    );
}

#[test]
fn a_reference_window_has_time_in_it() {
    let window = |times: &str| {
        training_errors(&format!("{{site: east, data: {{pipeline: flows, referenceWindow: {{{times}}}}}}}"))
    };
    let day = "from: '2026-11-01T00:00:00+01:00', to: '2026-11-01T00:00:00Z'";
    accepts_training(&format!("{{site: east, data: {{pipeline: flows, referenceWindow: {{{day}}}}}}}"));
    for empty in [
        "from: '2026-11-01T00:00:00Z', to: '2026-11-01T00:00:00Z'",
        "from: '2026-11-01T00:00:00Z', to: '2026-11-01T00:00:00+01:00'",
    ] {
        let errors = window(empty);
        let expected = "spec.data.referenceWindow: is an empty period: from ";
        assert!(matches!(&errors[..], [one] if one.starts_with(expected)), "{errors:?}");
    }
    let errors = window("from: yesterday, to: '2026-11-01T00:00:00Z'");
    let expected =
        "spec.data.referenceWindow.from: must be a time with its zone, such as 2026-01-31T08:00:00Z (is \"yesterday\")";
    assert_eq!(errors, [expected]);
}
