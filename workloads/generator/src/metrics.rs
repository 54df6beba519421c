//! What a generator counts, for `/metrics` and for the totals in its log.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use vedette_contract::metrics::generator;
use vedette_datasets::{LeftOut, RowFault};
use vedette_service::register;

/// Why a row was left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RowFaultLabel {
    reason: &'static str,
}

/// The counters of one process; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    /// Records that Kafka has acknowledged.
    pub(crate) records: Counter,
    /// Their bytes, without keys.
    pub(crate) bytes: Counter,
    /// Rows of the data set that were left out.
    bad_rows: Family<RowFaultLabel, Counter>,
    /// Records that Kafka did not take.
    pub(crate) delivery_errors: Counter,
}

impl Metrics {
    /// Counters at 0, registered.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { records, bytes, bad_rows, delivery_errors } = &metrics;
        register(registry, &generator::RECORDS, records.clone());
        register(registry, &generator::RECORD_BYTES, bytes.clone());
        register(registry, &generator::BAD_ROWS, bad_rows.clone());
        register(registry, &generator::DELIVERY_ERRORS, delivery_errors.clone());
        // Every series is there from the start.
        RowFault::ALL.into_iter().for_each(|fault| drop(metrics.bad_rows_of(fault)));
        metrics
    }

    /// Counts what was left out of a data set.
    pub(crate) fn count_left_out(&self, left_out: &LeftOut) {
        left_out.by_fault().for_each(|(fault, faulty)| {
            self.bad_rows_of(fault).inc_by(faulty.rows);
        });
    }

    fn bad_rows_of(&self, fault: RowFault) -> Counter {
        self.bad_rows.get_or_create(&RowFaultLabel { reason: fault.word() }).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_testing::metrics::assert_registered;

    #[test]
    fn all_metrics_are_served_and_no_others() {
        let mut registry = vedette_service::registry(&generator::BUILD);
        Metrics::register(&mut registry);
        assert_registered(&registry, generator::ALL);
    }
}
