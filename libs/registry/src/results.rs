//! How each Job of a training ended, as it says itself.

use vedette_contract::keys::ModelKeys;
use vedette_contract::model::TrainingResult;
use vedette_streams::bucket::Bucket;

use crate::{RegistryError, json};

/// What a Job wrote; `None` when it wrote nothing yet.
pub async fn load(bucket: &Bucket, keys: &ModelKeys, job: &str) -> Result<Option<TrainingResult>, RegistryError> {
    Ok(bucket.get_json(&keys.result(job)).await?)
}

/// Writes how the Job ended.
pub async fn write(bucket: &Bucket, keys: &ModelKeys, result: &TrainingResult) -> Result<(), RegistryError> {
    Ok(bucket.put(&keys.result(&result.job), json::pretty(result)?).await?)
}

#[cfg(test)]
mod tests {
    use vedette_contract::model::TrainingOutcome;

    use super::*;
    use crate::testing::models;
    use vedette_testing::TestBucket;

    #[tokio::test]
    async fn each_job_has_its_own_result() {
        let served = TestBucket::serve().await;
        let result = TrainingResult {
            job: "daily-1".to_owned(),
            finished_at: "2026-11-23T00:00:00Z".parse().unwrap(),
            outcome: TrainingOutcome::NotEnoughData,
            records: 7,
            version: None,
            metrics: None,
            baseline: None,
            report: None,
            search: None,
            message: "too few".to_owned(),
        };
        write(&served.bucket, &models(), &result).await.unwrap();
        assert_eq!(load(&served.bucket, &models(), "daily-1").await.unwrap(), Some(result));
        assert_eq!(load(&served.bucket, &models(), "daily-2").await.unwrap(), None);
        served.bucket.put(&models().result("daily-2"), "{half".into()).await.unwrap();
        let refused = load(&served.bucket, &models(), "daily-2").await.unwrap_err();
        assert_eq!(refused.reason(), "ObjectUnreadable");
    }
}
