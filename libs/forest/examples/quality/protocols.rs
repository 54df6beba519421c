//! Which rows are learned from and which are scored, set by set, as `docs/learning.md` says. Labels choose the rows of a
//! set and judge the scores; no learner sees them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rand::seq::{SliceRandom, index};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use vedette_forest::Matrix;

use crate::data::{DataSet, Field, read_csv, read_kdd, read_npz};
use crate::failure::Failure;

/// Most rows of a set on which learning and scoring are the same.
const TRANSDUCTIVE_ROWS: usize = 10_000;
const SERVICE: usize = 2;
const LOGGED_IN: usize = 11;

/// How the rows of a set become rows to learn from and rows to score.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Protocol {
    /// All normal records and one attack in a hundred; one half learns, the other is scored.
    KddSa,
    /// Records with `logged_in`, and attacks as .35 % of them; halves.
    KddSf,
    /// Records with `logged_in` of the service http; halves.
    KddHttp,
    /// Learned from the 10 % file without repeated records, scored on the corrected test set.
    KddCorrected,
    /// The same rows are learned from and scored, at most 10,000.
    Transductive,
}

/// Sets of which a mean says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// KDD Cup 99, each set by itself.
    Kdd,
    /// Those of ADBench.
    Adbench,
    /// Made tables whose columns depend on each other.
    Dependence,
    /// Made tables whose columns do not.
    Independent,
    /// Made tables of many kinds of normal rows and of anomalies.
    Stress,
    /// The same with columns that are constant but for a few rows.
    NearlyConstant,
    /// A file that somebody named.
    Given,
}

impl Family {
    /// All.
    pub(crate) const ALL: [Self; 7] = [
        Self::Kdd,
        Self::Adbench,
        Self::Dependence,
        Self::Independent,
        Self::Stress,
        Self::NearlyConstant,
        Self::Given,
    ];

    /// How the table names the mean of so many sets, where there is one.
    pub(crate) fn mean_of(self, sets: usize) -> Option<String> {
        let of = match self {
            Self::Kdd | Self::Given => return None,
            Self::Adbench => "sets",
            Self::Dependence => "with dependence",
            Self::Independent => "without dependence",
            Self::Stress => "stress sets",
            Self::NearlyConstant => "with nearly constant columns",
        };
        Some(format!("mean of {sets} {of}"))
    }

    /// Whether its tables are made: what they say is the same for other seeds.
    pub(crate) fn is_made(self) -> bool {
        match self {
            Self::Dependence | Self::Independent | Self::Stress | Self::NearlyConstant => true,
            Self::Kdd | Self::Adbench | Self::Given => false,
        }
    }
}

/// A set, its file or files, and its protocol.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    /// Name in the table.
    pub name: String,
    /// What it is one of.
    pub family: Family,
    /// How it is used.
    pub protocol: Protocol,
    files: Vec<PathBuf>,
    label: Option<String>,
}

/// Rows of one seed.
pub(crate) struct Case {
    /// To learn from.
    pub training: Matrix,
    /// The columns.
    pub columns: Vec<vedette_contract::model::Column>,
    /// To score.
    pub scored: Matrix,
    /// Labels of the scored rows.
    pub anomalies: Vec<bool>,
}

/// The sets of the study that are in this directory.
pub(crate) fn sets_of(directory: &Path) -> Vec<Set> {
    let ten_percent = directory.join("kddcup.data_10_percent.gz");
    let corrected = directory.join("kddcup.corrected_test.gz");
    let kdd = |name: &str, protocol| Set {
        name: name.to_owned(),
        family: Family::Kdd,
        protocol,
        files: vec![ten_percent.clone(), corrected.clone()],
        label: None,
    };
    let mut sets = Vec::new();
    if ten_percent.exists() {
        sets.push(kdd("KDD SA", Protocol::KddSa));
        sets.push(kdd("KDD SF", Protocol::KddSf));
        sets.push(kdd("KDD http", Protocol::KddHttp));
        if corrected.exists() {
            sets.push(kdd("KDD corrected", Protocol::KddCorrected));
        }
    }
    let mut archives: Vec<PathBuf> = std::fs::read_dir(directory.join("adbench"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "npz"))
        .collect();
    archives.sort();
    sets.extend(archives.into_iter().map(|path| Set::of_file(path, None, Family::Adbench)));
    sets
}

impl Set {
    /// One file, learned from and scored as a whole.
    pub(crate) fn of_file(path: PathBuf, label: Option<String>, family: Family) -> Self {
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Self { name, family, protocol: Protocol::Transductive, files: vec![path], label }
    }

    /// Reads what the set is made of.
    pub(crate) fn read(&self) -> Result<Vec<DataSet>, Failure> {
        let read = |path: &PathBuf| match (&self.protocol, &self.label) {
            (Protocol::Transductive, None) => read_npz(path),
            (Protocol::Transductive, Some(_)) if path.extension().is_some_and(|of| of == "npz") => read_npz(path),
            (Protocol::Transductive, Some(label)) => read_csv(path, label),
            _ => read_kdd(path),
        };
        let files = match self.protocol {
            Protocol::KddCorrected | Protocol::Transductive => &self.files[..],
            Protocol::KddSa | Protocol::KddSf | Protocol::KddHttp => &self.files[..1],
        };
        files.iter().map(read).collect()
    }

    /// The rows of one seed.
    pub(crate) fn case(&self, data: &[DataSet], seed: u64) -> Result<Case, Failure> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let set = &data[0];
        let of_kind = |anomaly| (0..set.anomalies.len()).filter(move |row| set.anomalies[*row] == anomaly);
        let is_logged_in = |row: &usize| matches!(&set.fields[LOGGED_IN], Field::Numbers(values) if values[*row] > 0.5);
        let is_http = |row: &usize| matches!(&set.fields[SERVICE], Field::Texts(values) if values[*row] == "http");
        let (training, scored, scored_set) = match self.protocol {
            Protocol::KddSa => {
                let (normal, attacks) = (of_kind(false).collect(), of_kind(true).collect());
                halves(mixed(normal, attacks, 0.01, &mut random), &mut random, set)
            }
            Protocol::KddSf => {
                let (normal, attacks) =
                    (of_kind(false).filter(is_logged_in).collect(), of_kind(true).filter(is_logged_in).collect());
                halves(mixed(normal, attacks, 0.0035, &mut random), &mut random, set)
            }
            Protocol::KddHttp => {
                let rows = (0..set.anomalies.len()).filter(is_logged_in).filter(is_http).collect();
                halves(rows, &mut random, set)
            }
            Protocol::KddCorrected => (distinct(set), (0..data[1].anomalies.len()).collect(), &data[1]),
            Protocol::Transductive => {
                let rows = set.anomalies.len();
                let mut chosen = index::sample(&mut random, rows, rows.min(TRANSDUCTIVE_ROWS)).into_vec();
                chosen.sort_unstable();
                (chosen.clone(), chosen, set)
            }
        };
        let encoder = set.encoder(&training)?;
        Ok(Case {
            training: set.encode(&encoder, &training),
            columns: encoder.columns().to_vec(),
            scored: scored_set.encode(&encoder, &scored),
            anomalies: scored_set.labels(&scored),
        })
    }
}

/// All normal rows, and so many random attacks that they are this share of both.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn mixed(normal: Vec<usize>, attacks: Vec<usize>, share: f64, random: &mut impl Rng) -> Vec<usize> {
    let count = (normal.len() as f64 * share / (1. - share)).round() as usize;
    let mut rows = normal;
    rows.extend(index::sample(random, attacks.len(), count.min(attacks.len())).iter().map(|row| attacks[row]));
    rows
}

fn halves<'a>(mut rows: Vec<usize>, random: &mut impl Rng, set: &'a DataSet) -> (Vec<usize>, Vec<usize>, &'a DataSet) {
    rows.shuffle(random);
    let scored = rows.split_off(rows.len() / 2);
    (rows, scored, set)
}

fn distinct(set: &DataSet) -> Vec<usize> {
    let mut seen = HashSet::new();
    let key = |row: &usize| -> Vec<String> {
        let text = |field: &Field| match field {
            Field::Numbers(values) => values[*row].to_string(),
            Field::Texts(values) => values[*row].clone(),
        };
        set.fields.iter().map(text).collect()
    };
    (0..set.anomalies.len()).filter(|row| seen.insert(key(row))).collect()
}
