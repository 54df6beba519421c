//! Where records come from: the simulator, or a data set at random or in order. Nothing here waits or fails.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use thiserror::Error;
use tracing::info;

use crate::plan::{DEFAULT_ANOMALY_FRACTION, Walk};
use crate::simulator::Simulator;
use vedette_datasets::{Dataset, LabelledRows};

/// Why a data set does not give the anomalies that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FractionError {
    /// Nothing tells what an anomaly is.
    #[error(
        "an anomaly fraction needs a label: name its column and its normal values with --label-field and --normal-label"
    )]
    Unlabelled,
    /// There is no anomaly.
    #[error("an anomaly fraction above 0 needs anomalies, and every row of the data set has a normal label")]
    OnlyNormal,
    /// There is nothing else: no row says what it is.
    #[error("an anomaly fraction below 1 needs normal rows, and no row of the data set has one of the normal labels")]
    NoneNormal,
}

/// A source of records.
#[derive(Debug)]
pub(crate) enum Source {
    /// Simulated connections, numbered from 0.
    Simulator {
        /// The simulator.
        simulator: Simulator,
        /// Number of the next record.
        next: u64,
    },
    /// Rows at random, for ever.
    Random {
        /// The rows.
        dataset: Dataset,
        /// Decides.
        random: Xoshiro256PlusPlus,
        /// Share of anomalous rows; any row where there is none.
        anomaly_fraction: Option<f64>,
    },
    /// Every row once, in order.
    Sequential {
        /// The rows.
        dataset: Dataset,
        /// The next row.
        next: usize,
    },
}

impl Source {
    /// Simulated connections.
    pub(crate) fn simulator(seed: u64, anomaly_fraction: f64) -> Self {
        Self::Simulator { simulator: Simulator::new(seed, anomaly_fraction), next: 0 }
    }

    /// The rows of a data set. Where a label is known and no share of anomalies is asked for, it is
    /// [`DEFAULT_ANOMALY_FRACTION`], if the data set has rows of both sides.
    ///
    /// # Errors
    /// When the data set cannot give the share that was asked for.
    pub(crate) fn dataset(dataset: Dataset, walk: Walk, seed: u64) -> Result<Self, FractionError> {
        match walk {
            Walk::Sequential => Ok(Self::Sequential { dataset, next: 0 }),
            Walk::Random { anomaly_fraction } => {
                let anomaly_fraction = fraction(dataset.labelled.as_ref(), anomaly_fraction)?;
                if let Some(labelled) = &dataset.labelled {
                    let own = labelled.anomalous.len() as f64 / dataset.rows() as f64;
                    info!(dataset = own, generated = anomaly_fraction.unwrap_or(own), "share of anomalies");
                }
                Ok(Self::Random { dataset, random: Xoshiro256PlusPlus::seed_from_u64(seed), anomaly_fraction })
            }
        }
    }

    /// Appends the next record's members, each with a comma before it, and returns its index; `None` after the last.
    pub(crate) fn append_next(&mut self, object: &mut Vec<u8>) -> Option<u64> {
        match self {
            Self::Simulator { simulator, next } => {
                simulator.append_members(object);
                *next += 1;
                Some(*next - 1)
            }
            Self::Random { dataset, random, anomaly_fraction } => {
                let row = match (anomaly_fraction, &dataset.labelled) {
                    // Neither side is drawn from when it is empty: `fraction` sees to it.
                    (Some(fraction), Some(labelled)) => {
                        let anomalous = random.random::<f64>() < *fraction;
                        let rows = if anomalous { &labelled.anomalous } else { &labelled.normal };
                        rows[random.random_range(0..rows.len())]
                    }
                    (None, _) | (_, None) => random.random_range(0..dataset.rows()),
                };
                dataset.append_members(row, object);
                Some(row as u64)
            }
            Self::Sequential { dataset, next } => {
                let row = *next;
                (row < dataset.rows()).then(|| {
                    *next += 1;
                    dataset.append_members(row, object);
                    row as u64
                })
            }
        }
    }

    /// How many records there are to be; `None` where there is no end.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Simulator { .. } | Self::Random { .. } => None,
            Self::Sequential { dataset, .. } => Some(dataset.rows() as u64),
        }
    }
}

/// The share of anomalies to draw; `None` draws any row.
fn fraction(labelled: Option<&LabelledRows>, asked: Option<f64>) -> Result<Option<f64>, FractionError> {
    match (labelled, asked) {
        (None, Some(_)) => Err(FractionError::Unlabelled),
        (Some(labelled), Some(asked)) if asked > 0.0 && labelled.anomalous.is_empty() => Err(FractionError::OnlyNormal),
        (Some(labelled), Some(asked)) if asked < 1.0 && labelled.normal.is_empty() => Err(FractionError::NoneNormal),
        (Some(_), Some(asked)) => Ok(Some(asked)),
        (Some(labelled), None) if !labelled.anomalous.is_empty() && !labelled.normal.is_empty() => {
            Ok(Some(DEFAULT_ANOMALY_FRACTION))
        }
        (Some(_) | None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use vedette_datasets::DatasetSettings;
    use vedette_records::Label;

    fn dataset(labels: &str, normal: &[&str]) -> Dataset {
        let rows: String = labels.chars().enumerate().map(|(row, label)| format!("{row},{label}\n")).collect();
        let settings = DatasetSettings { label: Some(Label::new("kind", normal)), ..DatasetSettings::default() };
        Dataset::load(format!("row,kind\n{rows}").as_bytes(), &settings).unwrap()
    }

    fn random(dataset: Dataset, anomaly_fraction: Option<f64>, seed: u64) -> Result<Source, FractionError> {
        Source::dataset(dataset, Walk::Random { anomaly_fraction }, seed)
    }

    /// The indices of the next records, each checked against the record.
    fn draw(source: &mut Source, count: usize) -> Vec<u64> {
        let mut draw_one = || {
            let mut object = Vec::new();
            let index = source.append_next(&mut object)?;
            object[0] = b'{';
            object.push(b'}');
            let record: Value = serde_json::from_slice(&object).unwrap();
            assert_eq!(record["row"], index);
            Some(index)
        };
        (0..count).map_while(|_| draw_one()).collect()
    }

    #[test]
    fn sequential_gives_every_row_once_in_order() {
        let mut source = Source::dataset(dataset("nnan", &["n"]), Walk::Sequential, 1).unwrap();
        assert_eq!(source.length(), Some(4));
        assert_eq!(draw(&mut source, 10), [0, 1, 2, 3]);
    }

    #[test]
    fn random_keeps_the_share_of_anomalies() {
        for (asked, expected) in [(Some(0.3), 0.3), (Some(0.0), 0.0), (Some(1.0), 1.0), (None, 0.005)] {
            let mut source = random(dataset("aaaaaaaann", &["n"]), asked, 1).unwrap();
            let rows = draw(&mut source, 20_000);
            let share = rows.iter().filter(|row| **row < 8).count() as f64 / rows.len() as f64;
            assert!((share - expected).abs() < 0.01, "{asked:?}: {share}");
        }
    }

    #[test]
    fn without_both_sides_or_normal_labels_any_row_is_drawn() {
        for dataset in [dataset("nnnn", &["n"]), dataset("anan", &[])] {
            let rows = draw(&mut random(dataset, None, 1).unwrap(), 4_000);
            for row in 0..4 {
                let count = rows.iter().filter(|drawn| **drawn == row).count();
                assert!((900..1_100).contains(&count), "{count}");
            }
        }
    }

    #[test]
    fn the_seed_decides_the_rows() {
        let rows = |seed| draw(&mut random(dataset("aannaann", &["n"]), Some(0.5), seed).unwrap(), 50);
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(1), rows(2));
    }

    #[test]
    fn a_share_that_the_data_set_cannot_give_is_refused() {
        assert_eq!(random(dataset("an", &[]), Some(0.1), 1).unwrap_err(), FractionError::Unlabelled);
        assert_eq!(random(dataset("nn", &["n"]), Some(0.1), 1).unwrap_err(), FractionError::OnlyNormal);
        assert_eq!(random(dataset("  ", &["n"]), Some(0.0), 1).unwrap_err(), FractionError::NoneNormal);
        assert!(random(dataset("nn", &["n"]), Some(0.0), 1).is_ok());
    }
}
