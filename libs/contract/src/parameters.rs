//! The hyper-parameters of the learners. One table says what each is called, what it may be, which learners have it and
//! what it is to them where it is not given; rules and limits of the API, the pages, the command line of the trainer and
//! the learners' defaults come from it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::learner::Algorithm::{self, IsolationForest, RandomForestClassifier, SeedForest, UnsupervisedRandomForest};
use crate::learner::{Impurity, MaxFeatures, SyntheticRows};

/// All of them, each with a field of [`Parameters`].
pub const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "trees",
        values: Values::Count(1..=10_000),
        defaults: &[
            (IsolationForest, Setting::Count(160)),
            (UnsupervisedRandomForest, Setting::Count(100)),
            (SeedForest, Setting::Count(10)),
            (RandomForestClassifier, Setting::Count(100)),
        ],
    },
    Parameter {
        name: "rowsPerTree",
        values: Values::Count(2..=1_000_000_000),
        defaults: &[
            (IsolationForest, Setting::Count(256)),
            (UnsupervisedRandomForest, Setting::Count(4_096)),
            (RandomForestClassifier, Setting::All),
        ],
    },
    Parameter {
        name: "maxDepth",
        values: Values::Count(1..=64),
        defaults: &[
            (IsolationForest, Setting::Count(12)),
            (UnsupervisedRandomForest, Setting::Count(16)),
            (SeedForest, Setting::Count(15)),
            (RandomForestClassifier, Setting::Count(16)),
        ],
    },
    Parameter {
        name: "thresholdsPerSplit",
        values: Values::Count(1..=256),
        defaults: &[(IsolationForest, Setting::Count(5))],
    },
    Parameter {
        name: "maxBins",
        values: Values::Count(2..=256),
        defaults: &[(UnsupervisedRandomForest, Setting::Count(256)), (RandomForestClassifier, Setting::Count(256))],
    },
    Parameter {
        name: "maxFeatures",
        values: Values::OneOf(names::<MaxFeatures>),
        defaults: &[(UnsupervisedRandomForest, Setting::name("Sqrt")), (RandomForestClassifier, Setting::name("Sqrt"))],
    },
    Parameter {
        name: "impurity",
        values: Values::OneOf(names::<Impurity>),
        defaults: &[(UnsupervisedRandomForest, Setting::name("Gini")), (RandomForestClassifier, Setting::name("Gini"))],
    },
    Parameter {
        name: "syntheticRows",
        values: Values::OneOf(names::<SyntheticRows>),
        defaults: &[(UnsupervisedRandomForest, Setting::name("Swaps"))],
    },
    Parameter {
        name: "syntheticFraction",
        values: Values::Number(0.001..=10.),
        defaults: &[(UnsupervisedRandomForest, Setting::Number(1.)), (SeedForest, Setting::Number(0.1))],
    },
    Parameter {
        name: "deduplicate",
        values: Values::Flag,
        defaults: &[(UnsupervisedRandomForest, Setting::Flag(true))],
    },
    Parameter {
        name: "trimFraction",
        values: Values::Number(0. ..=0.9),
        defaults: &[(UnsupervisedRandomForest, Setting::Number(0.1))],
    },
];

/// A line of the table.
#[derive(Debug)]
pub struct Parameter {
    /// Its name in the API.
    pub name: &'static str,
    /// What it may be.
    pub values: Values,
    /// The learners that have it, each with what it is where it is not given.
    pub defaults: &'static [(Algorithm, Setting)],
}

/// What a parameter may be.
#[derive(Debug)]
pub enum Values {
    /// A whole number.
    Count(RangeInclusive<i32>),
    /// A number.
    Number(RangeInclusive<f64>),
    /// True or false.
    Flag,
    /// One of these names.
    OneOf(fn() -> Vec<String>),
}

/// What a parameter is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// A whole number.
    Count(i32),
    /// A number.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// A name.
    Name(Cow<'static, str>),
    /// As many as there are; never given, and null in JSON.
    All,
}

/// The hyper-parameters that are given; what is omitted has the algorithm's default.
// These docs are those of the API, and of the trainer's `--help`. Counts are signed, as they are in the API.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, Args)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Parameters {
    /// Number of trees.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trees: Option<i32>,

    /// Rows that a tree learns from.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_per_tree: Option<i32>,

    /// Splits between the root and a leaf at most.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_depth: Option<i32>,

    /// Random thresholds of which a split takes the best; 1 is the classic forest.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thresholds_per_split: Option<i32>,

    /// Bins into which a column is cut at most.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bins: Option<i32>,

    /// Random columns of which a split takes the best.
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_features: Option<MaxFeatures>,

    /// What a split makes small.
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impurity: Option<Impurity>,

    /// How synthetic records are made from real ones.
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synthetic_rows: Option<SyntheticRows>,

    /// Synthetic records as a share of the real ones.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synthetic_fraction: Option<f64>,

    /// Whether repeated patterns count once.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deduplicate: Option<bool>,

    /// Share of the records, the most anomalous ones to an isolation forest, that are not taken for real.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trim_fraction: Option<f64>,
}

/// Every parameter of an algorithm by its name in the API, as it is where nothing is given.
pub fn defaults(algorithm: Algorithm) -> BTreeMap<&'static str, Setting> {
    let default = |parameter: &'static Parameter| Some((parameter.name, parameter.default_of(algorithm)?.clone()));
    PARAMETERS.iter().filter_map(default).collect()
}

impl Parameter {
    /// What it is to an algorithm where it is not given; none where the algorithm does not have it.
    pub fn default_of(&self, algorithm: Algorithm) -> Option<&'static Setting> {
        self.defaults.iter().find(|(learner, _)| *learner == algorithm).map(|(_, default)| default)
    }

    /// Its option on the trainer's command line, without the dashes.
    pub fn option(&self) -> String {
        let of =
            |letter: char| if letter.is_uppercase() { vec!['-', letter.to_ascii_lowercase()] } else { vec![letter] };
        self.name.chars().flat_map(of).collect()
    }
}

impl Parameters {
    /// What is given, in the order of the table.
    pub fn given(&self) -> Vec<(&'static Parameter, Setting)> {
        // There is nothing in it that is not a setting; a number that is none becomes a null, which no parameter may be.
        let mut given: BTreeMap<String, Setting> =
            serde_json::to_value(self).and_then(serde_json::from_value).unwrap_or_default();
        PARAMETERS.iter().filter_map(|parameter| Some((parameter, given.remove(parameter.name)?))).collect()
    }
}

impl Values {
    /// Whether a parameter with these values may be this.
    pub fn contains(&self, setting: &Setting) -> bool {
        match self {
            Self::Count(range) => matches!(setting, Setting::Count(count) if range.contains(count)),
            Self::Number(range) => matches!(setting, Setting::Number(number) if range.contains(number)),
            Self::Flag => matches!(setting, Setting::Flag(_)),
            Self::OneOf(names) => matches!(setting, Setting::Name(name) if names().iter().any(|one| one == name)),
        }
    }
}

impl Display for Values {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(range) => write!(formatter, "{} to {}", range.start(), range.end()),
            Self::Number(range) => write!(formatter, "{} to {}", range.start(), range.end()),
            Self::Flag => formatter.write_str("true or false"),
            Self::OneOf(names) => formatter.write_str(&names().join(" or ")),
        }
    }
}

impl Setting {
    const fn name(name: &'static str) -> Self {
        Self::Name(Cow::Borrowed(name))
    }
}

impl Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(formatter),
            Self::Number(number) => number.fmt(formatter),
            Self::Flag(flag) => flag.fmt(formatter),
            Self::Name(name) => name.fmt(formatter),
            Self::All => formatter.write_str("all"),
        }
    }
}

fn names<T: ValueEnum>() -> Vec<String> {
    T::value_variants().iter().filter_map(T::to_possible_value).map(|value| value.get_name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn parse(arguments: &[String]) -> Result<Parameters, clap::Error> {
        let command = Parameters::augment_args(Command::new("trainer").no_binary_name(true));
        Parameters::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }

    #[test]
    fn the_table_and_the_struct_have_the_same_parameters() {
        let command = Parameters::augment_args(Command::new("trainer"));
        let options: Vec<String> =
            command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)).collect();
        assert_eq!(options, PARAMETERS.iter().map(Parameter::option).collect::<Vec<_>>());
    }

    #[test]
    fn every_default_is_allowed_and_understood() {
        for parameter in PARAMETERS {
            assert!(!parameter.defaults.is_empty(), "{}", parameter.name);
            for (algorithm, default) in parameter.defaults.iter().filter(|(_, default)| *default != Setting::All) {
                assert!(parameter.values.contains(default), "{} of {algorithm:?}", parameter.name);
                let given = parse(&[format!("--{}={default}", parameter.option())]).unwrap().given();
                assert!(matches!(&given[..], [(known, setting)] if known.name == parameter.name && setting == default));
            }
        }
    }

    #[test]
    fn a_parameter_has_a_default_for_a_learner_once() {
        for parameter in PARAMETERS {
            let mut learners: Vec<_> = parameter.defaults.iter().map(|(algorithm, _)| algorithm.as_str()).collect();
            learners.sort_unstable();
            assert!(learners.is_sorted_by(|one, next| one < next), "{}: {learners:?}", parameter.name);
        }
        assert!(defaults(Algorithm::Ensemble).is_empty());
        assert_eq!(defaults(Algorithm::SeedForest)["maxDepth"], Setting::Count(15));
    }

    #[test]
    fn what_is_out_of_range_or_no_number_is_not_allowed() {
        let nothing = Parameters::default();
        for given in [
            Parameters { trees: Some(0), ..nothing },
            Parameters { trees: Some(-1), ..nothing },
            Parameters { rows_per_tree: Some(1), ..nothing },
            Parameters { max_bins: Some(257), ..nothing },
            Parameters { synthetic_fraction: Some(f64::NAN), ..nothing },
            Parameters { trim_fraction: Some(0.901), ..nothing },
        ] {
            let given = given.given();
            assert!(given.len() == 1 && !given[0].0.values.contains(&given[0].1), "{given:?}");
        }
        assert!(nothing.given().is_empty());
    }
}
