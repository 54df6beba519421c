//! Whether a topic keeps a record for as long as any other, however old it is when it comes.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::info;
use vedette_contract::TopicName;
use vedette_contract::topic::{CLEANUP_POLICY, LOG_APPEND_TIME, TIMESTAMP_TYPE};

use crate::kafka::alteration::LiveEntry;
use crate::kafka::comparison::value_of;
use crate::kafka::described::described;
use crate::kafka::{KafkaError, KafkaSettings};

const RETENTION_MS: &str = "retention.ms";
/// Kafka's own default, for topics that do not tell.
const USUAL_RETENTION_MS: i64 = 7 * 24 * 3_600_000;

/// From when on, and for how long, a topic keeps a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// From its arrival on, or without regard to time.
    FromArrival,
    /// From the time on that its producer gives, for so many milliseconds.
    FromItsTime(i64),
}

impl Keeping {
    /// Whether a record of this time, milliseconds since 1970, would be kept for less than half as long as one of the present.
    pub fn is_too_old(self, timestamp: Option<i64>, now: i64) -> bool {
        match (self, timestamp) {
            (Self::FromItsTime(milliseconds), Some(timestamp)) => now.saturating_sub(timestamp) > milliseconds / 2,
            (Self::FromArrival, _) | (_, None) => false,
        }
    }

    /// `None` where the topic does not tell.
    fn of(live: &BTreeMap<String, LiveEntry>) -> Option<Self> {
        let deletes = value_of(live, CLEANUP_POLICY)?.split(',').any(|policy| policy.trim() == "delete");
        let milliseconds = value_of(live, RETENTION_MS)?.parse().ok()?;
        let from_arrival = !deletes || milliseconds < 0 || value_of(live, TIMESTAMP_TYPE)? == LOG_APPEND_TIME;
        Some(if from_arrival { Self::FromArrival } else { Self::FromItsTime(milliseconds) })
    }
}

/// How these topics keep records, in their order. Of one that may not be looked at so closely Kafka's own default is taken: by the
/// producer's time, seven days.
///
/// # Errors
/// When no broker answers.
pub async fn keepings<const COUNT: usize>(
    settings: &KafkaSettings,
    topics: [&TopicName; COUNT],
    timeout: Duration,
) -> Result<[Keeping; COUNT], KafkaError> {
    let mut keepings = [Keeping::FromItsTime(USUAL_RETENTION_MS); COUNT];
    let described = described(settings, &topics, timeout).await?;
    for (keeping, topic) in keepings.iter_mut().zip(topics) {
        match described.get(topic.as_str()).and_then(Keeping::of) {
            Some(known) => *keeping = known,
            None => {
                info!(%topic, "without the ACL DescribeConfigs a topic is taken for one that keeps records for seven days");
            }
        }
    }
    Ok(keepings)
}

#[cfg(test)]
mod tests {
    use rdkafka::admin::{ConfigEntry, ConfigSource};

    use super::*;

    fn keeping(entries: &[(&str, &str)]) -> Option<Keeping> {
        let entry = |(name, value): &(&str, &str)| ConfigEntry {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            source: ConfigSource::Default,
            is_read_only: false,
            is_default: true,
            is_sensitive: false,
        };
        Keeping::of(&entries.iter().map(|it| (it.0.to_owned(), LiveEntry::from(entry(it)))).collect())
    }

    #[test]
    fn a_topic_that_deletes_by_the_producers_time_is_known() {
        for (policy, retention, kind, expected) in [
            ("delete", "1000", "CreateTime", Keeping::FromItsTime(1_000)),
            ("compact, delete", "1000", "CreateTime", Keeping::FromItsTime(1_000)),
            ("delete", "1000", "LogAppendTime", Keeping::FromArrival),
            ("delete", "-1", "CreateTime", Keeping::FromArrival),
            ("compact", "1000", "CreateTime", Keeping::FromArrival),
        ] {
            let entries = [("cleanup.policy", policy), ("retention.ms", retention), ("message.timestamp.type", kind)];
            assert_eq!(keeping(&entries), Some(expected), "{entries:?}");
        }
        assert_eq!(keeping(&[]), None);
    }

    #[test]
    fn a_record_is_too_old_when_little_is_left_of_the_time_that_others_have() {
        let (now, week) = (1_795_435_200_000, USUAL_RETENTION_MS);
        for (age, expected) in [(8 * week / 7, true), (4 * week / 7, true), (3 * week / 7, false), (-week, false)] {
            assert_eq!(Keeping::FromItsTime(week).is_too_old(Some(now - age), now), expected, "{age}");
            assert!(!Keeping::FromArrival.is_too_old(Some(now - age), now));
        }
        assert!(!Keeping::FromItsTime(week).is_too_old(None, now));
        assert!(Keeping::FromItsTime(week).is_too_old(Some(i64::MIN), now));
    }
}
