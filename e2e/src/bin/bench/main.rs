//! Prints the figures that the project promises, and writes them to target/bench.json: a list of
//! {name, unit, ours, peer, ratio}. The peer is another program in the same run, or the limit that was promised; where something was
//! promised of the ratio to another program, `limit` says that, too.
//!
//! `make bench` runs all; `make bench BENCH="flow latency"` runs some. None is a test: nothing fails by the clock.

mod cli;
mod drift;
mod local;
mod printed;
mod size;
mod training;

use std::process::ExitCode;

use vedette_e2e::RunError;
use vedette_e2e::figure::Figure;
use vedette_e2e::local::repository;

const MEGABYTE: f64 = 1e6;

fn figure(name: &str, unit: &str, ours: f64, peer: f64) -> Figure {
    show(Figure::new(name, unit, ours, peer))
}

fn show(figure: Figure) -> Figure {
    let Figure { name, unit, ours, peer, ratio, limit } = &figure;
    let promised = limit.map(|limit| format!(" ({limit})")).unwrap_or_default();
    println!("{name:<58} {ours:>12.3} {unit:<14} peer or limit {peer:>10.3}   ratio {ratio:.3}{promised}");
    figure
}

type Benchmark = fn() -> Result<Vec<Figure>, RunError>;

const BENCHMARKS: [(&str, Benchmark); 19] = [
    ("size", size::sizes),
    ("flow", local::flow),
    ("latency", local::latency),
    ("rolls", local::rolls),
    ("training", training::training),
    ("stream", printed::stream),
    ("notifier", printed::notifier),
    ("told", printed::told),
    ("memory", printed::memory),
    ("spark", printed::spark),
    ("people", printed::people),
    ("console", printed::console),
    ("cli", cli::cli),
    ("kdd", local::kdd),
    ("six", local::six_columns),
    ("drift", drift::drift),
    ("forest", printed::forest),
    ("operator", printed::operator),
    ("sites", printed::sites),
];

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let unknown = chosen.iter().find(|name| BENCHMARKS.iter().all(|(known, _)| known != name));
    if let Some(name) = unknown {
        eprintln!("no benchmark {name:?}; there are: {}", BENCHMARKS.map(|(name, _)| name).join(", "));
        return ExitCode::from(2);
    }
    let mut figures = Vec::new();
    for (name, run) in BENCHMARKS {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            match run() {
                Ok(more) => figures.extend(more),
                Err(error) => {
                    eprintln!("benchmark {name}: {}", error.chain());
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    let path = repository().join("target/bench.json");
    let written =
        serde_json::to_vec_pretty(&figures).map_err(std::io::Error::other).and_then(|text| std::fs::write(&path, text));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("could not write {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}
