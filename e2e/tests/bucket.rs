//! A workload and the bucket of SeaweedFS behind TLS with a certificate of a private authority, by an identity of the pod's own:
//! a token that its STS exchanges for a key.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use vedette_contract::Name;
use vedette_contract::arguments::BucketArguments;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{TrainingOutcome, TrainingResult};
use vedette_e2e::local::{binary, repository};
use vedette_streams::bucket::Bucket;
use vedette_testing::bucket::{ACCESS_KEY, SECRET_KEY};

const ENDPOINT: &str = "https://127.0.0.1:8334";
/// What its role allows buckets to be called.
const BUCKET: &str = "identity-records";
const KEYS_ENV: &str = "VEDETTE_S3_KEYS";

fn key(name: &str) -> PathBuf {
    let directory = std::env::var(KEYS_ENV).unwrap_or_else(|_| {
        panic!("{KEYS_ENV} is not set: it names a directory of keys; `make e2e-bucket` starts a SeaweedFS and sets it")
    });
    Path::new(&directory).join(name)
}

/// The bucket as its owner has it.
fn owned(name: &str) -> Bucket {
    Bucket::new(&BucketArguments {
        bucket_endpoint: Some(ENDPOINT.to_owned()),
        bucket: name.to_owned(),
        bucket_region: "us-east-1".to_owned(),
        bucket_ca_file: Some(key("ca.crt")),
        access_key_id: Some(ACCESS_KEY.to_owned()),
        secret_access_key: Some(SECRET_KEY.into()),
        ..BucketArguments::default()
    })
}

/// A token as a cluster gives it to a pod, for this audience.
fn token(directory: &TempDir, audience: &str) -> PathBuf {
    let mut command = Command::new(repository().join("e2e/scripts/token.sh"));
    let made =
        command.arg(key("token.key")).args([audience, "system:serviceaccount:team:vedette", "600"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let path = directory.path().join(audience);
    std::fs::write(&path, made.stdout).unwrap();
    path
}

/// A trainer that has nothing but a token.
fn train(bucket: &str, token: &Path, more: &[&str]) -> Output {
    let line = "--namespace team --pipeline flows --site east --training daily --job daily-1 --max-records 1000 \
        --deduplicate-by uuid --algorithm IsolationForest --seed 1 --holdout-share 0.5 --alert-budget-per-million 20000 \
        --folds 2 --keep 3";
    Command::new(binary("vedette-trainer"))
        .args(line.split_whitespace())
        .args([format!("--bucket={bucket}"), format!("--bucket-endpoint={ENDPOINT}")])
        .args(more)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", token)
        .env("AWS_ROLE_ARN", "arn:aws:iam::role/vedette")
        .env("AWS_ENDPOINT_URL_STS", ENDPOINT)
        .output()
        .unwrap_or_else(|error| panic!("cannot start the trainer, which `make build` makes: {error}"))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_token_of_the_pod_is_enough_behind_a_private_authority() {
    let bucket = owned(BUCKET);
    bucket.ensure_exists().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let authority = format!("--bucket-ca-file={}", key("ca.crt").display());

    let encryption = "--bucket-encryption=AES256";
    let output = train(BUCKET, &token(&directory, "sts.amazonaws.com"), &[&authority, encryption]);
    assert!(output.status.success(), "{}", said(&output));
    let name = |text: &str| text.parse::<Name>().unwrap();
    let models = ModelKeys::new(&name("team"), &name("daily"));
    let result: TrainingResult =
        bucket.get_json(&models.result("daily-1")).await.unwrap().expect("it wrote what came of it");
    assert_eq!(result.outcome, TrainingOutcome::NotEnoughData);
}

#[tokio::test]
async fn what_is_missing_of_it_is_named() {
    owned(BUCKET).ensure_exists().await.unwrap();
    owned("others").ensure_exists().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let authority = format!("--bucket-ca-file={}", key("ca.crt").display());
    let (good, foreign) = (token(&directory, "sts.amazonaws.com"), token(&directory, "others.example"));
    for (what, output, words) in [
        ("the authority", train(BUCKET, &good, &[]), ["UnknownIssuer"].as_slice()),
        ("the audience", train(BUCKET, &foreign, &[&authority]), &["NoCredentials", ENDPOINT]),
        ("the right to the bucket", train("others", &good, &[&authority]), &["AccessDenied", "others"]),
    ] {
        let said = said(&output);
        assert!(!output.status.success(), "{what}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{what}: {said}");
    }
}
