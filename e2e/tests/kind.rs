//! What a person does at a site, on a kind cluster with Apache Kafka and SeaweedFS in pods: the custom resources, the
//! operator, a pipeline and a training are applied, and everything else follows.

use std::time::Duration;

use vedette_e2e::Cluster;
use vedette_streams::kafka::check_broker;

const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test]
async fn kafka_and_the_bucket_are_reached_from_outside_of_the_cluster() {
    let east = Cluster::connect("east").await.unwrap();
    check_broker(&east.kafka(), PATIENCE).unwrap();
    east.bucket().probe_conditional_writes("e2e/").await.unwrap();
}
