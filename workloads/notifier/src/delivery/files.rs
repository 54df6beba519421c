//! What receivers are given in files, of Secrets and `ConfigMaps`: read anew each time, so that one that is changed is used. What
//! is wrong with one is said without anything that is in it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use vedette_contract::health::UnusableFile;
use vedette_contract::receiver::{Address, Receiver, ReceiverKind, is_http_url};
use vedette_streams::http::{has_authorities, is_url};

use super::webhook;

/// A file that is of no use.
#[derive(Debug, Error)]
#[error("{} {}", file.display(), wrong.as_deref().unwrap_or("is not there"))]
pub(crate) struct FileError {
    file: PathBuf,
    /// None where it is not there.
    wrong: Option<String>,
}

impl FileError {
    fn new(file: &Path, wrong: impl Into<String>) -> Self {
        Self { file: file.to_owned(), wrong: Some(wrong.into()) }
    }

    fn unreadable(file: &Path, cause: &io::Error) -> Self {
        let wrong = (cause.kind() != io::ErrorKind::NotFound).then(|| format!("cannot be read: {cause}"));
        Self { file: file.to_owned(), wrong }
    }
}

/// Where a receiver is.
///
/// # Errors
/// When the file has no URL in it.
pub(crate) fn url(file: &Path) -> Result<String, FileError> {
    checked(file, |text| is_http_url(text) && is_url(text), "has no http:// or https:// URL in it")
}

/// The key by which messages are signed.
///
/// # Errors
/// When the file has none in it.
pub(crate) fn key(file: &Path) -> Result<String, FileError> {
    checked(file, |text| webhook::key_bytes(text).is_ok(), "has no key in it, or one that is not base64 behind whsec_")
}

/// The value of the header `Authorization`.
///
/// # Errors
/// When the file has none in it.
pub(crate) fn authorization(file: &Path) -> Result<String, FileError> {
    let is_value = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    checked(file, is_value, "has no value of a header in it: one line, without control characters")
}

/// The files that receivers need and that are of no use now.
pub(crate) fn unusable(receivers: &[Receiver]) -> Vec<UnusableFile> {
    let of = |receiver: &Receiver| {
        let name = receiver.name.clone();
        errors(receiver).map(move |FileError { file, wrong }| UnusableFile { receiver: name.clone(), file, wrong })
    };
    receivers.iter().flat_map(of).collect()
}

fn errors(receiver: &Receiver) -> impl Iterator<Item = FileError> + use<> {
    let Receiver { name: _, to, url: address, minimum_severity: _, filter: _, ca_file, authorization_file } = receiver;
    let url_file = match address {
        Address::Url(_) => None,
        Address::Secret { file } => Some(file),
    };
    let key_file = match to {
        ReceiverKind::Alertmanager {} => None,
        ReceiverKind::Webhook { hmac_key_file } => hmac_key_file.as_ref(),
    };
    let looks = [
        url_file.and_then(|file| url(file).err()),
        key_file.and_then(|file| key(file).err()),
        authorization_file.as_ref().and_then(|file| authorization(file).err()),
        ca_file.as_ref().and_then(|file| authorities(file).err()),
    ];
    looks.into_iter().flatten()
}

fn checked(file: &Path, is_right: impl Fn(&str) -> bool, wrong: &str) -> Result<String, FileError> {
    let text = std::fs::read_to_string(file).map_err(|error| FileError::unreadable(file, &error))?;
    let text = text.trim();
    if is_right(text) { Ok(text.to_owned()) } else { Err(FileError::new(file, wrong)) }
}

fn authorities(file: &Path) -> Result<(), FileError> {
    match has_authorities(file) {
        Ok(true) => Ok(()),
        Ok(false) => Err(FileError::new(file, "has no PEM certificate of an authority in it, or one that is broken")),
        Err(error) => Err(FileError::unreadable(file, &error)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HIDDEN: &str = "hidden";

    fn receivers(directory: &Path) -> Vec<Receiver> {
        let file = |name: &str| directory.join(name);
        let chat = json!({
            "name": "chat", "to": { "webhook": { "hmacKeyFile": file("key") } }, "url": { "file": file("url") },
            "authorizationFile": file("token"), "caFile": file("*.crt"),
        });
        let plain = json!({ "name": "plain", "to": { "alertmanager": {} }, "url": "http://a" });
        [plain, chat].iter().map(|word| word.to_string().parse().unwrap()).collect()
    }

    #[test]
    fn each_file_that_is_of_no_use_is_told_of_with_what_is_wrong_and_nothing_that_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let receivers = receivers(path);
        let told = || {
            let told = unusable(&receivers).into_iter().map(|UnusableFile { receiver, file, wrong }| {
                assert_eq!(receiver.as_str(), "chat");
                (file.file_name().unwrap().to_str().unwrap().to_owned(), wrong)
            });
            told.collect::<Vec<_>>()
        };
        let missing = ["url", "key", "token", "*.crt"].map(|name| (name.to_owned(), None));
        assert_eq!(told(), missing);
        for (name, wrong) in
            [("url", "ftp://hidden"), ("key", "whsec_hidden?"), ("token", "Bearer\nhidden"), ("ca.crt", "hidden")]
        {
            std::fs::write(path.join(name), wrong).unwrap();
        }
        let (all, complaints) = (told(), ["URL", "base64", "header", "PEM"]);
        assert_eq!(all.len(), complaints.len(), "{all:?}");
        for ((_, wrong), complaint) in all.iter().zip(complaints) {
            let wrong = wrong.as_ref().unwrap();
            assert!(wrong.contains(complaint) && !wrong.contains(HIDDEN), "{wrong}");
        }
        for (name, right) in [("url", "https://a/hidden\n"), ("key", "whsec_aGlkZGVu"), ("token", "Bearer hidden\n")] {
            std::fs::write(path.join(name), right).unwrap();
        }
        std::fs::write(path.join("url"), "https://a b").unwrap();
        assert_eq!(told().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["url", "*.crt"]);
        std::fs::write(path.join("url"), "https://a/hidden\n").unwrap();
        assert_eq!(told().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["*.crt"]);
    }

    #[test]
    fn what_is_read_is_what_is_between_blanks() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        let said = authorization(&file).unwrap_err().to_string();
        assert_eq!(said, format!("{} is not there", file.display()));
        std::fs::write(&file, " Bearer a\r\n").unwrap();
        assert_eq!(authorization(&file).unwrap(), "Bearer a");
        std::fs::write(&file, "\n").unwrap();
        assert!(authorization(&file).unwrap_err().to_string().contains("one line"));
    }
}
