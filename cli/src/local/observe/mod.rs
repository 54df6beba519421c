//! Watches the flow from outside, as any consumer would: reads the four topics read-committed and counts.
//! It takes no part in any consumer group and commits nothing.

mod fields;
mod position;
pub mod statistics;
pub mod summary;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use thiserror::Error;
use vedette_contract::TopicName;
use vedette_records::Label;
use vedette_streams::kafka::{Isolation, KafkaSettings};

use fields::{CountedFields, FieldReader};
pub use position::{ObserverStart, ends_of};
use position::{ends, offsets_of, positions};
pub use statistics::{AlertRecord, EnrichedRecord, Percentiles, Phase, Statistics};
pub use summary::{Archive, ModelVersionLine, Summary, archive_totals, model_versions, summarize};

const LAG_INTERVAL: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(50);

/// What to watch.
#[derive(Debug, Clone)]
pub struct ObserverSettings {
    /// The broker.
    pub kafka: KafkaSettings,
    /// The pipeline's topics.
    pub topics: ObservedTopics,
    /// How to read the label, where there is one.
    pub label: Option<Label>,
    /// Where to begin.
    pub start: ObserverStart,
}

/// The pipeline's topics.
#[derive(Debug, Clone)]
pub struct ObservedTopics {
    /// What the generator produces.
    pub sensor_messages: TopicName,
    /// What the detector makes of it.
    pub enriched_data: TopicName,
    pub alerts: TopicName,
    /// What could not be read.
    pub dead_letters: TopicName,
}

/// Why the flow cannot be watched.
#[derive(Debug, Error)]
pub enum ObserveError {
    /// The topics could not be read.
    #[error("could not read topic {topic} to watch the flow")]
    Topic {
        topic: TopicName,
        #[source]
        source: rdkafka::error::KafkaError,
    },
    /// The consumer could not be made.
    #[error("could not create the consumer that watches the flow")]
    Consumer(#[source] rdkafka::error::KafkaError),
}

/// One alert for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertLine {
    /// The line, without a line end.
    pub text: String,
}

/// What is known at a moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Records in `sensor_messages`.
    pub generated: u64,
    /// Records in `enriched_data`.
    pub enriched: u64,
    /// Those with a score.
    pub scored: u64,
    /// Records in `dead_letters`.
    pub dead_letters: u64,
    /// Records in `alerts`.
    pub alerts: u64,
    /// Records that went in and did not come out yet.
    pub lag: u64,
    /// The newest model version that scored a record.
    pub model_version: Option<String>,
    /// Latency of the last 10,000 enriched records while steady.
    pub latency_ms: Option<Percentiles>,
    /// From the first record that was seen to the last.
    pub flowing: Duration,
    /// Offset after the last record of each partition of the enriched records and of the alerts.
    pub ends: BTreeMap<(TopicName, i32), i64>,
    /// The same of `sensor_messages`.
    pub input_ends: BTreeMap<i32, i64>,
}

struct Shared {
    statistics: Mutex<Statistics>,
    /// When the first record was seen, and the last.
    flowing: Mutex<Option<(Instant, Instant)>>,
    ends: Mutex<BTreeMap<(TopicName, i32), i64>>,
    input_ends: Mutex<BTreeMap<i32, i64>>,
    /// Where each partition of `sensor_messages` ended when the run began.
    found_ends: BTreeMap<i32, i64>,
    phase: Mutex<Phase>,
    stop: AtomicBool,
}

/// The thread that reads.
pub struct Observer {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Observer {
    /// Starts reading; the topics must exist.
    ///
    /// # Errors
    /// When the consumer cannot be made or a topic cannot be read.
    pub fn start(settings: ObserverSettings, on_alert: Box<dyn Fn(AlertLine) + Send>) -> Result<Self, ObserveError> {
        let consumer: BaseConsumer = settings
            .kafka
            .consumer("vedette-local-observer", Isolation::ReadCommitted)
            .create()
            .map_err(ObserveError::Consumer)?;
        let positions = positions(&consumer, &settings)?;
        consumer.assign(&positions).map_err(ObserveError::Consumer)?;
        let input_ends = Mutex::new(offsets_of(&positions, &settings.topics.sensor_messages));
        let found_ends = match &settings.start {
            ObserverStart::Beginning => BTreeMap::new(),
            ObserverStart::Unread { .. } => ends(&consumer, &settings.topics.sensor_messages)?,
        };
        let shared = Arc::new(Shared {
            statistics: Mutex::default(),
            flowing: Mutex::default(),
            ends: Mutex::default(),
            input_ends,
            found_ends,
            phase: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || read(&consumer, &settings, &for_thread, &*on_alert));
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What is known now.
    pub fn snapshot(&self) -> Snapshot {
        let statistics = lock(&self.shared.statistics);
        Snapshot {
            generated: statistics.generated,
            enriched: statistics.enriched,
            scored: statistics.scored,
            dead_letters: statistics.dead_letters,
            alerts: statistics.alerts,
            lag: statistics.lag(),
            model_version: statistics.by_version.keys().next_back().cloned(),
            latency_ms: statistics::percentiles(
                statistics.enriched_latencies.iter().rev().take(10_000).copied().collect(),
            ),
            flowing: lock(&self.shared.flowing).map_or(Duration::ZERO, |(first, last)| last - first),
            ends: lock(&self.shared.ends).clone(),
            input_ends: lock(&self.shared.input_ends).clone(),
        }
    }

    /// Latencies of each phase are reported apart.
    pub fn set_phase(&self, phase: Phase) {
        *lock(&self.shared.phase) = phase;
    }

    /// Stops reading and returns the counts.
    pub fn finish(mut self) -> Statistics {
        self.stop();
        std::mem::take(&mut *lock(&self.shared.statistics))
    }

    fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that watches the flow panicked; its counts are incomplete");
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(consumer: &BaseConsumer, settings: &ObserverSettings, shared: &Shared, on_alert: &dyn Fn(AlertLine)) {
    let mut sampled = Instant::now();
    let mut reader = FieldReader::new(settings.label.clone());
    while !shared.stop.load(Ordering::Relaxed) {
        if sampled.elapsed() >= LAG_INTERVAL && lock(&shared.flowing).is_some() {
            sampled = Instant::now();
            lock(&shared.statistics).sample_lag();
        }
        match consumer.poll(POLL) {
            None => {}
            Some(Err(error)) => tracing::warn!(%error, "watching the flow met an error"),
            Some(Ok(message)) => {
                let now = Instant::now();
                lock(&shared.flowing).get_or_insert((now, now)).1 = now;
                count(&message, &mut reader, &settings.topics, shared, on_alert);
            }
        }
    }
}

fn count(
    message: &BorrowedMessage<'_>,
    reader: &mut FieldReader,
    topics: &ObservedTopics,
    shared: &Shared,
    on_alert: &dyn Fn(AlertLine),
) {
    let fields = reader.read(message.payload().unwrap_or_default());
    let CountedFields { uuid, utc, score, model_version, alert_text, anomaly, simulated } = fields;
    let phase = *lock(&shared.phase);
    let topic = message.topic();
    if topic == topics.sensor_messages.as_str() {
        let mut statistics = lock(&shared.statistics);
        statistics.sensor_message(uuid);
        let found_end = shared.found_ends.get(&message.partition());
        statistics.found += u64::from(found_end.is_some_and(|end| message.offset() < *end));
        drop(statistics);
        lock(&shared.input_ends).insert(message.partition(), message.offset() + 1);
    } else if topic == topics.dead_letters.as_str() {
        lock(&shared.statistics).dead_letter(uuid);
    } else if topic == topics.enriched_data.as_str() {
        note_end(shared, &topics.enriched_data, message);
        // What somebody made up went its way, and is no figure of quality or of speed.
        let (record, latency) = if simulated {
            (EnrichedRecord { uuid, ..EnrichedRecord::default() }, None)
        } else {
            (EnrichedRecord { uuid, score, anomaly, model_version }, latency_ms(utc))
        };
        lock(&shared.statistics).enriched_record(record, latency, phase);
    } else if simulated {
        note_end(shared, &topics.alerts, message);
    } else {
        note_end(shared, &topics.alerts, message);
        lock(&shared.statistics).alert(AlertRecord { anomaly, latency_ms: latency_ms(utc) }, phase);
        on_alert(AlertLine { text: alert_line(alert_text.as_deref(), anomaly) });
    }
}

fn note_end(shared: &Shared, topic: &TopicName, message: &BorrowedMessage<'_>) {
    lock(&shared.ends).insert((topic.clone(), message.partition()), message.offset() + 1);
}

fn alert_line(alert_text: Option<&str>, anomaly: Option<bool>) -> String {
    let verdict = match anomaly {
        Some(true) => " [label: anomaly]",
        Some(false) => " [label: normal]",
        None => "",
    };
    format!("{}{verdict}", alert_text.unwrap_or("an alert without a text"))
}

fn latency_ms(made: Option<jiff::Timestamp>) -> Option<f32> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let microseconds = i64::try_from(now.as_micros()).ok()? - made?.as_microsecond();
    #[allow(clippy::cast_possible_truncation)]
    Some((microseconds as f64 / 1e3) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_reads_as_one_line() {
        assert_eq!(alert_line(Some("score 0.999."), Some(true)), "score 0.999. [label: anomaly]");
        assert_eq!(alert_line(Some("score 0.999."), None), "score 0.999.");
    }
}
