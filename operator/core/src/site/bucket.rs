//! The bucket, as a site reaches it.

use serde::{Deserialize, Serialize};
use vedette_contract::ObjectName;
use vedette_contract::arguments::{BucketAddressing, BucketArguments, EncryptionAlgorithm};
use vedette_contract::keys::KeyPrefix;

use super::source::{Authority, Needs, Source, check_key};
use super::url::check_url;
use crate::field_error::{FieldErrors, MISSING, quoted};

/// The bucket, as this site reaches it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Bucket {
    /// S3 endpoint; the region's own where omitted.
    #[serde(default)]
    pub endpoint: Option<String>,
    pub name: String,
    /// What stands before all keys, such as `teams/fraud`, where the bucket is not Vedette's alone.
    #[serde(default)]
    pub prefix: Option<KeyPrefix>,
    /// Whether the bucket's name stands in the path of URLs; before the server's name where false.
    #[serde(default = "default_path_style")]
    pub path_style: bool,
    /// S3 region.
    #[serde(default = "default_region")]
    pub region: String,
    /// Secret of the pipeline's namespace with an access key; the pods' own identity where omitted.
    #[serde(default)]
    pub credentials_secret: Option<ObjectName>,
    /// Which keys of it have the access key.
    #[serde(default)]
    pub credentials_keys: BucketKeys,
    /// Who signs the server's certificate, beside the public authorities.
    #[serde(default)]
    pub ca: Option<Authority>,
    /// How what is written is encrypted there; as the bucket has it where omitted.
    #[serde(default)]
    pub encryption: Option<Encryption>,
}

/// How a bucket encrypts what is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Encryption {
    /// With what kind of key.
    pub algorithm: EncryptionAlgorithm,
    /// Which key, for `aws:kms`; the bucket's own where omitted.
    #[serde(default)]
    pub kms_key_id: Option<String>,
}

const fn default_path_style() -> bool {
    true
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

/// Keys of [`Bucket::credentials_secret`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct BucketKeys {
    /// Of the access key's name.
    pub access_key_id: String,
    /// Of the access key itself.
    pub secret_access_key: String,
    /// Of the session token; none where omitted.
    pub session_token: Option<String>,
}

impl Default for BucketKeys {
    fn default() -> Self {
        Self {
            access_key_id: "accessKeyId".to_owned(),
            secret_access_key: "secretAccessKey".to_owned(),
            session_token: None,
        }
    }
}

impl BucketKeys {
    fn all(&self) -> impl Iterator<Item = &String> {
        let Self { access_key_id, secret_access_key, session_token } = self;
        [access_key_id, secret_access_key].into_iter().chain(session_token)
    }
}

impl Bucket {
    /// Where its name stands in URLs.
    pub fn addressing(&self) -> BucketAddressing {
        if self.path_style { BucketAddressing::Path } else { BucketAddressing::VirtualHost }
    }

    /// What a client is given that is to look there, without a key and without files.
    pub fn arguments(&self) -> BucketArguments {
        let Self {
            endpoint,
            name,
            prefix,
            path_style: _,
            region,
            credentials_secret: _,
            credentials_keys: _,
            ca: _,
            encryption,
        } = self.clone();
        let (bucket_encryption, bucket_kms_key_id) = match encryption {
            None => (None, None),
            Some(Encryption { algorithm, kms_key_id }) => (Some(algorithm), kms_key_id),
        };
        BucketArguments {
            bucket_endpoint: endpoint,
            bucket: name,
            bucket_prefix: prefix,
            bucket_addressing: self.addressing(),
            bucket_region: region,
            bucket_encryption,
            bucket_kms_key_id,
            ..BucketArguments::default()
        }
    }

    pub(super) fn need(&self, needs: &mut Needs) {
        if let Some(secret) = &self.credentials_secret {
            let keys = needs.entry(Source::Secret(secret.clone())).or_default();
            keys.extend(self.credentials_keys.all().cloned());
        }
        if let Some(ca) = &self.ca {
            ca.need(needs);
        }
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        let Self {
            endpoint,
            name,
            prefix: _,
            path_style: _,
            region,
            credentials_secret: _,
            credentials_keys,
            ca,
            encryption,
        } = self;
        if let Some(endpoint) = endpoint {
            check_url("bucket.endpoint", endpoint, "https://s3.example.org", "bucket.credentialsSecret", errors);
        }
        for (path, text) in [("bucket.name", name), ("bucket.region", region)] {
            if text.trim().is_empty() {
                errors.push(path, MISSING, "must not be empty");
            }
        }
        let BucketKeys { access_key_id, secret_access_key, session_token } = credentials_keys;
        check_key("bucket.credentialsKeys.accessKeyId", access_key_id, errors);
        check_key("bucket.credentialsKeys.secretAccessKey", secret_access_key, errors);
        if let Some(key) = session_token {
            check_key("bucket.credentialsKeys.sessionToken", key, errors);
        }
        if let Some(ca) = ca {
            ca.check("bucket.ca", errors);
        }
        if let Some(encryption) = encryption {
            let Encryption { algorithm, kms_key_id } = encryption;
            if let (EncryptionAlgorithm::Aes256, Some(key)) = (algorithm, kms_key_id) {
                errors.push("bucket.encryption.kmsKeyId", quoted(key), "leave it out, or write algorithm: aws:kms");
            }
        }
    }
}
