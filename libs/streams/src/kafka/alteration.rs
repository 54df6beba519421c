//! What is sent to alter a topic. The request that there is replaces all that was ever set of the topic, so what others set
//! is sent along.

use std::collections::BTreeMap;

use rdkafka::admin::{ConfigEntry, ConfigSource};

/// A configuration that is in force.
pub(super) struct LiveEntry {
    /// None where Kafka does not tell it.
    pub(super) value: Option<String>,
    /// It was set for this topic, and is no default of the broker's.
    pub(super) is_own: bool,
    /// Nobody may set it.
    pub(super) is_read_only: bool,
    /// Kafka never tells its value.
    pub(super) is_sensitive: bool,
}

impl From<ConfigEntry> for LiveEntry {
    fn from(entry: ConfigEntry) -> Self {
        let ConfigEntry { name: _, value, source, is_read_only, is_default: _, is_sensitive } = entry;
        Self { value, is_own: source == ConfigSource::DynamicTopic, is_read_only, is_sensitive }
    }
}

/// All that is sent, so that what is `stated` is set and the rest stays.
///
/// # Errors
/// The name of an entry that would be lost: it was set, and Kafka does not tell to what.
pub(super) fn entries<'a>(
    live: &'a BTreeMap<String, LiveEntry>,
    stated: &[(&'a str, &'a str)],
) -> Result<BTreeMap<&'a str, &'a str>, &'a str> {
    let mut entries: BTreeMap<&str, &str> = stated.iter().copied().collect();
    for (name, entry) in live.iter().filter(|(_, entry)| entry.is_own && !entry.is_read_only) {
        if entries.contains_key(name.as_str()) {
            continue;
        }
        match &entry.value {
            Some(value) if !entry.is_sensitive => entries.insert(name, value),
            Some(_) | None => return Err(name),
        };
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, value: Option<&str>, source: ConfigSource) -> (String, ConfigEntry) {
        let entry = ConfigEntry {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            source,
            is_read_only: false,
            is_default: false,
            is_sensitive: false,
        };
        (name.to_owned(), entry)
    }

    fn live(entries: impl IntoIterator<Item = (String, ConfigEntry)>) -> BTreeMap<String, LiveEntry> {
        entries.into_iter().map(|(name, entry)| (name, LiveEntry::from(entry))).collect()
    }

    #[test]
    fn what_others_set_of_the_topic_stays_and_no_more_is_sent() {
        let mut fixed = entry("cleanup.policy", Some("delete"), ConfigSource::DynamicTopic);
        fixed.1.is_read_only = true;
        let live = live([
            entry("retention.ms", Some("1"), ConfigSource::DynamicTopic),
            entry("segment.bytes", Some("2"), ConfigSource::DynamicTopic),
            entry("max.message.bytes", Some("3"), ConfigSource::Default),
            entry("compression.type", Some("zstd"), ConfigSource::DynamicDefaultBroker),
            fixed,
        ]);
        let sent = entries(&live, &[("retention.ms", "9"), ("min.insync.replicas", "2")]).unwrap();
        let wanted = [("min.insync.replicas", "2"), ("retention.ms", "9"), ("segment.bytes", "2")];
        assert_eq!(sent, BTreeMap::from(wanted));
    }

    #[test]
    fn what_kafka_does_not_tell_is_not_lost() {
        let mut secret = entry("x.password", None, ConfigSource::DynamicTopic);
        secret.1.is_sensitive = true;
        let known = live([secret]);
        assert_eq!(entries(&known, &[("retention.ms", "9")]), Err("x.password"));
        assert_eq!(entries(&known, &[("x.password", "stated")]), Ok(BTreeMap::from([("x.password", "stated")])));
        let untold = live([entry("retention.ms", None, ConfigSource::DynamicTopic)]);
        assert_eq!(entries(&untold, &[]), Err("retention.ms"));
        let default = live([entry("x.password", None, ConfigSource::Default)]);
        assert_eq!(entries(&default, &[]), Ok(BTreeMap::new()));
    }
}
