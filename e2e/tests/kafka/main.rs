//! The data plane against Apache Kafka with its own authorizer and TLS: what the documented ACLs and properties are worth.
//! Each test has topics and a user of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod acl;
mod age;
mod broker;
mod grants;
mod local;
mod token;
mod topic_job;
mod workload;

use std::net::SocketAddr;
use std::time::Instant;

use acl::{Operation, Resource, allow, revoke};
use broker::{Login, configure, create_topic, now_millis, options, produce, produce_at, uuids};
use token::TokenEndpoint;
use vedette_archive::verify;
use vedette_contract::keys::PipelineKeys;
use vedette_testing::bucket::TestBucket;
use vedette_testing::{eventually, free_address, http_get};
use workload::Workload;

/// Milliseconds.
const HOUR: i64 = 3_600_000;

/// A pipeline's topics, named after its user.
struct Topics {
    input: String,
    enriched: String,
    alerts: String,
    dead_letters: String,
}

impl Topics {
    fn named_after(user: &str) -> Self {
        let name = |topic| format!("{user}-{topic}");
        Self { input: name("input"), enriched: name("enriched"), alerts: name("alerts"), dead_letters: name("dead") }
    }

    async fn create(user: &str) -> Self {
        let topics = Self::named_after(user);
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

/// Whether the table of docs/security.md lists this operation of this resource, of one of its own or of each topic.
fn is_documented(resource: &str, operation: Operation) -> bool {
    let page = include_str!("../../../docs/security.md");
    let (_, table) = page.split_once("it needs these ACLs, and no others:\n\n").unwrap();
    let operation = format!("{operation:?}");
    table.lines().take_while(|row| row.starts_with('|')).any(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let is_meant = cells[1].contains(resource) || (resource.starts_with('`') && cells[1].contains("each topic"));
        is_meant && cells[2].split(|letter: char| !letter.is_alphabetic()).any(|word| word == operation)
    })
}

/// Whoever grants what the page lists grants enough: all that a detector is granted here, with which it works.
#[test]
fn the_page_of_acls_lists_all_that_a_detector_is_granted_here() {
    let topics = Topics::named_after("d");
    for (resource, operation) in topics.grants("d") {
        let word = match resource {
            Resource::Topic(name) if name == topics.input => "`sensorMessages`",
            Resource::Topic(name) if name == topics.enriched => "`enrichedData`",
            Resource::Topic(name) if name == topics.alerts => "`alerts`",
            Resource::Topic(_) => "`deadLetters`",
            Resource::Group(_) | Resource::GroupPrefix(_) => "groups",
            Resource::TransactionalId(_) | Resource::TransactionalIdPrefix(_) => "transactional IDs",
        };
        assert!(is_documented(word, operation), "{operation:?} of {word} is not in docs/security.md");
    }
    assert!(!is_documented("groups", Operation::Write), "what is not listed is seen");
}

fn process(user: &str, login: Login) -> Vec<String> {
    let mut arguments = options(user, login);
    arguments.extend([format!("--listen-address={}", free_address()), format!("--pod-name={user}")]);
    arguments
}

fn member(user: &str, login: Login) -> Vec<String> {
    let mut arguments = process(user, login);
    arguments.extend(["--namespace=team", "--pipeline=flows", "--site=east"].map(str::to_owned));
    arguments.push(format!("--group={user}"));
    arguments
}

fn service(user: &str, login: Login, bucket: &TestBucket) -> Vec<String> {
    let mut arguments = member(user, login);
    arguments.extend(bucket.options());
    arguments
}

fn detector(user: &str, login: Login, bucket: &TestBucket, topics: &Topics, guarantee: &str) -> Workload {
    let Topics { input, enriched, alerts, dead_letters } = topics;
    let mut arguments = service(user, login, bucket);
    arguments.extend([
        format!("--sensor-messages-topic={input}"),
        format!("--enriched-data-topic={enriched}"),
        format!("--alerts-topic={alerts}"),
        format!("--dead-letters-topic={dead_letters}"),
        format!("--processing-guarantee={guarantee}"),
    ]);
    arguments.extend(["--alert-budget-per-million=100", "--reasons=3", "--model-directory=."].map(str::to_owned));
    Workload::start("vedette-detector", user, &arguments)
}

/// An archiver, and where its probes and metrics are.
fn archiver(user: &str, bucket: &TestBucket, stream: &str, topic: &str) -> (Workload, SocketAddr) {
    let mut arguments = service(user, Login::Certificate, bucket);
    let probes = free_address();
    arguments.retain(|argument| !argument.starts_with("--listen-address="));
    arguments.push(format!("--listen-address={probes}"));
    arguments.push(format!("--archive={stream}={topic}"));
    let more = ["--rolling-max-bytes=100000", "--rolling-max-age-seconds=60", "--tail-interval-seconds=1"];
    arguments.extend(more.map(str::to_owned));
    arguments.push("--spool-directory=spool".to_owned());
    (Workload::start("vedette-archiver", user, &arguments), probes)
}

async fn archives_each_record(archiver: &mut Workload, probes: SocketAddr) {
    eventually("all records are archived", async || {
        assert!(archiver.runs(), "{}", archiver.log());
        let metrics = http_get(probes, "/metrics").await;
        metrics.lines().any(|line| line.starts_with("vedette_archiver_records_total") && line.ends_with(" 300"))
    })
    .await;
}

fn records() -> Vec<String> {
    (0..300).map(|number| format!("u{number:03}")).collect()
}

async fn passes(detector: &mut Workload, topics: &Topics, records: &[String]) {
    eventually("all records are enriched", async || {
        assert!(detector.runs(), "{}", detector.log());
        let mut found = uuids(&topics.enriched);
        found.dedup();
        found.len() >= records.len()
    })
    .await;
}

async fn passes_each_record_once(user: &str, login: Login) {
    let bucket = TestBucket::serve().await;
    let topics = Topics::create(user).await;
    allow(user, &topics.grants(user));
    produce(&topics.input, &records());
    let mut detector = detector(user, login, &bucket, &topics, "ExactlyOnce");
    passes(&mut detector, &topics, &records()).await;
    detector.stop();
    assert_eq!(uuids(&topics.enriched), records());
}

/// A detector without some of its grants names them, waits, and passes every record once they are granted.
async fn waits_for(
    user: &str,
    guarantee: &str,
    missing: impl Fn(&Topics, Resource<'_>, Operation) -> bool,
    said: &[&str],
) {
    let bucket = TestBucket::serve().await;
    let topics = Topics::create(user).await;
    let (later, now): (Vec<_>, Vec<_>) =
        topics.grants(user).into_iter().partition(|(resource, operation)| missing(&topics, *resource, *operation));
    assert!(!later.is_empty());
    allow(user, &now);
    produce(&topics.input, &records());
    let mut detector = detector(user, Login::Scram, &bucket, &topics, guarantee);
    detector.wait_until_it_says(said);
    assert_eq!(uuids(&topics.enriched), Vec::<String>::new());
    allow(user, &later);
    passes(&mut detector, &topics, &records()).await;
    detector.stop();
    let mut found = uuids(&topics.enriched);
    if guarantee == "AtLeastOnce" {
        found.dedup();
    }
    assert_eq!(found, records());
}

/// An archiver without one of its grants names it, waits, and archives every record once it is granted.
async fn archives_after(user: &str, stream: &str, missing: impl Fn(Resource<'_>, Operation) -> bool, said: &[&str]) {
    let bucket = TestBucket::serve().await;
    create_topic(user, 3, &[("retention.ms", "-1")]).await;
    let topic = Resource::Topic(user);
    let grants = [(topic, Operation::Describe), (topic, Operation::Read), (Resource::Group(user), Operation::Read)];
    let (later, now): (Vec<_>, Vec<_>) =
        grants.into_iter().partition(|(resource, operation)| missing(*resource, *operation));
    allow(user, &now);
    produce(user, &records());
    let (mut archiver, probes) = archiver(user, &bucket, stream, user);
    archiver.wait_until_it_says(said);
    allow(user, &later);
    archives_each_record(&mut archiver, probes).await;
    archiver.stop();
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
    let mut detector = detector(user, Login::Token(endpoint.address), &bucket, &topics, "ExactlyOnce");
    let (first, second) = (&records()[..150], &records()[150..]);
    produce(&topics.input, first);
    passes(&mut detector, &topics, first).await;
    // A machine with better to do is late now and then. Where none is renewed, connections end within each life of a token.
    let reports = || detector.log().matches("librdkafka reports").count();
    let (mut since, mut before, mut given) = (Instant::now(), reports(), endpoint.given());
    eventually("tokens are renewed, and no connection ends", async || {
        let reported = reports();
        if reported > before {
            (since, before, given) = (Instant::now(), reported, endpoint.given());
        }
        endpoint.given() >= given + 4 && since.elapsed() > endpoint.lifetime()
    })
    .await;
    produce(&topics.input, second);
    passes(&mut detector, &topics, &records()).await;
    assert!(!detector.log().contains("secret-of-token"), "{}", detector.log());
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
    let mut detector = detector(user, Login::Token(endpoint.address), &bucket, &topics, "ExactlyOnce");
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
    let (mut archiver, probes) = archiver(user, &bucket, "enriched_data", "archived");
    archives_each_record(&mut archiver, probes).await;
    archiver.stop();
    let keys = PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap());
    let report = verify(&bucket.bucket, &keys, None, |_| ()).await.unwrap();
    assert_eq!((report.records, report.findings.as_slice()), (300, [].as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_names_every_output_that_it_may_not_write_and_waits() {
    let missing = |topics: &Topics, resource: Resource<'_>, operation| matches!((resource, operation), (Resource::Topic(topic), Operation::Write) if topic != topics.alerts);
    let said = ["Write on topic unwritten-enriched; Write on topic unwritten-dead"];
    waits_for("unwritten", "ExactlyOnce", missing, &said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_names_its_transactional_id_and_waits() {
    let missing = |_: &Topics, resource: Resource<'_>, _| matches!(resource, Resource::TransactionalId(_));
    waits_for("untransacted", "ExactlyOnce", missing, &["Write and Describe on transactional ID untransacted"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_names_the_input_that_it_may_not_read_and_waits() {
    let missing = |topics: &Topics, resource: Resource<'_>, operation| matches!((resource, operation), (Resource::Topic(topic), Operation::Read) if topic == topics.input);
    waits_for("unread", "ExactlyOnce", missing, &["Read on topic unread-input"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_names_the_group_that_it_may_not_join_and_waits() {
    let missing = |_: &Topics, resource: Resource<'_>, _| matches!(resource, Resource::Group(_));
    waits_for("ungrouped", "ExactlyOnce", missing, &["Read on group ungrouped"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_that_loses_an_output_while_it_runs_names_it_waits_and_passes_each_record_once() {
    let user = "revoked";
    let bucket = TestBucket::serve().await;
    let topics = Topics::create(user).await;
    allow(user, &topics.grants(user));
    let mut detector = detector(user, Login::Scram, &bucket, &topics, "ExactlyOnce");
    let (first, second) = (&records()[..150], &records()[150..]);
    produce(&topics.input, first);
    passes(&mut detector, &topics, first).await;
    revoke(user, Resource::Topic(&topics.enriched), Operation::Write);
    produce(&topics.input, second);
    detector.wait_until_it_says(&["Write on topic revoked-enriched"]);
    assert!(detector.readiness().await.contains("Write on topic revoked-enriched"));
    allow(user, &[(Resource::Topic(&topics.enriched), Operation::Write)]);
    passes(&mut detector, &topics, &records()).await;
    detector.stop();
    assert_eq!(uuids(&topics.enriched), records());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_without_transactions_names_an_output_at_the_first_refusal_and_waits() {
    let missing = |topics: &Topics, resource: Resource<'_>, operation| matches!((resource, operation), (Resource::Topic(topic), Operation::Write) if topic == topics.enriched);
    waits_for("unwritten-once", "AtLeastOnce", missing, &["Write on topic unwritten-once-enriched"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_names_the_topic_of_incidents_that_it_may_not_read_and_waits() {
    let missing =
        |resource: Resource<'_>, operation| matches!((resource, operation), (Resource::Topic(_), Operation::Read));
    archives_after("archiver-unread", "incidents", missing, &["Read on topic archiver-unread"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_names_the_group_that_it_may_not_join_and_waits() {
    let missing = |resource: Resource<'_>, _| matches!(resource, Resource::Group(_));
    archives_after("archiver-ungrouped", "enriched_data", missing, &["Read on group archiver-ungrouped"]).await;
}

/// Kafka's own bound for new topics is an hour; the input may have another, or be older than the bound.
#[tokio::test(flavor = "multi_thread")]
async fn records_with_a_time_that_kafka_refuses_are_dead_letters_and_their_neighbours_pass_once() {
    let user = "refused";
    let bucket = TestBucket::serve().await;
    let topics = Topics::create(user).await;
    allow(user, &topics.grants(user));
    configure(&topics.input, &[("message.timestamp.after.max.ms", "9223372036854775807"), ("retention.ms", "-1")])
        .await;
    let is_early = |number: usize| number % 30 == 7;
    produce_at(&topics.input, &records(), |number| now_millis() + if is_early(number) { 2 * HOUR } else { 0 });
    let mut detector = detector(user, Login::Scram, &bucket, &topics, "ExactlyOnce");
    let (refused, good): (Vec<_>, Vec<_>) =
        records().into_iter().enumerate().partition(|(number, _)| is_early(*number));
    let names = |records: Vec<(usize, String)>| records.into_iter().map(|(_, uuid)| uuid).collect::<Vec<_>>();
    let (refused, good) = (names(refused), names(good));
    passes(&mut detector, &topics, &good).await;
    eventually("all others are dead letters", async || uuids(&topics.dead_letters).len() >= refused.len()).await;
    let log = detector.log();
    detector.stop();
    assert_eq!((uuids(&topics.enriched), uuids(&topics.dead_letters)), (good, refused), "{log}");
    assert!(!log.contains("smaller units"), "{log}");
}
