//! When a record is an alert.

use vedette_contract::arguments::BudgetTracking;
use vedette_crds as crds;

use super::validated_pipeline::Alerting;

/// A budget or a score; both or none is against a rule of the CRD, which has its error already.
pub(super) fn alerting(alerting: &crds::Alerting) -> Option<Alerting> {
    let crds::Alerting { alert_budget_per_million, budget_tracking, score_threshold } = *alerting;
    let tracking = match budget_tracking.unwrap_or_default() {
        crds::BudgetTracking::Enabled => BudgetTracking::Enabled,
        crds::BudgetTracking::Disabled => BudgetTracking::Disabled,
    };
    match (alert_budget_per_million, score_threshold) {
        (Some(per_million), _) => Some(Alerting::Budget { per_million, tracking }),
        (None, Some(threshold)) => Some(Alerting::ScoreThreshold(threshold)),
        (None, None) => None,
    }
}
