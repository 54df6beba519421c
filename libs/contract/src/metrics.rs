//! Every metric that a process serves: its name, what it is, and the labels by which its series are told apart. Processes register from
//! here; tests hold what they serve, the dashboards, the alerts and the pages against it.

pub mod archiver;
pub mod console;
pub mod detector;
pub mod generator;
pub mod notifier;
pub mod operator;

/// What a metric is to Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows, but for a restart.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many values lie below each of some ends.
    Histogram,
    /// 1, with what there is to know in its labels.
    Info,
}

impl MetricKind {
    /// The word of the text format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }

    /// What the name of such a metric ends with beyond its unit.
    fn ending(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::Histogram => "",
        }
    }

    /// What its series have behind its name.
    fn series(self) -> &'static [&'static str] {
        match self {
            Self::Histogram => &["_bucket", "_sum", "_count"],
            Self::Counter | Self::Gauge | Self::Info => &[""],
        }
    }
}

/// A metric of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// As Prometheus has it: `vedette_`, the component, what is told, its unit, and `_total` of a counter.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// What it tells, in words.
    pub help: &'static str,
    /// Names of its labels, besides those that Prometheus gives a target, and the `le` of a histogram.
    pub labels: &'static [&'static str],
}

impl Metric {
    /// Its name without endings, and its unit where it has one.
    pub fn parts(&self) -> (&'static str, Option<&'static str>) {
        let name = self.name.strip_suffix(self.kind.ending()).unwrap_or(self.name);
        let of_unit = ["seconds", "bytes"].into_iter().find_map(|unit| {
            let name = name.strip_suffix(unit)?.strip_suffix('_')?;
            Some((name, Some(unit)))
        });
        of_unit.unwrap_or((name, None))
    }

    /// The metric that has series of this name, if there is one.
    pub fn of_series(series: &str) -> Option<&'static Self> {
        all().find(|metric| {
            let behind = series.strip_prefix(metric.name);
            behind.is_some_and(|behind| metric.kind.series().contains(&behind))
        })
    }
}

/// What each component serves.
pub const COMPONENTS: [(&str, &[Metric]); 6] = [
    ("operator", operator::ALL),
    ("generator", generator::ALL),
    ("detector", detector::ALL),
    ("archiver", archiver::ALL),
    ("notifier", notifier::ALL),
    ("console", console::ALL),
];

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    COMPONENTS.into_iter().flat_map(|(_, metrics)| metrics)
}

/// Defines metrics, and the list of all of them: `NAME: Kind "vedette_…" ["label", …] "help";`
macro_rules! inventory {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)+) => {
        $(
            #[doc = $help]
            pub const $constant: Metric =
                Metric { name: $name, kind: MetricKind::$kind, help: $help, labels: &[$($label),*] };
        )+

        /// All of them.
        pub const ALL: &[Metric] = &[$($constant),+];
    };
}
use inventory;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_says_whose_a_metric_is_and_what_it_counts() {
        let mut names = BTreeSet::new();
        for (component, metrics) in COMPONENTS {
            for metric in metrics {
                let Metric { name, kind, help, labels } = metric;
                assert!(name.starts_with(&format!("vedette_{component}_")), "{name}");
                assert!(name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'), "{name}");
                assert_eq!(name.ends_with("_total"), *kind == MetricKind::Counter, "{name}");
                assert!(!help.is_empty() && !help.ends_with('.') && !help.contains('|'), "{name}: {help}");
                // What Prometheus gives every target would be renamed.
                assert!(labels.iter().all(|label| !["site", "service", "pod", "job", "le"].contains(label)), "{name}");
                assert!(names.insert(name), "{name} is there twice");
            }
        }
    }

    #[test]
    fn a_series_leads_to_its_metric_and_a_name_to_what_is_registered() {
        let found = |series: &str| Metric::of_series(series).map(|metric| metric.name);
        assert_eq!(found("vedette_detector_records_total"), Some("vedette_detector_records_total"));
        assert_eq!(found("vedette_detector_score_bucket"), Some("vedette_detector_score"));
        assert_eq!(found("vedette_detector_score_psi"), Some("vedette_detector_score_psi"));
        for none in
            ["vedette_detector_records", "vedette_detector_score", "vedette_detector_score_total", "records_total", ""]
        {
            assert_eq!(found(none), None, "{none}");
        }
        assert_eq!(detector::RECORDS.parts(), ("vedette_detector_records", None));
        assert_eq!(detector::LAG.parts(), ("vedette_detector_lag", Some("seconds")));
        assert_eq!(archiver::RECORD_BYTES.parts(), ("vedette_archiver_record", Some("bytes")));
        assert_eq!(console::BUILD.parts(), ("vedette_console_build", None));
        assert_eq!(operator::OBJECT_INFO.parts(), ("vedette_operator_object_info", None));
    }
}
