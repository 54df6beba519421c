//! From many archived records to a published model.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use vedette_contract::Name;
use vedette_contract::arguments::{AWS_ACCESS_KEY_ID_ENV, AWS_SECRET_ACCESS_KEY_ENV, BucketArguments};
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_e2e::archive::Copies;
use vedette_e2e::figure::Figure;
use vedette_e2e::local::binary;
use vedette_e2e::processes::{cpu_seconds, peak_resident_bytes};
use vedette_e2e::{LocalRun, RunError};
use vedette_embedded::bucket::{BucketOptions, Credentials, EmbeddedBucket};
use vedette_streams::bucket::Bucket;

use crate::local::{fixture, kdd_file};
use crate::{MEGABYTE, figure};

/// Unless `BENCH_RECORDS` says.
const RECORDS: usize = 5_000_000;
const BUCKET: &str = "vedette";
const NAMESPACE: &str = "e2e";
/// Whose records are repeated.
const ARCHIVED: &str = "fast";
/// The pipeline that has them, and its training.
const MANY: &str = "many";
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a trainer took.
struct Taken {
    seconds: f64,
    cpu_seconds: f64,
    peak_bytes: u64,
}

/// 5,000,000 archived records to a published model, by the defaults of a manifest: baseline and folds are in it.
pub(crate) fn training() -> Result<Vec<Figure>, RunError> {
    let records = std::env::var("BENCH_RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(RECORDS);
    let directory = tempfile::tempdir().map_err(RunError::Process)?;
    archive_some(directory.path())?;
    let runtime = Runtime::new().map_err(RunError::Process)?;
    let bucket = runtime.block_on(serve(directory.path()))?;
    let stored = runtime.block_on(fill(&bucket, records))?;
    let Taken { seconds, cpu_seconds, peak_bytes } = learn(&bucket, directory.path())?;
    println!(
        "{records} records are {} MB in the archive; the trainer took {cpu_seconds:.1} s of CPU",
        stored / 1_000_000
    );
    let name = format!("{records} archived records to a published model");
    Ok(vec![
        figure(&name, "s", seconds, 40. * records as f64 / RECORDS as f64),
        figure("the same, peak resident", "MB", peak_bytes as f64 / MEGABYTE, 800.),
    ])
}

/// Some 100,000 enriched records, in a bucket below the directory.
fn archive_some(directory: &Path) -> Result<(), RunError> {
    let manifest = fixture("fast.yaml");
    let mut words = vec!["local".into(), "--json".into(), "--for".into(), "20s".into(), "-f".into(), manifest];
    words.extend(["--data-dir".to_owned(), directory.display().to_string()]);
    words.extend(kdd_file().into_iter().flat_map(|file| ["--dataset".to_owned(), file.display().to_string()]));
    LocalRun::start(words)?.summary(PATIENCE).map(drop)
}

/// The bucket of a data directory, which nobody else serves.
pub(crate) async fn serve(directory: &Path) -> Result<EmbeddedBucket, RunError> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let options = BucketOptions { directory, name: BUCKET, listen, credentials: Credentials::random() };
    EmbeddedBucket::start(options).await.map_err(failed)
}

pub(crate) fn client(bucket: &EmbeddedBucket) -> Bucket {
    let Credentials { access_key_id, secret_access_key } = bucket.credentials().clone();
    Bucket::new(&BucketArguments {
        bucket_endpoint: Some(bucket.endpoint()),
        bucket: BUCKET.to_owned(),
        bucket_region: "us-east-1".to_owned(),
        access_key_id: Some(access_key_id),
        secret_access_key: Some(secret_access_key.into()),
        ..BucketArguments::default()
    })
}

async fn fill(bucket: &EmbeddedBucket, records: usize) -> Result<u64, RunError> {
    let client = client(bucket);
    let copies = Copies::of(&client, &PipelineKeys::new(&name(NAMESPACE)?, &name(ARCHIVED)?)).await.map_err(failed)?;
    copies.fill(&client, &name(MANY)?, records).await.map_err(failed)
}

/// Runs a trainer to its end, as the Job of a manifest's defaults would be.
fn learn(bucket: &EmbeddedBucket, directory: &Path) -> Result<Taken, RunError> {
    let log = directory.join("trainer.log");
    let output = File::create(&log).map_err(RunError::Process)?;
    let program = binary("vedette-trainer");
    let mut command = Command::new(&program);
    command
        .args(["--namespace", NAMESPACE, "--pipeline", MANY, "--site=local", "--training", MANY, "--job=bench"])
        .args(["--bucket-endpoint", &bucket.endpoint(), "--bucket", BUCKET])
        .args([
            "--max-records=1000000",
            "--deduplicate-by=uuid",
            "--algorithm=Ensemble",
            "--seed=1",
            "--holdout-share=0.2",
        ])
        .args(["--alert-budget-per-million=1000", "--folds=2", "--keep=5"])
        .args(["--label-field=label", "--normal-label=normal.", "--normal-label=normal"])
        .env(AWS_ACCESS_KEY_ID_ENV, &bucket.credentials().access_key_id)
        .env(AWS_SECRET_ACCESS_KEY_ENV, &bucket.credentials().secret_access_key)
        .stdin(Stdio::null())
        .stderr(output.try_clone().map_err(RunError::Process)?)
        .stdout(output);
    let began = Instant::now();
    let mut trainer = command.spawn().map_err(|source| RunError::Start { program, source })?;
    let (mut cpu, mut peak_bytes) = (0., 0);
    let status = loop {
        cpu = cpu_seconds(trainer.id()).unwrap_or(cpu);
        peak_bytes = peak_resident_bytes(trainer.id()).unwrap_or(0).max(peak_bytes);
        if let Some(status) = trainer.try_wait().map_err(RunError::Process)? {
            break status;
        }
        std::thread::sleep(LOOK_AGAIN);
    };
    let seconds = began.elapsed().as_secs_f64();
    let pointer = directory.join(BUCKET).join(ModelKeys::new(&name(NAMESPACE)?, &name(MANY)?).current());
    if !status.success() || !pointer.exists() {
        return Err(RunError::Failed { status, log: std::fs::read_to_string(&log).map_err(RunError::Process)? });
    }
    Ok(Taken { seconds, cpu_seconds: cpu, peak_bytes })
}

pub(crate) fn name(text: &str) -> Result<Name, RunError> {
    text.parse().map_err(failed)
}

pub(crate) fn failed(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> RunError {
    RunError::Process(std::io::Error::other(cause))
}
