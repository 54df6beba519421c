//! The files that s3s-fs keeps beside an object, by its names.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What its writer said of it.
pub(super) fn attributes(directory: &Path, bucket: &str, key: &str) -> PathBuf {
    file(directory, bucket, key, "metadata.json")
}

/// What is known of its content.
pub(super) fn internal(directory: &Path, bucket: &str, key: &str) -> PathBuf {
    file(directory, bucket, key, "internal.json")
}

fn file(directory: &Path, bucket: &str, key: &str, suffix: &str) -> PathBuf {
    let [bucket, key] = [bucket, key].map(|name| URL_SAFE_NO_PAD.encode(name));
    directory.join(format!(".bucket-{bucket}.object-{key}.{suffix}"))
}
