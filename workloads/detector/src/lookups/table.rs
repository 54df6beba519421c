//! One lookup's table: where it is, and how it is read again when it has changed. The record path sees a whole table or another
//! whole table.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::task::JoinError;
use tracing::{info, warn};
use vedette_contract::Name;
use vedette_datasets::lookup::{LookupTable, TableError, TableSettings};
use vedette_service::error_chain;
use vedette_streams::bucket::{Bucket, BucketError, Changed, ETag};

use crate::metrics::{Metrics, TableLabel};

/// Where the record path finds the table; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Option<Arc<LookupTable>>>>);

impl Slot {
    /// The table, once there is one.
    pub(super) fn get(&self) -> Option<Arc<LookupTable>> {
        self.lock().clone()
    }

    /// Puts another in its place. The one before goes with the last batch that sees it.
    pub(super) fn put(&self, table: LookupTable) {
        *self.lock() = Some(Arc::new(table));
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<LookupTable>>> {
        // Every change is one assignment, so what a thread left behind that panicked is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a table is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Object { bucket: Bucket, key: String },
    File(PathBuf),
}

/// Why what lies at a place cannot be read.
#[derive(Debug, Error)]
enum PlaceError {
    #[error("there is no object {key}: put the table there")]
    NoObject { key: String },
    #[error("cannot read the object {key}")]
    Bucket {
        key: String,
        #[source]
        source: BucketError,
    },
    #[error("cannot read {}: the ConfigMap needs a key of this name", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("a thread was not started")]
    Thread(#[from] JoinError),
}

/// What tells one content of a table from another: the tag of an object, or a hash of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Version {
    Object(ETag),
    File([u8; 32]),
}

/// Why what lies at a table's place is not what records are joined with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// It cannot be reached.
    Unreachable(String),
    /// It is no table, and will be none before it changes.
    Refused(String),
}

/// A table that is kept as new as its place has it.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: Name,
    place: Place,
    settings: TableSettings,
    pub(super) slot: Slot,
    /// What was taken or refused last.
    seen: Option<Version>,
    trouble: Option<Trouble>,
    metrics: Metrics,
}

impl Table {
    /// A table that has not been looked for.
    pub(super) fn new(name: Name, place: Place, settings: TableSettings, metrics: Metrics) -> Self {
        Self { name, place, settings, slot: Slot::default(), seen: None, trouble: None, metrics }
    }

    /// Why there is no table yet; `None` where there is one.
    pub(super) fn lacks(&self) -> Option<String> {
        let trouble = match &self.trouble {
            None => "starting",
            Some(Trouble::Unreachable(cause) | Trouble::Refused(cause)) => cause,
        };
        self.slot.get().is_none().then(|| format!("{}: {trouble}", self.name))
    }

    /// Takes what lies at its place if that has changed. What cannot be taken leaves the table of before, which is said once.
    pub(super) async fn refresh(&mut self) {
        match self.place.read(self.seen.as_ref(), &self.settings).await {
            Ok(Content::Unchanged) => {
                self.trouble.take_if(|trouble| matches!(trouble, Trouble::Unreachable(_)));
            }
            Ok(Content::Changed(version, read)) => {
                self.seen = Some(version);
                match read {
                    Ok(table) => self.take(table),
                    Err(cause) => self.note(Trouble::Refused(error_chain(&cause))),
                }
            }
            Err(cause) => self.note(Trouble::Unreachable(error_chain(&cause))),
        }
    }

    fn take(&mut self, table: LookupTable) {
        let label = TableLabel { lookup: self.name.to_string() };
        let (rows, bytes) = (table.rows(), table.bytes());
        self.metrics.lookup_rows.get_or_create(&label).set(i64::try_from(rows).unwrap_or(i64::MAX));
        self.slot.put(table);
        self.trouble = None;
        info!(lookup = %self.name, rows, memory_bytes = bytes, "table loaded");
    }

    fn note(&mut self, trouble: Trouble) {
        let label = TableLabel { lookup: self.name.to_string() };
        self.metrics.lookup_table_failures.get_or_create(&label).inc();
        if self.trouble.as_ref() != Some(&trouble) {
            let (Trouble::Unreachable(error) | Trouble::Refused(error)) = &trouble;
            let goes_on = self.slot.get().is_some();
            warn!(lookup = %self.name, error, goes_on, "table not taken; where there was one before it goes on being used");
        }
        self.trouble = Some(trouble);
    }
}

/// What lies at a table's place.
enum Content {
    /// What was seen before.
    Unchanged,
    Changed(Version, Result<LookupTable, TableError>),
}

impl Place {
    async fn read(&self, seen: Option<&Version>, settings: &TableSettings) -> Result<Content, PlaceError> {
        match self {
            Self::Object { bucket, key } => {
                let unreadable = |source| PlaceError::Bucket { key: key.clone(), source };
                let tag = match seen {
                    Some(Version::Object(tag)) => Some(tag),
                    Some(Version::File(_)) | None => None,
                };
                let stream = match bucket.get_changed(key, tag).await.map_err(unreadable)? {
                    Changed::Object(stream) => stream,
                    Changed::Unchanged => return Ok(Content::Unchanged),
                    Changed::Missing => return Err(PlaceError::NoObject { key: key.clone() }),
                };
                let (version, settings) = (Version::Object(stream.head.etag.clone()), settings.clone());
                let parsed = stream.parse(move |content| LookupTable::load(content, &settings)).await;
                Ok(Content::Changed(version, parsed.map_err(unreadable)??))
            }
            Self::File(path) => {
                let unreadable = |source| PlaceError::File { path: path.clone(), source };
                let bytes = tokio::fs::read(path).await.map_err(unreadable)?;
                let version = Version::File(Sha256::digest(&bytes).into());
                if seen == Some(&version) {
                    return Ok(Content::Unchanged);
                }
                let settings = settings.clone();
                let parsing = tokio::task::spawn_blocking(move || LookupTable::load(bytes.as_slice(), &settings));
                Ok(Content::Changed(version, parsing.await?))
            }
        }
    }
}
