//! While one authority takes the place of another, servers of both are trusted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, reason = "the tests of buckets use the rest")]
mod support;

use std::path::PathBuf;

use rdkafka::consumer::BaseConsumer;
use support::PATIENCE;
use support::tls::{certificate, tls_in_front_of};
use tempfile::TempDir;
use vedette_contract::arguments::{BucketArguments, KafkaArguments};
use vedette_streams::bucket::{Bucket, BucketError};
use vedette_streams::kafka::{Isolation, KafkaSettings};
use vedette_testing::{TestBroker, TestBucket, eventually};

/// A directory as the kubelet makes it of the Secret of a cluster whose authority is about to change: the next one stands where
/// the one stood that still signs.
struct Authorities(TempDir);

impl Authorities {
    fn mounted() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (file, of) in [("ca.crt", "next.crt"), ("ca-2026-11-28T09-00-00Z.crt", "ca.crt")] {
            std::fs::copy(certificate(of), directory.path().join(file)).unwrap();
        }
        std::fs::write(directory.path().join("ca.p12"), [0xff, 0]).unwrap();
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[tokio::test]
async fn a_bucket_whose_authority_is_about_to_change_is_reached() {
    let (server, authorities) = (TestBucket::serve().await, Authorities::mounted());
    let front = tls_in_front_of(server.endpoint().trim_start_matches("http://").parse().unwrap()).await;
    let answer = async |file: &str| {
        let arguments = BucketArguments {
            bucket_endpoint: Some(format!("https://{}", front.address)),
            bucket_ca_file: Some(authorities.path(file)),
            ..server.arguments()
        };
        Bucket::with_timeouts(&arguments, PATIENCE, PATIENCE).get("a").await
    };
    let refusal = answer("ca.crt").await.unwrap_err();
    assert!(matches!(refusal, BucketError::Unreachable { .. }), "the next authority alone is too early: {refusal:?}");
    assert!(answer("*.crt").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_whose_authority_is_about_to_change_is_reached() {
    let (broker, authorities) = (TestBroker::start(), Authorities::mounted());
    let front = tls_in_front_of(broker.address()).await;
    let properties = [
        "security.protocol=SSL".to_owned(),
        "ssl.endpoint.identification.algorithm=none".to_owned(),
        format!("ssl.ca.location={}", authorities.path("*.crt").display()),
    ];
    let arguments = KafkaArguments {
        bootstrap_servers: front.address.to_string(),
        kafka_properties: properties.iter().map(|property| property.parse().unwrap()).collect(),
        ..KafkaArguments::default()
    };
    let settings = KafkaSettings::new(&arguments, "of-two-authorities");
    let client: BaseConsumer = settings.consumer("group", Isolation::ReadCommitted).create().unwrap();
    // Whom it does not trust a client asks nothing. Answers are no sign: they name the broker itself, which has no TLS.
    eventually("a client of both authorities asks", async || front.sent.lock().unwrap().contains("of-two-authorities"))
        .await;
    drop(client);
}
