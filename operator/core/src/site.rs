//! The site file: what is the same for every pipeline of a data centre, and differs between data centres.

mod bucket;
mod kafka;
mod source;

use serde::{Deserialize, Serialize};
use vedette_contract::Name;

use crate::FieldError;
use crate::field_error::{FieldErrors, MISSING, quoted};
use crate::yaml;

pub use bucket::{Bucket, BucketKeys, Encryption};
pub use kafka::{ClientCertificate, Kafka, KafkaKeys, KafkaOauth, KafkaTls, SaslMechanism};
pub(crate) use source::check_key;
pub use source::{Authority, Missing, Needs, Source};

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
    pub image_pull_secrets: Vec<Name>,
    /// Namespaces whose objects the operator acts upon; its own where empty. Its Role has to be in each of them. `*` alone
    /// is all of them, as they come and go, and needs a ClusterRole.
    #[serde(default)]
    pub watch_namespaces: Vec<String>,
    /// In place of names: a label selector as kubectl takes it. The namespaces that it matches are acted upon, as they come
    /// and go, and a ClusterRole is needed.
    #[serde(default)]
    pub watch_namespace_selector: Option<String>,
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
        } = self;
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

    const SITE: &str = "{site: {name: east}, kafka: {bootstrapServers: 'k:1'}, bucket: {name: b, credentialsSecret: s}, \
        images: {topics: t, generator: g, detector: d, archiver: a, trainer: t}, ";

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
