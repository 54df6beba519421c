//! Validation of what is said about pods: what Vedette sets itself cannot be set there.

use vedette_contract::Name;
use vedette_contract::arguments::{
    AWS_ACCESS_KEY_ID_ENV, AWS_SECRET_ACCESS_KEY_ENV, AWS_SESSION_TOKEN_ENV, KAFKA_SASL_PASSWORD_ENV,
    KAFKA_SASL_USERNAME_ENV, LISTEN_ADDRESS_ENV, POD_NAME_ENV,
};
use vedette_crds::{Embedded, PodSettings};

use super::{fields, mounts};
use crate::desired::LOG_LEVEL_ENV;
use crate::field_error::{FieldErrors, quoted};

/// Environment variables that the builders set.
const OUR_VARIABLES: &[&str] = &[
    AWS_ACCESS_KEY_ID_ENV,
    AWS_SECRET_ACCESS_KEY_ENV,
    AWS_SESSION_TOKEN_ENV,
    KAFKA_SASL_PASSWORD_ENV,
    KAFKA_SASL_USERNAME_ENV,
    LISTEN_ADDRESS_ENV,
    POD_NAME_ENV,
    LOG_LEVEL_ENV,
];

/// What a pipeline says about its pods; what Vedette sets itself cannot be set here.
pub(super) fn check(path: &str, value: &PodSettings, errors: &mut FieldErrors) {
    let PodSettings {
        labels,
        annotations,
        node_selector,
        tolerations,
        affinity,
        topology_spread_constraints,
        resources,
        env,
        volumes,
        volume_mounts,
        image_pull_secrets,
        termination_grace_period_seconds: _,
        runtime_class_name,
        log_level: _,
        priority_class_name,
        service_account_name,
    } = value;
    for (map, entries, are_labels) in
        [("labels", labels, true), ("annotations", annotations, false), ("nodeSelector", node_selector, true)]
    {
        for (key, text) in entries {
            let path = format!("{path}.{map}.{key}");
            if !is_qualified_name(key) {
                errors.push(
                    &path,
                    quoted(key),
                    "use a name of 1 to 63 letters, digits, '-', '_' and '.', if need be after a DNS name and '/'",
                );
            } else if map != "nodeSelector" && (key.starts_with("vedette.io/") || key.starts_with("app.kubernetes.io/"))
            {
                errors.push(&path, quoted(key), "is set by Vedette; choose another prefix");
            }
            if are_labels && !(text.is_empty() || is_label_word(text)) {
                errors.push(
                    &path,
                    quoted(text),
                    "use at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
                );
            }
        }
    }
    fields::resources(&format!("{path}.resources"), resources, errors);
    affinity.iter().for_each(|affinity| known(&format!("{path}.affinity"), affinity, errors));
    known_items(&format!("{path}.tolerations"), tolerations.as_deref(), errors);
    known_items(&format!("{path}.topologySpreadConstraints"), topology_spread_constraints.as_deref(), errors);
    known_items(&format!("{path}.env"), env.as_deref(), errors);
    known_items(&format!("{path}.volumes"), volumes.as_deref(), errors);
    known_items(&format!("{path}.volumeMounts"), volume_mounts.as_deref(), errors);
    let variables = || env.iter().flatten().map(|variable| variable.known.name.as_str());
    for name in variables().filter(|name| OUR_VARIABLES.contains(name)) {
        errors.push(format!("{path}.env"), quoted(name), "is set by Vedette; RUST_LOG is set by logLevel");
    }
    let pull_secrets = || image_pull_secrets.iter().flatten().map(String::as_str);
    fields::once(&format!("{path}.env"), variables(), errors);
    fields::once(&format!("{path}.imagePullSecrets"), pull_secrets(), errors);
    mounts::check_names(path, value, errors);
    for name in pull_secrets().filter(|name| !is_dns_name(name)) {
        errors.push(format!("{path}.imagePullSecrets"), quoted(name), "use lower-case letters, digits, '-' and '.'");
    }
    for (field, name) in [
        ("priorityClassName", priority_class_name),
        ("serviceAccountName", service_account_name),
        ("runtimeClassName", runtime_class_name),
    ] {
        if let Some(name) = name.as_ref().filter(|name| !is_dns_name(name)) {
            errors.push(format!("{path}.{field}"), quoted(name), "use lower-case letters, digits, '-' and '.'");
        }
    }
}

fn known_items<T>(path: &str, items: Option<&[Embedded<T>]>, errors: &mut FieldErrors) {
    items.into_iter().flatten().enumerate().for_each(|(index, item)| known(&format!("{path}[{index}]"), item, errors));
}

/// The API server keeps what Kubernetes has no field for, and no pod would have it.
fn known<T>(path: &str, item: &Embedded<T>, errors: &mut FieldErrors) {
    for (key, value) in &item.unknown {
        errors.push(format!("{path}.{key}"), value, "Kubernetes has no such field; mend its name or leave it out");
    }
}

fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_name(prefix) && is_label_word(name),
        None => is_label_word(key),
    }
}

fn is_label_word(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    text.len() <= 63 && text.bytes().all(inner) && ends(text)
}

fn is_dns_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(|part| part.parse::<Name>().is_ok())
}
