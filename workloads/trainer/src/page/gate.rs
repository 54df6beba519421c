//! What the gate made of the model.

use vedette_contract::gate::{GateReport, NewestOfSite};

use super::markup::{Cell, paragraph, strong, table};

/// Whether the model is good enough, why not, and how it does on the newest records of each site.
pub(super) fn verdict(gate: &GateReport, alert_budget_per_million: f64) -> String {
    let GateReport { refused, warnings, newest } = gate;
    let mut parts = vec![if refused.is_empty() {
        paragraph("Passed.")
    } else {
        strong("Refused: this version is a candidate, which is not current until somebody promotes it.")
    }];
    parts.extend(refused.iter().chain(warnings).map(|clause| paragraph(clause)));
    if newest.is_empty() {
        parts.push(paragraph("The newest records were not looked at."));
        return parts.concat();
    }
    parts.push(paragraph(&format!(
        "On the newest records of each site when it was trained, at a budget of {alert_budget_per_million} alerts per million:"
    )));
    let headings = ["Site", "Records", "Alerts", "Per million", "Alerts of the version before", "Values missing"];
    parts.push(table(&headings, newest.iter().map(row)));
    parts.concat()
}

fn row(newest: &NewestOfSite) -> Vec<Cell> {
    let NewestOfSite { site, records, alerts, alerts_before, missing } = newest;
    let per_million = *alerts as f64 * 1e6 / (*records).max(1) as f64;
    let before = alerts_before.map_or_else(|| "–".to_owned(), |before| before.to_string());
    let numbers = [
        records.to_string(),
        alerts.to_string(),
        format!("{per_million:.0}"),
        before,
        format!("{:.2} %", missing * 100.),
    ];
    std::iter::once(Cell::Name(site.to_string())).chain(numbers.map(Cell::Number)).collect()
}
