//! What a process serves as metrics, held against the inventory of the contract.

use std::collections::BTreeSet;
use std::fmt::Debug;

use vedette_contract::metrics::{Metric, MetricKind};

/// Each metric of the inventory is registered, and no other. A registry tells what is in it as text for people alone, and serves nothing of
/// families that are empty.
pub fn assert_registered(registry: &impl Debug, inventory: &[Metric]) {
    let told = format!("{registry:?}");
    let names = told.split("Descriptor { name: \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let found: BTreeSet<&str> = names.collect();
    let wanted: BTreeSet<&str> = inventory.iter().map(|metric| metric.parts().0).collect();
    assert_eq!(found, wanted);
}

/// What is served is of the inventory: each metric of its type, each series with its labels. It may begin with the head of an answer.
pub fn assert_served(text: &str, inventory: &[Metric]) {
    let mut types = 0;
    for line in text.lines() {
        if let Some(of) = line.strip_prefix("# TYPE ") {
            let (name, kind) = of.split_once(' ').unwrap();
            // The text names counters and infos without their ending.
            let is_it = |metric: &&Metric| {
                let (without, unit) = metric.parts();
                name.strip_prefix(without).is_some_and(|rest| rest.trim_start_matches('_') == unit.unwrap_or_default())
            };
            let metric = inventory.iter().find(is_it).unwrap_or_else(|| panic!("{name} is not in the inventory"));
            assert_eq!(kind, metric.kind.as_str(), "{name}");
            types += 1;
        } else if line.starts_with("vedette_") {
            let series = line.split(['{', ' ']).next().unwrap();
            let metric = Metric::of_series(series).filter(|metric| inventory.contains(metric));
            let metric = metric.unwrap_or_else(|| panic!("{line} is not in the inventory"));
            let wanted: BTreeSet<&str> = metric.labels.iter().copied().collect();
            assert_eq!(labels(line, metric.kind), wanted, "{line}");
        }
    }
    assert!(types > 0, "no metrics: {text}");
}

/// The names of the labels of a series, without that of the ends of a histogram.
fn labels(line: &str, kind: MetricKind) -> BTreeSet<&str> {
    let Some((inner, _)) = line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')) else {
        return BTreeSet::new();
    };
    // Every second piece between quotes is a value; no value of a test has a quote in it.
    let names = inner.split('"').step_by(2).filter_map(|piece| piece.trim_start_matches(',').strip_suffix('='));
    names.filter(|name| kind != MetricKind::Histogram || *name != "le").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_contract::metrics::{archiver, detector};

    const SERVED: &str = "HTTP/1.1 200 OK\r\n\r\n# HELP vedette_detector_records Messages.\n# TYPE vedette_detector_records counter\n\
        vedette_detector_records_total 3\n# TYPE vedette_detector_commit_seconds histogram\n# UNIT vedette_detector_commit_seconds seconds\n\
        vedette_detector_commit_seconds_bucket{le=\"0.001\"} 1\n# TYPE vedette_detector_build info\n\
        vedette_detector_build_info{version=\"0,1={}\"} 1\n\
        # TYPE vedette_detector_lookups counter\nvedette_detector_lookups_total{lookup=\"a\",outcome=\"matched\"} 1\n# EOF\n";

    fn refusal(text: &str, inventory: &'static [Metric]) -> bool {
        let text = text.to_owned();
        std::panic::catch_unwind(move || assert_served(&text, inventory)).is_err()
    }

    #[test]
    fn what_is_served_is_of_the_inventory_or_the_test_fails() {
        assert_served(SERVED, detector::ALL);
        assert!(refusal(SERVED, archiver::ALL));
        for (of, by) in [
            ("records counter", "records gauge"),
            ("records_total 3", "recrods_total 3"),
            ("records counter", "recrods counter"),
            ("records_total 3", "records_total{pod=\"a\"} 3"),
            ("lookup=\"a\",", ""),
            ("# TYPE", "# type"),
        ] {
            assert!(refusal(&SERVED.replace(of, by), detector::ALL), "{of} by {by}");
        }
    }
}
