//! A gauge of `/metrics` that is there once its value is known.

use std::fmt::Error;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// See the module; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownGauge(Arc<Mutex<Option<f64>>>);

impl KnownGauge {
    /// It has this value from now on, if any.
    pub(crate) fn set(&self, value: Option<f64>) {
        // A value is whole, whatever a thread did that panicked.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

impl TypedMetric for KnownGauge {
    const TYPE: MetricType = MetricType::Gauge;
}

impl EncodeMetric for KnownGauge {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), Error> {
        let value = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        value.map_or(Ok(()), |value| encoder.encode_gauge(&value))
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
    fn what_is_not_known_is_not_there() {
        let (gauge, mut registry) = (KnownGauge::default(), Registry::default());
        registry.register("g", "Help", gauge.clone());
        let served = || {
            let mut served = String::new();
            text::encode(&mut served, &registry).unwrap();
            served.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(served(), "");
        gauge.set(Some(0.25));
        assert_eq!(served(), "g 0.25");
        gauge.set(None);
        assert_eq!(served(), "");
    }
}
