//! What the operator is told: its command line, its environment and the site file.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use thiserror::Error;
use vedette_contract::Name;
use vedette_contract::arguments::{LISTEN_ADDRESS_ENV, POD_NAME_ENV};
use vedette_streams::bucket::{BucketAccess, CredentialFiles};

use vedette_core::FieldError;
use vedette_core::site::{BucketKeys, SiteFile, Watched};

/// Environment variable of [`OperatorArguments::namespace`].
pub const POD_NAMESPACE_ENV: &str = "POD_NAMESPACE";
/// Environment variable of [`OperatorArguments::site_file`].
pub const SITE_FILE_ENV: &str = "SITE_FILE";

/// Runs what AnomalyPipeline and ModelTraining objects ask for at one site.
#[derive(Debug, Clone, Parser)]
#[command(name = "vedette-operator", version)]
pub struct OperatorArguments {
    /// The site file
    #[arg(long, env = SITE_FILE_ENV, default_value = "/etc/vedette/site.yaml")]
    pub site_file: PathBuf,

    /// Namespace of the operator: of its lease, and of the objects where the site file has no watchNamespaces
    #[arg(long, env = POD_NAMESPACE_ENV)]
    pub namespace: Name,

    /// Name of this process among those that may lead
    #[arg(long, env = POD_NAME_ENV)]
    pub pod_name: String,

    /// Where /livez, /readyz and /metrics are served; `[::]` is every address, also where IPv6 is off
    #[arg(long, env = LISTEN_ADDRESS_ENV, default_value = "[::]:8080")]
    pub listen_address: SocketAddr,

    /// Directory with the bucket's credentials in files that are named as the keys of the Secret, as a mounted one has them;
    /// what is in it may come, and change, at any time
    #[arg(long, default_value = "/etc/vedette-bucket")]
    pub bucket_credentials: PathBuf,

    /// Directory with the certificates of the bucket's authorities, where the site file names some
    #[arg(long, default_value = "/etc/vedette-bucket-ca")]
    pub bucket_ca: PathBuf,

    /// How often the current version of each training is looked up, seconds
    #[arg(long, default_value_t = 5.0, value_parser = interval)]
    pub model_poll_interval_seconds: f64,

    /// Name of the lease that the leading process holds
    #[arg(long, default_value = "vedette-operator")]
    pub lease_name: Name,

    /// How long a leader that is gone keeps the lease, seconds
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(6..=300))]
    pub lease_duration_seconds: u32,

    /// Runs nothing, but asks the operator at this HOST:PORT whether it is ready, and ends with its answer
    #[arg(long)]
    pub ask: Option<String>,
}

fn interval(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    if (0.1..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("use 0.1 to 3600 seconds".to_owned()) }
}

/// Everything that a run needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    pub site: SiteFile,
    /// Namespace of the lease.
    pub namespace: Name,
    /// Namespaces whose objects are acted upon.
    pub watched: Watched,
    /// Name of this process.
    pub pod_name: String,
    /// Where probes and metrics are served.
    pub listen_address: SocketAddr,
    /// How often each pointer is looked up.
    pub model_poll_interval: Duration,
    /// Name of the lease.
    pub lease_name: Name,
    /// How long the lease outlives its leader.
    pub lease_duration: Duration,
}

/// Why the settings cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The site file.
    #[error("cannot read the site file {}", path.display())]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// What is in it.
    #[error("the site file cannot be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    SiteFile(Vec<FieldError>),
}

impl SettingsError {
    /// A word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Read { .. } => "SiteFileUnreadable",
            Self::SiteFile(_) => "SiteFileInvalid",
        }
    }
}

impl OperatorArguments {
    /// Reads the site file, and says where the bucket's credentials will be; they are not looked for here.
    ///
    /// # Errors
    /// When the site file cannot be read or has anything wrong in it.
    pub fn load(self) -> Result<(Settings, BucketAccess), SettingsError> {
        let Self {
            site_file: path,
            namespace,
            pod_name,
            listen_address,
            bucket_credentials,
            bucket_ca,
            model_poll_interval_seconds,
            lease_name,
            lease_duration_seconds,
            // Then nothing is loaded.
            ask: _,
        } = self;
        let text = std::fs::read_to_string(&path).map_err(|source| SettingsError::Read { path, source })?;
        let site = SiteFile::parse(&text).map_err(SettingsError::SiteFile)?;
        let BucketKeys { access_key_id, secret_access_key, session_token } = &site.bucket.credentials_keys;
        let files = CredentialFiles {
            access_key_id: bucket_credentials.join(access_key_id),
            secret_access_key: bucket_credentials.join(secret_access_key),
            session_token: session_token.as_ref().map(|key| bucket_credentials.join(key)),
        };
        let access = BucketAccess {
            credentials: site.bucket.credentials_secret.as_ref().map(|_| files),
            ca_file: site.bucket.ca.as_ref().map(|ca| bucket_ca.join(&ca.key)),
        };
        let watched = site.watched(&namespace);
        let settings = Settings {
            site,
            namespace,
            watched,
            pod_name,
            listen_address,
            model_poll_interval: Duration::from_secs_f64(model_poll_interval_seconds),
            lease_name,
            lease_duration: Duration::from_secs(lease_duration_seconds.into()),
        };
        Ok((settings, access))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn load(site_file: &str, arguments: &[&str]) -> Result<(Settings, BucketAccess), SettingsError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(site_file.as_bytes()).unwrap();
        let path = file.path().display().to_string();
        let mut line = vec!["vedette-operator", "--site-file", &path, "--namespace=vedette", "--pod-name=o-1"];
        line.extend(arguments);
        OperatorArguments::try_parse_from(line).unwrap().load()
    }

    const SITE: &str = "
site: { name: east }
kafka: { bootstrapServers: 'kafka:9092' }
bucket: { name: vedette, endpoint: 'http://s3:8333', credentialsSecret: bucket }
images: { topics: t, generator: g, detector: d, archiver: a, trainer: t }
";

    #[test]
    fn it_watches_its_own_namespace_unless_told_otherwise() {
        let (settings, _) = load(SITE, &[]).unwrap();
        assert_eq!(settings.watched, Watched::These(vec![settings.namespace]));
        assert_eq!(settings.model_poll_interval, Duration::from_secs(5));
        let (settings, _) = load(&format!("{SITE}watchNamespaces: [a, b]\n"), &[]).unwrap();
        assert!(matches!(settings.watched, Watched::These(names) if names.len() == 2));
    }

    #[test]
    fn the_credentials_may_be_missing_when_it_starts() {
        let (_, access) = load(SITE, &["--bucket-credentials=/not/there"]).unwrap();
        let credentials = access.credentials.unwrap();
        assert_eq!(credentials.access_key_id.to_str(), Some("/not/there/accessKeyId"));
        assert_eq!(credentials.secret_access_key.to_str(), Some("/not/there/secretAccessKey"));
    }

    #[test]
    fn the_credentials_files_have_the_names_of_the_keys() {
        let keys = "credentialsKeys: { accessKeyId: AWS_ID, secretAccessKey: AWS_KEY, sessionToken: AWS_TOKEN }";
        let site = SITE.replace("credentialsSecret: bucket", &format!("credentialsSecret: bucket, {keys}"));
        let (_, access) = load(&site, &["--bucket-credentials=/b"]).unwrap();
        let CredentialFiles { access_key_id, secret_access_key, session_token } = access.credentials.unwrap();
        let files = [access_key_id, secret_access_key, session_token.unwrap()].map(|path| path.display().to_string());
        assert_eq!(files, ["/b/AWS_ID", "/b/AWS_KEY", "/b/AWS_TOKEN"]);
    }

    #[test]
    fn without_a_secret_the_pods_own_identity_is_used() {
        let site = SITE.replace("credentialsSecret: bucket", "ca: { secret: trust, key: root.pem }");
        let (_, access) = load(&site, &[]).unwrap();
        assert!(access.credentials.is_none());
        assert_eq!(access.ca_file.unwrap().to_str(), Some("/etc/vedette-bucket-ca/root.pem"));
    }

    #[test]
    fn a_wrong_site_file_is_named() {
        let error = load("site: { name: east }", &[]).unwrap_err();
        assert_eq!(error.reason(), "SiteFileInvalid");
        assert!(error.to_string().contains("kafka"), "{error}");
    }
}
