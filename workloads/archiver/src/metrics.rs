//! What the archiver counts.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{self, Registry};
use vedette_contract::archive::Stream;
use vedette_contract::health::TopicHealth;
use vedette_contract::metrics::{Metric, archiver};
use vedette_service::register;
use vedette_streams::bucket::BucketError;

use crate::error::UploadError;

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
            records: registered(registry, &archiver::RECORDS),
            archived_records: registered(registry, &archiver::ARCHIVED_RECORDS),
            lag_records: registered(registry, &archiver::LAG_RECORDS),
            lag_seconds: registered(registry, &archiver::LAG),
            untold_partitions: registered(registry, &archiver::UNTOLD_PARTITIONS),
            truncated_records: registered(registry, &archiver::TRUNCATED_RECORDS),
            lost_records: registered(registry, &archiver::LOST_RECORDS),
            record_bytes: registered(registry, &archiver::RECORD_BYTES),
            objects: registered(registry, &archiver::OBJECTS),
            mixed_objects: registered(registry, &archiver::MIXED_OBJECTS),
            object_bytes: registered(registry, &archiver::OBJECT_BYTES),
            deltas: registered(registry, &archiver::DELTAS),
            last_close: registered(registry, &archiver::LAST_CLOSE),
            failures: registered(registry, &archiver::UPLOAD_FAILURES),
            partitions: registered(registry, &archiver::PARTITIONS),
            open_objects: registered(registry, &archiver::OPEN_OBJECTS),
            paused_partitions: registered(registry, &archiver::PAUSED_PARTITIONS),
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

fn registered<M: registry::Metric + Clone + Default>(registry: &mut Registry, of: &Metric) -> M {
    let metric = M::default();
    register(registry, of, metric.clone());
    metric
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_testing::metrics::{assert_registered, assert_served};

    #[test]
    fn names_carry_their_unit_and_labels_are_bounded() {
        let mut registry = vedette_service::registry(&archiver::BUILD);
        let metrics = Metrics::register(&mut registry);
        assert_registered(&registry, archiver::ALL);
        metrics.of_stream(Stream::Alerts).records.inc();
        metrics.of_stream(Stream::Alerts).bytes.inc_by(7);
        metrics.closed(Stream::EnrichedData, 4, 9);
        metrics.begin([Stream::EnrichedData].into_iter());
        metrics.failed("BucketTimeout");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert_served(&text, archiver::ALL);
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
