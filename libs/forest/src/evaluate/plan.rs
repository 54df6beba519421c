//! Which combinations of a space are tried: all of them in order, or some at random and none twice.

use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::index;
use vedette_contract::parameters::Setting;
use vedette_contract::search::{Dimension, SearchAlgorithm, SearchSpace};

use crate::learn::random_for;

/// A combination, by the names of the parameters.
pub type Combination = BTreeMap<String, Setting>;

/// The combinations that a search tries. The same space and seed give the same ones.
pub fn combinations(space: &SearchSpace, algorithm: SearchAlgorithm, max_trials: u64, seed: u64) -> Vec<Combination> {
    let numbered = |number: u64| of_number(space, number);
    match (algorithm, space.size()) {
        // A grid that is larger, or infinite, was refused.
        (SearchAlgorithm::Grid, size) => (0..size.unwrap_or(0).min(max_trials)).filter_map(numbered).collect(),
        (SearchAlgorithm::Random, Some(size)) => {
            let mut random = random_for(seed, "trials", 0);
            let [size, count] = [size, size.min(max_trials)].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
            let chosen = index::sample(&mut random, size, count);
            chosen.into_iter().filter_map(|number| numbered(number as u64)).collect()
        }
        (SearchAlgorithm::Random, None) => {
            let mut random = random_for(seed, "trials", 0);
            (0..max_trials).filter_map(|_| drawn(space, &mut random)).collect()
        }
    }
}

/// The combination of this number: the last parameter changes first.
fn of_number(space: &SearchSpace, mut number: u64) -> Option<Combination> {
    let mut combination = Combination::new();
    for (parameter, dimension) in space.dimensions().iter().rev() {
        let length = dimension.len()?;
        combination.insert(parameter.name.to_owned(), dimension.at(number % length, 0.)?);
        number /= length;
    }
    Some(combination)
}

fn drawn(space: &SearchSpace, random: &mut impl Rng) -> Option<Combination> {
    let mut draw = |dimension: &Dimension| match dimension.len() {
        Some(length) => dimension.at(random.random_range(0..length), 0.),
        None => dimension.at(0, random.random()),
    };
    space
        .dimensions()
        .iter()
        .map(|(parameter, dimension)| Some((parameter.name.to_owned(), draw(dimension)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;
    use vedette_contract::learner::Algorithm;
    use vedette_contract::parameters::Parameters;

    use super::*;

    fn space(space: &serde_json::Value) -> SearchSpace {
        let parameters = serde_json::from_value(space.clone()).unwrap();
        let search = (SearchAlgorithm::Random, 5);
        SearchSpace::new(Algorithm::UnsupervisedRandomForest, &Parameters::default(), &parameters, search).unwrap()
    }

    fn in_words(combinations: &[Combination]) -> Vec<String> {
        combinations.iter().map(|combination| serde_json::to_string(combination).unwrap()).collect()
    }

    #[test]
    fn a_grid_is_every_combination_in_order() {
        let space = space(
            &json!({ "trees": { "min": 10, "max": 20, "step": 10 }, "maxFeatures": { "values": ["Sqrt", "All"] } }),
        );
        let grid = in_words(&combinations(&space, SearchAlgorithm::Grid, 4, 1));
        let expected = [
            r#"{"maxFeatures":"Sqrt","trees":10}"#,
            r#"{"maxFeatures":"Sqrt","trees":20}"#,
            r#"{"maxFeatures":"All","trees":10}"#,
            r#"{"maxFeatures":"All","trees":20}"#,
        ];
        assert_eq!(grid, expected);
    }

    #[test]
    fn combinations_at_random_are_those_of_the_seed_and_none_is_there_twice() {
        let finite = space(&json!({ "trees": { "min": 1, "max": 40 }, "deduplicate": { "values": [true, false] } }));
        let random = |max_trials, seed| in_words(&combinations(&finite, SearchAlgorithm::Random, max_trials, seed));
        assert_eq!(random(30, 1), random(30, 1));
        assert_ne!(random(30, 1), random(30, 2));
        for (max_trials, expected) in [(30, 30), (500, 80)] {
            assert_eq!(random(max_trials, 3).into_iter().collect::<BTreeSet<_>>().len(), expected);
        }
        let infinite = space(&json!({ "trimFraction": { "min": 0.1, "max": 0.4 }, "trees": { "values": [5, 6] } }));
        let drawn = combinations(&infinite, SearchAlgorithm::Random, 20, 1);
        assert_eq!(drawn.len(), 20);
        for combination in &drawn {
            assert!(matches!(combination["trimFraction"], Setting::Number(share) if (0.1..=0.4).contains(&share)));
            assert!(space_allows(&infinite, combination));
        }
    }

    fn space_allows(space: &SearchSpace, combination: &Combination) -> bool {
        let parameters = space.parameters(combination).unwrap();
        crate::Learner::new(Algorithm::UnsupervisedRandomForest, &parameters).is_ok()
    }
}
