//! The identity of pods: a service account without a token, as no workload talks to Kubernetes.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::labels;
use super::pod::Owner;

pub(super) fn service_account(owner: &Owner<'_>, name: String) -> ServiceAccount {
    ServiceAccount {
        metadata: owner.labelled(name, labels::owner_labels(owner.name.as_str())),
        automount_service_account_token: Some(false),
        ..Default::default()
    }
}
