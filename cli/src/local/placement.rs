//! What manifests say of nodes, their room, priority and accounts, which means nothing on one machine.

use vedette_crds::{PodSettings, RollingUpdate};

use super::setup::Plan;

/// Whether anything is said that takes nodes, a scheduler or an API server.
pub(super) fn is_said(plan: &Plan) -> bool {
    let rolls = [plan.pipeline.detector.rolling_update, plan.pipeline.archiver.rolling_update];
    rolls.into_iter().any(|roll| roll != RollingUpdate::default()) || sets_any_placement(plan)
}

fn sets_any_placement(plan: &Plan) -> bool {
    let trainings = plan.trainings.iter().map(|training| &training.pod);
    plan.pipeline.pods.all().into_iter().chain(trainings).any(sets_placement)
}

fn sets_placement(pod: &PodSettings) -> bool {
    let PodSettings {
        labels: _,
        annotations: _,
        node_selector,
        tolerations,
        affinity,
        topology_spread_constraints,
        resources: _,
        env: _,
        volumes: _,
        volume_mounts: _,
        image_pull_secrets,
        termination_grace_period_seconds: _,
        runtime_class_name,
        log_level: _,
        priority_class_name,
        service_account_name,
        host_aliases,
        dns_policy,
        dns_config,
        security_context,
    } = pod;
    let lists_none = node_selector.is_empty()
        && tolerations.is_none()
        && topology_spread_constraints.is_none()
        && image_pull_secrets.is_none()
        && host_aliases.is_none();
    let looks_up = dns_policy.is_some() || dns_config.is_some();
    let names = [runtime_class_name, priority_class_name, service_account_name];
    !lists_none
        || looks_up
        || affinity.is_some()
        || security_context.is_some()
        || names.into_iter().any(Option::is_some)
}

#[cfg(test)]
mod tests {
    use super::super::options::LocalOptions;
    use super::super::setup;
    use super::*;

    fn is_said_by(pipeline: &str, training: &str) -> bool {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("flows.yaml").display().to_string();
        let object = |kind: &str, spec: &str| {
            format!("---\n{{apiVersion: vedette.io/v1alpha1, kind: {kind}, metadata: {{name: flows}}, spec: {spec}}}\n")
        };
        let training =
            format!("{{site: local, data: {{pipeline: flows}}, trigger: {{minRecords: 5}}, pod: {training}}}");
        let text = object("AnomalyPipeline", pipeline) + &object("ModelTraining", &training);
        std::fs::write(&file, text).unwrap();
        let options = LocalOptions::parsed(["local", "-f", &file]).unwrap();
        is_said(&setup::plan(&options, &"default".parse().unwrap()).unwrap())
    }

    #[test]
    fn what_any_object_says_of_nodes_counts() {
        assert!(!is_said_by("{pod: {logLevel: debug}}", "{labels: {team: a}}"));
        assert!(is_said_by("{detector: {pod: {priorityClassName: high}}}", "{}"));
        assert!(is_said_by("{pod: {securityContext: {fsGroup: 1}}}", "{}") && is_said_by("{}", "{dnsPolicy: Default}"));
        assert!(is_said_by("{}", "{nodeSelector: {pool: training}}"), "a training's");
        assert!(
            is_said_by("{archiver: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}}", "{}"),
            "there is room here"
        );
    }
}
