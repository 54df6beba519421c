//! Listings, whole and in the order of S3: bytewise by key. Some servers list in the order of their directories.

use std::ops::ControlFlow;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types;
use futures::FutureExt as _;
use jiff::Timestamp;

use crate::bucket::{Answered, Bucket, BucketError, ObjectSummary};

impl Bucket {
    /// All objects whose key begins with the prefix and is greater than `start_after`, sorted. As the server skips what
    /// comes first in its own order, `start_after` is only for prefixes below which there is one level of keys.
    pub fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> Answered<'a, Vec<ObjectSummary>> {
        async move {
            let mut objects = Vec::new();
            let take = |page| {
                objects.extend(page);
                ControlFlow::Continue(())
            };
            self.list_pages(prefix, start_after, take).await?;
            objects.sort_unstable_by(|a: &ObjectSummary, b| a.key.cmp(&b.key));
            Ok(objects)
        }
        .boxed()
    }

    /// Hands over all of these page by page, of 1,000 at most, as they are listed, until told to stop: nobody holds them all. The order is that
    /// of the server.
    pub fn list_pages<'a>(
        &'a self,
        prefix: &'a str,
        start_after: Option<&'a str>,
        mut take: impl FnMut(Vec<ObjectSummary>) -> ControlFlow<()> + Send + 'a,
    ) -> Answered<'a, ()> {
        async move {
            let mut continuation = None;
            loop {
                let page = self.page(prefix, start_after, None, continuation).await?;
                let listed = page.contents.unwrap_or_default().into_iter().filter_map(|object| self.summary(object));
                let after = listed.filter(|object| start_after.is_none_or(|start| object.key.as_str() > start));
                continuation = page.next_continuation_token;
                if take(after.collect()).is_break() || continuation.is_none() {
                    return Ok(());
                }
            }
        }
        .boxed()
    }

    /// The "directories" right below the prefix, sorted: full prefixes, each of which ends with '/'.
    pub fn list_directories<'a>(&'a self, prefix: &'a str) -> Answered<'a, Vec<String>> {
        async move {
            let mut directories = Vec::new();
            let mut continuation = None;
            loop {
                let page = self.page(prefix, None, Some("/"), continuation).await?;
                let common = page.common_prefixes.unwrap_or_default().into_iter();
                directories.extend(common.filter_map(|common| self.ours(common.prefix?)));
                continuation = page.next_continuation_token;
                if continuation.is_none() {
                    break;
                }
            }
            directories.sort_unstable();
            directories.dedup();
            Ok(directories)
        }
        .boxed()
    }

    async fn page(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        delimiter: Option<&str>,
        continuation: Option<String>,
    ) -> Result<ListObjectsV2Output, BucketError> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(self.whole(prefix));
        let request =
            request.set_start_after(start_after.map(|key| self.whole(key))).set_delimiter(delimiter.map(str::to_owned));
        let answer = request.set_continuation_token(continuation).send().await;
        answer.map_err(|error| BucketError::of_request(self.attempt("list", prefix), error))
    }

    fn summary(&self, object: types::Object) -> Option<ObjectSummary> {
        Some(ObjectSummary {
            key: self.ours(object.key?)?,
            length: object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            last_modified: object.last_modified.as_ref().and_then(timestamp),
        })
    }
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_fraction() {
        let time = DateTime::from_millis(1_795_424_530_250);
        assert_eq!(timestamp(&time).unwrap(), "2026-11-23T09:02:10.25Z".parse().unwrap());
    }
}
