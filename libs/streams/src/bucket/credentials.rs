//! Credentials in files, as a mounted Secret has them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_s3::config::Credentials;
use thiserror::Error;

/// The files of the credentials. They are read for every request, so they may come, and change, while the process runs.
#[derive(Debug, Clone)]
pub struct CredentialFiles {
    /// The file that holds the access key.
    pub access_key_id: PathBuf,
    /// The file that holds the secret key.
    pub secret_access_key: PathBuf,
    /// The file that holds the session token, where the key is temporary.
    pub session_token: Option<PathBuf>,
}

/// As whom a bucket is used, and whom it is believed.
#[derive(Debug, Clone, Default)]
pub struct BucketAccess {
    /// Where the key is; the pod's own identity where omitted.
    pub credentials: Option<CredentialFiles>,
    /// PEM file of authorities that are trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
}

impl From<CredentialFiles> for BucketAccess {
    fn from(files: CredentialFiles) -> Self {
        Self { credentials: Some(files), ca_file: None }
    }
}

/// Why there are no credentials.
#[derive(Debug, Clone, Error)]
pub enum CredentialsMissing {
    /// A file that is not there, or empty.
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },
    /// Neither a key nor an identity.
    #[error(
        "the pod has no identity of its own (neither AWS_WEB_IDENTITY_TOKEN_FILE nor AWS_CONTAINER_CREDENTIALS_FULL_URI is \
         set); annotate its service account, or name bucket.credentialsSecret"
    )]
    NoIdentity,
    /// Who gives out keys does not know the pod's identity.
    #[error("{endpoint} gives no key for the pod's identity: {status}: {said}")]
    Refused { endpoint: String, status: u16, said: String },
}

impl ProvideCredentials for CredentialFiles {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let credentials = || -> Result<_, CredentialsMissing> {
            let access_key_id = read(&self.access_key_id)?;
            let secret_access_key = read(&self.secret_access_key)?;
            let session_token = self.session_token.as_deref().map(read).transpose()?;
            Ok(Credentials::new(access_key_id, secret_access_key, session_token, None, "files"))
        };
        future::ProvideCredentials::ready(credentials().map_err(CredentialsError::not_loaded))
    }
}

/// The text of a file; an editor may have ended it with a line feed. A mounted Secret is in memory, so nothing is waited for.
pub(super) fn read(path: &Path) -> Result<String, CredentialsMissing> {
    let text = std::fs::read_to_string(path).and_then(|text| match text.trim() {
        "" => Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty")),
        text => Ok(text.to_owned()),
    });
    text.map_err(|source| CredentialsMissing::Unreadable { path: path.to_owned(), source: Arc::new(source) })
}
