//! Listings of the embedded bucket: below a prefix alone directories are walked, in one go, and only the objects of a page are asked how
//! long they are and when they were written. s3s-fs walks the whole bucket and asks all, for each page again.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use s3s::dto::{CommonPrefix, ListObjectsV2Input, ListObjectsV2Output, Object, Timestamp};
use s3s::{S3Error, S3Result, s3_error};

/// A page has no more.
const PAGE: usize = 1_000;

/// What a page tells of.
struct Found {
    key: String,
    /// A prefix of keys, which ends with '/'.
    is_directory: bool,
}

/// A page of what is in a bucket, in the order of its keys. This blocks.
pub(super) fn page(directory: &Path, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let root = directory.join(&input.bucket);
    if !root.is_dir() {
        return Err(s3_error!(NoSuchBucket));
    }
    let is_flat = match input.delimiter.as_deref() {
        None | Some("") => true,
        Some("/") => false,
        Some(_) => return Err(s3_error!(NotImplemented, "the embedded bucket knows no delimiter but \"/\"")),
    };
    let prefix = input.prefix.as_deref().unwrap_or_default().trim_start_matches('/');
    let mut found = below(&root, prefix, is_flat).map_err(S3Error::internal_error)?;
    let after = input.continuation_token.as_deref().max(input.start_after.as_deref());
    found.retain(|found| after.is_none_or(|after| found.key.as_str() > after));
    found.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    let most = input.max_keys.map_or(PAGE, |most| usize::try_from(most).map_or(PAGE, |most| most.min(PAGE)));
    let is_truncated = most > 0 && found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| is_truncated).map(|last| last.key.clone());
    let key_count = i32::try_from(found.len()).map_err(S3Error::internal_error)?;
    let (mut contents, mut common_prefixes) = (Vec::new(), Vec::new());
    for Found { key, is_directory } in found {
        if is_directory {
            common_prefixes.push(CommonPrefix { prefix: Some(key) });
        } else {
            contents.extend(object(&root, key).map_err(S3Error::internal_error)?);
        }
    }
    Ok(ListObjectsV2Output {
        key_count: Some(key_count),
        max_keys: Some(input.max_keys.unwrap_or(1000)),
        is_truncated: Some(is_truncated),
        contents: (!contents.is_empty()).then_some(contents),
        common_prefixes: (!common_prefixes.is_empty()).then_some(common_prefixes),
        next_continuation_token: next,
        continuation_token: input.continuation_token,
        delimiter: input.delimiter,
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        prefix: input.prefix,
        start_after: input.start_after,
        ..ListObjectsV2Output::default()
    })
}

/// Objects below a prefix: all of them, or those right below it and the directories that have others.
fn below(root: &Path, prefix: &str, is_flat: bool) -> io::Result<Vec<Found>> {
    let above = &prefix[..prefix.rfind('/').map_or(0, |slash| slash + 1)];
    // No object has such a key, and the file system would read it as another.
    if above.split_terminator('/').any(|part| matches!(part, "" | "." | "..")) {
        return Ok(Vec::new());
    }
    let (mut found, mut directories) = (Vec::new(), vec![(root.join(above), above.to_owned())]);
    while let Some((directory, of)) = directories.pop() {
        for entry in there(fs::read_dir(directory))?.into_iter().flatten() {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Some(is_directory) = there(entry.file_type())?.map(|kind| kind.is_dir()) else { continue };
            let key = if is_directory { format!("{of}{name}/") } else { format!("{of}{name}") };
            if !key.starts_with(prefix) {
                continue;
            }
            if is_directory && is_flat {
                directories.push((entry.path(), key));
            } else if !is_directory || has_object(entry.path())? {
                found.push(Found { key, is_directory });
            }
        }
    }
    Ok(found)
}

/// Directories stay when their last object is deleted.
fn has_object(directory: PathBuf) -> io::Result<bool> {
    let mut directories = vec![directory];
    while let Some(directory) = directories.pop() {
        for entry in there(fs::read_dir(directory))?.into_iter().flatten() {
            let entry = entry?;
            match there(entry.file_type())? {
                Some(kind) if kind.is_dir() => directories.push(entry.path()),
                Some(_) => return Ok(true),
                None => {}
            }
        }
    }
    Ok(false)
}

/// When it was written and how long it is; nothing where it is no more.
fn object(root: &Path, key: String) -> io::Result<Option<Object>> {
    let Some(about) = there(fs::symlink_metadata(root.join(&key)))? else { return Ok(None) };
    Ok(Some(Object {
        key: Some(key),
        last_modified: Some(Timestamp::from(about.modified()?)),
        size: i64::try_from(about.len()).ok(),
        ..Object::default()
    }))
}

/// Nothing where there is no such directory or file, or no more, as others delete while this looks.
fn there<T>(looked: io::Result<T>) -> io::Result<Option<T>> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}
