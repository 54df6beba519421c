//! Credentials in files, as a mounted Secret has them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_s3::config::Credentials;
use thiserror::Error;

/// The two files of the credentials. They are read for every request, so they may come, and change, while the process runs.
#[derive(Debug, Clone)]
pub struct CredentialFiles {
    /// The file that holds the access key.
    pub access_key_id: PathBuf,
    /// The file that holds the secret key.
    pub secret_access_key: PathBuf,
}

/// A file of the credentials that is not there, or empty.
#[derive(Debug, Clone, Error)]
#[error("cannot read {}", path.display())]
pub struct CredentialsUnreadable {
    path: PathBuf,
    #[source]
    source: Arc<io::Error>,
}

impl ProvideCredentials for CredentialFiles {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let credentials = || -> Result<_, CredentialsUnreadable> {
            let access_key_id = read(&self.access_key_id)?;
            let secret_access_key = read(&self.secret_access_key)?;
            Ok(Credentials::new(access_key_id, secret_access_key, None, None, "files"))
        };
        future::ProvideCredentials::ready(credentials().map_err(CredentialsError::not_loaded))
    }
}

/// The text of a file; an editor may have ended it with a line feed. A mounted Secret is in memory, so nothing is waited for.
fn read(path: &Path) -> Result<String, CredentialsUnreadable> {
    let text = std::fs::read_to_string(path).and_then(|text| match text.trim() {
        "" => Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty")),
        text => Ok(text.to_owned()),
    });
    text.map_err(|source| CredentialsUnreadable { path: path.to_owned(), source: Arc::new(source) })
}
