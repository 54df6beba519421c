//! What the topic Job makes, alters and says, by what it may.

use crate::acl::{Operation, Resource, allow};
use crate::broker::{Login, configuration, create_topic, options, partitions};
use crate::token::TokenEndpoint;
use crate::workload::Workload;

/// A Job of these topics says what it lacks, one ACL after the other; each is granted, and it ends well.
fn names_each_grant(user: &str, topics: &[&str], grants: &[(&str, Operation, &str)]) {
    let mut arguments = options(user, Login::Scram);
    arguments.extend(topics.iter().map(|topic| format!("--topic={topic}")));
    let mut job = Workload::start("vedette-topics", user, &arguments);
    for (topic, operation, said) in grants {
        job.wait_until_it_says(&[&format!("grant the ACLs: {said} on topic {topic}")]);
        allow(user, &[(Resource::Topic(topic), *operation)]);
    }
    let status = job.outcome();
    assert!(status.success(), "{status}: {}", job.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_job_names_what_it_may_not_see_or_make_and_goes_on_once_it_may() {
    create_topic("unseen", 2, &[]).await;
    names_each_grant(
        "maker",
        &["unseen:management=None,partitions?=4", "unmade:partitions=3,cleanup.policy?=delete"],
        &[
            ("unseen", Operation::Describe, "Describe"),
            ("unmade", Operation::Describe, "Describe"),
            ("unmade", Operation::Create, "Create"),
        ],
    );
    assert_eq!((partitions("unseen"), partitions("unmade")), (2, 3));
    assert_eq!(configuration("unmade", "cleanup.policy").await.as_deref(), Some("delete"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_job_names_each_acl_that_it_needs_to_manage_a_topic_and_alters_no_more_than_is_stated() {
    create_topic("managed", 2, &[("retention.bytes", "12345"), ("cleanup.policy", "delete")]).await;
    names_each_grant(
        "manager",
        &["managed:management=Manage,partitions=3,retention.ms=60000,cleanup.policy?=compact,delete"],
        &[
            ("managed", Operation::Describe, "Describe"),
            ("managed", Operation::Alter, "Alter"),
            ("managed", Operation::DescribeConfigs, "DescribeConfigs"),
            ("managed", Operation::AlterConfigs, "AlterConfigs"),
        ],
    );
    assert_eq!(partitions("managed"), 3);
    for (key, value) in [("retention.ms", "60000"), ("retention.bytes", "12345"), ("cleanup.policy", "delete")] {
        assert_eq!(configuration("managed", key).await.as_deref(), Some(value), "{key}");
    }
}

/// rdkafka gives its `AdminClient` no token: these requests are our own.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_by_a_token_makes_compares_and_alters_topics_and_names_the_acl_that_it_lacks() {
    let endpoint = TokenEndpoint::serve("looker", "secret-of-looker", 60);
    let (theirs, made) = (Resource::Topic("looked-at-by-a-token"), Resource::Topic("made-by-a-token"));
    allow(
        "looker",
        &[(theirs, Operation::Describe), (theirs, Operation::DescribeConfigs), (made, Operation::Describe)],
    );
    create_topic("looked-at-by-a-token", 2, &[("retention.ms", "-1")]).await;
    let job = |topics: &[&str]| {
        let mut arguments = options("looker", Login::Token(endpoint.address));
        arguments.extend(topics.iter().map(|topic| format!("--topic={topic}")));
        Workload::start("vedette-topics", "looker", &arguments)
    };
    let ends_well = |mut job: Workload| {
        let status = job.outcome();
        assert!(status.success(), "{status}: {}", job.log());
        job.log()
    };
    let wanted =
        ["looked-at-by-a-token:partitions=3,retention.ms=60000", "made-by-a-token:partitions=3,retention.ms=60000"];
    let lacks = job(&wanted);
    lacks.wait_until_it_says(&["grant the ACLs: Create on topic made-by-a-token"]);
    allow("looker", &[(made, Operation::Create)]);
    let said = ends_well(lacks);
    assert!(said.contains("looked-at-by-a-token has 2 partitions and 3 are stated"), "{said}");
    assert!(said.contains("retention.ms of looked-at-by-a-token is -1 and 60000 is stated"), "{said}");
    assert_eq!((partitions("looked-at-by-a-token"), partitions("made-by-a-token")), (2, 3));
    assert_eq!(configuration("made-by-a-token", "retention.ms").await.as_deref(), Some("60000"));

    allow("looker", &[(made, Operation::Alter), (made, Operation::DescribeConfigs), (made, Operation::AlterConfigs)]);
    ends_well(job(&["made-by-a-token:management=Manage,partitions=4,retention.ms=70000"]));
    assert_eq!(partitions("made-by-a-token"), 4);
    assert_eq!(configuration("made-by-a-token", "retention.ms").await.as_deref(), Some("70000"));
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
    let uncompared = "the configuration of theirs cannot be compared without the ACL DescribeConfigs";
    assert!(job.log().contains(uncompared), "{}", job.log());

    for (topic, count, retention, largest) in [("theirs", 2, "-1", "10485760"), ("ours", 5, "604800000", "1048576")] {
        assert_eq!(partitions(topic), count, "{topic}");
        assert_eq!(configuration(topic, "retention.ms").await.as_deref(), Some(retention), "{topic}");
        assert_eq!(configuration(topic, "max.message.bytes").await.as_deref(), Some(largest), "{topic}");
    }
}
