//! What each site says of a pipeline: one object a site, which only that site writes.

use vedette_contract::Name;
use vedette_contract::keys::{NamespaceKeys, PipelineKeys};
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

/// What sites say whose pipelines follow this training, with the pipeline of each; and those of builds that did not say whom they
/// follow.
pub async fn followers(
    bucket: &Bucket,
    namespace: &Name,
    training: &Name,
) -> Result<Vec<(Name, SiteStatus)>, RegistryError> {
    let keys = NamespaceKeys::new(namespace);
    let mut followers = Vec::new();
    for directory in bucket.list_directories(&keys.prefix()).await? {
        let Some(pipeline) = keys.pipeline_name_of(&directory) else {
            continue;
        };
        let told = load_all(bucket, &PipelineKeys::new(namespace, &pipeline)).await?.into_iter();
        followers.extend(told.filter(|status| follows(status, training)).map(|status| (pipeline.clone(), status)));
    }
    Ok(followers)
}

/// Whether a pipeline follows this training at a site, as that tells.
pub fn follows(status: &SiteStatus, training: &Name) -> bool {
    status.training.as_ref().is_none_or(|followed| followed == training)
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
            rejected: Vec::new(),
            ready,
            topics: None,
            alert_budget_per_million: None,
            added_fields: Vec::new(),
            renamed_fields: None,
            deleted: false,
            updated_at: "2026-11-23T00:00:00Z".parse().unwrap(),
        };
        for status in [status("west", true), status("east", false), status("east", true)] {
            write(&served.bucket, &keys, &status).await.unwrap();
        }
        assert_eq!(load_all(&served.bucket, &keys).await.unwrap(), [status("east", true), status("west", true)]);
        let of_other = PipelineKeys::new(&"team".parse().unwrap(), &"logs".parse().unwrap());
        let other = SiteStatus { training: Some("hourly".parse().unwrap()), ..status("east", true) };
        write(&served.bucket, &of_other, &other).await.unwrap();
        let followers = async |training: &str| {
            let found = super::followers(&served.bucket, &"team".parse().unwrap(), &training.parse().unwrap()).await;
            found
                .unwrap()
                .into_iter()
                .map(|(pipeline, status)| format!("{pipeline} {}", status.site))
                .collect::<Vec<_>>()
        };
        assert_eq!(followers("daily").await, ["flows east", "flows west"]);
        assert_eq!(followers("hourly").await, ["flows east", "flows west", "logs east"]);
        served.bucket.put(&keys.site(&"south".parse().unwrap()), "{half".into()).await.unwrap();
        assert_eq!(load_all(&served.bucket, &keys).await.unwrap_err().reason(), "ObjectUnreadable");
    }
}
