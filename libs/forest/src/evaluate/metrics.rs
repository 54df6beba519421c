//! How good scores are where labels exist: over all thresholds, and at the alert budget.

use smartcore::metrics::Metrics as _;
use smartcore::metrics::auc::AUC;

/// Area under the ROC curve: how often an anomaly scores higher than a normal record, ties counted half. `None` without
/// at least one of each, or where a score is not a finite number.
pub fn auroc(scores: &[f64], anomalies: &[bool]) -> Option<f64> {
    comparable(scores, anomalies)?;
    let labels: Vec<f64> = anomalies.iter().map(|anomaly| f64::from(u8::from(*anomaly))).collect();
    Some(AUC::<f64>::new().get_score(&labels, &scores.to_vec()))
}

/// Area under the precision-recall curve as average precision: the mean, over the anomalies, of the precision among the
/// records that score at least as high. `None` as in [`auroc`].
pub fn auprc(scores: &[f64], anomalies: &[bool]) -> Option<f64> {
    comparable(scores, anomalies)?;
    let total = count(anomalies);
    let (mut rows, mut found, mut sum) = (0, 0, 0.);
    for group in groups_by_falling_score(scores, anomalies) {
        rows += group.rows;
        found += group.anomalies;
        sum += group.anomalies as f64 * found as f64 / rows as f64;
    }
    Some(sum / total as f64)
}

/// What a budget of alerts finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AtBudget {
    /// Share of the anomalies that alert; `None` without anomalies.
    pub recall: Option<f64>,
    /// Share of the alerts that are anomalies; `None` without alerts.
    pub precision: Option<f64>,
    /// Records per million that alert.
    pub alerts_per_million: f64,
}

impl AtBudget {
    /// Of so many rows and so many anomalies among them, by the alerts and the anomalies that they found.
    fn new(found: usize, alerts: usize, anomalies: usize, rows: usize) -> Self {
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        Self {
            recall: share(found, anomalies),
            precision: share(found, alerts),
            alerts_per_million: share(alerts, rows).unwrap_or_default() * 1e6,
        }
    }
}

/// Lets the highest scores alert. Records with one score alert together or not at all: they do when the middle of their
/// ranks is within the budget, which is also the rule of a calibrated score against its threshold. So with many ties
/// there can be none, or up to twice as many alerts as the budget has; `alerts_per_million` tells.
///
/// # Panics
/// When there are not as many labels as scores.
pub fn at_budget(scores: &[f64], anomalies: &[bool], budget_per_million: f64) -> AtBudget {
    assert_eq!(scores.len(), anomalies.len(), "every score has its label");
    let alerting = alerts_at_budget(scores, budget_per_million);
    let (alerts, found) =
        (count(&alerting), alerting.iter().zip(anomalies).filter(|(alert, anomaly)| **alert && **anomaly).count());
    AtBudget::new(found, alerts, count(anomalies), scores.len())
}

/// What each of these rising budgets finds, by the rule of [`at_budget`].
///
/// # Panics
/// When there are not as many labels as scores.
pub fn at_budgets(scores: &[f64], anomalies: &[bool], budgets_per_million: &[f64]) -> Vec<AtBudget> {
    assert_eq!(scores.len(), anomalies.len(), "every score has its label");
    let (rows, all) = (scores.len(), count(anomalies));
    let groups = groups_by_falling_score(scores, anomalies);
    let mut groups = groups.iter().peekable();
    let (mut alerts, mut found) = (0, 0);
    let mut at = |budget_per_million: &f64| {
        let budget = budget_per_million / 1e6 * rows as f64;
        while let Some(group) = groups.next_if(|group| alerts as f64 + (group.rows as f64) / 2. < budget) {
            (alerts, found) = (alerts + group.rows, found + group.anomalies);
        }
        AtBudget::new(found, alerts, all, rows)
    };
    budgets_per_million.iter().map(&mut at).collect()
}

/// Which records alert, by the rule of [`at_budget`].
pub fn alerts_at_budget(scores: &[f64], budget_per_million: f64) -> Vec<bool> {
    let budget = budget_per_million / 1e6 * scores.len() as f64;
    let mut falling: Vec<usize> = (0..scores.len()).collect();
    falling.sort_unstable_by(|left, right| scores[*right].total_cmp(&scores[*left]));
    let mut alerting = vec![false; scores.len()];
    let mut alerts = 0;
    for group in falling.chunk_by(|left, right| scores[*left].total_cmp(&scores[*right]).is_eq()) {
        if alerts as f64 + group.len() as f64 / 2. >= budget {
            break;
        }
        alerts += group.len();
        group.iter().for_each(|row| alerting[*row] = true);
    }
    alerting
}

fn comparable(scores: &[f64], anomalies: &[bool]) -> Option<()> {
    let total = count(anomalies);
    let both = total > 0 && total < anomalies.len();
    (both && scores.len() == anomalies.len() && scores.iter().all(|score| score.is_finite())).then_some(())
}

fn count(anomalies: &[bool]) -> usize {
    anomalies.iter().filter(|anomaly| **anomaly).count()
}

/// Records that share a score.
struct Group {
    rows: usize,
    anomalies: usize,
}

fn groups_by_falling_score(scores: &[f64], anomalies: &[bool]) -> Vec<Group> {
    let mut order: Vec<(f64, bool)> = scores.iter().copied().zip(anomalies.iter().copied()).collect();
    order.sort_unstable_by(|left, right| right.0.total_cmp(&left.0));
    order
        .chunk_by(|left, right| left.0.total_cmp(&right.0).is_eq())
        .map(|group| Group { rows: group.len(), anomalies: group.iter().filter(|(_, anomaly)| *anomaly).count() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(value: Option<f64>, expected: f64) -> bool {
        value.is_some_and(|value| (value - expected).abs() < 1e-12)
    }

    #[test]
    fn known_figures_come_out() {
        // scikit-learn's own examples of roc_auc_score and average_precision_score.
        let scores = [0.1, 0.4, 0.35, 0.8];
        let anomalies = [false, false, true, true];
        assert!(close(auroc(&scores, &anomalies), 0.75));
        assert!(close(auprc(&scores, &anomalies), 5. / 6.));
    }

    #[test]
    fn equal_scores_say_nothing() {
        let anomalies = [true, false, false, false];
        assert!(close(auroc(&[0.5; 4], &anomalies), 0.5));
        assert!(close(auprc(&[0.5; 4], &anomalies), 0.25));
    }

    #[test]
    fn without_both_kinds_there_is_no_figure() {
        for anomalies in [vec![], vec![true, true], vec![false]] {
            let scores = vec![0.5; anomalies.len()];
            assert_eq!((auroc(&scores, &anomalies), auprc(&scores, &anomalies)), (None, None));
        }
        assert_eq!(auroc(&[f64::NAN, 0.], &[true, false]), None);
    }

    #[test]
    fn the_budget_is_spent_on_the_highest_scores() {
        let scores: Vec<f64> = (0..1_000).map(f64::from).collect();
        let anomalies: Vec<bool> = (0..1_000).map(|row| row == 999 || row == 0).collect();
        let found = at_budget(&scores, &anomalies, 5_000.);
        assert!(close(found.recall, 0.5) && close(found.precision, 0.2));
        assert!((found.alerts_per_million - 5_000.).abs() < 1e-9);
    }

    #[test]
    fn records_with_one_score_alert_together_or_not_at_all() {
        let scores: Vec<f64> = (0..100).map(|row| if row < 10 { 1. } else { 0. }).collect();
        let anomalies: Vec<bool> = (0..100).map(|row| row == 3).collect();
        let generous = at_budget(&scores, &anomalies, 60_000.);
        assert!((generous.alerts_per_million - 100_000.).abs() < 1e-9 && close(generous.recall, 1.));
        let tight = at_budget(&scores, &anomalies, 40_000.);
        assert_eq!(tight, AtBudget { recall: Some(0.), precision: None, alerts_per_million: 0. });
    }

    #[test]
    fn several_budgets_find_what_each_finds_by_itself() {
        let scores: Vec<f64> = (0..500u32).map(|row| f64::from(row.wrapping_mul(2_654_435_761) >> 26)).collect();
        let anomalies: Vec<bool> =
            scores.iter().enumerate().map(|(row, score)| score + (row % 40) as f64 > 80.).collect();
        let budgets = [0., 1_000., 20_000., 20_500., 300_000., 1e6];
        let alone: Vec<AtBudget> = budgets.iter().map(|budget| at_budget(&scores, &anomalies, *budget)).collect();
        assert_eq!(at_budgets(&scores, &anomalies, &budgets), alone);
    }

    #[test]
    fn nothing_to_score_is_no_alert() {
        assert_eq!(at_budget(&[], &[], 1e3), AtBudget { recall: None, precision: None, alerts_per_million: 0. });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn the_area_is_the_share_of_pairs_in_order(rows in prop::collection::vec((0u8..6, any::<bool>()), 2..60)) {
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let anomalies: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let (mut pairs, mut ordered) = (0., 0.);
            for (anomaly, normal) in rows.iter().flat_map(|a| rows.iter().map(move |n| (a, n))).filter(|(a, n)| a.1 && !n.1) {
                pairs += 1.;
                ordered += match anomaly.0.cmp(&normal.0) {
                    std::cmp::Ordering::Greater => 1.,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.,
                };
            }
            match auroc(&scores, &anomalies) {
                None => prop_assert!(pairs == 0.),
                Some(area) => prop_assert!((area - ordered / pairs).abs() < 1e-9),
            }
        }
    }
}
