//! Bytes that are no forest: those of the corpus, one way of being wrong each, and a bounded number of mutations of them and
//! of learned forests. `VEDETTE_FUZZ_CASES` is how many, 20,000 by default; `VEDETTE_FUZZ_SEED` takes others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{Column, ColumnKind};
use vedette_forest::{Forest, Learner, Matrix, fit};

/// Words that sit on some limit: of a count, a distance, a column, or of 32 bits.
const WORDS: [u32; 10] = [0, 1, 2, 3, 1 << 20, (1 << 20) - 1, 4_095 << 20, u32::MAX, i32::MAX as u32, 0x7f80_0000];

/// Whether the bytes are a forest. It then ends every walk with a number, and gives the bytes back.
fn is_forest(bytes: &[u8]) -> bool {
    let forest = match Forest::from_bytes(bytes) {
        Ok(forest) => forest,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    let mut shares = vec![0.; forest.columns()];
    for value in [0., f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        let row = vec![value; forest.columns()];
        assert!(!forest.score(&row).is_nan());
        forest.explain(&row, &mut shares);
    }
    // Schema 2 is read, and written as the schema of today.
    assert!(forest.to_bytes() == bytes || bytes[8] == 2);
    true
}

fn corpus() -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut corpus: Vec<_> =
        files.map(|path| (path.file_stem().unwrap().display().to_string(), std::fs::read(&path).unwrap())).collect();
    corpus.sort();
    corpus
}

/// The bytes of small forests of every learner.
fn learned() -> Vec<Vec<u8>> {
    let mut rows = Matrix::new(4);
    // The last two depend on each other.
    (0..200u16).for_each(|row| {
        rows.push_row(&[row % 17, row % 5, row, 3 * row + row % 7].map(f32::from));
    });
    let labels: Vec<_> = (0..200).map(|row| Some(row % 20 == 0)).collect();
    let column = |name: &str| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.) };
    let columns = ["a", "b", "c", "d"].map(column);
    [
        Algorithm::Ensemble,
        Algorithm::IsolationForest,
        Algorithm::UnsupervisedRandomForest,
        Algorithm::SeedForest,
        Algorithm::RandomForestClassifier,
    ]
    .into_iter()
    .map(|algorithm| fit(&Learner::defaults(algorithm), &rows, &columns, &labels, 1).unwrap().to_bytes())
    .collect()
}

#[test]
fn all_of_the_corpus_but_whole_forests_is_refused() {
    let corpus = corpus();
    assert!(corpus.len() >= 31, "{}", corpus.len());
    for (name, bytes) in corpus {
        assert_eq!(is_forest(&bytes), name.starts_with("whole"), "{name}");
    }
}

#[test]
fn mutations_are_an_error_or_a_forest_that_ends() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (cases, seed) = (number("VEDETTE_FUZZ_CASES", 20_000), number("VEDETTE_FUZZ_SEED", 1));
    let seeds: Vec<Vec<u8>> = corpus().into_iter().map(|(_, bytes)| bytes).chain(learned()).collect();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut forests = 0;
    for _ in 0..cases {
        let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
        for _ in 0..random.random_range(1..6) {
            mutate(&mut bytes, &seeds, &mut random);
        }
        forests += u64::from(is_forest(&bytes));
    }
    // Some mutations change only a value, so both ways were gone.
    assert!(forests > 0 && forests < cases, "{forests} of {cases}");
}

fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut impl Rng) {
    if bytes.len() < 8 {
        bytes.extend_from_slice(&seeds[0]);
        return;
    }
    let at = random.random_range(0..bytes.len() - 4);
    let word = at / 4 * 4;
    match random.random_range(0..7) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[word..word + 4].copy_from_slice(&random.random::<u32>().to_le_bytes()),
        2 => bytes[word..word + 4].copy_from_slice(&WORDS[random.random_range(0..WORDS.len())].to_le_bytes()),
        3 => bytes.truncate(at),
        4 => bytes.extend_from_within(at..),
        5 => {
            let other = &seeds[random.random_range(0..seeds.len())];
            let from = random.random_range(0..other.len());
            let length = (other.len() - from).min(bytes.len() - at);
            bytes[at..at + length].copy_from_slice(&other[from..from + length]);
        }
        // The header, where the counts are.
        _ => {
            let word = 8 + 4 * random.random_range(0..5);
            if let Some(word) = bytes.get_mut(word..word + 4) {
                word.copy_from_slice(&random.random_range(0..64u32).to_le_bytes());
            }
        }
    }
}
