//! What Prometheus makes of alerts and dashboards, by its own tool, and which metrics there are.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use vedette_contract::metrics::Metric;

/// Every metric of an expression, as it was rendered, is one of the inventory.
pub(crate) fn assert_known(expression: &str) {
    let words = expression.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
    let metrics: BTreeSet<&str> = words.filter(|word| word.starts_with("vedette_")).collect();
    assert!(!metrics.is_empty(), "{expression}");
    for metric in metrics {
        assert!(Metric::of_series(metric).is_some(), "{metric} is no metric of the inventory");
    }
}

pub(crate) fn promtool(directory: &Path, arguments: &[&str]) -> Result<(), String> {
    let told = Command::new("promtool").args(arguments).current_dir(directory).output();
    let told = told.unwrap_or_else(|error| panic!("no promtool, which `make e2e-chart` installs: {error}"));
    let said = [told.stdout, told.stderr].concat();
    if told.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
}
