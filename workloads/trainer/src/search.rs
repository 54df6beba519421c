//! The search for hyper-parameters: makes the trials, says how far it is, and puts the best first. A trial that fails is listed and
//! ends nothing; the same rows, space and seed give the same table, but for the seconds.

mod progress;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use vedette_contract::arguments::{SearchArguments, TrainerArguments};
use vedette_contract::model::FeatureSpecification;
use vedette_contract::search::{
    SearchAlgorithm, SearchMetric, SearchParameter, SearchReport, SearchSpace, SpaceFault, Trial, TrialMetrics,
};
use vedette_forest::plan::{Combination, combinations};
use vedette_forest::trials::{TrialRows, Trials, trial_metrics};
use vedette_forest::{FitError, Learner};
use vedette_service::Shutdown;

use crate::collect::Rows;
use crate::error::TrainerError;
use crate::learn::LearnSettings;
use progress::Progress;

/// What is searched, and how.
#[derive(Debug, Clone)]
pub(crate) struct SearchSettings {
    space: SearchSpace,
    algorithm: SearchAlgorithm,
    metric: SearchMetric,
    pub(crate) parallel_trials: usize,
    /// The trials, all of which can be made.
    candidates: Vec<Candidate>,
    folds: u8,
}

/// One combination, and the learner that it makes.
#[derive(Debug, Clone)]
struct Candidate {
    combination: Combination,
    learner: Learner,
}

impl SearchSettings {
    /// The search that the arguments ask for, if they ask for one.
    ///
    /// # Errors
    /// When its space is empty, infinite or larger than it may be, or does not go with the rest.
    pub(crate) fn new(arguments: &TrainerArguments) -> Result<Option<Self>, TrainerError> {
        let TrainerArguments { algorithm: learner, learner: fixed, search, folds, label_field, seed, .. } = arguments;
        let SearchArguments { search: Some(algorithm), max_trials, parallel_trials, search_metric, parameters } =
            search
        else {
            return Ok(None);
        };
        let refused = |field: &str, what: String| Err(TrainerError::Search { faults: format!("spec.{field}: {what}") });
        let mut by_name = BTreeMap::new();
        for SearchParameter { name, space } in parameters {
            if by_name.insert(name.clone(), space.clone()).is_some() {
                return refused(&format!("search.parameters.{name}"), "is named twice".to_owned());
            }
        }
        let space = SearchSpace::new(*learner, fixed, &by_name, (*algorithm, *max_trials)).map_err(faults)?;
        let metric = search_metric.unwrap_or_else(|| SearchMetric::default_for(label_field.is_some()));
        if metric.needs_labels() && label_field.is_none() {
            let what = format!("{} needs spec.features.label, which tells what an anomaly is", metric.as_str());
            return refused("search.metric", what);
        }
        let folds = match u8::try_from(*folds) {
            Ok(folds) if (2..u8::MAX).contains(&folds) => folds,
            Ok(_) | Err(_) => {
                return refused("validation.folds", format!("a search takes 2 to 254 folds (is {folds})"));
            }
        };
        let candidate = |combination: Combination| -> Result<Candidate, TrainerError> {
            let parameters = space.parameters(&combination).map_err(|error| TrainerError::Search {
                faults: format!("spec.search.parameters: {combination:?} makes no learner: {error}"),
            })?;
            Ok(Candidate { learner: Learner::new(*learner, &parameters)?, combination })
        };
        let candidates = combinations(&space, *algorithm, *max_trials, *seed).into_iter().map(candidate);
        let candidates = candidates.collect::<Result<Vec<_>, TrainerError>>()?;
        let parallel_trials = (*parallel_trials).max(1) as usize;
        Ok(Some(Self { space, algorithm: *algorithm, metric, parallel_trials, candidates, folds }))
    }
}

fn faults(faults: Vec<SpaceFault>) -> TrainerError {
    let faults =
        faults.into_iter().map(|SpaceFault { path, value, hint }| format!("spec.search.{path}: {hint} (is {value})"));
    TrainerError::Search { faults: faults.collect::<Vec<_>>().join("; ") }
}

/// Makes the trials on the training rows. Returns the learner of the best one, and what came of all.
///
/// # Errors
/// When there is nothing to learn from, when no trial has a figure, or when it is interrupted.
pub(crate) fn search(
    settings: &SearchSettings,
    learning: &LearnSettings,
    features: &FeatureSpecification,
    training: &Rows,
    shutdown: &Shutdown,
) -> Result<(Learner, SearchReport), TrainerError> {
    let SearchSettings { space, algorithm, metric, parallel_trials, candidates, folds } = settings;
    let started = Instant::now();
    let rows = TrialRows {
        rows: &training.matrix,
        labels: &training.labels,
        columns: &features.columns,
        folds: *folds,
        alert_budget_per_million: learning.alert_budget_per_million,
    };
    let learners: Vec<Learner> = candidates.iter().map(|candidate| candidate.learner).collect();
    let trials = Trials::new(&rows, &learners, learning.seed)?;
    tracing::info!(
        trials = candidates.len(),
        folds,
        rows = training.matrix.rows(),
        metric = metric.as_str(),
        prepared_seconds = started.elapsed().as_secs_f64(),
        "searching for hyper-parameters"
    );
    let progress = Progress::new(candidates.len(), trials.folds());
    let made = make_all(&trials, (*metric, *parallel_trials), candidates, &progress, shutdown);
    if shutdown.is_cancelled() {
        return Err(TrainerError::Interrupted);
    }
    let (best, trials) = ranked(made, *metric);
    let seconds = started.elapsed().as_secs_f64();
    let report = SearchReport {
        algorithm: *algorithm,
        metric: *metric,
        folds: u32::from(*folds),
        space: space.size(),
        seconds,
        trials,
    };
    match best {
        Some(best) => Ok((candidates[best].learner, report)),
        None => Err(TrainerError::NoTrial {
            trials: report.trials.len(),
            why: report.trials.first().and_then(|trial| trial.error.clone()).unwrap_or_default(),
        }),
    }
}

/// Makes trials, some at a time, until all are made or somebody interrupts. They come in the order of the candidates.
fn make_all(
    trials: &Trials<'_>,
    (metric, parallel): (SearchMetric, usize),
    candidates: &[Candidate],
    progress: &Progress,
    shutdown: &Shutdown,
) -> Vec<Trial> {
    let (next, made) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..parallel.min(candidates.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(candidate) = candidates.get(number) else { return };
                    let Some(trial) = make(trials, metric, candidate, progress, shutdown) else { return };
                    progress.tell(number, &trial, metric);
                    made.lock().unwrap_or_else(PoisonError::into_inner).insert(number, trial);
                }
            });
        }
    });
    made.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// One trial; none where somebody interrupts.
fn make(
    trials: &Trials<'_>,
    metric: SearchMetric,
    Candidate { combination, learner }: &Candidate,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Option<Trial> {
    let started = Instant::now();
    let mut judged = Vec::with_capacity(trials.folds());
    let mut error = None;
    for fold in 0..trials.folds() {
        if shutdown.is_cancelled() {
            return None;
        }
        match trials.judge(learner, fold) {
            Ok(fold) => judged.push(fold),
            Err(failure) => {
                error = Some(failed(fold, &failure));
                progress.pass(trials.folds() - fold);
                break;
            }
        }
        progress.pass(1);
    }
    let metrics = if error.is_none() { trial_metrics(&judged) } else { TrialMetrics::default() };
    if error.is_none() && metric.of(&metrics).is_none() {
        error = Some(unknown(metric));
    }
    let parameters = combination.clone();
    Some(Trial { parameters, metrics, seconds: started.elapsed().as_secs_f64(), error })
}

fn failed(fold: usize, error: &FitError) -> String {
    format!("{} in fold {}: {error}", error.reason(), fold + 1)
}

fn unknown(metric: SearchMetric) -> String {
    let why = match metric {
        SearchMetric::Auprc => "no fold has labels of both kinds",
        SearchMetric::RecallAtBudget => "no fold has an anomaly",
        SearchMetric::Separation | SearchMetric::Stability => {
            "nothing alerts at the budget, or too much has one score: raise spec.validation.alertBudgetPerMillion"
        }
        SearchMetric::BudgetError => "the budget is 0",
    };
    format!("{} cannot be told: {why}", metric.as_str())
}

/// The trials with the best first and those that failed last, and the number of the best among the candidates. Of equal ones
/// that which comes first is better.
fn ranked(made: Vec<Trial>, metric: SearchMetric) -> (Option<usize>, Vec<Trial>) {
    let merit = |trial: &Trial| match trial.error {
        None => metric.of(&trial.metrics).map_or(f64::NEG_INFINITY, |figure| metric.merit(figure)),
        Some(_) => f64::NEG_INFINITY,
    };
    let mut numbered: Vec<(usize, Trial)> = made.into_iter().enumerate().collect();
    numbered.sort_by(|(_, one), (_, other)| {
        one.error.is_some().cmp(&other.error.is_some()).then(merit(other).total_cmp(&merit(one)))
    });
    let best = numbered.first().filter(|(_, trial)| trial.error.is_none()).map(|(number, _)| *number);
    (best, numbered.into_iter().map(|(_, trial)| trial).collect())
}

#[cfg(test)]
mod tests;
