//! Which partitions of the outputs have no leader: what is written to one waits, and with it the unit that it is of. Once it is in a
//! transaction Kafka ends none of that producer before it has one again, so it has to be known before.

use std::collections::BTreeMap;

use rdkafka::client::{Client, ClientContext};
use vedette_contract::TopicName;
use vedette_streams::kafka::leaderless;

/// What a unit of work waits for that Kafka does not take: the partitions of its outputs without a leader, if there are any.
pub(crate) fn waited_for<C: ClientContext>(client: &Client<C>, outputs: &[TopicName; 3]) -> String {
    let without: BTreeMap<&TopicName, Vec<i32>> =
        outputs.iter().map(|topic| (topic, leaderless(client, topic).into_iter().collect())).collect();
    told(&without)
}

fn told(without: &BTreeMap<&TopicName, Vec<i32>>) -> String {
    let partitions = |(topic, partitions): (&&TopicName, &Vec<i32>)| match partitions.as_slice() {
        [] => None,
        [one] => Some(format!("{topic} partition {one} has no leader")),
        several => Some(format!("{topic} partitions {several:?} have no leader")),
    };
    let told: Vec<String> = without.iter().filter_map(partitions).collect();
    if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_named() {
        let [enriched, alerts]: [TopicName; 2] = ["enriched_data", "alerts"].map(|name| name.parse().unwrap());
        assert_eq!(told(&[(&enriched, vec![]), (&alerts, vec![])].into()), "");
        assert_eq!(
            told(&[(&enriched, vec![1, 3]), (&alerts, vec![0])].into()),
            ": alerts partition 0 has no leader, enriched_data partitions [1, 3] have no leader"
        );
    }
}
