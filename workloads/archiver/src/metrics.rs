//! What the archiver counts.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry, Unit};
use vedette_contract::archive::Stream;
use vedette_contract::health::TopicHealth;
use vedette_streams::bucket::BucketError;

use crate::upload::UploadError;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StreamLabel {
    stream: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ReasonLabel {
    reason: &'static str,
}

/// The archiver's metrics; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    records: Family<StreamLabel, Counter>,
    archived_records: Family<StreamLabel, Counter>,
    lost_records: Family<StreamLabel, Counter>,
    truncated_records: Family<StreamLabel, Counter>,
    lag_records: Family<StreamLabel, Gauge>,
    lag_seconds: Family<StreamLabel, Gauge<f64, AtomicU64>>,
    untold_partitions: Family<StreamLabel, Gauge>,
    record_bytes: Family<StreamLabel, Counter>,
    objects: Family<StreamLabel, Counter>,
    mixed_objects: Family<StreamLabel, Counter>,
    object_bytes: Family<StreamLabel, Counter>,
    deltas: Family<StreamLabel, Counter>,
    last_close: Family<StreamLabel, Gauge<f64, AtomicU64>>,
    failures: Family<ReasonLabel, Counter>,
    pub(crate) partitions: Gauge,
    pub(crate) open_objects: Gauge,
    pub(crate) paused_partitions: Gauge,
}

/// The counters that move with every record of one stream, without a look-up.
#[derive(Debug, Clone)]
pub(crate) struct RecordCounters {
    pub(crate) records: Counter,
    pub(crate) bytes: Counter,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        Self {
            records: counted(registry, "records", "Records read from Kafka"),
            archived_records: counted(registry, "archived_records", "Records of the closed objects"),
            lag_records: counted(registry, "lag_records", "Offsets of its partitions that it has not come to yet"),
            lag_seconds: measured(
                registry,
                "lag",
                "How long ago the last record was written that it has read, where it lags",
                Unit::Seconds,
            ),
            untold_partitions: counted(
                registry,
                "untold_partitions",
                "Partitions of its own that are in no lag: without a leader, or it is looked for from where they are read",
            ),
            truncated_records: counted(
                registry,
                "truncated_records",
                "Offsets whose records Kafka lost after they were read",
            ),
            lost_records: counted(
                registry,
                "lost_records",
                "Offsets whose records retention deleted before they were archived",
            ),
            record_bytes: measured(registry, "record", "Bytes of the records read", Unit::Bytes),
            objects: counted(registry, "objects", "Objects closed in the bucket"),
            mixed_objects: counted(
                registry,
                "mixed_objects",
                "Objects with records of another site among theirs: two releases write to one topic",
            ),
            object_bytes: measured(registry, "object", "Compressed bytes of the closed objects", Unit::Bytes),
            deltas: counted(registry, "deltas", "Deltas of open objects sent to the bucket"),
            last_close: measured(
                registry,
                "last_close_timestamp",
                "When an object was closed last, Unix time",
                Unit::Seconds,
            ),
            failures: counted(
                registry,
                "upload_failures",
                "Work on the bucket or commits that failed and is tried again",
            ),
            partitions: counted(registry, "partitions", "Partitions that it archives now"),
            open_objects: counted(registry, "open_objects", "Objects that take records now"),
            paused_partitions: counted(registry, "paused_partitions", "Partitions that wait for the bucket"),
        }
    }

    /// Has the counters of these streams, and those of failures, be there from the start, at 0.
    pub(crate) fn begin(&self, streams: impl Iterator<Item = Stream>) {
        for reason in BucketError::REASONS.into_iter().chain(UploadError::REASONS) {
            self.failures.get_or_create_owned(&ReasonLabel { reason });
        }
        for stream in streams {
            let label = StreamLabel { stream: stream.as_str() };
            for of_stream in [
                &self.records,
                &self.archived_records,
                &self.lost_records,
                &self.truncated_records,
                &self.record_bytes,
                &self.objects,
                &self.mixed_objects,
                &self.object_bytes,
                &self.deltas,
            ] {
                of_stream.get_or_create_owned(&label);
            }
        }
    }

    /// The stream's topic stands like this.
    pub(crate) fn lags(&self, stream: Stream, topic: &TopicHealth) {
        let label = StreamLabel { stream: stream.as_str() };
        self.lag_records.get_or_create(&label).set(i64::try_from(topic.lag_records).unwrap_or(i64::MAX));
        self.untold_partitions.get_or_create(&label).set(i64::from(topic.untold_partitions));
        if let Some(seconds) = topic.lag_seconds {
            self.lag_seconds.get_or_create(&label).set(seconds);
        }
    }

    pub(crate) fn of_stream(&self, stream: Stream) -> RecordCounters {
        let label = StreamLabel { stream: stream.as_str() };
        RecordCounters {
            records: self.records.get_or_create_owned(&label),
            bytes: self.record_bytes.get_or_create_owned(&label),
        }
    }

    pub(crate) fn lost(&self, stream: Stream, records: u64) {
        self.lost_records.get_or_create(&StreamLabel { stream: stream.as_str() }).inc_by(records);
    }

    pub(crate) fn truncated(&self, stream: Stream, records: u64) {
        self.truncated_records.get_or_create(&StreamLabel { stream: stream.as_str() }).inc_by(records);
    }

    pub(crate) fn closed(&self, stream: Stream, records: u64, length: u64) {
        let label = StreamLabel { stream: stream.as_str() };
        self.archived_records.get_or_create(&label).inc_by(records);
        self.objects.get_or_create(&label).inc();
        self.object_bytes.get_or_create(&label).inc_by(length);
        self.last_close.get_or_create(&label).set(jiff::Timestamp::now().as_duration().as_secs_f64());
    }

    /// An object was closed, which has records of another site in it or has not.
    pub(crate) fn mixed(&self, stream: Stream, is_mixed: bool) {
        self.mixed_objects.get_or_create(&StreamLabel { stream: stream.as_str() }).inc_by(u64::from(is_mixed));
    }

    pub(crate) fn delta_sent(&self, stream: Stream) {
        self.deltas.get_or_create(&StreamLabel { stream: stream.as_str() }).inc();
    }

    pub(crate) fn failed(&self, reason: &'static str) {
        self.failures.get_or_create(&ReasonLabel { reason }).inc();
    }
}

fn counted<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn measured<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str, unit: Unit) -> M {
    let metric = M::default();
    registry.register_with_unit(name, help, unit, metric.clone());
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_their_unit_and_labels_are_bounded() {
        let mut registry = Registry::with_prefix("vedette_archiver");
        let metrics = Metrics::register(&mut registry);
        metrics.of_stream(Stream::Alerts).records.inc();
        metrics.of_stream(Stream::Alerts).bytes.inc_by(7);
        metrics.closed(Stream::EnrichedData, 4, 9);
        metrics.begin([Stream::EnrichedData].into_iter());
        metrics.failed("BucketTimeout");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "vedette_archiver_records_total{stream=\"alerts\"} 1",
            "vedette_archiver_record_bytes_total{stream=\"alerts\"} 7",
            "vedette_archiver_archived_records_total{stream=\"enriched_data\"} 4",
            "vedette_archiver_object_bytes_total{stream=\"enriched_data\"} 9",
            "vedette_archiver_upload_failures_total{reason=\"BucketTimeout\"} 1",
            "vedette_archiver_upload_failures_total{reason=\"BucketUnreachable\"} 0",
            "vedette_archiver_upload_failures_total{reason=\"CommitFailed\"} 0",
            "vedette_archiver_open_objects 0",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(text.contains("vedette_archiver_last_close_timestamp_seconds{stream=\"enriched_data\"}"), "{text}");
    }
}
