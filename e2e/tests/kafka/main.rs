//! The data plane against Apache Kafka with its own authorizer and TLS: what the documented ACLs and properties are worth.
//! Each test has topics and a user of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod acl;
mod broker;
mod token;
mod workload;

use acl::{Operation, Resource, allow};
use broker::{Login, configuration, create_topic, options, partitions, produce, uuids};
use token::TokenEndpoint;
use vedette_archive::verify;
use vedette_contract::keys::PipelineKeys;
use vedette_testing::bucket::TestBucket;
use vedette_testing::{eventually, free_address, http_get};
use workload::Workload;

/// A pipeline's topics, named after its user.
struct Topics {
    input: String,
    enriched: String,
    alerts: String,
    dead_letters: String,
}

impl Topics {
    async fn create(user: &str) -> Self {
        let name = |topic| format!("{user}-{topic}");
        let topics = Self {
            input: name("input"),
            enriched: name("enriched"),
            alerts: name("alerts"),
            dead_letters: name("dead"),
        };
        let Self { input, enriched, alerts, dead_letters } = &topics;
        for topic in [input, enriched, alerts, dead_letters] {
            create_topic(topic, 3, &[("retention.ms", "-1")]).await;
        }
        topics
    }

    /// What docs/security.md lists for a detector.
    fn grants<'a>(&'a self, user: &'a str) -> Vec<(Resource<'a>, Operation)> {
        let Self { input, enriched, alerts, dead_letters } = self;
        let mut grants = vec![
            (Resource::Topic(input), Operation::Describe),
            (Resource::Topic(input), Operation::Read),
            (Resource::Group(user), Operation::Read),
            (Resource::TransactionalId(user), Operation::Describe),
            (Resource::TransactionalId(user), Operation::Write),
        ];
        for topic in [enriched, alerts, dead_letters] {
            grants.extend([(Resource::Topic(topic), Operation::Describe), (Resource::Topic(topic), Operation::Write)]);
        }
        grants
    }
}

fn service(user: &str, login: Login, bucket: &TestBucket) -> Vec<String> {
    let mut arguments = options(user, login);
    arguments.extend(bucket.options());
    arguments.extend(["--namespace=team", "--pipeline=flows", "--site=east"].map(str::to_owned));
    arguments.extend([
        format!("--listen-address={}", free_address()),
        format!("--pod-name={user}"),
        format!("--group={user}"),
    ]);
    arguments
}

fn detector(user: &str, login: Login, bucket: &TestBucket, topics: &Topics) -> Workload {
    let Topics { input, enriched, alerts, dead_letters } = topics;
    let mut arguments = service(user, login, bucket);
    arguments.extend([
        format!("--sensor-messages-topic={input}"),
        format!("--enriched-data-topic={enriched}"),
        format!("--alerts-topic={alerts}"),
        format!("--dead-letters-topic={dead_letters}"),
    ]);
    let more =
        ["--processing-guarantee=ExactlyOnce", "--alert-budget-per-million=100", "--reasons=3", "--model-directory=."];
    arguments.extend(more.map(str::to_owned));
    Workload::start("vedette-detector", user, &arguments)
}

fn records() -> Vec<String> {
    (0..300).map(|number| format!("u{number:03}")).collect()
}

async fn passes_each_record_once(user: &str, login: Login) {
    let bucket = TestBucket::serve().await;
    let topics = Topics::create(user).await;
    allow(user, &topics.grants(user));
    produce(&topics.input, &records());
    let mut detector = detector(user, login, &bucket, &topics);
    passes(&mut detector, &topics, &records()).await;
    detector.stop();
    assert_eq!(uuids(&topics.enriched), records());
}

async fn passes(detector: &mut Workload, topics: &Topics, records: &[String]) {
    eventually("all records are enriched", async || {
        assert!(detector.runs(), "{}", detector.log());
        uuids(&topics.enriched).len() >= records.len()
    })
    .await;
}

/// Whether a detector without one of its grants says all of this in its log; it passes nothing.
async fn says_without(user: &str, missing: impl Fn(&Topics, Resource<'_>, Operation) -> bool, words: &[&str]) {
    let bucket = TestBucket::serve().await;
    let topics = Topics::create(user).await;
    let mut grants = topics.grants(user);
    grants.retain(|(resource, operation)| !missing(&topics, *resource, *operation));
    assert!(grants.len() < topics.grants(user).len());
    allow(user, &grants);
    produce(&topics.input, &records());
    let detector = detector(user, Login::Scram, &bucket, &topics);
    detector.wait_until_it_says(words);
    assert_eq!(uuids(&topics.enriched), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_by_a_token() {
    let endpoint = TokenEndpoint::serve("maker", "secret-of-maker", 60);
    let made = Resource::Topic("made-by-a-token");
    allow("maker", &[(made, Operation::Create), (made, Operation::Describe)]);
    let mut arguments = options("maker", Login::Token(endpoint.address));
    arguments.push("--topic=made-by-a-token:partitions=3".to_owned());
    let mut job = Workload::start("vedette-topics", "maker", &arguments);
    let status = job.outcome();
    assert!(status.success(), "{status}: {}", job.log());
    assert_eq!((partitions("made-by-a-token"), endpoint.given()), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_exists_stays_as_it_is_and_a_missing_one_is_created_with_create_and_describe_alone() {
    create_topic("theirs", 2, &[("retention.ms", "-1"), ("max.message.bytes", "10485760")]).await;
    let (theirs, ours) = (Resource::Topic("theirs"), Resource::Topic("ours"));
    allow("topics", &[(theirs, Operation::Describe), (ours, Operation::Create), (ours, Operation::Describe)]);
    let mut arguments = options("topics", Login::Scram);
    for (topic, partitions) in [("theirs", 4), ("ours", 5)] {
        arguments
            .push(format!("--topic={topic}:partitions={partitions},retention.ms=604800000,max.message.bytes=1048576"));
    }
    let mut job = Workload::start("vedette-topics", "topics", &arguments);
    let status = job.outcome();
    assert!(status.success(), "{status}: {}", job.log());

    for (topic, count, retention, largest) in [("theirs", 2, "-1", "10485760"), ("ours", 5, "604800000", "1048576")] {
        assert_eq!(partitions(topic), count, "{topic}");
        assert_eq!(configuration(topic, "retention.ms").await.as_deref(), Some(retention), "{topic}");
        assert_eq!(configuration(topic, "max.message.bytes").await.as_deref(), Some(largest), "{topic}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_with_the_documented_acls_passes_each_record_once_by_scram() {
    passes_each_record_once("scram", Login::Scram).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_with_the_documented_acls_passes_each_record_once_by_a_plain_password() {
    passes_each_record_once("plain", Login::Plain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_with_the_documented_acls_passes_each_record_once_by_its_certificate() {
    passes_each_record_once("certificate", Login::Certificate).await;
}

/// The broker ends a connection when its token ends, unless it is renewed.
#[tokio::test(flavor = "multi_thread")]
async fn a_detector_passes_each_record_once_by_tokens_that_are_renewed() {
    let user = "token";
    let endpoint = TokenEndpoint::serve(user, "secret-of-token", 4);
    let bucket = TestBucket::serve().await;
    let topics = Topics::create(user).await;
    allow(user, &topics.grants(user));
    let mut detector = detector(user, Login::Token(endpoint.address), &bucket, &topics);
    let (first, second) = (&records()[..150], &records()[150..]);
    produce(&topics.input, first);
    passes(&mut detector, &topics, first).await;
    let given = endpoint.given();
    eventually("tokens are renewed", async || endpoint.given() >= given + 4).await;
    produce(&topics.input, second);
    passes(&mut detector, &topics, &records()).await;
    assert!(
        !detector.log().contains("secret-of-token") && !detector.log().contains("librdkafka reports"),
        "{}",
        detector.log()
    );
    detector.stop();
    assert_eq!(uuids(&topics.enriched), records());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_without_a_token_says_so_and_goes_on_without_a_restart_when_its_secret_is_known() {
    let user = "unknown";
    let endpoint = TokenEndpoint::serve(user, "another", 60);
    let bucket = TestBucket::serve().await;
    let topics = Topics::create(user).await;
    allow(user, &topics.grants(user));
    produce(&topics.input, &records());
    let mut detector = detector(user, Login::Token(endpoint.address), &bucket, &topics);
    let address = endpoint.address.to_string();
    detector.wait_until_it_says(&["TokenRefused", &address, "status 401", "no such client", "credentialsSecret"]);
    assert!(detector.readiness().await.contains("status 401"), "{}", detector.readiness().await);
    endpoint.know("secret-of-unknown");
    passes(&mut detector, &topics, &records()).await;
    assert!(!detector.log().contains("secret-of-unknown"), "{}", detector.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_that_may_only_read_archives_each_record_by_its_certificate() {
    let user = "archiver";
    let bucket = TestBucket::serve().await;
    create_topic("archived", 3, &[("retention.ms", "-1")]).await;
    let topic = Resource::Topic("archived");
    allow(user, &[(topic, Operation::Describe), (topic, Operation::Read), (Resource::Group(user), Operation::Read)]);
    produce("archived", &records());
    let mut arguments = service(user, Login::Certificate, &bucket);
    let probes = free_address();
    arguments.retain(|argument| !argument.starts_with("--listen-address="));
    arguments.push(format!("--listen-address={probes}"));
    let more = ["--archive=enriched_data=archived", "--rolling-max-bytes=100000", "--rolling-max-age-seconds=60"];
    arguments.extend(more.map(str::to_owned));
    arguments.extend(["--tail-interval-seconds=1", "--spool-directory=spool"].map(str::to_owned));
    let mut archiver = Workload::start("vedette-archiver", user, &arguments);
    eventually("all records are archived", async || {
        assert!(archiver.runs(), "{}", archiver.log());
        let metrics = http_get(probes, "/metrics").await;
        metrics.lines().any(|line| line.starts_with("vedette_archiver_records_total") && line.ends_with(" 300"))
    })
    .await;
    archiver.stop();
    let keys = PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap());
    let report = verify(&bucket.bucket, &keys, None, |_| ()).await.unwrap();
    assert_eq!((report.records, report.findings.as_slice()), (300, [].as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_that_may_not_write_an_output_passes_nothing_and_says_so() {
    let missing = |topics: &Topics, resource: Resource<'_>, operation| matches!((resource, operation), (Resource::Topic(topic), Operation::Write) if topic == topics.enriched);
    says_without("unwritten", missing, &["authorization failed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_that_may_not_use_its_transactional_id_passes_nothing_and_says_so() {
    let missing = |_: &Topics, resource: Resource<'_>, _| matches!(resource, Resource::TransactionalId(_));
    says_without("untransacted", missing, &["transactional"]).await;
}
