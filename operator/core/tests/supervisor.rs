//! What the supervisor of `vedette local` runs, and what the builders use.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use support::every_template;

/// What `vedette local` can run, and what it may leave aside because it is about nodes, registries or privileges.
const SUPPORTED: &[&str] = &[
    "containers[].name",
    "containers[].image",
    "containers[].imagePullPolicy",
    "containers[].args[]",
    "containers[].env[].name",
    "containers[].env[].value",
    "containers[].env[].valueFrom.secretKeyRef.name",
    "containers[].env[].valueFrom.secretKeyRef.key",
    "containers[].env[].valueFrom.configMapKeyRef.name",
    "containers[].env[].valueFrom.configMapKeyRef.key",
    "containers[].env[].valueFrom.fieldRef.fieldPath",
    "containers[].ports[].name",
    "containers[].ports[].containerPort",
    "containers[].livenessProbe.httpGet.path",
    "containers[].livenessProbe.httpGet.port",
    "containers[].livenessProbe.periodSeconds",
    "containers[].livenessProbe.timeoutSeconds",
    "containers[].livenessProbe.failureThreshold",
    "containers[].readinessProbe.httpGet.path",
    "containers[].readinessProbe.httpGet.port",
    "containers[].readinessProbe.periodSeconds",
    "containers[].readinessProbe.timeoutSeconds",
    "containers[].readinessProbe.failureThreshold",
    "containers[].volumeMounts[].name",
    "containers[].volumeMounts[].mountPath",
    "containers[].volumeMounts[].readOnly",
    "volumes[].secret.secretName",
    "volumes[].secret.optional",
    "volumes[].secret.items[].key",
    "volumes[].secret.items[].path",
    "volumes[].configMap.items[].key",
    "volumes[].configMap.items[].path",
    "volumes[].configMap.name",
    "volumes[].configMap.optional",
    "volumes[].name",
    "volumes[].emptyDir",
    "restartPolicy",
    "terminationGracePeriodSeconds",
];
const LEFT_ASIDE: &[&str] = &[
    "topologySpreadConstraints",
    "runtimeClassName",
    "containers[].resources",
    "containers[].securityContext",
    "containers[].terminationMessagePolicy",
    "securityContext",
    "hostAliases",
    "dnsConfig",
    "dnsPolicy",
    "automountServiceAccountToken",
    "enableServiceLinks",
    "imagePullSecrets",
    "nodeSelector",
    "tolerations",
    "affinity",
    "priorityClassName",
    "serviceAccountName",
];

fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, inner) in fields {
                leaves(inner, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, &format!("{path}[]"), found)),
        _ => drop(found.insert(path.to_owned())),
    }
}

#[test]
fn builders_use_only_what_the_supervisor_of_vedette_local_runs() {
    for (component, template) in every_template() {
        let spec = template.spec.unwrap();
        assert_eq!(spec.containers.len(), 1, "{component}");
        for variable in spec.containers[0].env.iter().flatten() {
            let field = variable.value_from.as_ref().and_then(|source| source.field_ref.as_ref());
            let known =
                field.is_none_or(|field| ["metadata.name", "metadata.namespace"].contains(&field.field_path.as_str()));
            assert!(known, "{component}: {variable:?}");
        }
        let mut found = BTreeSet::new();
        leaves(&serde_json::to_value(spec).unwrap(), "", &mut found);
        for path in found {
            let aside = LEFT_ASIDE.iter().any(|prefix| {
                path == *prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(['.', '[']))
            });
            assert!(aside || SUPPORTED.contains(&path.as_str()), "{component} uses {path}");
        }
    }
}
