//! Which fields of a manifest the supervisor takes. Everything else is an error that names the field, so that no builder
//! can ask for something that a local run silently leaves out.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// Fields that a local run cannot honour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Unsupported {
    /// `Deployment name`.
    pub object: String,
    /// Each field, and what would be taken.
    pub fields: Vec<String>,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} cannot be run without Kubernetes: {}", self.object, self.fields.join(", "))
    }
}

/// Of a Deployment, beside its pod template.
pub(super) const DEPLOYMENT: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata.**",
    "spec.replicas",
    "spec.selector.**",
    "spec.revisionHistoryLimit",
    "spec.progressDeadlineSeconds",
    "spec.strategy.type",
    "spec.strategy.rollingUpdate.maxSurge",
    "spec.strategy.rollingUpdate.maxUnavailable",
];

/// Of a Job, beside its pod template.
pub(super) const JOB: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata.**",
    "spec.backoffLimit",
    "spec.activeDeadlineSeconds",
    "spec.ttlSecondsAfterFinished",
    "spec.suspend",
    "spec.parallelism",
    "spec.completions",
    "spec.completionMode",
    // Nothing disrupts a process of this machine.
    "spec.podFailurePolicy.**",
    "spec.podFailurePolicy.rules[].**",
];

const TEMPLATE: &str = "spec.template.";
const CONTAINER: &str = "spec.containers[].";

/// Of a pod template.
const POD: &[&str] = &[
    "metadata.**",
    "spec.restartPolicy",
    "spec.terminationGracePeriodSeconds",
    "spec.volumes[].name",
    "spec.volumes[].emptyDir.**",
    "spec.volumes[].configMap.name",
    "spec.volumes[].configMap.defaultMode",
    "spec.volumes[].configMap.items[].key",
    "spec.volumes[].configMap.items[].path",
    "spec.volumes[].configMap.optional",
    "spec.volumes[].secret.secretName",
    "spec.volumes[].secret.defaultMode",
    "spec.volumes[].secret.items[].key",
    "spec.volumes[].secret.items[].path",
    "spec.volumes[].secret.optional",
    // Where a pod runs and as whom means nothing for a process of this user on this machine.
    "spec.affinity.**",
    "spec.automountServiceAccountToken",
    "spec.dnsConfig.**",
    "spec.dnsPolicy",
    "spec.enableServiceLinks",
    "spec.hostAliases[].**",
    "spec.imagePullSecrets.**",
    "spec.imagePullSecrets[].**",
    "spec.nodeSelector.**",
    "spec.priorityClassName",
    "spec.runtimeClassName",
    "spec.securityContext.**",
    "spec.serviceAccountName",
    "spec.tolerations[].**",
    "spec.topologySpreadConstraints[].**",
];

/// Of a container.
const CONTAINER_FIELDS: &[&str] = &[
    "name",
    "image",
    "args[]",
    "env[].name",
    "env[].value",
    "env[].valueFrom.configMapKeyRef.name",
    "env[].valueFrom.configMapKeyRef.key",
    "env[].valueFrom.configMapKeyRef.optional",
    "env[].valueFrom.secretKeyRef.name",
    "env[].valueFrom.secretKeyRef.key",
    "env[].valueFrom.secretKeyRef.optional",
    "env[].valueFrom.fieldRef.fieldPath",
    "env[].valueFrom.fieldRef.apiVersion",
    "ports[].**",
    "volumeMounts[].name",
    "volumeMounts[].mountPath",
    "volumeMounts[].readOnly",
    "readinessProbe.httpGet.path",
    "readinessProbe.httpGet.port",
    "readinessProbe.httpGet.scheme",
    "readinessProbe.initialDelaySeconds",
    "readinessProbe.periodSeconds",
    "readinessProbe.timeoutSeconds",
    "readinessProbe.failureThreshold",
    "readinessProbe.successThreshold",
    "livenessProbe.httpGet.path",
    "livenessProbe.httpGet.port",
    "livenessProbe.httpGet.scheme",
    "livenessProbe.initialDelaySeconds",
    "livenessProbe.periodSeconds",
    "livenessProbe.timeoutSeconds",
    "livenessProbe.failureThreshold",
    "livenessProbe.successThreshold",
    // As above.
    "imagePullPolicy",
    "resources.**",
    "securityContext.**",
    "terminationMessagePath",
    "terminationMessagePolicy",
];

/// Every field of the object that is not in the list nor taken in a pod template.
pub(super) fn unknown(object: &impl Serialize, taken: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    match serde_json::to_value(object) {
        Ok(value) => walk(&value, String::new(), &mut |path| {
            if !is_taken(path, taken) && !found.iter().any(|known| known == path) {
                found.push(path.to_owned());
            }
        }),
        Err(error) => found.push(error.to_string()),
    }
    found
}

fn walk(value: &Value, path: String, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                walk(value, if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, visit);
            }
        }
        // An empty list asks for nothing; an empty object can, such as `emptyDir: {}`.
        Value::Array(items) => {
            for item in items {
                walk(item, format!("{path}[]"), visit);
            }
        }
        Value::Null => {}
        _ => visit(&path),
    }
}

fn is_taken(path: &str, taken: &[&str]) -> bool {
    let matches = |path: &str, patterns: &[&str]| {
        patterns.iter().any(|pattern| match pattern.strip_suffix(".**") {
            Some(prefix) => path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
            None => path == *pattern,
        })
    };
    match path.strip_prefix(TEMPLATE) {
        Some(path) => match path.strip_prefix(CONTAINER) {
            Some(path) => matches(path, CONTAINER_FIELDS),
            None => matches(path, POD),
        },
        None => matches(path, taken),
    }
}
