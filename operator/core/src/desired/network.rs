//! Services: where a component's metrics are found. Headless, as every pod has its own; of one family of addresses, the cluster's
//! first, as with two every pod would be scraped twice.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::arguments::HTTP_PORT;
use super::labels::{self, Component};
use super::names;
use super::pod::{Owner, PORT_NAME};

pub(super) fn metrics_service(owner: &Owner<'_>, component: Component) -> Service {
    Service {
        metadata: owner.metadata(names::deployment(owner.name, component), component),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            selector: Some(labels::selector(owner.name.as_str(), component)),
            ports: Some(vec![ServicePort {
                name: Some(PORT_NAME.to_owned()),
                port: HTTP_PORT,
                target_port: Some(IntOrString::String(PORT_NAME.to_owned())),
                protocol: Some("TCP".to_owned()),
                ..Default::default()
            }]),
            ..Default::default()
        }),
        ..Default::default()
    }
}
