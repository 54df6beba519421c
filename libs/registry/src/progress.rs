//! How far the archive has come, partition by partition: LIST returns no counts, so each archiver says its own.

use std::collections::BTreeMap;

use jiff::Timestamp;
use vedette_contract::archive::Stream;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::{Progress, ProgressKey};
use vedette_contract::{Name, TopicName};
use vedette_streams::bucket::{Bucket, BucketError, JsonError};

use crate::RegistryError;

/// The progress of one partition; `None` when its archiver wrote nothing yet.
pub async fn load(
    bucket: &Bucket,
    keys: &PipelineKeys,
    partition: &ProgressKey,
) -> Result<Option<Progress>, RegistryError> {
    Ok(bucket.get_json(&keys.progress(partition)).await?)
}

/// Writes how far the partition has come.
pub async fn write(
    bucket: &Bucket,
    keys: &PipelineKeys,
    partition: &ProgressKey,
    progress: &Progress,
) -> Result<(), RegistryError> {
    let body = serde_json::to_vec(progress).map_err(RegistryError::Json)?;
    Ok(bucket.put(&keys.progress(partition), body.into()).await?)
}

/// The progress of every partition at every site. One that cannot be read is left out: its archiver writes it again.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn load_all(bucket: &Bucket, keys: &PipelineKeys) -> Result<Vec<(ProgressKey, Progress)>, BucketError> {
    let mut all = Vec::new();
    for object in bucket.list(&keys.progress_prefix(), None).await? {
        // Whatever else lies there is not ours to read.
        let Some(partition) = keys.progress_of(&object.key) else {
            continue;
        };
        match bucket.get_json(&object.key).await {
            Ok(progress) => all.extend(progress.map(|progress| (partition, progress))),
            Err(JsonError::Bucket(error)) => return Err(error),
            Err(JsonError::Content { key, source }) => {
                tracing::warn!(key, error = %source, "a progress object cannot be read");
            }
        }
    }
    Ok(all)
}

/// Enriched records in the archive, of these sites or of all.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn enriched_records(bucket: &Bucket, keys: &PipelineKeys, sites: &[Name]) -> Result<u64, BucketError> {
    let all = load_all(bucket, keys).await?;
    let counted = all.iter().filter(|(key, progress)| {
        progress.stream == Stream::EnrichedData && (sites.is_empty() || sites.contains(&key.site))
    });
    Ok(counted.map(|(_, progress)| progress.records).sum())
}

/// How far each partition is archived by this site: its end, and the time when that was written.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn ends(
    bucket: &Bucket,
    keys: &PipelineKeys,
    site: &Name,
) -> Result<BTreeMap<(TopicName, i32), (i64, Timestamp)>, BucketError> {
    let own = load_all(bucket, keys).await?.into_iter().filter(|(key, _)| key.site == *site);
    Ok(own.map(|(key, progress)| ((key.topic, key.partition), (progress.end, progress.updated_at))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_testing::TestBucket;

    #[tokio::test]
    async fn each_partition_has_its_own_progress_in_one_line() {
        let served = TestBucket::serve().await;
        let keys = PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap());
        let key =
            |partition| ProgressKey { site: "east".parse().unwrap(), topic: "alerts".parse().unwrap(), partition };
        let progress = Progress {
            stream: Stream::Alerts,
            records: 3,
            closed_records: 2,
            end: 9,
            passed: None,
            last_object: None,
            last_utc: None,
            updated_at: "2026-11-23T00:00:00Z".parse().unwrap(),
        };
        let load = async |partition| load(&served.bucket, &keys, &key(partition)).await;
        write(&served.bucket, &keys, &key(0), &progress).await.unwrap();
        assert_eq!(load(0).await.unwrap().as_ref(), Some(&progress));
        assert_eq!(load(1).await.unwrap(), None);
        let stored = served.bucket.get(&keys.progress(&key(0))).await.unwrap().unwrap().bytes;
        assert_eq!(stored, serde_json::to_vec(&progress).unwrap());
        served.put(&keys.progress(&key(1)), "{half").await;
        assert_eq!(load(1).await.unwrap_err().reason(), "ObjectUnreadable");
    }

    #[tokio::test]
    async fn what_is_counted_is_the_enriched_records_of_the_sites_that_are_asked_for() {
        let served = TestBucket::serve().await;
        let keys = PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap());
        let at: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        let key = |site: &str, topic: &str, partition| ProgressKey {
            site: site.parse().unwrap(),
            topic: topic.parse().unwrap(),
            partition,
        };
        let put = async |key: ProgressKey, stream, records| {
            let progress = Progress {
                stream,
                records,
                closed_records: 0,
                end: 1_000 + i64::from(key.partition),
                passed: None,
                last_object: None,
                last_utc: None,
                updated_at: at,
            };
            served.put(&keys.progress(&key), serde_json::to_vec(&progress).unwrap()).await;
        };
        put(key("east", "enriched", 0), Stream::EnrichedData, 1).await;
        put(key("east", "enriched", 1), Stream::EnrichedData, 20).await;
        put(key("east", "alerts", 0), Stream::Alerts, 300).await;
        put(key("west", "enriched", 0), Stream::EnrichedData, 4_000).await;
        served.put(&keys.progress(&key("west", "enriched", 1)), "{half").await;
        served.put(&format!("{}readme.txt", keys.progress_prefix()), "strange").await;

        let [east, west]: [Name; 2] = ["east", "west"].map(|site| site.parse().unwrap());
        let records = async |sites: &[Name]| enriched_records(&served.bucket, &keys, sites).await.unwrap();
        assert_eq!(records(&[]).await, 4_021);
        assert_eq!(records(std::slice::from_ref(&east)).await, 21);
        assert_eq!(records(&[east.clone(), west]).await, 4_021);
        let ends = ends(&served.bucket, &keys, &east).await.unwrap();
        let partition = |topic: &str, partition: i32| (topic.parse::<TopicName>().unwrap(), partition);
        let expected =
            [(partition("alerts", 0), 1_000), (partition("enriched", 0), 1_000), (partition("enriched", 1), 1_001)];
        assert_eq!(ends, expected.into_iter().map(|(partition, end)| (partition, (end, at))).collect());
    }
}
