//! How far a search is: how many models it has learned, at which rate, and how long the others will take.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use vedette_contract::search::{SearchMetric, Trial};

/// It is told once in so long.
const INTERVAL: Duration = Duration::from_secs(5);

/// How far it is.
pub(super) struct Progress {
    trials: usize,
    /// One for each fold of each trial.
    models: usize,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    models: usize,
    trials: usize,
    told: Instant,
}

impl Progress {
    /// None of so many trials of so many folds is made.
    pub(super) fn new(trials: usize, folds: usize) -> Self {
        let started = Instant::now();
        let state = Mutex::new(State { models: 0, trials: 0, told: started });
        Self { trials, models: trials * folds, started, state }
    }

    /// Counts models that were learned, or will not be.
    pub(super) fn pass(&self, models: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.models += models;
        if state.told.elapsed() < INTERVAL {
            return;
        }
        state.told = Instant::now();
        let pace = pace(state.models, self.models, self.started.elapsed());
        tracing::info!(
            trials_done = state.trials,
            trials = self.trials,
            models_done = state.models,
            models = self.models,
            models_per_minute = pace.per_minute,
            seconds_left = pace.seconds_left,
            "searching"
        );
    }

    /// Tells of a trial that was made.
    pub(super) fn tell(&self, number: usize, trial: &Trial, metric: SearchMetric) {
        let done = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.trials += 1;
            state.trials
        };
        let (metric, value) = (metric.as_str(), metric.of(&trial.metrics));
        let (parameters, seconds, error) = (trial.combination(), trial.seconds, trial.error.as_deref());
        tracing::info!(
            trial = number + 1,
            done,
            of = self.trials,
            parameters,
            metric,
            value,
            seconds,
            error,
            "a trial ended"
        );
    }
}

#[derive(Debug, PartialEq)]
struct Pace {
    per_minute: f64,
    seconds_left: u64,
}

fn pace(done: usize, of: usize, elapsed: Duration) -> Pace {
    let each = elapsed.as_secs_f64() / done.max(1) as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of seconds
    let seconds_left = (each * of.saturating_sub(done) as f64).round() as u64;
    // As people read it.
    Pace { per_minute: (600. / each.max(1e-6)).round() / 10., seconds_left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_is_that_of_the_models_that_are_left() {
        assert_eq!(pace(30, 120, Duration::from_secs(60)), Pace { per_minute: 30., seconds_left: 180 });
        assert_eq!(pace(120, 120, Duration::from_secs(60)).seconds_left, 0);
    }
}
