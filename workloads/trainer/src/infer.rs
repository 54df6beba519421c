//! Chooses the features where the training names none, from a bounded look at the data; and checks those it names.
//! Numbers and booleans are numeric; text is categorical unless it looks like an identifier. Reserved fields and the label
//! are never features, whatever is asked.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use serde_json::value::RawValue;
use vedette_contract::arguments::TrainerArguments;
use vedette_contract::fields;
use vedette_records::{Scalar, ScalarKind};

use crate::error::TrainerError;
use crate::schema::Kind;

/// How many records are looked at, at most.
pub(crate) const RECORDS: u64 = 20_000;
/// Over how many objects they are spread.
pub(crate) const OBJECTS: usize = 8;
/// The look goes on over more objects until it has seen so many records.
pub(crate) const ENOUGH_RECORDS: u64 = 1_000;
/// Text with more distinct values than this, that are also more than half of all its values, is an identifier.
const IDENTIFIER_DISTINCT: usize = 1_000;
/// Fields beyond this many are not considered, so that records with random names cannot fill the memory.
const FIELDS: usize = 4_096;

/// The features that the training names, or `None` where it leaves the choice to the data.
///
/// # Errors
/// When a feature is named twice, reserved, or the label.
pub(crate) fn given_features(arguments: &TrainerArguments) -> Result<Option<Vec<(String, Kind)>>, TrainerError> {
    let numeric = arguments.numeric_features.iter().map(|name| (name.clone(), Kind::Numeric));
    let categorical = arguments.categorical_features.iter().map(|name| (name.clone(), Kind::Categorical));
    let features: Vec<_> = numeric.chain(categorical).collect();
    let mut names = HashSet::new();
    for (name, _) in &features {
        let refused = |why: &str| Err(TrainerError::Arguments(format!("{name:?} cannot be a feature: {why}")));
        if fields::is_reserved(name) {
            return refused("the name is reserved");
        }
        if arguments.label_field.as_ref() == Some(name) {
            return refused("it is the label");
        }
        if !names.insert(name) {
            return refused("it is named twice");
        }
    }
    Ok((!features.is_empty()).then_some(features))
}

/// The order in which objects are looked at: first [`OBJECTS`] of them at equal distances, then the others.
pub(crate) fn spread_order(count: usize) -> Vec<usize> {
    let first: Vec<usize> = (0..OBJECTS.min(count)).map(|step| step * count / OBJECTS.min(count)).collect();
    let rest = (0..count).filter(|position| !first.contains(position));
    first.iter().copied().chain(rest).collect()
}

/// What the fields of the records hold.
#[derive(Debug, Default)]
pub(crate) struct FieldSurvey {
    records: u64,
    fields: BTreeMap<String, FieldStatistics>,
}

#[derive(Debug, Default)]
struct FieldStatistics {
    numbers: u64,
    texts: u64,
    nested: bool,
    distinct: HashSet<u64>,
}

impl FieldSurvey {
    /// Records looked at.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Looks at a record. A line that cannot be read is counted by whoever reads it for good.
    pub(crate) fn add(&mut self, line: &[u8]) {
        let Ok(record) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(line) else {
            return;
        };
        self.records += 1;
        for (name, raw) in record {
            if !self.fields.contains_key(&name) && self.fields.len() >= FIELDS {
                continue;
            }
            let field = self.fields.entry(name).or_default();
            match Scalar::of_json(raw.get()).kind() {
                ScalarKind::Null => continue,
                ScalarKind::Nested => field.nested = true,
                ScalarKind::Boolean | ScalarKind::Number => field.numbers += 1,
                ScalarKind::Text => field.texts += 1,
            }
            field.distinct.insert(BuildHasherDefault::<DefaultHasher>::default().hash_one(raw.get()));
        }
    }

    /// The fields that can be features, sorted by name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn features(&self, label_field: Option<&str>) -> Result<Vec<(String, Kind)>, TrainerError> {
        let allowed = |name: &str| !fields::is_reserved(name) && label_field != Some(name);
        let features: Vec<_> = self
            .fields
            .iter()
            .filter(|(name, _)| allowed(name))
            .filter_map(|(name, field)| Some((name.clone(), field.kind(self.records)?)))
            .collect();
        if features.is_empty() { Err(TrainerError::NoFeatures { records: self.records }) } else { Ok(features) }
    }
}

impl FieldStatistics {
    fn kind(&self, records: u64) -> Option<Kind> {
        let (values, distinct) = (self.numbers + self.texts, self.distinct.len());
        if self.nested || values == 0 {
            return None;
        }
        // A stray text among numbers is a missing number; a stray number among texts is a category.
        if self.numbers > self.texts {
            return (distinct > 1).then_some(Kind::Numeric);
        }
        // Whether a text is there at all tells records apart, too.
        let constant = distinct == 1 && values == records;
        let identifier = distinct > IDENTIFIER_DISTINCT && distinct as u64 * 2 > values;
        (!constant && !identifier).then_some(Kind::Categorical)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn arguments(more: &[&str]) -> TrainerArguments {
        let common = "vedette-trainer --bucket b --access-key-id a --secret-access-key s --namespace n --pipeline p --site s \
            --training t --job j --max-records 10 --deduplicate-by uuid --algorithm IsolationForest --seed 1 \
            --holdout-share .5 --alert-budget-per-million 100 --folds 0 --keep 3";
        TrainerArguments::try_parse_from(common.split_whitespace().chain(more.iter().copied())).unwrap()
    }

    #[test]
    fn fields_are_chosen_by_what_they_hold() {
        let mut survey = FieldSurvey::default();
        for number in 0..3_000 {
            // Values that would make a feature of any other field: a few numbers that come again and again.
            let reserved: String = fields::RESERVED.iter().map(|name| format!("\"{name}\":{},", number % 5)).collect();
            let sometimes = if number % 2 == 0 { r#","seldom":"yes""# } else { "" };
            survey.add(
                format!(
                    r#"{{{reserved}"label":"l{}",
                        "bytes":{number},"flag":{},"zero":0,"one":"x","service":"s{}","session":"id-{number}","nothing":null,
                        "nested":{{"a":1}},"mixed":{}{sometimes}}}"#,
                    number % 3,
                    number % 5 == 0,
                    number % 7,
                    if number == 9 { r#""n/a""#.to_owned() } else { number.to_string() },
                )
                .as_bytes(),
            );
        }
        survey.add(b"not a record");
        assert_eq!(survey.records(), 3_000);
        let found = survey.features(Some("label")).unwrap();
        let found: Vec<_> = found.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        assert_eq!(
            found,
            [
                ("bytes", Kind::Numeric),
                ("flag", Kind::Numeric),
                ("mixed", Kind::Numeric),
                ("seldom", Kind::Categorical),
                ("service", Kind::Categorical),
            ]
        );
    }

    #[test]
    fn records_without_a_usable_field_are_an_error_that_says_so() {
        let mut survey = FieldSurvey::default();
        survey.add(br#"{"uuid":"a","label":"x","list":[1]}"#);
        let message = survey.features(Some("label")).unwrap_err().to_string();
        assert!(message.contains("1 records") && message.contains("name the features"), "{message}");
    }

    #[test]
    fn the_label_and_reserved_names_are_refused_as_features() {
        assert_eq!(given_features(&arguments(&[])).unwrap(), None);
        let given = given_features(&arguments(&["--numeric-feature", "b", "--categorical-feature", "a"])).unwrap();
        assert_eq!(given, Some(vec![("b".to_owned(), Kind::Numeric), ("a".to_owned(), Kind::Categorical)]));
        for name in fields::RESERVED {
            for option in ["--numeric-feature", "--categorical-feature"] {
                let given = given_features(&arguments(&[option, name]));
                assert!(matches!(given, Err(TrainerError::Arguments(_))), "{option} {name}");
            }
        }
        let refused: [&[&str]; 2] = [
            &["--categorical-feature", "label", "--label-field", "label"],
            &["--categorical-feature", "a", "--numeric-feature", "a"],
        ];
        for bad in refused {
            assert!(matches!(given_features(&arguments(bad)), Err(TrainerError::Arguments(_))), "{bad:?}");
        }
    }

    #[test]
    fn the_look_is_spread_over_the_objects_and_reaches_each_of_them_once() {
        assert_eq!(spread_order(0), Vec::<usize>::new());
        assert_eq!(spread_order(3), [0, 1, 2]);
        let order = spread_order(80);
        assert_eq!(order[..OBJECTS], [0, 10, 20, 30, 40, 50, 60, 70]);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..80).collect::<Vec<_>>());
    }
}
