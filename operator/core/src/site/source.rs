//! The Secrets and ConfigMaps that a site file names, and what is wanted of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use vedette_contract::ObjectName;
use vedette_contract::file_names::FileNames;

use crate::field_error::{FieldErrors, MISSING, quoted};

/// An object with values by key, in the namespace of the pods that use it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A Secret.
    Secret(ObjectName),
    /// A ConfigMap.
    ConfigMap(ObjectName),
}

impl Source {
    /// Its name.
    pub fn name(&self) -> &ObjectName {
        match self {
            Self::Secret(name) | Self::ConfigMap(name) => name,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(formatter, "Secret {name}"),
            Self::ConfigMap(name) => write!(formatter, "ConfigMap {name}"),
        }
    }
}

/// The keys that pods need, by the objects that should have them; one that begins with `*` is [several](FileNames).
pub type Needs = BTreeMap<Source, BTreeSet<String>>;

/// What pods need and is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The object.
    Source(Source),
    /// A key of an object that is there.
    Key(Source, String),
}

impl fmt::Display for Missing {
    /// What to do about it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(source) => write!(formatter, "create {source} in this namespace"),
            Self::Key(source, key) => match FileNames::of(key) {
                FileNames::This(key) => write!(formatter, "add the key {key} to {source} in this namespace"),
                FileNames::Ending(end) => {
                    write!(formatter, "add a key that ends in {end} to {source} in this namespace")
                }
            },
        }
    }
}

/// Certificates of the authorities that sign a server's: PEM, in a Secret or a ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Authority {
    /// The Secret.
    #[serde(default)]
    pub secret: Option<ObjectName>,
    /// The ConfigMap, in place of a Secret.
    #[serde(default)]
    pub config_map: Option<ObjectName>,
    /// The key that has the certificates; `*` and how keys end, such as `*.crt`, where several have some.
    #[serde(default = "authority_key")]
    pub key: String,
}

fn authority_key() -> String {
    "ca.crt".to_owned()
}

impl Authority {
    /// The object; a site file that was read has exactly one.
    pub fn source(&self) -> Option<Source> {
        let Self { secret, config_map, key: _ } = self;
        secret.clone().map(Source::Secret).or_else(|| config_map.clone().map(Source::ConfigMap))
    }

    pub(super) fn need(&self, needs: &mut Needs) {
        if let Some(source) = self.source() {
            needs.entry(source).or_default().insert(self.key.clone());
        }
    }

    pub(super) fn check(&self, path: &str, errors: &mut FieldErrors) {
        let Self { secret, config_map, key } = self;
        match (secret, config_map) {
            (Some(_), None) | (None, Some(_)) => {}
            (None, None) => errors.push(path, MISSING, "name a secret or a configMap"),
            (Some(_), Some(name)) => {
                errors.push(format!("{path}.configMap"), quoted(name.as_str()), "leave it out, or leave secret out");
            }
        }
        check_keys(&format!("{path}.key"), key, errors);
    }
}

/// A key of a Secret or ConfigMap, or `*` and how its keys end.
pub(crate) fn check_keys(path: &str, keys: &str, errors: &mut FieldErrors) {
    let (FileNames::This(text) | FileNames::Ending(text)) = FileNames::of(keys);
    check_key(path, text, errors);
}

/// A key of a Secret or ConfigMap, as the API server allows it.
pub(crate) fn check_key(path: &str, key: &str, errors: &mut FieldErrors) {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if key.is_empty() || key.len() > 253 || key.starts_with("..") || key == "." || !key.bytes().all(allowed) {
        errors.push(path, quoted(key), "use a key of the object: letters, digits, '-', '_' and '.'");
    }
}
