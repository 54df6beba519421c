//! The documented grants of what is neither a detector's stream nor a topic Job.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use vedette_testing::bucket::TestBucket;
use vedette_testing::eventually;

use crate::acl::{Operation, Resource, allow, revoke};
use crate::broker::{Login, create_topic, delete_group, produce, read, uuids};
use crate::workload::Workload;
use crate::{Topics, detector, passes, process, records, service};

/// Somebody who is told of incidents, and how often.
fn receiver() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, told) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&told);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, counter) = (stream.unwrap(), Arc::clone(&counter));
            std::thread::spawn(move || {
                let mut bytes = vec![0; 65_536];
                while let Ok(1..) = stream.read(&mut bytes) {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
                }
            });
        }
    });
    (address, told)
}

/// Its receivers have groups below its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_notifier_with_the_documented_acls_tells_of_incidents_and_names_those_that_it_lacks() {
    let user = "notifier";
    let (alerts, incidents) = ("notifier-alerts", "notifier-incidents");
    create_topic(alerts, 2, &[]).await;
    create_topic(incidents, 2, &[("cleanup.policy", "compact,delete")]).await;
    let transactional_id = Resource::TransactionalId(user);
    allow(
        user,
        &[
            (Resource::Topic(alerts), Operation::Describe),
            (Resource::Topic(incidents), Operation::Describe),
            (Resource::Topic(incidents), Operation::Read),
            (Resource::GroupPrefix(user), Operation::Read),
        ],
    );
    let (address, told) = receiver();
    let bucket = TestBucket::serve().await;
    let mut arguments = service(user, Login::Scram, &bucket);
    arguments.extend([
        format!("--alerts-topic={alerts}"),
        format!("--incidents-topic={incidents}"),
        format!(r#"--receiver={{"name":"hook","to":{{"webhook":{{}}}},"url":"http://{address}/"}}"#),
    ]);
    let notifier = Workload::start("vedette-notifier", user, &arguments);
    notifier.wait_until_it_says(&["Write and Describe on transactional ID notifier"]);
    allow(user, &[(transactional_id, Operation::Describe), (transactional_id, Operation::Write)]);
    notifier.wait_until_it_says(&["Write on topic notifier-incidents"]);
    allow(user, &[(Resource::Topic(incidents), Operation::Write)]);
    notifier.wait_until_it_says(&["Read on topic notifier-alerts"]);
    produce(alerts, &records()[..10]);
    allow(user, &[(Resource::Topic(alerts), Operation::Read)]);
    eventually("an incident is written and told", async || {
        let written = read(incidents).iter().any(|incident| incident["alerts"] == 10);
        written && told.load(Ordering::SeqCst) > 0
    })
    .await;
    notifier.stop();
}

/// What it was refused while it ran is written, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_generator_with_the_documented_acls_generates_names_the_one_that_it_lacks_and_waits_for_it() {
    let (user, topic) = ("generator", "generated");
    let bucket = TestBucket::serve().await;
    create_topic(topic, 2, &[]).await;
    allow(user, &[(Resource::Topic(topic), Operation::Describe)]);
    let mut arguments = process(user, Login::Scram);
    arguments.extend(bucket.options());
    arguments.extend(["--records-per-second=20", "--mode=Random", "--seed=1"].map(str::to_owned));
    arguments.push(format!("--topic={topic}"));
    let mut generator = Workload::start("vedette-generator", user, &arguments);
    let named = "grant the ACL: Write on topic generated";
    generator.wait_until_it_says(&[named]);
    assert!(generator.readiness().await.contains(named), "{}", generator.readiness().await);
    let write = (Resource::Topic(topic), Operation::Write);
    allow(user, &[write]);
    eventually("it generates", async || read(topic).len() >= 20).await;
    revoke(user, write.0, write.1);
    eventually("it says so again", async || generator.readiness().await.contains(named)).await;
    let written = read(topic).len();
    allow(user, &[write]);
    eventually("it goes on", async || read(topic).len() >= written + 20).await;
    assert!(generator.runs(), "{}", generator.log());
    generator.stop();
    let mut indices: Vec<_> = read(topic).iter().filter_map(|record| record["index"].as_u64()).collect();
    indices.sort_unstable();
    assert!(indices.iter().copied().eq(0..indices.len() as u64), "each record once: {indices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_whose_group_has_forgotten_needs_to_read_what_it_wrote() {
    let user = "forgotten";
    let bucket = TestBucket::serve().await;
    let topics = Topics::create(user).await;
    let read_enriched = (Resource::Topic(&topics.enriched), Operation::Read);
    let mut grants = topics.grants(user);
    grants.retain(|(resource, _)| !matches!(resource, Resource::TransactionalId(_)));
    let transactional_ids = Resource::TransactionalIdPrefix("forgot");
    grants.extend([(transactional_ids, Operation::Describe), (transactional_ids, Operation::Write), read_enriched]);
    allow(user, &grants);
    let (first, second) = (&records()[..150], &records()[150..]);
    produce(&topics.input, first);
    let starts = || detector(user, Login::Scram, &bucket, &topics, "ExactlyOnce");
    let mut before = starts();
    passes(&mut before, &topics, first).await;
    before.stop();
    delete_group(user).await;
    let mut after = starts();
    after.wait_until_it_says(&["reading on behind what came of that"]);
    produce(&topics.input, second);
    passes(&mut after, &topics, &records()).await;
    after.stop();
    assert_eq!(uuids(&topics.enriched), records());

    revoke(user, read_enriched.0, read_enriched.1);
    delete_group(user).await;
    let without = starts();
    without.wait_until_it_says(&["grant the ACL: Read on the topic", &topics.enriched, "may be enriched twice"]);
}
