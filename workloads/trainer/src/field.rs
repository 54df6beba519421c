//! What one field of the records holds, and whether it can be a feature. A value that a field never takes again, or that only
//! says when a record was made, makes every record to come an anomaly.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use vedette_records::{Scalar, ScalarKind};

use crate::schema::Kind;

/// A field that fewer records have is seldom present: one in so many, and not more than one record where there are fewer.
const SELDOM: u64 = 1_000;
/// Text with more different values than this, that are also more than half of all its values, is an identifier.
const IDENTIFIER_DISTINCT: usize = 20;
/// Whole numbers of which so many in a hundred are different, and that are spread evenly, are identifiers, where there are enough.
const IDENTIFIER_PERCENT: u64 = 99;
const IDENTIFIER_NUMBERS: usize = 200;
/// Numbers that rise from record to record so many times, for each fall so many times more often, and by more than they fall, only
/// grow, and the other way round only fall: a day's or a machine's cycle falls by as much as it rises, and a counter that begins again
/// does not.
const STEPS: u64 = 20;
const STEPS_A_STEP_BACK: u64 = 20;
const BACK_OF_ALONG: f64 = 0.5;
/// A field is a time where so many in a hundred of its values are.
const TIME_PERCENT: u64 = 95;
/// A number is a time where it is nearer to that of its record than this.
const TIME_SECONDS: f64 = 366. * 86_400.;
/// So many fields are listed in one sentence.
const LISTED: usize = 20;
/// Names of labels: their letters and digits, without a leading "is".
const LABEL_NAMES: [&str; 16] = [
    "label",
    "labels",
    "class",
    "target",
    "attack",
    "attackcat",
    "attacktype",
    "attacklabel",
    "anomaly",
    "anomalous",
    "outlier",
    "fraud",
    "malicious",
    "groundtruth",
    "binarylabel",
    "classlabel",
];
/// Values that are kept to see how they are spread.
const KEPT: usize = 512;

/// Why a field is no feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LeftOut {
    /// An array or an object.
    Nested,
    /// It has one value, or none.
    Constant,
    /// Hardly any record has it.
    Seldom,
    /// It is named like a label.
    NamedLikeALabel,
    /// It says when.
    Time,
    /// A counter, a row number.
    OnlyGrows,
    /// What is left of something.
    OnlyFalls,
    /// Nearly all of its values are different, and none says more than another.
    Identifier,
    /// There are more fields than can be learned from, and more records have the others.
    TooMany,
}

impl LeftOut {
    /// In words that go after the name of a field.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Nested => "nested",
            Self::Constant => "constant",
            Self::Seldom => "seldom present",
            Self::NamedLikeALabel => "named like a label",
            Self::Time => "a time",
            Self::OnlyGrows => "only grows",
            Self::OnlyFalls => "only falls",
            Self::Identifier => "an identifier",
            Self::TooMany => "one field too many",
        }
    }

    /// Whether nobody expected to see it learned from.
    pub(crate) fn goes_without_saying(words: &str) -> bool {
        [Self::Nested, Self::Constant].iter().any(|reason| reason.words() == words)
    }
}

/// Fields and why each is no feature.
pub(crate) fn words(left_out: &BTreeMap<String, LeftOut>) -> impl Iterator<Item = (&str, &str)> {
    left_out.iter().map(|(name, reason)| (name.as_str(), reason.words()))
}

/// The same for people, the first of them.
pub(crate) fn listed<'a>(left_out: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut listed: Vec<String> = left_out.map(|(name, words)| format!("{name} ({words})")).collect();
    let more = listed.len().saturating_sub(LISTED);
    listed.truncate(LISTED);
    listed.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// What a field holds.
#[derive(Debug, Default)]
pub(crate) struct FieldStatistics {
    numbers: u64,
    texts: u64,
    whole: u64,
    times: u64,
    nested: bool,
    distinct: HashSet<u64>,
    last: Option<f64>,
    rises: Steps,
    falls: Steps,
    kept: Vec<f64>,
    /// One in so many is kept.
    stride: u64,
}

/// Steps to one side from record to record.
#[derive(Debug, Default, Clone, Copy)]
struct Steps {
    count: u64,
    /// How far, in all.
    distance: f64,
}

impl Steps {
    fn add(&mut self, distance: f64) {
        if distance > 0. {
            self.count += 1;
            self.distance += distance;
        }
    }

    /// Whether there are hardly any to the other side.
    fn are_all(self, back: Self) -> bool {
        self.count >= STEPS
            && back.count * STEPS_A_STEP_BACK <= self.count
            && back.distance <= BACK_OF_ALONG * self.distance
    }
}

impl FieldStatistics {
    /// Looks at the value of the record after the last one, which was made at this time.
    pub(crate) fn add(&mut self, value: Scalar<'_>, made: Option<Timestamp>) {
        match value.kind() {
            ScalarKind::Null => return,
            ScalarKind::Nested => self.nested = true,
            ScalarKind::Boolean => self.numbers += 1,
            ScalarKind::Number | ScalarKind::Text => match value.number() {
                Some(number) => self.add_number(number, made),
                None => {
                    self.texts += 1;
                    self.times += u64::from(value.text().is_some_and(|text| is_time(text.trim())));
                }
            },
        }
        self.distinct.insert(BuildHasherDefault::<DefaultHasher>::default().hash_one(value.json()));
    }

    /// The next record does not follow the last one.
    pub(crate) fn interrupt(&mut self) {
        self.last = None;
    }

    /// Records that have a value.
    pub(crate) fn present(&self) -> u64 {
        self.numbers + self.texts
    }

    /// What the field is among so many records.
    pub(crate) fn kind(&self, name: &str, records: u64) -> Result<Kind, LeftOut> {
        let (values, distinct) = (self.present(), self.distinct.len());
        // A stray text among numbers is a missing number; a stray number among texts is a category.
        let is_number = self.numbers > self.texts;
        // Whether a text is there at all tells records apart, too.
        let is_constant = distinct <= 1 && (is_number || values == records);
        let reasons = [
            (self.nested, LeftOut::Nested),
            (values == 0 || is_constant, LeftOut::Constant),
            (is_like_a_label(name), LeftOut::NamedLikeALabel),
            (values <= (records / SELDOM).max(1), LeftOut::Seldom),
            (self.times * 100 >= values * TIME_PERCENT, LeftOut::Time),
            (is_number && self.only_grows(), LeftOut::OnlyGrows),
            (is_number && self.goes(self.falls, self.rises), LeftOut::OnlyFalls),
            (if is_number { self.are_identifiers() } else { self.is_identifier() }, LeftOut::Identifier),
        ];
        match reasons.into_iter().find(|(holds, _)| *holds) {
            Some((_, reason)) => Err(reason),
            None => Ok(if is_number { Kind::Numeric } else { Kind::Categorical }),
        }
    }

    fn add_number(&mut self, number: f64, made: Option<Timestamp>) {
        self.numbers += 1;
        self.whole += u64::from(number.fract() == 0.);
        self.times += u64::from(made.is_some_and(|made| is_near(number, made)));
        if let Some(last) = self.last.replace(number) {
            self.rises.add(number - last);
            self.falls.add(last - number);
        }
        if self.numbers.is_multiple_of(self.stride.max(1)) {
            self.kept.push(number);
        }
        if self.kept.len() > KEPT {
            let mut position = 0;
            self.kept.retain(|_| {
                position += 1;
                position % 2 == 0
            });
            self.stride = self.stride.max(1) * 2;
        }
    }

    /// Whether its numbers grow from record to record.
    pub(crate) fn only_grows(&self) -> bool {
        self.goes(self.rises, self.falls)
    }

    fn goes(&self, along: Steps, back: Steps) -> bool {
        self.distinct.len() as u64 > STEPS && along.are_all(back)
    }

    fn is_identifier(&self) -> bool {
        self.distinct.len() > IDENTIFIER_DISTINCT && self.distinct.len() as u64 * 2 > self.present()
    }

    fn are_identifiers(&self) -> bool {
        self.whole == self.numbers
            && self.distinct.len() as u64 * 100 >= self.present() * IDENTIFIER_PERCENT
            && self.kept.len() >= IDENTIFIER_NUMBERS
            && is_even(self.kept.clone())
    }
}

/// Whether numbers are spread evenly between the least and the largest (Kolmogorov and Smirnov's test, at 5 %).
fn is_even(mut numbers: Vec<f64>) -> bool {
    numbers.sort_unstable_by(f64::total_cmp);
    let (count, first, width) = (numbers.len() as f64, numbers[0], numbers[numbers.len() - 1] - numbers[0]);
    let distance = |(rank, number): (usize, &f64)| (rank as f64 / count - (number - first) / width).abs();
    numbers.iter().enumerate().map(distance).fold(0., f64::max) <= 0.01 + 1.36 / count.sqrt()
}

/// Whether a number is about the time of its record, in seconds, or in thousandths, millionths or billionths of them.
fn is_near(number: f64, made: Timestamp) -> bool {
    let seconds = made.as_second() as f64;
    [1., 1e3, 1e6, 1e9].into_iter().any(|unit| (number / unit - seconds).abs() <= TIME_SECONDS)
}

fn is_time(text: &str) -> bool {
    let begins_with_digit = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    // A number may be read as a date, 20261128, and a bare hour as a time.
    let is_apart = text.contains('-') || text.contains(':');
    begins_with_digit
        && is_apart
        && (text.parse::<Timestamp>().is_ok()
            || text.parse::<DateTime>().is_ok()
            || text.parse::<Date>().is_ok()
            || text.parse::<Time>().is_ok())
}

/// Whether a field is named as people name what says whether a record is an anomaly.
fn is_like_a_label(name: &str) -> bool {
    let letters: String = name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let bare = letters.strip_prefix("is").unwrap_or(&letters);
    LABEL_NAMES.contains(&bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kind of a field whose values are so, of records of one a second from 2026-11-28 on.
    fn kind(name: &str, count: u64, value: impl Fn(u64) -> String) -> Result<Kind, LeftOut> {
        let mut field = FieldStatistics::default();
        for number in 0..count {
            let made = Timestamp::from_second(1_795_824_000 + i64::try_from(number).unwrap()).unwrap();
            field.add(Scalar::of_json(&value(number)), Some(made));
        }
        field.kind(name, count)
    }

    fn drawn(number: u64, below: u64) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes()) % below
    }

    #[test]
    fn times_counters_and_identifiers_are_no_features_of_few_records_neither() {
        for count in [250, 5_000] {
            let left_out = |value: &dyn Fn(u64) -> String| kind("f", count, value).err();
            let now = |number: u64| 1_795_824_000 + number;
            let text_time = |number: u64| format!("\"2013-07-04 {:02}:{:02}:00\"", number / 60 % 24, number % 60);
            let times: [&dyn Fn(u64) -> String; 5] = [
                &|number| now(drawn(number, 9_000)).to_string(),
                &|number| format!("{}.25", now(number)),
                &|number| format!("{}000", now(drawn(number, 9_000))),
                &text_time,
                &|number| format!("\"{:02}:{:02}\"", number / 60 % 24, number % 60),
            ];
            times.iter().for_each(|value| assert_eq!(left_out(value), Some(LeftOut::Time), "{}", value(7)));
            let counters: [&dyn Fn(u64) -> String; 3] =
                [&|number| number.to_string(), &|number| format!("{}.5", number / 5), &|number| {
                    (if number % 100 == 0 { number } else { number + 50 }).to_string()
                }];
            counters.iter().for_each(|value| assert_eq!(left_out(value), Some(LeftOut::OnlyGrows), "{}", value(7)));
            let falling: [&dyn Fn(u64) -> String; 2] =
                [&|number| format!("{}.5", 100_000 - number * 2), &|number| format!("-{}", number / 3)];
            falling.iter().for_each(|value| assert_eq!(left_out(value), Some(LeftOut::OnlyFalls), "{}", value(7)));
            let identifiers: [&dyn Fn(u64) -> String; 3] = [
                &|number| format!("\"session-{number}\""),
                &|number| drawn(number, 1 << 50).to_string(),
                // Rows in a random order.
                &|number| (number * 7_919 % count).to_string(),
            ];
            identifiers.iter().for_each(|value| assert_eq!(left_out(value), Some(LeftOut::Identifier), "{}", value(7)));
        }
    }

    #[test]
    fn measurements_and_categories_are_features() {
        let bell = |number: u64| (0..8).map(|part| drawn(8 * number + part, 1_000_000)).sum::<u64>();
        for count in [250, 5_000] {
            let numeric: [&dyn Fn(u64) -> String; 7] = [
                &|number| format!("\"{}\"", drawn(number, 100)),
                &|number| format!("{}.{}", drawn(number, 100), drawn(number + 1, 1_000_000)),
                &|number| bell(number).to_string(),
                &|number| (1_u64 << drawn(number, 40)).to_string(),
                &|number| (number % 60).to_string(),
                &|number| (number > 90).to_string(),
                // A tank that empties slowly and is filled at once.
                &|number| format!("{}.5", 100_000 - number % 60 * 2),
            ];
            for value in numeric {
                assert_eq!(kind("f", count, value), Ok(Kind::Numeric), "{} {count}", value(7));
            }
            let texts: [&dyn Fn(u64) -> String; 2] =
                [&|number| format!("\"s{}\"", number % 7), &|number| format!("\"10.0.0.{}\"", drawn(number, 100))];
            for value in texts {
                assert_eq!(kind("f", count, value), Ok(Kind::Categorical), "{} {count}", value(7));
            }
        }
    }

    #[test]
    fn what_is_named_like_a_label_or_seldom_there_is_no_feature() {
        let value = |number: u64| (number % 3).to_string();
        for name in ["label", "Label", "is_anomaly", "Attack_cat", "CLASS", "ground-truth", "isFraud"] {
            assert_eq!(kind(name, 500, value), Err(LeftOut::NamedLikeALabel), "{name}");
        }
        for name in ["labelled_by", "class_of_service", "attack_surface", "status", "island", "is"] {
            assert_eq!(kind(name, 500, value), Ok(Kind::Numeric), "{name}");
        }
        let there = |times: u64| move |number: u64| if number < times { value(number) } else { "null".to_owned() };
        for (count, times, expected) in [
            (500, 1, Err(LeftOut::Constant)),
            (5_000, 5, Err(LeftOut::Seldom)),
            (5_000, 6, Ok(Kind::Numeric)),
            (500, 2, Ok(Kind::Numeric)),
            (500, 0, Err(LeftOut::Constant)),
        ] {
            assert_eq!(kind("f", count, there(times)), expected, "{times} of {count}");
        }
        let text = |number: u64| (if number == 0 { "\"x\"" } else { "null" }).to_owned();
        assert_eq!(kind("f", 500, text), Err(LeftOut::Seldom));
    }

    #[test]
    fn numbers_only_grow_within_what_follows_each_other() {
        let mut field = FieldStatistics::default();
        for value in (0..300_u64).map(|number| (number % 3) * 100 + number / 3) {
            field.interrupt();
            field.add(Scalar::of_json(&value.to_string()), None);
        }
        assert!(!field.only_grows());
    }
}
