use Algorithm::{Ensemble, IsolationForest, UnsupervisedRandomForest};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn parameters(space: &serde_json::Value) -> BTreeMap<String, ParameterSpace> {
    serde_json::from_value(space.clone()).unwrap()
}

/// The faults of a space of `UnsupervisedRandomForest` as `path: hint (is value)`.
fn faults(space: serde_json::Value, algorithm: SearchAlgorithm, max_trials: u64) -> Vec<String> {
    let fixed = Parameters { max_bins: Some(64), ..Parameters::default() };
    let made = SearchSpace::new(UnsupervisedRandomForest, &fixed, &parameters(&space), (algorithm, max_trials));
    made.err()
        .into_iter()
        .flatten()
        .map(|SpaceFault { path, value, hint }| format!("{path}: {hint} (is {value})"))
        .collect()
}

#[test]
fn a_space_is_counted_whatever_its_parameters_are() {
    let space = json!({
        "trees": { "values": [50, 100.0] },
        "maxDepth": { "min": 4, "max": 16, "step": 4 },
        "maxFeatures": { "values": ["Sqrt", "OneThird", "All"] },
        "deduplicate": { "values": [true, false] },
        "syntheticFraction": { "min": 0.1, "max": 0.3, "step": 0.1 },
    });
    assert_eq!(faults(space.clone(), SearchAlgorithm::Grid, 144), [""; 0]);
    let parameters = parameters(&space);
    let search = (SearchAlgorithm::Grid, 144);
    let space = SearchSpace::new(UnsupervisedRandomForest, &Parameters::default(), &parameters, search).unwrap();
    assert_eq!(space.size(), Some(144));
    let at = |name: &str, number| {
        let (_, dimension) = space.dimensions().iter().find(|(parameter, _)| parameter.name == name).unwrap();
        dimension.at(number, 0.)
    };
    assert_eq!((at("trees", 1), at("maxDepth", 3)), (Some(Setting::Count(100)), Some(Setting::Count(16))));
    assert_eq!((at("syntheticFraction", 2), at("trees", 2)), (Some(Setting::Number(0.3)), None));
}

#[test]
fn what_is_searched_goes_beside_what_is_fixed() {
    let fixed = Parameters { trees: Some(7), ..Parameters::default() };
    let parameters = parameters(&json!({ "maxDepth": { "values": [4] } }));
    let space = SearchSpace::new(IsolationForest, &fixed, &parameters, (SearchAlgorithm::Grid, 1)).unwrap();
    let trial = [("maxDepth".to_owned(), Setting::Count(4))].into();
    let all = space.parameters(&trial).unwrap();
    assert_eq!(all, Parameters { trees: Some(7), max_depth: Some(4), ..Parameters::default() });
}

#[test]
fn a_space_that_is_empty_infinite_or_too_large_says_so_with_its_field() {
    let grid = |space| faults(space, SearchAlgorithm::Grid, 10);
    let table = [
        (json!({}), "parameters: is an empty space: name a parameter, and the values to try (is {})"),
        (json!({ "trees": {} }), "parameters.trees: is an empty space: give values, or min and max (is )"),
        (
            json!({ "trees": { "min": 9, "max": 8 } }),
            "parameters.trees: is an empty space: min is greater than max (is 9..8)",
        ),
        (
            json!({ "syntheticFraction": { "min": 0.1, "max": 1 } }),
            "parameters.syntheticFraction: makes the grid infinite: give values or a step, or choose the algorithm Random (is 0.1..1)",
        ),
        (
            json!({ "trees": { "min": 10, "max": 20 } }),
            "maxTrials: the grid has 11 combinations: raise it, take values away, or choose the algorithm Random (is 10)",
        ),
    ];
    for (space, expected) in table {
        assert_eq!(grid(space), [expected]);
    }
    let endless = json!({ "syntheticFraction": { "min": 0.1, "max": 1 }, "trees": { "min": 10, "max": 20 } });
    assert_eq!(faults(endless, SearchAlgorithm::Random, 10), [""; 0]);
}

#[test]
fn what_a_parameter_cannot_be_is_refused_with_its_field() {
    let table = [
        (json!({ "trees": { "values": [0] } }), "parameters.trees.values: 0 is not allowed, which is 1 to 10000"),
        (json!({ "trees": { "values": [1.5] } }), "parameters.trees.values: 1.5 is not allowed"),
        (json!({ "trees": { "values": [5, 5.0] } }), "parameters.trees.values: 5 stands there twice"),
        (json!({ "trees": { "min": 5 } }), "parameters.trees: give both min and max"),
        (json!({ "trees": { "values": [5], "max": 7 } }), "parameters.trees: give values, or min and max, not both"),
        (json!({ "trees": { "values": [5], "step": 7 } }), "parameters.trees.step: goes with min and max"),
        (json!({ "trees": { "min": 1, "max": 3, "step": 0.5 } }), "parameters.trees.step: must be a whole number"),
        (json!({ "trees": { "min": 1, "max": 3, "step": 0 } }), "parameters.trees.step: must be greater than 0"),
        (json!({ "trees": { "min": 1, "max": 10001 } }), "parameters.trees.max: 10001 is not allowed"),
        (
            json!({ "maxFeatures": { "min": 1, "max": 3 } }),
            "parameters.maxFeatures.min: 1 is not allowed, which is Sqrt or",
        ),
        (json!({ "maxFeatures": { "values": ["Half"] } }), "parameters.maxFeatures.values: Half is not allowed"),
        (json!({ "maxBins": { "values": [8] } }), "parameters.maxBins: is fixed by spec.parameters, too"),
        (
            json!({ "thresholdsPerSplit": { "values": [8] } }),
            "parameters.thresholdsPerSplit: is no parameter of UnsupervisedRandomForest; there are trees, rowsPerTree",
        ),
        (json!({ "forests": { "values": [8] } }), "parameters.forests: is no parameter of UnsupervisedRandomForest"),
    ];
    for (space, expected) in table {
        let found = faults(space, SearchAlgorithm::Random, 10);
        assert!(matches!(&found[..], [one] if one.starts_with(expected)), "{expected}: {found:?}");
    }
    let trees = parameters(&json!({ "trees": { "values": [8] } }));
    let refused = SearchSpace::new(Ensemble, &Parameters::default(), &trees, (SearchAlgorithm::Grid, 9)).unwrap_err();
    assert_eq!(refused[0].hint, "Ensemble has no parameters to search; choose another algorithm");
}

#[test]
fn more_combinations_than_can_be_counted_are_infinite() {
    let size = |space: serde_json::Value| {
        let random = (SearchAlgorithm::Random, 5);
        SearchSpace::new(UnsupervisedRandomForest, &Parameters::default(), &parameters(&space), random).unwrap().size()
    };
    let (rows, trees) = (json!({ "min": 2, "max": 1_000_000_000 }), json!({ "min": 1, "max": 10_000 }));
    assert_eq!(size(json!({ "rowsPerTree": rows, "trees": trees })), Some(9_999_999_990_000));
    assert_eq!(
        size(json!({ "rowsPerTree": rows, "trees": trees, "maxDepth": trees_of(64), "maxBins": trees_of(256) })),
        None
    );
}

fn trees_of(max: i32) -> serde_json::Value {
    json!({ "min": 2, "max": max })
}

#[test]
fn a_command_line_reads_back_as_it_is_written() {
    for text in [
        "trees=50,100",
        "maxDepth=4..16/4",
        "syntheticFraction=0.1..1",
        "maxFeatures=Sqrt,All",
        "deduplicate=true,false",
        "trees=",
    ] {
        let parameter: SearchParameter = text.parse().unwrap();
        assert_eq!(parameter.to_string(), text);
    }
    let parameter: SearchParameter = "syntheticFraction=0.5,1".parse().unwrap();
    assert_eq!(parameter.space.values, [Setting::Number(0.5), Setting::Count(1)]);
    for text in ["trees", "trees=1..x", "trees=..", "trees=1..2/"] {
        assert!(text.parse::<SearchParameter>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_range_that_is_taken_has_only_values_that_are_allowed(min in 1..200i32, width in 0..200i32, step in 1..50i32) {
        let space = json!({ "trees": { "min": min, "max": min + width, "step": step } });
        let random = (SearchAlgorithm::Random, 5);
        let space = SearchSpace::new(IsolationForest, &Parameters::default(), &parameters(&space), random).unwrap();
        let (_, trees) = &space.dimensions()[0];
        let count = trees.len().unwrap();
        prop_assert_eq!(count, u64::try_from(width / step + 1).unwrap());
        let last = trees.at(count - 1, 0.).unwrap();
        prop_assert!(matches!(last, Setting::Count(last) if (min..=min + width).contains(&last)));
    }
}
