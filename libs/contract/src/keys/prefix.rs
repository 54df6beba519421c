//! What stands before every key where a bucket is not ours alone. The bucket's client adds and removes it; no key that
//! this crate spells has it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// So that with it the longest key has room in the 1,024 bytes of S3.
const LONGEST: usize = 200;

/// A text that is no prefix of keys.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{value:?} is not a prefix of keys: write up to 200 of letters, digits, '.', '_', '=' and '-' in parts between '/', such \
     as teams/fraud"
)]
pub struct KeyPrefixError {
    value: String,
}

/// Directories of a bucket below which all of ours lies, such as `teams/fraud`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// The whole key of one of ours.
    pub fn whole(&self, key: &str) -> String {
        format!("{}/{key}", self.0)
    }

    /// One of ours of the whole key; none where it is not below the prefix.
    pub fn strip<'a>(&self, whole: &'a str) -> Option<&'a str> {
        whole.strip_prefix(&self.0)?.strip_prefix('/')
    }
}

impl FromStr for KeyPrefix {
    type Err = KeyPrefixError;

    /// A slash at the end may be there or not.
    fn from_str(value: &str) -> Result<Self, KeyPrefixError> {
        let parts = value.strip_suffix('/').unwrap_or(value);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'=' | b'-');
        let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(allowed);
        let is_valid = parts.len() <= LONGEST && parts.split('/').all(is_part);
        if is_valid { Ok(Self(parts.to_owned())) } else { Err(KeyPrefixError { value: value.to_owned() }) }
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for KeyPrefix {
    type Error = KeyPrefixError;
    fn try_from(value: String) -> Result<Self, KeyPrefixError> {
        value.parse()
    }
}

impl From<KeyPrefix> for String {
    fn from(prefix: KeyPrefix) -> String {
        prefix.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_they_went_out_and_those_of_a_neighbour_do_not() {
        for text in ["teams/fraud", "teams/fraud/"] {
            let prefix: KeyPrefix = text.parse().unwrap();
            assert_eq!(prefix.to_string(), "teams/fraud");
            assert_eq!(prefix.whole("a/b"), "teams/fraud/a/b");
            assert_eq!(prefix.strip("teams/fraud/a/b"), Some("a/b"));
            assert_eq!(prefix.strip("teams/fraud-2/a/b"), None);
        }
    }

    #[test]
    fn what_servers_read_in_different_ways_is_no_prefix() {
        for text in ["", "/", "/a", "a//b", "a/../b", ".", "a b", "ä", "a/b//", &"a".repeat(201)] {
            let error = text.parse::<KeyPrefix>().unwrap_err();
            assert!(error.to_string().contains("teams/fraud"), "{error}");
        }
    }
}
