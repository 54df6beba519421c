//! What a generator counts, for `/metrics` and for the totals in its log.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// The counters of one process; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    /// Records that Kafka has acknowledged.
    pub(crate) records: Counter,
    /// Their bytes, without keys.
    pub(crate) bytes: Counter,
    /// Rows of the data set that were left out.
    pub(crate) bad_rows: Counter,
    /// Records that Kafka did not take.
    pub(crate) delivery_errors: Counter,
}

impl Metrics {
    /// Counters at 0, registered.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { records, bytes, bad_rows, delivery_errors } = &metrics;
        registry.register("records", "Records that Kafka has acknowledged", records.clone());
        registry.register("record_bytes", "Bytes of the records that Kafka has acknowledged", bytes.clone());
        registry.register("bad_rows", "Rows of the data set that were left out", bad_rows.clone());
        registry.register("delivery_errors", "Records that Kafka did not take", delivery_errors.clone());
        metrics
    }
}
