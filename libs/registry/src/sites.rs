//! What each site says of a pipeline: one object a site, which only that site writes.

use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::SiteStatus;
use vedette_streams::bucket::Bucket;

use crate::RegistryError;

/// What all sites say.
///
/// # Errors
/// When the bucket cannot be read, or a site says something that is no status: what it uses is not known then.
pub async fn load_all(bucket: &Bucket, keys: &PipelineKeys) -> Result<Vec<SiteStatus>, RegistryError> {
    let mut all = Vec::new();
    for object in bucket.list(&keys.sites_prefix(), None).await? {
        all.extend(bucket.get_json::<SiteStatus>(&object.key).await?);
    }
    Ok(all)
}

/// Says how the pipeline stands at its site.
pub async fn write(bucket: &Bucket, keys: &PipelineKeys, status: &SiteStatus) -> Result<(), RegistryError> {
    let body = serde_json::to_vec(status).map_err(RegistryError::Json)?;
    Ok(bucket.put(&keys.site(&status.site), body.into()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_testing::TestBucket;

    #[tokio::test]
    async fn every_site_has_one_status_and_one_that_is_none_hides_nothing() {
        let served = TestBucket::serve().await;
        let keys = PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap());
        let status = |site: &str, ready| SiteStatus {
            site: site.parse().unwrap(),
            training: None,
            model_version: None,
            ready,
            updated_at: "2026-11-23T00:00:00Z".parse().unwrap(),
        };
        for status in [status("west", true), status("east", false), status("east", true)] {
            write(&served.bucket, &keys, &status).await.unwrap();
        }
        assert_eq!(load_all(&served.bucket, &keys).await.unwrap(), [status("east", true), status("west", true)]);
        served.bucket.put(&keys.site(&"south".parse().unwrap()), "{half".into()).await.unwrap();
        assert_eq!(load_all(&served.bucket, &keys).await.unwrap_err().reason(), "ObjectUnreadable");
    }
}
