//! How the scores of alerts are distributed above their thresholds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::histogram::{bin, bounds};
use crate::alert::Alert;
use crate::view::{ScoresView, ThresholdView};

/// Of these alerts, the newest of which come first, without those of simulated records.
pub(crate) fn scores(alerts: &[Arc<Alert>]) -> ScoresView {
    let alerts = || alerts.iter().filter(|alert| !alert.simulated);
    let scores: Vec<f64> = alerts().filter_map(|alert| alert.score).collect();
    let mut thresholds = BTreeMap::new();
    for alert in alerts().rev() {
        if let Some((version, threshold)) = alert.model_version.as_ref().zip(alert.threshold) {
            thresholds.insert(version, threshold);
        }
    }
    let bounds = bounds(scores.iter().copied().chain(thresholds.values().copied()));
    let mut counts = vec![0; bounds.len().saturating_sub(1)];
    scores.iter().for_each(|score| counts[bin(&bounds, *score)] += 1);
    let told = |(version, threshold): (&String, f64)| ThresholdView { model_version: version.clone(), threshold };
    ScoresView { bounds, counts, alerts: scores.len(), thresholds: thresholds.into_iter().map(told).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::alert;

    #[test]
    fn scores_lie_between_the_threshold_and_the_highest() {
        let alerts: Vec<_> = (0..3).map(|n| Arc::new(alert("east", "2026-11-23T08:00:00Z", &n.to_string()))).collect();
        let view = scores(&alerts);
        assert_eq!((view.bounds.first(), view.bounds.last(), view.alerts), (Some(&0.99), Some(&0.999), 3));
        assert_eq!(view.counts.last(), Some(&3));
        assert_eq!(view.thresholds.len(), 1);
        assert_eq!(scores(&[]).bounds.len(), 0);
    }
}
