//! A histogram of `/metrics` that takes what was counted elsewhere, many at once: one lock for a unit of work and none for a record.

use std::fmt::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// See the module; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct CountedHistogram {
    ends: &'static [f64],
    counted: Arc<Mutex<Counted>>,
}

#[derive(Debug, Default)]
struct Counted {
    /// By bucket, the last of which has no end.
    counts: Vec<u64>,
    sum: f64,
}

impl CountedHistogram {
    /// With buckets of these ends, which rise.
    pub(crate) fn new(ends: &'static [f64]) -> Self {
        let counts = vec![0; ends.len() + 1];
        Self { ends, counted: Arc::new(Mutex::new(Counted { counts, sum: 0. })) }
    }

    /// Takes in what was counted by bucket, and the sum of it.
    pub(crate) fn add(&self, counts: &[u64], sum: f64) {
        let mut counted = self.counted();
        counted.counts.iter_mut().zip(counts).for_each(|(count, more)| *count += more);
        counted.sum += sum;
    }

    /// Counts these.
    pub(crate) fn observe(&self, values: impl Iterator<Item = f64>) {
        let mut counted = self.counted();
        for value in values {
            counted.counts[self.ends.partition_point(|end| *end < value)] += 1;
            counted.sum += value;
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        // Every change adds up counts, so what a thread left behind that panicked is near enough.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TypedMetric for CountedHistogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for CountedHistogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), Error> {
        let counted = self.counted();
        let ends = self.ends.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = ends.zip(counted.counts.iter().copied()).collect();
        encoder.encode_histogram::<NoLabelSet>(counted.sum, counted.counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    #[test]
    fn it_is_served_as_any_histogram() {
        let histogram = CountedHistogram::new(&[0.5, 1.]);
        histogram.add(&[3, 0, 1], 4.);
        histogram.observe([0.5, 0.75, 9.].into_iter());
        let mut registry = Registry::default();
        registry.register("h", "Help", histogram);
        let mut served = String::new();
        text::encode(&mut served, &registry).unwrap();
        let lines: Vec<&str> = served.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            ["h_sum 14.25", "h_count 7", "h_bucket{le=\"0.5\"} 4", "h_bucket{le=\"1.0\"} 5", "h_bucket{le=\"+Inf\"} 7"]
        );
    }
}
