//! The site file: what is the same for every pipeline of a data centre, and differs between data centres.

mod bucket;
mod kafka;
mod source;
mod url;

use serde::{Deserialize, Serialize};
use vedette_contract::{Name, ObjectName};

use crate::FieldError;
use crate::field_error::{FieldErrors, MISSING, quoted};
use crate::variables::OUR_VARIABLES;
use crate::yaml;

pub use bucket::{Bucket, BucketKeys, Encryption};
pub use kafka::{ClientCertificate, Kafka, KafkaKeys, KafkaOauth, KafkaTls, SaslMechanism};
pub use source::{Authority, Missing, Needs, Source};
pub(crate) use source::{check_key, check_keys};
pub(crate) use url::{WITH_USER, has_user};

/// Settings of one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SiteFile {
    /// The site itself.
    pub site: Site,
    /// Its Kafka.
    pub kafka: Kafka,
    /// The bucket that all sites share.
    pub bucket: Bucket,
    /// Images of the workloads.
    pub images: Images,
    /// When a node pulls them.
    #[serde(default)]
    pub image_pull_policy: ImagePullPolicy,
    /// Secrets of the pipeline's namespace with credentials for the registry.
    #[serde(default)]
    pub image_pull_secrets: Vec<ObjectName>,
    /// Namespaces whose objects the operator acts upon; its own where empty. Its Role has to be in each of them. `*` alone
    /// is all of them, as they come and go, and needs a ClusterRole.
    #[serde(default)]
    pub watch_namespaces: Vec<String>,
    /// In place of names: a label selector as kubectl takes it. The namespaces that it matches are acted upon, as they come
    /// and go, and a ClusterRole is needed.
    #[serde(default)]
    pub watch_namespace_selector: Option<String>,
    /// What all pods have.
    #[serde(default)]
    pub pods: Pods,
}

/// What all pods of pipelines and trainings have at this site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Pods {
    /// Environment variables, such as the site's proxies. One of the same name in `spec.pod.env` stands in its place.
    #[serde(default)]
    pub env: Vec<Variable>,
}

/// A plain environment variable, which anybody may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What stands for every namespace.
const ALL_NAMESPACES: &str = "*";

/// Whose objects the operator acts upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// Those of these namespaces.
    These(Vec<Name>),
    /// Those of the namespaces that this label selector matches; of all where it is empty.
    Selected(String),
}

/// The site itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Site {
    /// Its name, the same in the bucket, in records and in `ModelTraining.spec.site`.
    pub name: Name,
}

/// Images of the workloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Images {
    /// Creates topics.
    pub topics: String,
    /// Generates records.
    pub generator: String,
    /// Enriches, scores and alerts.
    pub detector: String,
    /// Writes the archive.
    pub archiver: String,
    /// Tells people; a pipeline that wants it needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifier: Option<String>,
    /// Learns.
    pub trainer: String,
    /// What they are built for, as nodes have it in `kubernetes.io/arch`; pods ask for such nodes.
    #[serde(default = "default_architectures")]
    pub architectures: Vec<String>,
}

fn default_architectures() -> Vec<String> {
    vec!["amd64".to_owned()]
}

/// When a node pulls an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImagePullPolicy {
    /// Always.
    Always,
    /// Where it is not there.
    #[default]
    IfNotPresent,
    /// Never: somebody else brings it.
    Never,
}

impl ImagePullPolicy {
    /// Its spelling in a pod.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

impl SiteFile {
    /// Reads and checks a site file.
    ///
    /// # Errors
    /// Everything that is wrong with it; a file that does not have the shape of one gives one error.
    pub fn parse(text: &str) -> Result<Self, Vec<FieldError>> {
        let mut errors = FieldErrors::of("site file");
        let mut documents = yaml::documents(text);
        let site = match (documents.pop(), documents.pop()) {
            (Some(Ok(document)), None) => {
                errors.check("(file)", "not readable", serde_json::from_value::<Self>(document))
            }
            (Some(Err(error)), None) => errors.check("(file)", "not YAML", Err(error)),
            _ => errors.check("(file)", "not one document", Err("a site file is one YAML document")),
        };
        if let Some(site) = &site {
            site.check(&mut errors);
        }
        errors.finish(site)
    }

    /// The Secrets and ConfigMaps that pods use, in the namespace of each pipeline.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::new();
        self.kafka.need(&mut needs);
        self.bucket.need(&mut needs);
        needs
    }

    /// Whose objects an operator in the namespace `own` acts upon.
    pub fn watched(&self, own: &Name) -> Watched {
        if let Some(selector) = &self.watch_namespace_selector {
            return Watched::Selected(selector.clone());
        }
        let names: Vec<Name> = self.watch_namespaces.iter().filter_map(|name| name.parse().ok()).collect();
        match self.watch_namespaces.as_slice() {
            [] => Watched::These(vec![own.clone()]),
            [all] if all == ALL_NAMESPACES => Watched::Selected(String::new()),
            _ => Watched::These(names),
        }
    }

    fn check_namespaces(&self, errors: &mut FieldErrors) {
        let names = &self.watch_namespaces;
        if let Some(selector) = &self.watch_namespace_selector {
            if !names.is_empty() {
                errors.push("watchNamespaceSelector", quoted(selector), "leave it out, or leave watchNamespaces out");
            }
            if selector.trim().is_empty() {
                errors.push(
                    "watchNamespaceSelector",
                    quoted(selector),
                    "write key=value, or watchNamespaces: ['*'] for all",
                );
            }
        }
        if names.len() == 1 && names[0] == ALL_NAMESPACES {
            return;
        }
        for name in names {
            if name == ALL_NAMESPACES {
                errors.push("watchNamespaces", quoted(name), "leave the other names out, or this one");
            } else {
                errors.check("watchNamespaces", name, name.parse::<Name>());
            }
        }
    }

    fn check(&self, errors: &mut FieldErrors) {
        let Self {
            site: _,
            kafka,
            bucket,
            images,
            image_pull_policy: _,
            image_pull_secrets: _,
            watch_namespaces: _,
            watch_namespace_selector: _,
            pods: Pods { env },
        } = self;
        check_variables(env, errors);
        self.check_namespaces(errors);
        kafka.check(errors);
        bucket.check(errors);
        let Images { topics, generator, detector, archiver, notifier, trainer, architectures } = images;
        let is_word = |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if architectures.is_empty() || !architectures.iter().all(is_word) {
            let mend = "write at least one, such as amd64 or arm64; leave it out for amd64";
            errors.push("images.architectures", serde_json::json!(architectures), mend);
        }
        let notifier = notifier.as_ref().map(|notifier| ("images.notifier", notifier));
        let texts = [
            ("images.topics", topics),
            ("images.generator", generator),
            ("images.detector", detector),
            ("images.archiver", archiver),
            ("images.trainer", trainer),
        ];
        for (path, _) in texts.into_iter().chain(notifier).filter(|(_, text)| text.trim().is_empty()) {
            errors.push(path, MISSING, "must not be empty");
        }
    }
}

fn check_variables(variables: &[Variable], errors: &mut FieldErrors) {
    for (index, Variable { name, value }) in variables.iter().enumerate() {
        let path = |field: &str| format!("pods.env[{index}].{field}");
        let is_letter = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'.' | b'_');
        let is_name = name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit());
        if !is_name || !name.bytes().next().is_some_and(is_letter) {
            errors.push(path("name"), quoted(name), "use letters, digits, '-', '.' and '_', and no digit first");
        } else if OUR_VARIABLES.contains(&name.as_str()) {
            errors.push(path("name"), quoted(name), "is set by Vedette; leave it out");
        } else if variables[..index].iter().any(|before| before.name == *name) {
            errors.push(path("name"), quoted(name), "stands there twice; leave one out");
        }
        if has_user(value) {
            let mend = "is shown to everybody who may read a pod: put it into a Secret, and name that in spec.pod.env";
            errors.push(path("value"), WITH_USER, mend);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_is_said_at_once() {
        let text = "
site: { name: east }
kafka: { bootstrapServers: kafka, replicationFactor: 0 }
bucket: { name: '', endpoint: s3.example.org, credentialsSecret: bucket }
images: { topics: t, generator: g, detector: '', archiver: a, trainer: t, architectures: [''] }
";
        let paths: Vec<String> = SiteFile::parse(text).unwrap_err().into_iter().map(|error| error.path).collect();
        assert_eq!(
            paths,
            [
                "kafka.bootstrapServers",
                "kafka.replicationFactor",
                "bucket.endpoint",
                "bucket.name",
                "images.architectures",
                "images.detector"
            ]
        );
    }

    #[test]
    fn a_variable_of_all_pods_is_plain_and_none_of_ours() {
        let refused = |variables: &str| -> Vec<(String, String)> {
            let site = SiteFile::parse(&format!("{SITE} pods: {{env: [{variables}]}}}}"));
            site.err().unwrap_or_default().into_iter().map(|error| (error.path, error.value)).collect()
        };
        assert_eq!(refused("{name: HTTPS_PROXY, value: 'http://proxy:3128'}, {name: NO_PROXY, value: '.svc'}"), []);
        for (variables, path, shown) in [
            ("{name: 1A, value: b}", "pods.env[0].name", "\"1A\""),
            ("{name: '', value: b}", "pods.env[0].name", "\"\""),
            ("{name: RUST_LOG, value: debug}", "pods.env[0].name", "\"RUST_LOG\""),
            ("{name: A, value: b}, {name: A, value: c}", "pods.env[1].name", "\"A\""),
            ("{name: A, value: 'http://user:word@proxy'}", "pods.env[0].value", WITH_USER),
        ] {
            assert_eq!(refused(variables), [(path.to_owned(), shown.to_owned())], "{variables}");
        }
    }

    const SITE: &str = "{site: {name: east}, kafka: {bootstrapServers: 'k:1'}, bucket: {name: b, credentialsSecret: s}, \
        images: {topics: t, generator: g, detector: d, archiver: a, trainer: t}, ";

    #[test]
    fn a_url_has_a_host_and_no_user_and_a_password_in_it_is_not_shown() {
        let refused = |bucket: &str| {
            let text = SITE.replace("{name: b,", &format!("{{name: b, endpoint: '{bucket}',"));
            SiteFile::parse(&format!("{text}}}")).err().unwrap_or_default()
        };
        for good in ["https://s3.example.org", "http://[fd00::1]:8333", "http://10.0.0.1:8333/s3@place"] {
            assert_eq!(refused(good), [], "{good}");
        }
        for bad in ["https://", "https:///s3", "s3.example.org", "https://s3 .org", "ftp://s3"] {
            assert_eq!(refused(bad)[0].path, "bucket.endpoint", "{bad}");
        }
        for with_user in ["https://me:hidden@s3.example.org", "http://hidden@s3.example.org/x"] {
            let said = refused(with_user)[0].to_string();
            assert!(said.contains("bucket.credentialsSecret") && !said.contains("hidden"), "{said}");
        }
    }

    #[test]
    fn servers_of_kafka_may_have_addresses_of_ipv6() {
        let parse = |servers: &str| SiteFile::parse(&format!("{}}}", SITE.replace("k:1", servers)));
        for servers in ["[fd00::1]:9092,[fd00::2]:9092", "SASL_SSL://[::1]:9093, SASL_SSL://kafka:9093"] {
            assert_eq!(parse(servers).unwrap().kafka.bootstrap_servers, servers);
        }
        for bad in ["[fd00::1]", "[fd00::1]:9092,[fd00::2]", ":9092", "fd00::1:9092", "[kafka]:9092", "kafka:9092:9092"]
        {
            assert_eq!(parse(bad).unwrap_err()[0].path, "kafka.bootstrapServers", "{bad}");
        }
    }

    #[test]
    fn namespaces_are_named_or_selected() {
        let own: Name = "vedette".parse().unwrap();
        let watched = |more: &str| SiteFile::parse(&format!("{SITE}{more}}}")).unwrap().watched(&own);
        let these = |names: &[&str]| Watched::These(names.iter().map(|name| name.parse().unwrap()).collect());
        assert_eq!(watched("watchNamespaces: []"), these(&["vedette"]));
        assert_eq!(watched("watchNamespaces: [a, b]"), these(&["a", "b"]));
        assert_eq!(watched("watchNamespaces: ['*']"), Watched::Selected(String::new()));
        assert_eq!(watched("watchNamespaceSelector: team=payments"), Watched::Selected("team=payments".to_owned()));
    }

    #[test]
    fn namespaces_that_contradict_are_refused() {
        for (more, field) in [
            ("watchNamespaces: [a, '*']", "watchNamespaces"),
            ("watchNamespaces: [A]", "watchNamespaces"),
            ("watchNamespaces: [a], watchNamespaceSelector: b=c", "watchNamespaceSelector"),
            ("watchNamespaceSelector: ' '", "watchNamespaceSelector"),
        ] {
            let errors = SiteFile::parse(&format!("{SITE}{more}}}")).unwrap_err();
            assert_eq!(errors.iter().map(|error| error.path.as_str()).collect::<Vec<_>>(), [field], "{more}");
        }
    }

    #[test]
    fn a_file_of_another_shape_is_refused() {
        for bad in ["", "a: b", "- 1", "site: {name: East}", "a: {", "a: b\n---\nc: d"] {
            assert_eq!(SiteFile::parse(bad).unwrap_err().len(), 1, "{bad}");
        }
    }
}
