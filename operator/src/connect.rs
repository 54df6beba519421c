//! The operator's two clients, with the limits that a control loop needs.

use std::time::Duration;

use kube::{Client, Config};
use vedette_streams::bucket::{Bucket, BucketAccess, BucketPlace};

use crate::error::OperatorError;
use vedette_core::site;

/// A bucket that does not answer must not hold up a reconcile for long: it is asked again soon.
const BUCKET_CONNECT: Duration = Duration::from_secs(2);
const BUCKET_ATTEMPT: Duration = Duration::from_secs(5);

/// The API server of the pod, or of the kubeconfig.
///
/// # Errors
/// When neither tells where it is.
pub async fn kubernetes() -> Result<Client, OperatorError> {
    let config = Config::infer().await.map_err(|source| OperatorError::Configuration { source: Box::new(source) })?;
    Client::try_from(config).map_err(|source| OperatorError::Client { source: Box::new(source) })
}

/// The bucket of the site, with credentials and authorities that may come later.
pub fn bucket(bucket: &site::Bucket, access: impl Into<BucketAccess>) -> Bucket {
    let place = BucketPlace::of(&bucket.arguments());
    Bucket::with_access(place, access.into(), BUCKET_CONNECT, BUCKET_ATTEMPT)
}

#[cfg(test)]
mod tests {
    use vedette_testing::TestBucket;
    use vedette_testing::bucket::{BUCKET, MountedSecret};

    use super::*;

    #[tokio::test]
    async fn a_site_that_has_a_part_of_a_bucket_reads_and_writes_that_part() {
        let served = TestBucket::serve().await;
        let place = serde_json::json!({ "endpoint": served.endpoint(), "name": BUCKET, "prefix": "teams/fraud/" });
        let secret = MountedSecret::new("id", "key");
        let bucket = bucket(&serde_json::from_value(place).unwrap(), secret.files());

        served.put("demo/models/runs/current.json", "another's").await;
        assert!(bucket.get("demo/models/runs/current.json").await.unwrap().is_none());
        served.put("teams/fraud/demo/models/runs/current.json", "ours").await;
        let current = bucket.get("demo/models/runs/current.json").await.unwrap().unwrap();
        assert_eq!(current.bytes, "ours");
        bucket.put("demo/flows/sites/east.json", "ours".into()).await.unwrap();
        assert!(served.bucket.get("teams/fraud/demo/flows/sites/east.json").await.unwrap().is_some());
    }
}
