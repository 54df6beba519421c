//! Asks a server whether it means its conditional writes, as everything that is written once depends on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::bucket::{Body, Bucket, BucketError, Creation};

const PROBE: &str = "conditional-write-probe";

impl Bucket {
    /// Creates one object below the prefix twice; the second must fail. Whoever created it deletes it, so processes
    /// that probe at the same time do not mislead each other, and one that was left behind is proof by itself.
    ///
    /// # Errors
    /// [`BucketError::ConditionalWritesIgnored`], or whatever keeps the bucket from being written.
    pub async fn probe_conditional_writes(&self, prefix: &str) -> Result<(), BucketError> {
        let key = format!("{prefix}{PROBE}");
        if self.create_probe(&key).await? == Creation::AlreadyExists {
            return Ok(());
        }
        let second = self.create_probe(&key).await?;
        self.delete(&key).await?;
        match second {
            Creation::AlreadyExists => Ok(()),
            Creation::Created => Err(BucketError::ConditionalWritesIgnored { place: Arc::clone(&self.place) }),
        }
    }

    async fn create_probe(&self, key: &str) -> Result<Creation, BucketError> {
        let body = Body::Bytes(Bytes::from_static(b"this object may be deleted\n"));
        self.create(key, body, &BTreeMap::new()).await
    }
}
