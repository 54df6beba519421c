//! The access key of a bucket: the environment's, or that of an embedded one.

use std::collections::BTreeMap;

use thiserror::Error;
use vedette_contract::arguments::{
    AWS_ACCESS_KEY_ID_ENV, AWS_SECRET_ACCESS_KEY_ENV, AWS_SESSION_TOKEN_ENV, BucketArguments,
};
use vedette_core::site::BucketKeys;
use vedette_embedded::bucket::Credentials;

/// An access key; a temporary one has a token.
pub(crate) struct BucketKey {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// A real bucket without credentials.
#[derive(Debug, Error)]
#[error("{variable} is not set: --bucket takes its credentials from the environment")]
pub struct NotSet {
    variable: &'static str,
}

impl From<Credentials> for BucketKey {
    fn from(credentials: Credentials) -> Self {
        let Credentials { access_key_id, secret_access_key } = credentials;
        Self { access_key_id, secret_access_key, session_token: None }
    }
}

impl BucketKey {
    /// The one that the environment has.
    ///
    /// # Errors
    /// When it has none.
    pub(crate) fn from_environment() -> Result<Self, NotSet> {
        Self::read(|variable| std::env::var(variable).ok())
    }

    fn read(value_of: impl Fn(&str) -> Option<String>) -> Result<Self, NotSet> {
        // Scripts empty what they have no value for, and the token where they go back to a lasting key.
        let set = |variable| value_of(variable).filter(|value| !value.is_empty());
        let needed = |variable| set(variable).ok_or(NotSet { variable });
        Ok(Self {
            access_key_id: needed(AWS_ACCESS_KEY_ID_ENV)?,
            secret_access_key: needed(AWS_SECRET_ACCESS_KEY_ENV)?,
            session_token: set(AWS_SESSION_TOKEN_ENV),
        })
    }

    /// Arguments of a client that uses it; of the rest the defaults.
    pub(crate) fn arguments(&self) -> BucketArguments {
        BucketArguments {
            access_key_id: Some(self.access_key_id.clone()),
            secret_access_key: Some(self.secret_access_key.as_str().into()),
            session_token: self.session_token.as_deref().map(Into::into),
            ..BucketArguments::default()
        }
    }

    /// As a Secret has it, and the names of its keys there.
    pub(crate) fn into_secret(self) -> (BTreeMap<String, String>, BucketKeys) {
        let Self { access_key_id, secret_access_key, session_token } = self;
        let keys = BucketKeys {
            session_token: session_token.as_ref().map(|_| "sessionToken".to_owned()),
            ..BucketKeys::default()
        };
        let token = keys.session_token.clone().zip(session_token);
        let lasting =
            [(keys.access_key_id.clone(), access_key_id), (keys.secret_access_key.clone(), secret_access_key)];
        (lasting.into_iter().chain(token).collect(), keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(session_token: Option<&str>) -> BucketKey {
        let of = |variable: &str| match variable {
            AWS_SESSION_TOKEN_ENV => session_token.map(str::to_owned),
            other => Some(format!("of {other}")),
        };
        BucketKey::read(of).unwrap()
    }

    #[test]
    fn a_token_goes_wherever_the_key_goes() {
        let arguments = key(Some("token==")).arguments();
        assert_eq!(arguments.session_token.unwrap().reveal(), "token==");
        let (secret, keys) = key(Some("token==")).into_secret();
        assert_eq!(secret[&keys.session_token.unwrap()], "token==");
        assert_eq!(secret[&keys.access_key_id], "of AWS_ACCESS_KEY_ID");
    }

    #[test]
    fn a_lasting_key_has_no_token() {
        for none in [None, Some("")] {
            assert!(key(none).arguments().session_token.is_none());
            let (secret, keys) = key(none).into_secret();
            assert_eq!((secret.len(), keys.session_token), (2, None));
        }
    }

    #[test]
    fn what_is_not_set_is_named() {
        let only_id = |variable: &str| (variable == AWS_ACCESS_KEY_ID_ENV).then(|| "id".to_owned());
        let error = BucketKey::read(only_id).err().unwrap();
        assert!(error.to_string().starts_with("AWS_SECRET_ACCESS_KEY is not set"), "{error}");
        let empty = BucketKey::read(|_| Some(String::new())).err().unwrap();
        assert!(empty.to_string().starts_with("AWS_ACCESS_KEY_ID is not set"), "{empty}");
    }
}
