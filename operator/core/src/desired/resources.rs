//! CPU, memory and disk of each container: what its manifest says, and for what it does not mention the defaults of its component,
//! so that a pod starts where a quota or a limit range asks for both, and is not the first to be evicted.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use vedette_crds::Resources;

use super::labels::Component;

/// A node's disk, as Kubernetes calls it.
const DISK: &str = "ephemeral-storage";

/// What a component asks for, and what it may have at most: no more than ten times as much, as limit ranges bound that, too.
struct Defaults {
    cpu: (&'static str, &'static str),
    memory: (&'static str, &'static str),
}

fn defaults(component: Component) -> Defaults {
    match component {
        Component::Topics => Defaults { cpu: ("25m", "250m"), memory: ("32Mi", "128Mi") },
        Component::Generator => Defaults { cpu: ("50m", "500m"), memory: ("64Mi", "256Mi") },
        Component::Detector => Defaults { cpu: ("100m", "1"), memory: ("128Mi", "512Mi") },
        Component::Archiver => Defaults { cpu: ("50m", "500m"), memory: ("128Mi", "512Mi") },
        Component::Notifier => Defaults { cpu: ("50m", "500m"), memory: ("64Mi", "512Mi") },
        Component::Trainer => Defaults { cpu: ("250m", "2"), memory: ("512Mi", "2Gi") },
    }
}

/// A resource that is mentioned, as a request or as a limit, is as it is mentioned. So many bytes of the node's disk are asked
/// for: no limit, as what is needed is an estimate, and who is over a limit is evicted, begins anew and is evicted again.
pub(super) fn of(component: Component, disk: Option<u64>, given: &Resources) -> ResourceRequirements {
    let Defaults { cpu, memory } = defaults(component);
    let quantities = |choose: fn((&'static str, &'static str)) -> &'static str| {
        [("cpu", cpu), ("memory", memory)]
            .map(|(name, both)| (name.to_owned(), Quantity(choose(both).to_owned())))
            .into()
    };
    let mut requests: BTreeMap<_, _> = quantities(|(request, _)| request);
    requests.extend(disk.map(|bytes| (DISK.to_owned(), Quantity(format!("{}Mi", bytes.div_ceil(1 << 20))))));
    let defaults = Resources { requests, limits: quantities(|(_, limit)| limit) };
    let Resources { requests, limits } = defaults.with(given);
    let some = |quantities: BTreeMap<String, Quantity>| (!quantities.is_empty()).then_some(quantities);
    ResourceRequirements { requests: some(requests), limits: some(limits), claims: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn resolved(given: Value) -> Value {
        serde_json::to_value(of(Component::Detector, None, &serde_json::from_value(given).unwrap())).unwrap()
    }

    #[test]
    fn what_is_mentioned_is_as_it_is_mentioned_and_the_rest_has_defaults() {
        let cpu =
            json!({ "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "cpu": "1", "memory": "512Mi" } });
        assert_eq!(resolved(json!({})), cpu);
        let requested = json!({ "requests": { "cpu": "2", "memory": "128Mi" }, "limits": { "memory": "512Mi" } });
        assert_eq!(resolved(json!({ "requests": { "cpu": "2" } })), requested, "a limit would be below the request");
        let both = json!({ "requests": { "cpu": "2", "memory": "1Gi" }, "limits": { "cpu": "4", "memory": "1Gi", "example.org/x": "1" } });
        assert_eq!(resolved(both.clone()), both);
    }

    #[test]
    fn disk_is_asked_for_and_has_no_limit_but_one_that_is_mentioned() {
        let disk = |given: Value| {
            let resources = of(Component::Archiver, Some((1 << 20) + 1), &serde_json::from_value(given).unwrap());
            [resources.requests, resources.limits].map(|some| some.unwrap().remove(DISK).map(|quantity| quantity.0))
        };
        assert_eq!(disk(json!({})), [Some("2Mi".to_owned()), None]);
        assert_eq!(disk(json!({ "requests": { DISK: "5Gi" } })), [Some("5Gi".to_owned()), None]);
        assert_eq!(
            disk(json!({ "limits": { DISK: "1Mi" } })),
            [None, Some("1Mi".to_owned())],
            "it is below the request"
        );
    }
}
