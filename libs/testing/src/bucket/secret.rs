//! Credentials in files, as a Secret that is mounted.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vedette_streams::bucket::CredentialFiles;

use super::{ACCESS_KEY, SECRET_KEY};

/// A mounted Secret with the credentials of every bucket here.
pub struct MountedSecret {
    directory: TempDir,
    /// The keys of the Secret, which are the names of its files: access key, secret key.
    keys: [&'static str; 2],
}

impl MountedSecret {
    /// A Secret with these keys, which is there.
    pub fn new(access_key_id: &'static str, secret_access_key: &'static str) -> Self {
        let secret = Self { directory: tempfile::tempdir().unwrap(), keys: [access_key_id, secret_access_key] };
        secret.give();
        secret
    }

    /// Where it is mounted.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its files.
    pub fn files(&self) -> CredentialFiles {
        let [access_key_id, secret_access_key] = self.paths();
        CredentialFiles { access_key_id, secret_access_key, session_token: None }
    }

    /// As the kubelet does once the Secret is there.
    pub fn give(&self) {
        for (path, value) in self.paths().iter().zip([ACCESS_KEY, SECRET_KEY]) {
            std::fs::write(path, value).unwrap();
        }
    }

    /// As before the Secret was there.
    pub fn take(&self) {
        self.paths().iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }

    fn paths(&self) -> [PathBuf; 2] {
        self.keys.map(|key| self.directory.path().join(key))
    }
}
