//! How long a search takes: 24 combinations of the job of 2016 on 5 folds. What all trials share is built, and a model of each
//! combination learned and judged for one fold; the other folds are as large and cost the same.

use std::time::Instant;

use vedette_contract::learner::{Algorithm, SyntheticRows};
use vedette_contract::parameters::Parameters;
use vedette_forest::Learner;
use vedette_forest::trials::{TrialRows, Trials};

use crate::{Failure, NUMERIC_COLUMNS, columns, figure, rows_like_flows, seconds};

const FOLDS: u8 = 5;
/// Seconds that a search of 24 combinations and 5 folds on 5,000,000 rows may take.
const LIMIT: f64 = 3_600.;

/// Measures a search on so many rows, a fifth of which is held out before.
pub(crate) fn search(rows: usize) -> Result<(), Failure> {
    let learners = grid()?;
    let rows = rows_like_flows(rows * 4 / 5, NUMERIC_COLUMNS);
    let columns = columns(NUMERIC_COLUMNS);
    let of = TrialRows { rows: &rows, labels: &[], columns: &columns, folds: FOLDS, alert_budget_per_million: 1_000. };
    let started = Instant::now();
    let trials = Trials::new(&of, &learners, 1)?;
    let prepared = seconds(started);
    let started = Instant::now();
    for learner in &learners {
        let of_this = Instant::now();
        trials.judge(learner, 0)?;
        eprintln!("{:.1} s {:?}", seconds(of_this), learner.parameters());
    }
    let judged = seconds(started);
    eprintln!("{prepared:.1} s to prepare, {:.1} models a minute", learners.len() as f64 / judged * 60.);
    let name = format!("forest, search of 24 combinations on 5 folds of {} x 38", rows.rows() * 5 / 4);
    figure(name, "s", prepared + judged * f64::from(FOLDS), LIMIT);
    Ok(())
}

fn grid() -> Result<Vec<Learner>, Failure> {
    let mut learners = Vec::new();
    for trees in [5, 10, 20] {
        for max_depth in [5, 10, 15, 20] {
            for max_bins in [25, 50] {
                let given = Parameters {
                    trees: Some(trees),
                    rows_per_tree: Some(1_000_000_000),
                    max_depth: Some(max_depth),
                    max_bins: Some(max_bins),
                    synthetic_rows: Some(SyntheticRows::Marginals),
                    synthetic_fraction: Some(0.1),
                    deduplicate: Some(false),
                    trim_fraction: Some(0.),
                    ..Parameters::default()
                };
                learners.push(Learner::new(Algorithm::UnsupervisedRandomForest, &given)?);
            }
        }
    }
    Ok(learners)
}
