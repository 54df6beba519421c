//! Writes a default model in every format with rows, their raw and their calibrated scores, for `scripts/formats.sh` to compare:
//! `cargo run --release --example formats -- DIRECTORY`.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{Column, ColumnKind};
use vedette_forest::calibration::{Calibrator, calibrate};
use vedette_forest::{Learner, Matrix, export, fit};

const COLUMNS: usize = 12;
const SCORED: usize = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: formats DIRECTORY")?;
    let directory = Path::new(&directory);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let columns: Vec<Column> =
        (0..COLUMNS).map(|column| Column { name: format!("<c & {column}>"), kind: ColumnKind::numeric(0.) }).collect();
    // Half of the scored ones are like those that are learned from, so that some alert and others do not.
    let (training, mut scored) = (rows(20_000, 1., &mut random), rows(SCORED / 2, 1., &mut random));
    rows(SCORED / 2, 3., &mut random).iter().for_each(|row| scored.push_row(row));
    let forest = fit(&Learner::defaults(Algorithm::Ensemble), &training, &columns, &[], 1)?;
    let mut raw = Vec::new();
    forest.score_batch(&training, &mut raw);
    let calibrator = Calibrator::new(&calibrate(raw.clone())?)?;
    forest.score_batch(&scored, &mut raw);
    std::fs::write(directory.join("forest.onnx"), export::onnx(&forest, Some(&calibrator)))?;
    std::fs::write(directory.join("forest.pmml"), export::pmml(&forest, &columns, Some(&calibrator)))?;
    let bytes: Vec<u8> = scored.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(directory.join("rows"), bytes)?;
    let scores = raw.iter().flat_map(|raw| [*raw, calibrator.score(*raw)]);
    let bytes: Vec<u8> = scores.flat_map(f64::to_le_bytes).collect();
    std::fs::write(directory.join("scores"), bytes)?;
    Ok(())
}

/// Columns of very different sizes that share a cause; `spread` takes rows beyond what another draw has.
#[allow(clippy::cast_possible_truncation)]
fn rows(count: usize, spread: f64, random: &mut impl Rng) -> Matrix {
    let mut matrix = Matrix::with_capacity(COLUMNS, count);
    for _ in 0..count {
        let cause: f64 = random.random_range(0.0..10.0);
        let row: Vec<f32> = (-6i32..)
            .take(COLUMNS)
            .map(|exponent| {
                let value = cause + spread * random.random_range(-0.3..0.3);
                // Every third one bends, some far enough to be explained in magnitudes.
                let bent =
                    if exponent % 3 == 0 { (value * f64::from(exponent.rem_euclid(2) + 1)).exp() } else { value };
                (bent * 10f64.powi(exponent)) as f32
            })
            .collect();
        matrix.push_row(&row);
    }
    matrix
}
