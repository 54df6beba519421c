//! What a topic that exists has against what is stated of it, and against what its records need.

use std::collections::{BTreeMap, BTreeSet};

use vedette_contract::topic::{CLEANUP_POLICY, MIN_INSYNC_REPLICAS, TopicManagement, TopicSpecification};

use crate::kafka::alteration::LiveEntry;

const COMPACT: &str = "compact";
/// Brokers take `min.insync.replicas` for at most the number of replicas since Kafka 3.7, and know this setting since 3.8.
const SINCE_CAPPED: &str = "compression.zstd.level";

/// What is stated of a topic and is not in force: key and value.
pub(super) fn differing<'a>(
    topic: &'a TopicSpecification,
    live: &BTreeMap<String, LiveEntry>,
) -> Vec<(&'a str, &'a str)> {
    let stated = topic.configuration.iter().filter(|(key, _)| topic.states(key));
    let differs = |key: &str, value: &str| value_of(live, key).is_none_or(|now| means(now) != means(value));
    stated.map(|(key, value)| (key.as_str(), value.as_str())).filter(|(key, value)| differs(key, value)).collect()
}

/// The value that is in force, where Kafka tells it.
pub(super) fn value_of<'a>(live: &'a BTreeMap<String, LiveEntry>, key: &str) -> Option<&'a str> {
    live.get(key)?.value.as_deref()
}

/// Whether a topic keeps old records as its own kind needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cleanup<'a> {
    /// It does, or that is not known, or nothing is needed, or it is stated and so compared.
    Fits,
    /// It is compacted by this policy, and may get records without a key, which Kafka then refuses.
    TakesOnlyKeys(&'a str),
    /// It is not compacted by this policy, and only the last record of a key is of use.
    PilesUp(&'a str),
}

/// How a topic keeps old records. That it would be made otherwise does not state how it is to be.
pub(super) fn cleanup<'a>(topic: &TopicSpecification, live: &'a BTreeMap<String, LiveEntry>) -> Cleanup<'a> {
    let made = topic.configuration.get(CLEANUP_POLICY).filter(|_| !topic.states(CLEANUP_POLICY));
    let (Some(made), Some(now)) = (made, value_of(live, CLEANUP_POLICY)) else {
        return Cleanup::Fits;
    };
    match (means(made).contains(COMPACT), means(now).contains(COMPACT)) {
        (true, true) | (false, false) => Cleanup::Fits,
        (false, true) => Cleanup::TakesOnlyKeys(now),
        (true, false) => Cleanup::PilesUp(now),
    }
}

/// Whether a topic has as many replicas as have to have a record before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Insync {
    /// It has, or that is not known.
    Fits,
    /// So many are asked for, and its brokers refuse every record.
    RefusesAll(i32),
    /// So many are asked for, and its brokers are content with what there is.
    Capped(i32),
}

/// Of a topic with so many replicas.
pub(super) fn insync(topic: &TopicSpecification, replicas: i32, live: &BTreeMap<String, LiveEntry>) -> Insync {
    let stated = topic.configuration.get(MIN_INSYNC_REPLICAS).filter(|_| topic.states(MIN_INSYNC_REPLICAS));
    let set = stated.filter(|_| topic.management == TopicManagement::Manage).map(String::as_str);
    let asked = set.or_else(|| value_of(live, MIN_INSYNC_REPLICAS)).and_then(|value| value.parse().ok());
    match asked.filter(|asked| *asked > replicas) {
        None => Insync::Fits,
        Some(asked) if live.contains_key(SINCE_CAPPED) => Insync::Capped(asked),
        Some(asked) => Insync::RefusesAll(asked),
    }
}

/// Lists mean the same in any order.
fn means(value: &str) -> BTreeSet<&str> {
    value.split(',').map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::admin::{ConfigEntry, ConfigSource};

    fn live(entries: &[(&str, &str)]) -> BTreeMap<String, LiveEntry> {
        let entry = |name: &str, value: &str| ConfigEntry {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            source: ConfigSource::DynamicTopic,
            is_read_only: false,
            is_default: false,
            is_sensitive: false,
        };
        entries.iter().map(|(name, value)| ((*name).to_owned(), LiveEntry::from(entry(name, value)))).collect()
    }

    #[test]
    fn a_list_is_the_same_in_any_order() {
        let topic = "a:partitions=1,cleanup.policy=compact,delete,retention.ms=1".parse().unwrap();
        for same in ["compact,delete", "delete,compact", "delete, compact"] {
            let differing = differing(&topic, &live(&[("cleanup.policy", same), ("retention.ms", "2")]));
            assert_eq!(differing, [("retention.ms", "1")], "{same}");
        }
        let live = live(&[("cleanup.policy", "delete"), ("retention.ms", "1")]);
        assert_eq!(differing(&topic, &live), [("cleanup.policy", "compact,delete")]);
    }

    #[test]
    fn what_becomes_of_old_records_is_looked_at_by_what_the_topic_is_for() {
        let seen =
            |topic: &str, policy: &str| match cleanup(&topic.parse().unwrap(), &live(&[("cleanup.policy", policy)])) {
                Cleanup::Fits => "fits",
                Cleanup::TakesOnlyKeys(_) => "takes only keys",
                Cleanup::PilesUp(_) => "piles up",
            };
        let (plain, compacted) = ("a:partitions=1,cleanup.policy?=delete", "a:partitions=1,cleanup.policy?=compact");
        for (topic, policy, expected) in [
            (plain, "delete", "fits"),
            (plain, "compact", "takes only keys"),
            (plain, "delete,compact", "takes only keys"),
            (compacted, "delete,compact", "fits"),
            (compacted, "delete", "piles up"),
            ("a:partitions=1", "compact", "fits"),
            ("a:partitions=1,cleanup.policy=delete", "compact", "fits"),
        ] {
            assert_eq!(seen(topic, policy), expected, "{topic} with {policy}");
        }
        assert_eq!(cleanup(&plain.parse().unwrap(), &BTreeMap::new()), Cleanup::Fits);
    }

    #[test]
    fn a_topic_with_fewer_replicas_than_have_to_have_a_record_takes_none_unless_its_brokers_ask_for_no_more() {
        let of = |topic: &str, replicas: i32, entries: &[(&str, &str)]| {
            insync(&topic.parse().unwrap(), replicas, &live(entries))
        };
        let asks = ("min.insync.replicas", "2");
        assert_eq!(of("a:partitions=1", 1, &[asks]), Insync::RefusesAll(2));
        assert_eq!(of("a:partitions=1", 2, &[asks]), Insync::Fits);
        assert_eq!(of("a:partitions=1", 1, &[]), Insync::Fits, "nobody tells");
        assert_eq!(of("a:partitions=1", 1, &[asks, ("compression.zstd.level", "3")]), Insync::Capped(2));
        let stated = "a:partitions=1,min.insync.replicas=1";
        assert_eq!(of(stated, 1, &[asks]), Insync::RefusesAll(2), "it is left as it is");
        assert_eq!(of(&format!("{stated},management=Manage"), 1, &[asks]), Insync::Fits, "it is set");
    }
}
