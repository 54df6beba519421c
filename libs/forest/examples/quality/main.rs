//! Quality of the learners where labels exist to judge them: `make quality`. Prints a table and writes
//! `target/quality.json`: set → algorithm → {auroc, auprc, recall_at_1pct}, means over the seeds.

mod data;
mod failure;
mod npz;
mod peer;
mod protocols;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use vedette_contract::learner::Algorithm;
use vedette_contract::parameters::Parameters;
use vedette_forest::{Learner, fit, metrics};

use failure::Failure;
use peer::Peer;
use protocols::{Case, Set, sets_of};

/// Records per million that may alert.
const BUDGET_PER_MILLION: f64 = 10_000.;
/// Those for which the floors hold.
const SEEDS: [u64; 3] = [1, 2, 3];
/// The goals of `docs/learning.md`; recall on SA, which hangs on one dense attack, is lower on these seeds than on others.
const FLOORS: [Floor; 5] = [
    Floor { set: "KDD SA", auroc: 0.99, recall_at_1pct: 0.7 },
    Floor { set: "KDD SF", auroc: 0.985, recall_at_1pct: 0.6 },
    Floor { set: "KDD http", auroc: 0.987, recall_at_1pct: 0.2 },
    Floor { set: "KDD corrected", auroc: 0.953, recall_at_1pct: 0. },
    Floor { set: "mean of 23 sets", auroc: 0.76, recall_at_1pct: 0. },
];
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

    /// Only these algorithms
    #[arg(long, value_enum, value_delimiter = ',')]
    algorithms: Vec<Algorithm>,

    /// Only sets whose names begin so
    #[arg(long, default_value = "")]
    only: String,

    /// Python with libs/forest/peers/requirements.txt; without it there is no peer
    #[arg(long)]
    python: Option<PathBuf>,

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
    let sets = match &arguments.data {
        Some(path) => vec![Set::of_file(path.clone(), arguments.label.clone())],
        None => sets_of(&arguments.sets),
    };
    let sets: Vec<Set> = sets.into_iter().filter(|set| set.name.starts_with(&arguments.only)).collect();
    if sets.is_empty() {
        println!(
            "there are no sets in {}: nothing is measured (name the directory with --sets, or a file with --data)",
            arguments.sets.display()
        );
        return Ok(());
    }
    let exchange = tempfile::tempdir()?;
    let mut peer = arguments.python.as_ref().map(|python| Peer::start(python, exchange.path())).transpose()?;
    let mut table = Table::new();
    println!("{:<18} {:<28} {:>7} {:>7} {:>12}", "set", "algorithm", "AUROC", "AUPRC", "recall at 1%");
    for set in &sets {
        let data = set.read()?;
        let rows = table.entry(set.name.clone()).or_default();
        for seed in &arguments.seeds {
            let case = set.case(&data, *seed)?;
            for (name, learner) in learners(&arguments.algorithms)? {
                add(rows, name, quality_of(&ours(&case, &learner, *seed)?, &case), arguments.seeds.len());
            }
            if let Some(peer) = &mut peer {
                let scores = peer.scores(&case, *seed)?;
                add(rows, PEER.to_owned(), quality_of(&scores, &case), arguments.seeds.len());
            }
        }
        rows.iter().for_each(|(algorithm, quality)| print(&set.name, algorithm, *quality));
    }
    add_mean(&mut table);
    std::fs::write(&arguments.output, serde_json::to_vec_pretty(&table)?)?;
    let below: Vec<String> = FLOORS.iter().filter_map(|floor| floor.not_reached(&table)).collect();
    if arguments.seeds == SEEDS && !below.is_empty() { Err(below.join("; ").into()) } else { Ok(()) }
}

/// What the default reached on the seeds of the table, a little less; all of it is deterministic.
struct Floor {
    set: &'static str,
    auroc: f64,
    recall_at_1pct: f64,
}

impl Floor {
    fn not_reached(&self, table: &Table) -> Option<String> {
        let Self { set, auroc, recall_at_1pct } = *self;
        let reached = table.get(set)?.get(Algorithm::Ensemble.as_str())?;
        (reached.auroc < auroc || reached.recall_at_1pct < recall_at_1pct)
            .then(|| format!("Ensemble on {set} fell below AUROC {auroc} and recall {recall_at_1pct}: {reached:?}"))
    }
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
    if wanted(&Algorithm::IsolationForest) {
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

/// The mean over all sets that are not KDD's, which is that of `ADBench`.
fn add_mean(table: &mut Table) {
    let others: Vec<_> =
        table.iter().filter(|(set, _)| !set.starts_with("KDD")).map(|(_, rows)| rows.clone()).collect();
    let mut means = BTreeMap::new();
    for (algorithm, quality) in others.iter().flatten() {
        add(&mut means, algorithm.clone(), *quality, others.len());
    }
    if others.len() > 1 {
        let name = format!("mean of {} sets", others.len());
        means.iter().for_each(|(algorithm, quality)| print(&name, algorithm, *quality));
        table.insert(name, means);
    }
}

fn print(set: &str, algorithm: &str, quality: Quality) {
    let Quality { auroc, auprc, recall_at_1pct } = quality;
    println!("{set:<18} {algorithm:<28} {auroc:>7.3} {auprc:>7.3} {recall_at_1pct:>12.2}");
}
