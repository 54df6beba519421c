//! What people wrote of alerts, 10,000 objects of each kind: how long it takes trainers, notifiers and the command line to read it, from a
//! data directory or, where `VEDETTE_S3` names one, from an S3 server (`e2e/scripts/with-seaweedfs.sh`).

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use vedette_contract::Name;
use vedette_contract::arguments::BucketArguments;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::silence::{SilenceId, SilenceKey};
use vedette_contract::verdict::{VerdictId, VerdictKey};
use vedette_e2e::RunError;
use vedette_e2e::figure::figure;
use vedette_registry::silences::SilenceReader;
use vedette_registry::verdicts;
use vedette_streams::bucket::{Bucket, BucketError};

use crate::bed::failed;
use crate::bucket::LocalBucket;

const OBJECTS: usize = 10_000;
/// Seconds that were promised.
const LIMIT: f64 = 5.0;
const WRITERS: usize = 16;
const BUCKET: &str = "people";
/// What `with-seaweedfs.sh` lets in.
const KEY: (&str, &str) = ("test-access", "test-secret");

/// Writes them, and reads them once.
pub(crate) fn of_ten_thousand() -> Result<(), RunError> {
    let runtime = Runtime::new().map_err(RunError::Process)?;
    let Ok(server) = std::env::var("VEDETTE_S3") else {
        let local = LocalBucket::start()?;
        return runtime.block_on(measure(&local.client(), "a data directory"));
    };
    let bucket = Bucket::new(&BucketArguments {
        bucket_endpoint: Some(format!("http://{server}")),
        bucket: BUCKET.to_owned(),
        bucket_region: "us-east-1".to_owned(),
        access_key_id: Some(KEY.0.to_owned()),
        secret_access_key: Some(KEY.1.into()),
        ..BucketArguments::default()
    });
    runtime.block_on(async {
        bucket.ensure_exists().await.map_err(failed)?;
        measure(&bucket, "SeaweedFS").await
    })
}

async fn measure(bucket: &Bucket, place: &str) -> Result<(), RunError> {
    let name = |text: &str| text.parse::<Name>().map_err(failed);
    let (keys, site) = (PipelineKeys::new(&name("e2e")?, &name("people")?), name("east")?);
    let first: Timestamp = "2026-10-01T00:00:00Z".parse().map_err(failed)?;
    let times = (0_i64..).take(OBJECTS).map(|number| (number, first + SignedDuration::from_mins(number)));
    write(bucket, times.clone().map(|(number, at)| verdict(&keys, &site, number, at)).collect()).await?;
    let begun = Instant::now();
    let read = verdicts::read(bucket, &keys).await.map_err(failed)?;
    tell("verdicts", place, read.all.len(), begun.elapsed())?;
    write(bucket, times.map(|(number, at)| silence(&keys, &site, number, at)).collect()).await?;
    let begun = Instant::now();
    let read = SilenceReader::default().read(bucket, &keys).await.map_err(failed)?;
    tell("silences", place, read.all.len(), begun.elapsed())
}

fn tell(what: &str, place: &str, read: usize, took: Duration) -> Result<(), RunError> {
    if read != OBJECTS {
        return Err(failed(format!("of {OBJECTS} {what} in {place} {read} were read")));
    }
    figure(&format!("{OBJECTS} {what} are read from {place}"), "s", took.as_secs_f64(), LIMIT);
    Ok(())
}

fn verdict(keys: &PipelineKeys, site: &Name, number: i64, at: Timestamp) -> (String, Value) {
    let verdict = json!({
        "alert": { "uuid": format!("6f1c0f5e-{number:012}"), "site": site, "detectedUtc": at,
            "modelVersion": "20261101T000000Z-00000001" },
        "verdict": if number % 2 == 0 { "anomaly" } else { "expected" },
        "by": "ada", "why": "the yearly backup, which nobody had told of", "at": at,
    });
    (keys.verdict(&VerdictKey { site: site.clone(), id: VerdictId::new(at, 7) }), verdict)
}

fn silence(keys: &PipelineKeys, site: &Name, number: i64, at: Timestamp) -> (String, Value) {
    let silence = json!({
        "match": format!("has(example.host) && example.host == 'backup-{number}'"),
        "from": at, "until": at + SignedDuration::from_hours(2), "by": "ada", "why": "the yearly backup",
    });
    (keys.silence(&SilenceKey { site: site.clone(), id: SilenceId::new(at, 7) }), silence)
}

/// Several at once.
async fn write(bucket: &Bucket, objects: Vec<(String, Value)>) -> Result<(), RunError> {
    let mut writers = JoinSet::new();
    for share in objects.chunks(OBJECTS.div_ceil(WRITERS)) {
        let (bucket, share) = (bucket.clone(), share.to_vec());
        writers.spawn(async move {
            for (key, object) in share {
                bucket.put(&key, object.to_string().into()).await?;
            }
            Ok::<_, BucketError>(())
        });
    }
    while let Some(written) = writers.join_next().await {
        written.map_err(failed)?.map_err(failed)?;
    }
    Ok(())
}
