//! Chooses the features where the training names none, from a bounded look at the data; and checks those it names.
//! Numbers and booleans are numeric, and text is categorical, unless the field is one of those that `field.rs` leaves out.
//! Reserved fields and the label are never features, whatever is asked.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::value::RawValue;
use vedette_contract::arguments::TrainerArguments;
use vedette_contract::{ReferenceWindow, fields};
use vedette_records::{Field, FieldNames, RecordReader, Scalar, read_utc};

use crate::error::TrainerError;
use crate::field::{FieldStatistics, LeftOut, listed, words};
use crate::schema::Kind;

/// How many records are looked at, at most.
pub(crate) const RECORDS: u64 = 20_000;
/// Over how many objects they are spread.
pub(crate) const OBJECTS: usize = 8;
/// The look goes on over more objects until it has seen so many records.
pub(crate) const ENOUGH_RECORDS: u64 = 1_000;
/// So many features are chosen at most, those that most records have; a training can name as many.
const FEATURES: usize = 1_024;
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
#[derive(Debug)]
pub(crate) struct FieldSurvey {
    /// Other records are passed over.
    reference: Option<ReferenceWindow>,
    records: u64,
    fields: BTreeMap<String, FieldStatistics>,
    reader: RecordReader,
    utc: Field,
    simulated: Field,
}

impl Default for FieldSurvey {
    fn default() -> Self {
        Self::of(None)
    }
}

/// The features, sorted by name, and why other fields are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ChosenFeatures {
    pub(crate) columns: Vec<(String, Kind)>,
    /// Without the label and the reserved fields.
    pub(crate) left_out: BTreeMap<String, LeftOut>,
}

impl FieldSurvey {
    /// A survey of the records of this period; of all where there is none.
    pub(crate) fn of(reference: Option<ReferenceWindow>) -> Self {
        let mut names = FieldNames::default();
        let [utc, simulated] = [fields::UTC, fields::SIMULATED].map(|name| names.want(name));
        Self { reference, records: 0, fields: BTreeMap::new(), reader: RecordReader::new(names), utc, simulated }
    }

    /// Records looked at.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Looks at a record. A line that cannot be read is counted by whoever reads it for good.
    pub(crate) fn add(&mut self, line: &[u8]) {
        let Ok(record) = self.reader.read(line) else { return };
        if record.get(self.simulated).is_some_and(Scalar::is_true) {
            return;
        }
        let made = record.get(self.utc).and_then(read_utc).map(|(time, _)| time);
        if self.reference.is_some_and(|window| !made.is_some_and(|time| window.contains(time))) {
            return;
        }
        // A reader of records tells of the fields that were asked for, and here all are.
        let object = record.open_object();
        let members = serde_json::from_slice::<BTreeMap<String, &RawValue>>(&line[object.start..=object.end]);
        let Ok(members) = members else { return };
        self.records += 1;
        for (name, raw) in members {
            if self.fields.contains_key(&name) || self.fields.len() < FIELDS {
                self.fields.entry(name).or_default().add(Scalar::of_json(raw.get()), made);
            }
        }
    }

    /// The next record does not follow the last one.
    pub(crate) fn interrupt(&mut self) {
        self.fields.values_mut().for_each(FieldStatistics::interrupt);
    }

    /// The fields whose numbers only grow.
    pub(crate) fn growing(&self) -> BTreeSet<String> {
        self.fields.iter().filter(|(_, field)| field.only_grows()).map(|(name, _)| name.clone()).collect()
    }

    /// The fields that can be features, [`FEATURES`] at most, and why others cannot.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn features(&self, label_field: Option<&str>) -> Result<ChosenFeatures, TrainerError> {
        let allowed = |name: &str| !fields::is_reserved(name) && label_field != Some(name);
        let (mut columns, mut left_out) = (Vec::new(), BTreeMap::new());
        for (name, field) in self.fields.iter().filter(|(name, _)| allowed(name)) {
            match field.kind(name, self.records) {
                Ok(kind) => columns.push((name.clone(), kind)),
                Err(reason) => drop(left_out.insert(name.clone(), reason)),
            }
        }
        columns.sort_by_key(|(name, _)| std::cmp::Reverse(self.fields[name].present()));
        let too_many = columns.split_off(columns.len().min(FEATURES));
        left_out.extend(too_many.into_iter().map(|(name, _)| (name, LeftOut::TooMany)));
        columns.sort_by(|(one, _), (other, _)| one.cmp(other));
        if columns.is_empty() {
            return Err(TrainerError::NoFeatures { records: self.records, left_out: listed(words(&left_out)) });
        }
        Ok(ChosenFeatures { columns, left_out })
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
            // Values that would make a feature of any other field: a few numbers that come again and again. A number near to
            // that of `utc` would be a time.
            let least = |name: &str| if name == fields::UTC { 1_795_824_000 } else { 0 };
            let reserved = fields::RESERVED.map(|name| format!("\"{name}\":{},", least(name) + number % 5)).concat();
            let sometimes = if number % 2 == 0 { r#","seldom":"yes""# } else { "" };
            survey.add(
                format!(
                    r#"{{{reserved}"label":"l{}",
                        "bytes":{},"ts":{number},"flag":{},"zero":0,"one":"x","service":"s{}","session":"id-{number}","nothing":null,
                        "nested":{{"a":1}},"mixed":{}{sometimes}}}"#,
                    number % 3,
                    number * number % 977,
                    number % 5 == 0,
                    number % 7,
                    if number == 9 { r#""n/a""#.to_owned() } else { (number % 40).to_string() },
                )
                .as_bytes(),
            );
        }
        survey.add(b"not a record");
        assert_eq!(survey.records(), 3_000);
        let found = survey.features(Some("label")).unwrap();
        let left_out: Vec<_> = found.left_out.iter().map(|(name, reason)| (name.as_str(), *reason)).collect();
        assert_eq!(
            left_out,
            [
                ("nested", LeftOut::Nested),
                ("nothing", LeftOut::Constant),
                ("one", LeftOut::Constant),
                ("session", LeftOut::Identifier),
                ("ts", LeftOut::OnlyGrows),
                ("zero", LeftOut::Constant),
            ]
        );
        let found: Vec<_> = found.columns.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
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
    fn a_simulated_record_is_not_looked_at() {
        let mut survey = FieldSurvey::default();
        (0..3_000).for_each(|number| survey.add(format!(r#"{{"bytes":{}}}"#, number * number % 977).as_bytes()));
        let features = survey.features(None).unwrap();
        survey.add(br#"{"bytes":"many","made_up":"x","simulated":true}"#);
        assert_eq!((survey.records(), survey.features(None).unwrap()), (3_000, features));
        survey.add(br#"{"bytes":"many","made_up":"x","simulated":"true"}"#);
        assert_eq!(survey.records(), 3_001);
    }

    #[test]
    fn what_a_training_does_not_read_is_not_looked_at() {
        let mut survey = FieldSurvey::default();
        for line in [&br#"{"bytes":1,"bytes":2}"#[..], br#"{"bytes":1,"other":{"a":"\ud800"}}"#, b"[1]", b"", b"\xff"] {
            survey.add(line);
        }
        assert_eq!(survey.records(), 0);
        survey.add(b"\xef\xbb\xbf {\"bytes\":1} ");
        assert_eq!(survey.records(), 1, "a mark of the byte order is none of the record");
    }

    #[test]
    fn a_time_is_known_however_the_records_say_when_they_were_made() {
        for utc in ["\"2026-11-28T00:00:00Z\"", "\"2026-11-28 00:00:00\"", "1795824000", "1795824000000"] {
            let mut survey = FieldSurvey::default();
            for number in 0..300_u64 {
                let bytes = number * number % 97;
                let seen = 1_795_824_000 + bytes;
                survey.add(format!(r#"{{"utc":{utc},"seen":{seen},"bytes":{bytes}}}"#).as_bytes());
            }
            let ChosenFeatures { columns, left_out } = survey.features(None).unwrap();
            assert_eq!(columns, [("bytes".to_owned(), Kind::Numeric)], "{utc}");
            assert_eq!(left_out, BTreeMap::from([("seen".to_owned(), LeftOut::Time)]), "{utc}");
        }
    }

    #[test]
    fn records_without_a_usable_field_are_an_error_that_says_so() {
        let mut survey = FieldSurvey::default();
        survey.add(br#"{"uuid":"a","label":"x","list":[1]}"#);
        let message = survey.features(Some("label")).unwrap_err().to_string();
        assert!(message.contains("1 records") && message.contains("list (nested)"), "{message}");
    }

    #[test]
    fn of_too_many_fields_those_are_learned_from_that_most_records_have() {
        let mut survey = FieldSurvey::default();
        for number in 0..10 {
            let seldom =
                (0..1_000).filter(|field| number < 8 || field % 2 == 0).map(|field| format!(r#","a{field}":{number}"#));
            let always = (0..400).map(|field| format!(r#","b{field}":{number}"#));
            let members: String = seldom.chain(always).collect();
            survey.add(format!(r#"{{"c":{number}{members}}}"#).as_bytes());
        }
        let ChosenFeatures { columns, left_out } = survey.features(None).unwrap();
        assert_eq!((columns.len(), left_out.len()), (FEATURES, 377));
        assert!(columns.is_sorted_by(|(one, _), (other, _)| one < other));
        assert!(left_out.iter().all(|(name, reason)| name.starts_with('a') && *reason == LeftOut::TooMany));
        let listed = listed(words(&left_out));
        assert!(listed.ends_with("(one field too many) and 357 more"), "{listed}");
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
