//! Validation of what is said about pods: what Vedette sets itself cannot be set there.

use k8s_openapi::api::core::v1::PodSecurityContext;
use vedette_crds::{Embedded, PodSettings};

use super::{fields, mounts, tags};
use crate::field_error::{FieldErrors, quoted};
use crate::variables::OUR_VARIABLES;

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
        host_aliases,
        dns_policy: _,
        dns_config,
        security_context,
    } = value;
    tags::check(path, labels, annotations, errors);
    tags::check_labels(&format!("{path}.nodeSelector"), node_selector, errors);
    fields::resources(&format!("{path}.resources"), resources, errors);
    affinity.iter().for_each(|affinity| known(&format!("{path}.affinity"), affinity, errors));
    known_items(&format!("{path}.tolerations"), tolerations.as_deref(), errors);
    known_items(&format!("{path}.topologySpreadConstraints"), topology_spread_constraints.as_deref(), errors);
    known_items(&format!("{path}.env"), env.as_deref(), errors);
    known_items(&format!("{path}.volumes"), volumes.as_deref(), errors);
    known_items(&format!("{path}.volumeMounts"), volume_mounts.as_deref(), errors);
    known_items(&format!("{path}.hostAliases"), host_aliases.as_deref(), errors);
    dns_config.iter().for_each(|config| known(&format!("{path}.dnsConfig"), config, errors));
    security_context
        .iter()
        .for_each(|context| check_security_context(&format!("{path}.securityContext"), context, errors));
    let variables = || env.iter().flatten().map(|variable| variable.known.name.as_str());
    for name in variables().filter(|name| OUR_VARIABLES.contains(name)) {
        errors.push(format!("{path}.env"), quoted(name), "is set by Vedette; RUST_LOG is set by logLevel");
    }
    let pull_secrets = || image_pull_secrets.iter().flatten().map(String::as_str);
    fields::once(&format!("{path}.env"), variables(), errors);
    fields::once(&format!("{path}.imagePullSecrets"), pull_secrets(), errors);
    mounts::check_names(path, value, errors);
    for name in pull_secrets().filter(|name| !fields::is_dns_name(name)) {
        errors.push(format!("{path}.imagePullSecrets"), quoted(name), "use lower-case letters, digits, '-' and '.'");
    }
    for (field, name) in [
        ("priorityClassName", priority_class_name),
        ("serviceAccountName", service_account_name),
        ("runtimeClassName", runtime_class_name),
    ] {
        if let Some(name) = name.as_ref().filter(|name| !fields::is_dns_name(name)) {
            errors.push(format!("{path}.{field}"), quoted(name), "use lower-case letters, digits, '-' and '.'");
        }
    }
}

/// A kubelet would refuse each pod of it.
fn check_security_context(path: &str, context: &Embedded<PodSecurityContext>, errors: &mut FieldErrors) {
    known(path, context, errors);
    let mend = "Vedette's processes run as no root; leave it out, or name another user";
    if context.known.run_as_user == Some(0) {
        errors.push(format!("{path}.runAsUser"), 0, mend);
    }
    if context.known.run_as_non_root == Some(false) {
        errors.push(format!("{path}.runAsNonRoot"), false, mend);
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
