//! What Prometheus makes of alerts and dashboards, by its own tool, and which metrics the documentation names.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::helm::repository_text;

const PAGES: [&str; 5] =
    ["docs/operator.md", "docs/records.md", "docs/incidents.md", "docs/failures.md", "docs/lookups.md"];

/// Every metric of an expression is on a page.
pub(crate) fn assert_documented(expression: &str) {
    let pages = PAGES.map(repository_text).concat();
    let words = expression.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
    let metrics: BTreeSet<&str> = words.filter(|word| word.starts_with("vedette_")).collect();
    assert!(!metrics.is_empty(), "{expression}");
    for metric in metrics {
        let documented = metric.strip_suffix("_bucket").unwrap_or(metric);
        let is_named = |end| pages.contains(&format!("`{documented}{end}"));
        assert!(is_named('`') || is_named('{'), "{metric} is on no page");
    }
}

pub(crate) fn promtool(directory: &Path, arguments: &[&str]) -> Result<(), String> {
    let told = Command::new("promtool").args(arguments).current_dir(directory).output();
    let told = told.unwrap_or_else(|error| panic!("no promtool, which `make e2e-chart` installs: {error}"));
    let said = [told.stdout, told.stderr].concat();
    if told.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
}
