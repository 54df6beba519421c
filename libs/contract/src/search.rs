//! A search for hyper-parameters: how its space is said, in the API and on the trainer's command line, what is wrong with one, and
//! what came of its trials. Whoever draws the trials, or makes them, is elsewhere.

mod space;

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::parameters::Setting;
pub use space::{Dimension, ParameterSpace, SearchParameter, SearchSpace, SpaceFault};

/// How many of the best trials a result names; the metadata has all of them.
pub const BEST_TRIALS: usize = 3;

/// How the trials are chosen from the space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[value(rename_all = "PascalCase")]
pub enum SearchAlgorithm {
    /// Every combination.
    Grid,
    /// Combinations at random, none of them twice.
    Random,
}

impl SearchAlgorithm {
    /// Its name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grid => "Grid",
            Self::Random => "Random",
        }
    }
}

/// By which figure trials are compared. The first two need labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[value(rename_all = "PascalCase")]
pub enum SearchMetric {
    /// Area under the precision-recall curve; the largest is best.
    Auprc,
    /// Share of the anomalies that alert at the budget; the largest is best.
    RecallAtBudget,
    /// How far the alerts stand out, in standard deviations of the other records; the largest is best.
    Separation,
    /// Share of the alerts of one fold's model that are also those of another; the largest is best.
    Stability,
    /// How far the alerts are off the budget, as a share of it; the smallest is best.
    BudgetError,
}

impl SearchMetric {
    /// Its name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auprc => "Auprc",
            Self::RecallAtBudget => "RecallAtBudget",
            Self::Separation => "Separation",
            Self::Stability => "Stability",
            Self::BudgetError => "BudgetError",
        }
    }

    /// Whether it needs to know what is an anomaly.
    pub fn needs_labels(self) -> bool {
        match self {
            Self::Auprc | Self::RecallAtBudget => true,
            Self::Separation | Self::Stability | Self::BudgetError => false,
        }
    }

    /// The one that is taken where none is asked for.
    pub fn default_for(has_labels: bool) -> Self {
        if has_labels { Self::Auprc } else { Self::Stability }
    }

    /// Its figure among those of a trial.
    pub fn of(self, metrics: &TrialMetrics) -> Option<f64> {
        let TrialMetrics { auprc, recall_at_budget, separation, stability, budget_error } = *metrics;
        match self {
            Self::Auprc => auprc,
            Self::RecallAtBudget => recall_at_budget,
            Self::Separation => separation,
            Self::Stability => stability,
            Self::BudgetError => budget_error,
        }
    }

    /// A figure as one of which the largest is best.
    pub fn merit(self, figure: f64) -> f64 {
        match self {
            Self::Auprc | Self::RecallAtBudget | Self::Separation | Self::Stability => figure,
            Self::BudgetError => -figure,
        }
    }
}

/// Figures of a trial, each the mean over the folds; absent where it cannot be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TrialMetrics {
    /// Average precision.
    pub auprc: Option<f64>,
    /// Share of the anomalies that alert at the budget.
    pub recall_at_budget: Option<f64>,
    /// Glass's delta of the alerts.
    pub separation: Option<f64>,
    /// Dice's coefficient of the alerts of two folds' models.
    pub stability: Option<f64>,
    /// How far the alerts are off the budget, as a share of it.
    pub budget_error: Option<f64>,
}

/// What came of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchReport {
    /// How the trials were chosen.
    pub algorithm: SearchAlgorithm,
    /// By what they were compared.
    pub metric: SearchMetric,
    /// Folds of each trial.
    pub folds: u32,
    /// Combinations in the space; absent where it is infinite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<u64>,
    /// Seconds that it took.
    pub seconds: f64,
    /// The trials, the best first; those that failed last.
    pub trials: Vec<Trial>,
}

/// One combination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// What was searched, by its name in the API.
    pub parameters: BTreeMap<String, Setting>,
    /// Its figures.
    #[serde(flatten)]
    pub metrics: TrialMetrics,
    /// Seconds that it took.
    pub seconds: f64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Trial {
    /// Its combination in one line.
    pub fn combination(&self) -> String {
        let settings = self.parameters.iter().map(|(name, setting)| format!("{name} {setting}"));
        settings.collect::<Vec<_>>().join(", ")
    }
}

impl SearchReport {
    /// How many trials failed.
    pub fn failed(&self) -> usize {
        self.trials.iter().filter(|trial| trial.error.is_some()).count()
    }

    /// The same with the best trials only, and how many there were, for whoever has little room.
    pub fn summary(&self) -> SearchSummary {
        let Self { algorithm: _, metric, folds: _, space: _, seconds: _, trials } = self;
        let best = trials.iter().filter(|trial| trial.error.is_none()).take(BEST_TRIALS);
        let best = best
            .filter_map(|trial| Some(BestTrial { parameters: trial.combination(), value: metric.of(&trial.metrics)? }));
        SearchSummary { metric: *metric, trials: trials.len(), failed: self.failed(), best: best.collect() }
    }
}

/// What of a search stands in a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchSummary {
    /// By what the trials were compared.
    pub metric: SearchMetric,
    /// How many there were.
    pub trials: usize,
    /// How many of them failed.
    pub failed: usize,
    /// The best ones, the best first.
    pub best: Vec<BestTrial>,
}

/// One of the best trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BestTrial {
    /// Its combination in one line.
    pub parameters: String,
    /// Its figure.
    pub value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for metric in SearchMetric::value_variants() {
            assert_eq!(metric.to_possible_value().unwrap().get_name(), metric.as_str());
        }
        for algorithm in SearchAlgorithm::value_variants() {
            assert_eq!(algorithm.to_possible_value().unwrap().get_name(), algorithm.as_str());
        }
    }

    #[test]
    fn a_summary_has_the_best_and_counts_the_others() {
        let trial = |trees: i32, stability: Option<f64>| Trial {
            parameters: [("trees".to_owned(), Setting::Count(trees)), ("maxDepth".to_owned(), Setting::Count(8))]
                .into(),
            metrics: TrialMetrics { stability, ..TrialMetrics::default() },
            seconds: 1.,
            error: stability.is_none().then(|| "no".to_owned()),
        };
        let trials =
            vec![trial(5, Some(0.9)), trial(4, Some(0.8)), trial(3, Some(0.7)), trial(2, Some(0.6)), trial(1, None)];
        let (algorithm, metric) = (SearchAlgorithm::Grid, SearchMetric::Stability);
        let summary = SearchReport { algorithm, metric, folds: 2, space: Some(5), seconds: 5., trials }.summary();
        assert_eq!((summary.trials, summary.failed, summary.best.len()), (5, 1, BEST_TRIALS));
        assert_eq!(summary.best[0], BestTrial { parameters: "maxDepth 8, trees 5".to_owned(), value: 0.9 });
    }
}
