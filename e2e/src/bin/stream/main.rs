//! Measures workloads beside bare librdkafka clients that ask the same of Kafka, and prints figures for `make bench`. It runs
//! inside `e2e/scripts/with-kafka.sh`, which gives it an Apache Kafka of its own and ends whatever it started; `stream people` and
//! `stream console` need none.
//!
//! `stream` measures all rows, `stream detector` one of them; `stream bare-pipe …` is a process that is measured beside one.

mod archiver;
mod bare;
mod bed;
mod browsers;
mod bucket;
mod compressor;
mod console;
mod detector;
mod generator;
mod input;
mod measure;
mod memory;
mod notifier;
mod people;
mod producer;
mod spark;
mod told;
mod webhook;

use std::process::ExitCode;

use vedette_e2e::RunError;

type Row = fn() -> Result<(), RunError>;

const ROWS: [(&str, Row); 9] = [
    ("detector", detector::beside_a_bare_pipe),
    ("archiver", archiver::beside_a_bare_compressor),
    ("generator", generator::beside_a_bare_producer),
    ("notifier", notifier::on_alerts_that_wait),
    ("memory", memory::of_detector_and_archiver),
    ("spark", spark::beside_the_detector),
    ("people", people::of_ten_thousand),
    ("told", told::in_time),
    ("console", console::with_fifty_browsers),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.first().map(String::as_str) {
        Some(bare::PIPE) => bare::pipe(&words[1..]),
        Some(compressor::COMPRESSOR) => compressor::compress(&words[1..]),
        Some(producer::PRODUCER) => producer::produce(&words[1..]),
        _ => rows(&words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error.chain());
            ExitCode::FAILURE
        }
    }
}

fn rows(chosen: &[String]) -> Result<(), RunError> {
    ROWS.iter()
        .filter(|(name, _)| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name))
        .try_for_each(|(_, row)| row())
}
