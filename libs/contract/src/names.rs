//! Names that people choose, checked once at the edge; inner code takes the newtypes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Not a DNS-1123 label.
    #[error(
        "{value:?} is not a name: use 1 to 63 lower-case letters, digits and '-', with a letter or digit at both ends"
    )]
    Name {
        /// What was given.
        value: String,
    },
    /// Not a DNS-1123 subdomain.
    #[error(
        "{value:?} is not the name of an object: use 1 to 253 lower-case letters, digits, '-' and '.', with a letter or digit at \
         both ends of each part"
    )]
    Object {
        /// What was given.
        value: String,
    },
    /// Not a Kafka topic name.
    #[error("{value:?} is not a topic name: use 1 to 249 letters, digits, '.', '_' and '-', other than '.' and '..'")]
    Topic {
        /// What was given.
        value: String,
    },
    /// Not a model version.
    #[error("{value:?} is not a model version: they look like 20261123T084210Z-1a2b3c4d (UTC time, then 8 hex digits)")]
    Version {
        /// What was given.
        value: String,
    },
}

macro_rules! string_newtype {
    ($type:ident) => {
        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(value: String) -> Result<Self, NameError> {
                value.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

/// A DNS-1123 label (RFC 1123, at most 63 characters): site, namespace, pipeline or training.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);
string_newtype!(Name);

impl FromStr for Name {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let valid = value.len() <= 63 && is_label(value);
        if valid { Ok(Self(value.to_owned())) } else { Err(NameError::Name { value: value.to_owned() }) }
    }
}

/// A DNS-1123 subdomain (RFC 1123, at most 253 characters), as most objects of Kubernetes may be named: Secrets and
/// `ConfigMaps` among them, such as `kube-root-ca.crt`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectName(String);
string_newtype!(ObjectName);

impl FromStr for ObjectName {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let valid = value.len() <= 253 && value.split('.').all(is_label);
        if valid { Ok(Self(value.to_owned())) } else { Err(NameError::Object { value: value.to_owned() }) }
    }
}

/// A DNS-1123 label, but for its length.
fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// A Kafka topic name (`org.apache.kafka.common.internals.Topic`: at most 249 of `[a-zA-Z0-9._-]`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicName(String);
string_newtype!(TopicName);

impl FromStr for TopicName {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let valid = (1..=249).contains(&value.len()) && value.bytes().all(allowed) && value != "." && value != "..";
        if valid { Ok(Self(value.to_owned())) } else { Err(NameError::Topic { value: value.to_owned() }) }
    }
}

/// A model version: UTC time of publication (`20261123T084210Z`), '-', and the first 8 hex digits of the SHA-256 over
/// forest, features and calibration. Text order is time order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelVersion(String);
string_newtype!(ModelVersion);

impl ModelVersion {
    /// The version of content with this SHA-256 (hexadecimal, at least 8 digits) published at this time.
    ///
    /// # Errors
    /// When the digest is not hexadecimal or too short.
    pub fn new(published_at: jiff::Timestamp, content_sha256: &str) -> Result<Self, NameError> {
        format!("{}-{}", stamp(published_at), content_sha256.get(..8).unwrap_or_default()).parse()
    }

    /// When it was published, to the second; none where the digits are not a time.
    pub fn time(&self) -> Option<jiff::Timestamp> {
        let (time, _) = self.0.split_once('-')?;
        let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?;
        Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    }
}

impl FromStr for ModelVersion {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        if is_stamped(value) { Ok(Self(value.to_owned())) } else { Err(NameError::Version { value: value.to_owned() }) }
    }
}

/// A time as names begin with that are in its order: `20261123T084210Z`.
pub(crate) fn stamp(time: jiff::Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Whether it is such a time, '-' and eight hex digits.
pub(crate) fn is_stamped(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 25
        && bytes.iter().enumerate().all(|(position, byte)| match position {
            8 => *byte == b'T',
            15 => *byte == b'Z',
            16 => *byte == b'-',
            0..=14 => byte.is_ascii_digit(),
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        for good in ["east", "a", "dc-1", "0"] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "East", "-a", "a-", "a.b", "a/b", &"x".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn objects_may_be_named_by_parts() {
        for good in ["kafka", "kube-root-ca.crt", "kafka.example.org-tls", &"x".repeat(253)] {
            assert_eq!(good.parse::<ObjectName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "a.", ".a", "a..b", "A", "a.-b", "a_b", "a/b", &"x".repeat(254)] {
            assert!(bad.parse::<ObjectName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn topics_follow_kafkas_rule() {
        assert!("sensor_messages".parse::<TopicName>().is_ok());
        for bad in ["", ".", "..", "a b", "a/b", &"x".repeat(250)] {
            assert!(bad.parse::<TopicName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_version_is_its_time_and_the_start_of_its_hash() {
        let at: jiff::Timestamp = "2026-11-23T08:42:10.999Z".parse().unwrap();
        let version = ModelVersion::new(at, "1a2b3c4d5e6f").unwrap();
        assert_eq!(version.as_str(), "20261123T084210Z-1a2b3c4d");
        for bad in ["", "20261123T084210Z", "20261123T084210Z-1A2b3c4d", "../../../../etc/passwd-aa"] {
            assert!(bad.parse::<ModelVersion>().is_err(), "{bad}");
        }
        assert!(ModelVersion::new(at, "12").is_err());
    }

    #[test]
    fn a_version_tells_its_time() {
        let at: jiff::Timestamp = "2026-11-23T08:42:10Z".parse().unwrap();
        assert_eq!(ModelVersion::new(at, "1a2b3c4d").unwrap().time(), Some(at));
        assert_eq!("20261323T084210Z-1a2b3c4d".parse::<ModelVersion>().unwrap().time(), None);
    }
}
