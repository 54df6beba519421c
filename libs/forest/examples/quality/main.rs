//! Quality of the learners where labels exist to judge them: `make quality`. Prints a table and writes
//! `target/quality.json`: set → algorithm → {auroc, auprc, recall_at_1pct}, means over the seeds.

mod data;
mod failure;
mod goals;
mod made;
mod npz;
mod peer;
mod protocols;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use vedette_contract::learner::Algorithm;
use vedette_contract::parameters::Parameters;
use vedette_forest::{Learner, fit, metrics};

use failure::Failure;
use goals::{Measured, not_reached};
use made::made;
use peer::Peer;
use protocols::{Case, Family, Set, sets_of};

/// Records per million that may alert.
const BUDGET_PER_MILLION: f64 = 10_000.;
const PEER: &str = "scikit-learn IsolationForest";

/// Quality of the learners on labelled data that no learner sees the labels of.
#[derive(Parser)]
struct Arguments {
    /// Directory of the study's sets; those that are not there are left out
    #[arg(long, env = "VEDETTE_DATA", default_value = "../shared/data")]
    sets: PathBuf,

    /// Another set instead: a CSV file with a header, or an npz file with X and y
    #[arg(long)]
    data: Option<PathBuf>,

    /// Column of the label in the CSV file
    #[arg(long)]
    label: Option<String>,

    /// Seeds of rows and learners
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,

    /// Only these algorithms; without it all, and the isolation forest as it was published
    #[arg(long, value_enum, value_delimiter = ',')]
    algorithms: Vec<Algorithm>,

    /// Only sets whose names begin so
    #[arg(long, default_value = "")]
    only: String,

    /// Python with libs/forest/peers/requirements.txt; without it there are no made tables and no peer
    #[arg(long)]
    python: Option<PathBuf>,

    /// No figures of scikit-learn's
    #[arg(long)]
    without_peer: bool,

    /// Of the 600 made sets of the stress family one in so many. One in 20 would be all of the same share of anomalies
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..))]
    stress_every: u32,

    /// Where the figures are written
    #[arg(long, default_value = "target/quality.json")]
    output: PathBuf,
}

/// Means over the seeds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Quality {
    auroc: f64,
    auprc: f64,
    recall_at_1pct: f64,
}

type Table = BTreeMap<String, BTreeMap<String, Quality>>;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quality: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let exchange = tempfile::tempdir()?;
    let sets: Vec<Set> = chosen(arguments, exchange.path())?;
    if sets.is_empty() {
        println!(
            "there are no sets in {}: nothing is measured (name the directory with --sets, or a file with --data)",
            arguments.sets.display()
        );
        return Ok(());
    }
    let python = arguments.python.as_ref().filter(|_| !arguments.without_peer);
    let mut peer = python.map(|python| Peer::start(python, exchange.path())).transpose()?;
    let (mut table, mut measured) = (Table::new(), Vec::new());
    println!("{:<34} {:<28} {:>7} {:>7} {:>12}", "set", "algorithm", "AUROC", "AUPRC", "recall at 1%");
    for set in &sets {
        let data = set.read()?;
        let seeds = &arguments.seeds[..if set.family.is_made() { 1 } else { arguments.seeds.len() }];
        let (rows, mut anomalies) = (table.entry(set.name.clone()).or_default(), 0);
        for seed in seeds {
            let case = set.case(&data, *seed)?;
            for (name, learner) in learners(&arguments.algorithms)? {
                add(rows, name, quality_of(&ours(&case, &learner, *seed)?, &case), seeds.len());
            }
            if let Some(peer) = &mut peer {
                let scores = peer.scores(&case, *seed)?;
                add(rows, PEER.to_owned(), quality_of(&scores, &case), seeds.len());
            }
            anomalies = case.anomalies.iter().filter(|anomaly| **anomaly).count();
        }
        rows.iter().for_each(|(algorithm, quality)| print(&set.name, algorithm, *quality));
        measured.push(Measured { name: set.name.clone(), family: set.family, anomalies });
    }
    Family::ALL.into_iter().for_each(|family| add_mean(&mut table, &measured, family));
    std::fs::write(&arguments.output, serde_json::to_vec_pretty(&table)?)?;
    let below = not_reached(&table, &measured, &arguments.seeds);
    if below.is_empty() { Ok(()) } else { Err(below.join("; ").into()) }
}

/// The sets that are asked for; made ones are written below the directory.
fn chosen(arguments: &Arguments, directory: &Path) -> Result<Vec<Set>, Failure> {
    let Arguments { sets, data, label, only, python, stress_every, .. } = arguments;
    let mut chosen = match data {
        Some(path) => vec![Set::of_file(path.clone(), label.clone(), Family::Given)],
        None => sets_of(sets),
    };
    if let (Some(python), None) = (python, data) {
        chosen.extend(made(python, sets, &directory.join("made"), *stress_every)?);
    }
    chosen.retain(|set| set.name.starts_with(only.as_str()));
    Ok(chosen)
}

fn learners(chosen: &[Algorithm]) -> Result<Vec<(String, Learner)>, Failure> {
    let unsupervised =
        [Algorithm::Ensemble, Algorithm::IsolationForest, Algorithm::UnsupervisedRandomForest, Algorithm::SeedForest];
    let wanted = |algorithm: &Algorithm| chosen.is_empty() || chosen.contains(algorithm);
    let mut learners: Vec<_> = unsupervised
        .into_iter()
        .filter(wanted)
        .map(|algorithm| (algorithm.as_str().to_owned(), Learner::defaults(algorithm)))
        .collect();
    if chosen.is_empty() {
        let given = Parameters { thresholds_per_split: Some(1), ..Parameters::default() };
        let classic = Learner::new(Algorithm::IsolationForest, &given)?;
        learners.push(("IsolationForest, classic".to_owned(), classic));
    }
    Ok(learners)
}

fn ours(case: &Case, learner: &Learner, seed: u64) -> Result<Vec<f64>, Failure> {
    let forest = fit(learner, &case.training, &case.columns, &[], seed)?;
    let mut scores = Vec::new();
    forest.score_batch(&case.scored, &mut scores);
    Ok(scores)
}

fn quality_of(scores: &[f64], case: &Case) -> Quality {
    let unknown = f64::NAN;
    Quality {
        auroc: metrics::auroc(scores, &case.anomalies).unwrap_or(unknown),
        auprc: metrics::auprc(scores, &case.anomalies).unwrap_or(unknown),
        recall_at_1pct: metrics::at_budget(scores, &case.anomalies, BUDGET_PER_MILLION).recall.unwrap_or(unknown),
    }
}

fn add(rows: &mut BTreeMap<String, Quality>, algorithm: String, more: Quality, of: usize) {
    let mean = rows.entry(algorithm).or_default();
    mean.auroc += more.auroc / of as f64;
    mean.auprc += more.auprc / of as f64;
    mean.recall_at_1pct += more.recall_at_1pct / of as f64;
}

/// The mean over the sets of a family, where there are several.
fn add_mean(table: &mut Table, measured: &[Measured], family: Family) {
    let of_family = measured.iter().filter(|set| set.family == family).filter_map(|set| table.get(&set.name));
    let sets: Vec<_> = of_family.cloned().collect();
    let Some(name) = family.mean_of(sets.len()).filter(|_| sets.len() > 1) else { return };
    let mut means = BTreeMap::new();
    for (algorithm, quality) in sets.iter().flatten() {
        add(&mut means, algorithm.clone(), *quality, sets.len());
    }
    means.iter().for_each(|(algorithm, quality)| print(&name, algorithm, *quality));
    table.insert(name, means);
}

fn print(set: &str, algorithm: &str, quality: Quality) {
    let Quality { auroc, auprc, recall_at_1pct } = quality;
    println!("{set:<34} {algorithm:<28} {auroc:>7.3} {auprc:>7.3} {recall_at_1pct:>12.2}");
}
