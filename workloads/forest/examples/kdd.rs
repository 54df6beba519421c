//! Quality of the learners on KDD Cup 99 as the generator streams it: `cargo run --release --example kdd -- FILE`,
//! where FILE is `kddcup.data_10_percent.gz` of the UCI archive (or set `VEDETTE_KDD`). Rows are drawn at random with
//! attacks as one record in two hundred; the learners see no labels, and other draws are scored.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::time::Instant;

use flate2::read::GzDecoder;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use vedette_contract::model::{Algorithm, Column, ColumnKind, FeatureSpecification, SCHEMA};
use vedette_forest::features::{Encoder, by_falling_frequency, median};
use vedette_forest::{ForestParameters, Matrix, calibration, fit, metrics};

const ANOMALY_FRACTION: f64 = 0.005;
const BUDGET_PER_MILLION: f64 = 5_000.;
const SCORED: usize = 200_000;
const FIELDS: usize = 41;
const CATEGORICAL: [usize; 3] = [1, 2, 3];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).or_else(|| std::env::var("VEDETTE_KDD").ok());
    let path = path.ok_or("usage: kdd FILE (kddcup.data_10_percent.gz)")?;
    let (mut normal, mut attacks): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for line in BufReader::new(GzDecoder::new(std::fs::File::open(path)?)).lines() {
        let line = line?;
        let (record, label) = line.rsplit_once(',').ok_or("a line without a label")?;
        let kind = if label == "normal." { &mut normal } else { &mut attacks };
        kind.push(record.to_owned());
    }
    for learned in [20_000, 100_000] {
        for seed in 1..=3 {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let mut draw = |rows: usize| -> Vec<(&str, bool)> {
                (0..rows)
                    .map(|_| {
                        let anomaly = random.random_bool(ANOMALY_FRACTION);
                        let from = if anomaly { &attacks } else { &normal };
                        (from[random.random_range(0..from.len())].as_str(), anomaly)
                    })
                    .collect()
            };
            let (training, scored) = (draw(learned), draw(SCORED));
            report(seed, &training, &scored)?;
        }
    }
    Ok(())
}

fn report(seed: u64, training: &[(&str, bool)], scored: &[(&str, bool)]) -> Result<(), Box<dyn std::error::Error>> {
    let features = specify(training);
    let encoder = Encoder::new(&features)?;
    let (rows, probes) = (encode(&encoder, training), encode(&encoder, scored));
    let anomalies: Vec<bool> = scored.iter().map(|record| record.1).collect();
    for algorithm in [Algorithm::IsolationForest, Algorithm::SeedForest] {
        let started = Instant::now();
        let forest = fit(algorithm, &rows, encoder.columns(), &ForestParameters::defaults(algorithm), seed)?;
        let fitted = started.elapsed();
        let mut scores = Vec::new();
        let started = Instant::now();
        forest.score_batch(&probes, &mut scores);
        let nanoseconds = started.elapsed().as_nanos() / probes.rows() as u128;
        let mut raw = Vec::new();
        forest.score_batch(&rows, &mut raw);
        let calibrator = calibration::Calibrator::new(&calibration::calibrate(raw)?)?;
        let threshold = calibration::threshold_for_budget(BUDGET_PER_MILLION);
        let alerts = scores.iter().filter(|score| calibrator.score(**score) > threshold).count();
        let at_budget = metrics::at_budget(&scores, &anomalies, BUDGET_PER_MILLION);
        println!(
            "{:<16} {:>6} rows, seed {seed}: AUROC {:.3}, AUPRC {:.3}, recall at {BUDGET_PER_MILLION} per million {:.2}, \
             {:.0} alerts per million, fitted in {fitted:.1?}, {} nodes, {nanoseconds} ns per row",
            algorithm.as_str(),
            rows.rows(),
            metrics::auroc(&scores, &anomalies).unwrap_or_default(),
            metrics::auprc(&scores, &anomalies).unwrap_or_default(),
            at_budget.recall.unwrap_or_default(),
            alerts as f64 * 1e6 / scores.len() as f64,
            forest.nodes(),
        );
    }
    Ok(())
}

fn specify(records: &[(&str, bool)]) -> FeatureSpecification {
    let columns = (0..FIELDS).map(|field| {
        let values = records.iter().filter_map(|(record, _)| record.split(',').nth(field));
        let kind = if CATEGORICAL.contains(&field) {
            let mut counts = HashMap::<String, u64>::new();
            values.for_each(|value| *counts.entry(value.to_owned()).or_default() += 1);
            ColumnKind::Categorical { values: by_falling_frequency(counts) }
        } else {
            ColumnKind::Numeric { median: median(values.filter_map(|value| value.parse().ok())) }
        };
        Column { name: format!("field_{field}"), kind }
    });
    FeatureSpecification { schema: SCHEMA, columns: columns.collect() }
}

fn encode(encoder: &Encoder, records: &[(&str, bool)]) -> Matrix {
    let mut matrix = Matrix::with_capacity(encoder.columns().len(), records.len());
    for (record, _) in records {
        let row: Vec<f32> = record
            .split(',')
            .zip(encoder.columns())
            .enumerate()
            .map(|(number, (field, column))| match column.kind {
                ColumnKind::Numeric { .. } => {
                    field.parse().map_or(encoder.missing(number), |value| encoder.numeric(number, value))
                }
                ColumnKind::Categorical { .. } => encoder.categorical(number, field),
            })
            .collect();
        matrix.push_row(&row);
    }
    matrix
}
