//! The console of a run: in a cluster the chart has its Deployment, and here it is the one process that no builder knows.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, HTTPGetAction, ObjectFieldSelector, PodSpec, PodTemplateSpec, Probe,
    SecretKeySelector, SecretVolumeSource, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use vedette_contract::Name;
use vedette_contract::arguments::{
    AWS_ACCESS_KEY_ID_ENV, AWS_SECRET_ACCESS_KEY_ENV, AWS_SESSION_TOKEN_ENV, LISTEN_ADDRESS_ENV, PAGE_ADDRESS_ENV,
    POD_NAME_ENV,
};
use vedette_core::site::{Bucket, Kafka, SiteFile};

use super::error::LocalError;
use super::servers::Servers;
use super::setup::{BUCKET_SECRET, CONSOLE_SECRET, TOKEN_KEY};
use super::supervisor::Supervisor;
use crate::output::Console;

const NAME: &str = "console";
const PORT: &str = "http";
/// Where the token is mounted by which people write.
const TOKEN_DIRECTORY: &str = "/var/lib/vedette/console-token";

/// Starts it and says where it is, and how one writes there: loopback alone says nothing of who asks, as any page of the browser can.
///
/// # Errors
/// When nothing can listen where it is to, or the supervisor refuses it.
pub(super) fn start(
    listen: SocketAddr,
    namespace: &Name,
    servers: &Servers,
    supervisor: &Supervisor,
    console: &Console,
) -> Result<(), LocalError> {
    let page = free(listen).map_err(|source| LocalError::System { what: "listen for the console's page", source })?;
    supervisor.apply_deployment(&deployment(namespace, &servers.site, page))?;
    console.say(&format!("the console is at http://{page}/"));
    if let Some(token) = servers.secrets.get(CONSOLE_SECRET).and_then(|secret| secret.get(TOKEN_KEY)) {
        console.say(&format!("to write silences and verdicts there, open http://{page}/#/access?token={token}"));
    }
    Ok(())
}

/// The address itself: a process that is started again is at the same one.
fn free(listen: SocketAddr) -> std::io::Result<SocketAddr> {
    TcpListener::bind(listen)?.local_addr()
}

fn deployment(namespace: &Name, site: &SiteFile, page: SocketAddr) -> Deployment {
    let labels = BTreeMap::from([("app.kubernetes.io/component".to_owned(), NAME.to_owned())]);
    let metadata = ObjectMeta {
        name: Some(NAME.to_owned()),
        namespace: Some(namespace.to_string()),
        labels: Some(labels.clone()),
        ..Default::default()
    };
    let one_by_one =
        RollingUpdateDeployment { max_surge: Some(IntOrString::Int(1)), max_unavailable: Some(IntOrString::Int(0)) };
    Deployment {
        metadata,
        spec: DeploymentSpec {
            replicas: Some(1),
            selector: LabelSelector { match_labels: Some(labels.clone()), match_expressions: None },
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(one_by_one),
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..Default::default() }),
                spec: Some(PodSpec {
                    containers: vec![container(site, page)],
                    volumes: Some(vec![token()]),
                    ..Default::default()
                }),
            },
            ..Default::default()
        },
        status: None,
    }
}

fn container(site: &SiteFile, page: SocketAddr) -> Container {
    Container {
        name: NAME.to_owned(),
        image: Some("vedette-console".to_owned()),
        args: Some(arguments(site)),
        env: Some(environment(site, page)),
        volume_mounts: Some(vec![VolumeMount {
            name: CONSOLE_SECRET.to_owned(),
            mount_path: TOKEN_DIRECTORY.to_owned(),
            ..Default::default()
        }]),
        readiness_probe: Some(Probe {
            http_get: Some(HTTPGetAction {
                path: Some("/readyz".to_owned()),
                port: IntOrString::String(PORT.to_owned()),
                ..Default::default()
            }),
            period_seconds: Some(2),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn token() -> Volume {
    let secret = SecretVolumeSource { secret_name: Some(CONSOLE_SECRET.to_owned()), ..Default::default() };
    Volume { name: CONSOLE_SECRET.to_owned(), secret: Some(secret), ..Default::default() }
}

fn arguments(site: &SiteFile) -> Vec<String> {
    let Kafka { bootstrap_servers, properties, .. } = &site.kafka;
    let Bucket { endpoint, name, prefix, region, .. } = &site.bucket;
    let properties = properties.iter().map(|(key, value)| format!("--kafka-property={key}={value}"));
    let known = [
        format!("--site={}", site.site.name),
        format!("--bootstrap-servers={bootstrap_servers}"),
        format!("--bucket={name}"),
        format!("--bucket-region={region}"),
        format!("--write-token-file={TOKEN_DIRECTORY}/{TOKEN_KEY}"),
        "--allow-simulation".to_owned(),
    ];
    let optional = [
        endpoint.as_ref().map(|endpoint| format!("--bucket-endpoint={endpoint}")),
        prefix.as_ref().map(|prefix| format!("--bucket-prefix={prefix}")),
    ];
    known.into_iter().chain(optional.into_iter().flatten()).chain(properties).collect()
}

fn environment(site: &SiteFile, page: SocketAddr) -> Vec<EnvVar> {
    let keys = &site.bucket.credentials_keys;
    let pod_name = ObjectFieldSelector { field_path: "metadata.name".to_owned(), ..Default::default() };
    let pod_name = EnvVarSource { field_ref: Some(pod_name), ..Default::default() };
    let value = |name: &str, value: String| EnvVar { name: name.to_owned(), value: Some(value), ..Default::default() };
    let mut environment = vec![
        value(LISTEN_ADDRESS_ENV, "127.0.0.1:0".to_owned()),
        value(PAGE_ADDRESS_ENV, page.to_string()),
        EnvVar { name: POD_NAME_ENV.to_owned(), value_from: Some(pod_name), ..Default::default() },
        secret(AWS_ACCESS_KEY_ID_ENV, &keys.access_key_id),
        secret(AWS_SECRET_ACCESS_KEY_ENV, &keys.secret_access_key),
    ];
    environment.extend(keys.session_token.as_ref().map(|key| secret(AWS_SESSION_TOKEN_ENV, key)));
    environment
}

fn secret(variable: &str, key: &str) -> EnvVar {
    let selector = SecretKeySelector { name: BUCKET_SECRET.to_owned(), key: key.to_owned(), optional: None };
    let source = EnvVarSource { secret_key_ref: Some(selector), ..Default::default() };
    EnvVar { name: variable.to_owned(), value_from: Some(source), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::super::options::LocalOptions;
    use super::super::setup::site_file;
    use super::super::supervisor::supports_deployment;
    use super::*;
    use clap::Parser;
    use vedette_contract::arguments::ConsoleArguments;

    #[test]
    fn the_supervisor_runs_it_and_it_understands_what_it_is_told() {
        let line =
            ["local", "-f", "a.yaml", "--bucket", "http://b", "--bucket-prefix", "teams/fraud", "--site", "east"];
        let options = LocalOptions::parsed(line).unwrap();
        let site = site_file(&options, "localhost:1", options.bucket_endpoint.clone());
        let deployment = deployment(&"default".parse().unwrap(), &site, "127.0.0.1:7".parse().unwrap());
        supports_deployment(&deployment).unwrap();
        let words = ["vedette-console".to_owned(), "--pod-name=console".to_owned()].into_iter().chain(arguments(&site));
        let arguments = ConsoleArguments::try_parse_from(words).unwrap();
        assert_eq!((arguments.site.as_str(), arguments.kafka.bootstrap_servers.as_str()), ("east", "localhost:1"));
        assert_eq!(arguments.bucket.bucket_prefix.unwrap().to_string(), "teams/fraud");
        assert!(arguments.writers.write_token_file.unwrap().starts_with(TOKEN_DIRECTORY) && arguments.allow_simulation);
    }

    #[test]
    fn it_is_where_it_is_told_to_be_and_its_place_may_be_taken() {
        let page = free("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(page.port(), 0);
        let _taken = TcpListener::bind(page).unwrap();
        assert!(free(page).is_err());
    }
}
