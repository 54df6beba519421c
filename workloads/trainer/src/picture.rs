//! What a report draws of a model and the metadata has no place for: where the scores of the holdout lie, and what other budgets
//! would find.

use vedette_forest::metrics::{AtBudget, at_budgets};

/// Bars of the histogram.
const BARS: usize = 60;
/// So many times the distance from the median to the threshold is drawn beyond it; the last bar has what is farther out.
const BEYOND: f64 = 3.;
/// Budgets, records per million, beside the one that was asked for.
const BUDGETS: [f64; 13] =
    [10., 20., 50., 100., 200., 500., 1_000., 2_000., 5_000., 10_000., 20_000., 50_000., 100_000.];

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picture {
    /// Scores of the holdout; absent without rows, or where all have one score.
    pub(crate) histogram: Option<Histogram>,
    /// Budgets per million and what they find; empty without labels.
    pub(crate) budgets: Vec<(f64, AtBudget)>,
}

/// Raw scores.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    /// Where the first bar begins, and the last one ends.
    pub(crate) ends: (f64, f64),
    /// Rows of each bar, and those of them that the label calls anomalies.
    pub(crate) bars: Vec<(u64, u64)>,
    /// Whether the last bar has rows whose score is beyond its end.
    pub(crate) has_more: bool,
    /// The smallest score that alerts at the budget; absent where nothing alerts.
    pub(crate) threshold: Option<f64>,
}

impl Picture {
    /// The picture of these scores.
    pub(crate) fn of(scores: &[f64], labels: &[Option<bool>], alert_budget_per_million: f64) -> Self {
        let (known, anomalies): (Vec<f64>, Vec<bool>) =
            scores.iter().zip(labels).filter_map(|(score, label)| Some((*score, (*label)?))).unzip();
        let mut budgets: Vec<f64> = BUDGETS.into_iter().chain([alert_budget_per_million]).collect();
        budgets.sort_by(f64::total_cmp);
        budgets.dedup();
        // A budget of less than one row says nothing.
        budgets.retain(|budget| budget / 1e6 * known.len() as f64 >= 1.);
        let found = if anomalies.contains(&true) { at_budgets(&known, &anomalies, &budgets) } else { Vec::new() };
        let histogram = histogram(scores, labels, alert_budget_per_million);
        Self { histogram, budgets: budgets.into_iter().zip(found).collect() }
    }
}

fn histogram(scores: &[f64], labels: &[Option<bool>], alert_budget_per_million: f64) -> Option<Histogram> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, high) = (*sorted.first()?, *sorted.last()?);
    let threshold = threshold(&sorted, alert_budget_per_million);
    let median = sorted[sorted.len() / 2];
    let end = threshold.map_or(high, |threshold| high.min(threshold + BEYOND * (threshold - median)));
    let width = (end - low) / BARS as f64;
    if !(width > 0. && width.is_finite()) {
        return None;
    }
    let mut bars = vec![(0, 0); BARS];
    for (score, label) in scores.iter().zip(labels) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // not negative, and cut
        let (rows, anomalies) = &mut bars[(((score - low) / width) as usize).min(BARS - 1)];
        *rows += 1;
        *anomalies += u64::from(*label == Some(true));
    }
    Some(Histogram { ends: (low, end), bars, has_more: high > end, threshold })
}

/// The smallest of these rising scores that alerts, by the rule of `metrics::at_budget`.
fn threshold(sorted: &[f64], alert_budget_per_million: f64) -> Option<f64> {
    let budget = alert_budget_per_million / 1e6 * sorted.len() as f64;
    let mut alerts = 0;
    let mut threshold = None;
    for group in sorted.chunk_by(|one, other| one.total_cmp(other).is_eq()).rev() {
        if alerts as f64 + group.len() as f64 / 2. >= budget {
            break;
        }
        alerts += group.len();
        threshold = group.first().copied();
    }
    threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_a_bar_and_the_threshold_parts_those_that_alert() {
        let mut scores: Vec<f64> = (0..1_000).map(f64::from).collect();
        scores[999] = 1e9;
        let labels: Vec<Option<bool>> = (0..1_000).map(|row| Some(row >= 990)).collect();
        let Picture { histogram, budgets } = Picture::of(&scores, &labels, 10_000.);
        let Histogram { ends, bars, has_more, threshold } = histogram.unwrap();
        assert_eq!((threshold, has_more, ends), (Some(990.), true, (0., 990. + 3. * 490.)));
        assert_eq!((bars.iter().map(|bar| bar.0).sum::<u64>(), bars.iter().map(|bar| bar.1).sum::<u64>()), (1_000, 10));
        assert_eq!(bars[BARS - 1], (1, 1));
        let budget = |wanted: f64| budgets.iter().find(|(budget, _)| (budget - wanted).abs() < 1e-9).unwrap().1;
        assert_eq!((budget(10_000.).recall, budget(20_000.).precision), (Some(1.), Some(0.5)));
        assert!((budgets[0].0 - 1_000.).abs() < 1e-9, "{budgets:?}");
    }

    #[test]
    fn where_there_is_nothing_to_draw_nothing_is_drawn() {
        let none = Picture { histogram: None, budgets: Vec::new() };
        assert_eq!(Picture::of(&[], &[], 1_000.), none);
        assert_eq!(Picture::of(&[0.5; 9], &[None; 9], 1_000.), none);
        let unlabelled = Picture::of(&[0.1, 0.2, 0.3], &[None; 3], 1.);
        assert_eq!((unlabelled.histogram.unwrap().threshold, unlabelled.budgets), (None, Vec::new()));
    }
}
