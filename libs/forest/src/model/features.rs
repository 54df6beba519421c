//! How a field becomes a number: the encoder of a model's feature specification, and the statistics from which the
//! trainer writes one. Whatever a record holds, no number that comes out is infinite, and what is missing is not a number.

use std::collections::{BTreeSet, HashMap};

use thiserror::Error;
use vedette_contract::fields::{Direction, Usual, UsualValue, is_reserved};
use vedette_contract::model::{Column, ColumnKind, FeatureSpecification, SCHEMA, UsualNumbers};
use vedette_records::Scalar;

use crate::learn::sentinels;

/// Beyond this many, positions in a list of values are no longer exact as `f32`.
const MAX_VALUES: usize = 1 << 24;
/// So many of the most frequent values of a category are said to be usual.
const USUAL_VALUES: usize = 3;

/// Why a feature specification was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FeatureError {
    /// Written by a newer build, or by none.
    #[error("the feature specification has schema {schema}, and this build reads 1 to {SCHEMA}")]
    Schema { schema: u32 },
    /// There is nothing to score by.
    #[error("the feature specification has no columns")]
    NoColumns,
    /// Two columns read the same field.
    #[error("the field {field:?} is a feature twice")]
    Duplicate { field: String },
    /// The field is Vedette's own, or has no name.
    #[error("the field {field:?} can never be a feature")]
    Reserved { field: String },
    /// The median is not a finite number.
    #[error("the median of the field {field:?} is not a finite number")]
    Median { field: String },
    /// The list of values repeats one, or is too long.
    #[error("the values of the field {field:?} repeat one or are more than {MAX_VALUES}")]
    Values { field: String },
}

impl FeatureError {
    /// Stable name of the cause.
    pub fn reason(&self) -> &'static str {
        "InvalidFeatures"
    }
}

/// Turns fields into numbers as the feature specification says.
#[derive(Debug, Clone)]
pub struct Encoder {
    columns: Vec<Column>,
    codes: Vec<Codes>,
}

#[derive(Debug, Clone)]
struct Codes {
    missing: f32,
    sentinels: Vec<f32>,
    by_value: HashMap<String, f32>,
}

impl Encoder {
    /// Checks the specification and prepares its look-ups.
    pub fn new(specification: &FeatureSpecification) -> Result<Self, FeatureError> {
        let FeatureSpecification { schema, columns } = specification;
        if !(1..=SCHEMA).contains(schema) {
            return Err(FeatureError::Schema { schema: *schema });
        }
        if columns.is_empty() {
            return Err(FeatureError::NoColumns);
        }
        let mut names = BTreeSet::new();
        for Column { name, kind: _ } in columns {
            if name.is_empty() || is_reserved(name) {
                return Err(FeatureError::Reserved { field: name.clone() });
            }
            if !names.insert(name) {
                return Err(FeatureError::Duplicate { field: name.clone() });
            }
        }
        let codes = columns.iter().map(codes_of).collect::<Result<_, _>>()?;
        Ok(Self { columns: columns.clone(), codes })
    }

    /// The columns, in the order of a row.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// What the values of a column were where the model learned, if it says that.
    pub fn usual(&self, column: usize) -> Option<Usual> {
        match &self.columns[column].kind {
            ColumnKind::Numeric { usual, .. } => {
                let UsualNumbers { low, high, beyond_low: _, beyond_high: _ } = (*usual)?;
                Some(Usual::Range { low, high })
            }
            ColumnKind::Categorical { values, shares } => {
                let value = |(value, share): (&String, &f64)| UsualValue { value: value.clone(), share: *share };
                let frequent: Vec<_> = values.iter().zip(shares).take(USUAL_VALUES).map(value).collect();
                (!frequent.is_empty()).then_some(Usual::Values(frequent))
            }
        }
    }

    /// How a number of a column differs from the usual ones.
    pub fn direction(&self, column: usize, number: f32) -> Option<Direction> {
        match &self.columns[column].kind {
            ColumnKind::Numeric { .. } if number.is_nan() => Some(Direction::Missing),
            ColumnKind::Numeric { usual, .. } => match (*usual)? {
                UsualNumbers { high, .. } if number > high => Some(Direction::Above),
                UsualNumbers { low, .. } if number < low => Some(Direction::Below),
                UsualNumbers { .. } => None,
            },
            ColumnKind::Categorical { values, .. } => (number >= values.len() as f32).then_some(Direction::Unseen),
        }
    }

    /// Whether a number of a column lies outside everything that was learned, or stands for a category that never was.
    pub fn is_outside(&self, column: usize, number: f32) -> bool {
        match &self.columns[column].kind {
            ColumnKind::Numeric { usual, .. } => usual.is_some_and(|usual| {
                let UsualNumbers { low: _, high: _, beyond_low, beyond_high } = usual;
                number <= beyond_low || number > beyond_high
            }),
            ColumnKind::Categorical { values, .. } => number >= values.len() as f32,
        }
    }

    /// Whether a column takes numbers.
    pub fn is_numeric(&self, column: usize) -> bool {
        matches!(self.columns[column].kind, ColumnKind::Numeric { .. })
    }

    /// The number of a record's field in a column; without a value, or with one of the wrong type, it is missing.
    pub fn encode(&self, column: usize, value: Option<Scalar<'_>>) -> f32 {
        let number = value.and_then(|value| match &self.columns[column].kind {
            ColumnKind::Numeric { .. } => value.number().map(|number| self.numeric(column, number)),
            ColumnKind::Categorical { .. } => value.category().map(|text| self.categorical(column, &text)),
        });
        number.unwrap_or_else(|| self.missing(column))
    }

    /// What stands for a field that is missing, or whose value is of the wrong type: in a numeric column what is not a number,
    /// which a forest fills as it needs; in a categorical one what also stands for an unseen value.
    pub fn missing(&self, column: usize) -> f32 {
        self.codes[column].missing
    }

    /// A number in a numeric column. One beyond the range of `f32` becomes the end of that range, so that it stays as
    /// strange as it is; what is no number, and a sentinel, is as good as missing.
    pub fn numeric(&self, column: usize, value: f64) -> f32 {
        if value.is_nan() {
            return self.missing(column);
        }
        #[allow(clippy::cast_possible_truncation)] // clamped to the range; the loss of digits is what f32 is for
        let value = value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
        let codes = &self.codes[column];
        let is_sentinel = codes.sentinels.contains(&value);
        if is_sentinel { codes.missing } else { value }
    }

    /// A text, or the JSON text of another scalar, in a categorical column.
    pub fn categorical(&self, column: usize, text: &str) -> f32 {
        let codes = &self.codes[column];
        codes.by_value.get(text).copied().unwrap_or(codes.missing)
    }
}

fn codes_of(column: &Column) -> Result<Codes, FeatureError> {
    let field = || column.name.clone();
    match &column.kind {
        ColumnKind::Numeric { median, sentinels, usual: _ } if median.is_finite() => {
            Ok(Codes { missing: f32::NAN, sentinels: sentinels.clone(), by_value: HashMap::new() })
        }
        ColumnKind::Numeric { .. } => Err(FeatureError::Median { field: field() }),
        ColumnKind::Categorical { values, shares: _ } => {
            let by_value: HashMap<String, f32> =
                values.iter().enumerate().map(|(position, value)| (value.clone(), position as f32)).collect();
            if by_value.len() != values.len() || values.len() > MAX_VALUES {
                return Err(FeatureError::Values { field: field() });
            }
            Ok(Codes { missing: values.len() as f32, sentinels: Vec::new(), by_value })
        }
    }
}

/// What stands for a missing value of a column where a tree asks for it.
pub(crate) fn typical(column: &Column) -> f32 {
    match &column.kind {
        ColumnKind::Numeric { median, .. } => *median,
        ColumnKind::Categorical { values, shares: _ } => values.len() as f32,
    }
}

/// A numeric column with these values in random order: its sentinels, and the median of the others.
pub fn numeric(values: impl IntoIterator<Item = f32>) -> ColumnKind {
    let values: Vec<f32> = values.into_iter().map(|value| value.clamp(f32::MIN, f32::MAX)).collect();
    let sentinels = sentinels(values.iter().copied());
    let others = values.into_iter().filter(|value| !sentinels.contains(value));
    ColumnKind::Numeric { median: median(others), sentinels: sentinels.clone(), usual: None }
}

/// The lower median of the finite values; 0 where there are none.
pub(crate) fn median(values: impl IntoIterator<Item = f32>) -> f32 {
    let mut finite: Vec<f32> = values.into_iter().filter(|value| value.is_finite()).collect();
    if finite.is_empty() {
        return 0.;
    }
    let middle = (finite.len() - 1) / 2;
    *finite.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// Values ordered by falling frequency, then by value: the list of a categorical column.
pub fn by_falling_frequency(counts: impl IntoIterator<Item = (String, u64)>) -> Vec<String> {
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_unstable_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    counts.into_iter().map(|(value, _)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_contract::fields;

    fn numeric(name: &str, median: f32) -> Column {
        Column { name: name.to_owned(), kind: ColumnKind::numeric(median) }
    }

    fn categorical(name: &str, values: &[&str]) -> Column {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Column { name: name.to_owned(), kind: ColumnKind::categorical(values) }
    }

    fn encoder(columns: Vec<Column>) -> Result<Encoder, FeatureError> {
        Encoder::new(&FeatureSpecification { schema: SCHEMA, columns })
    }

    #[test]
    fn no_value_becomes_infinite_and_what_is_missing_is_no_number() {
        let encoder = encoder(vec![numeric("bytes", 3.), categorical("service", &["http", "smtp"])]).unwrap();
        assert_eq!(encoder.numeric(0, 0.1).to_bits(), 0.1f32.to_bits());
        for (value, expected) in [(1e300, f32::MAX), (f64::NEG_INFINITY, f32::MIN)] {
            assert_eq!(encoder.numeric(0, value).to_bits(), expected.to_bits(), "{value}");
        }
        assert!(encoder.numeric(0, f64::NAN).is_nan() && encoder.missing(0).is_nan());
        let codes = ["http", "smtp", "unseen", ""].map(|text| encoder.categorical(1, text));
        assert_eq!(codes, [0., 1., 2., 2.]);
        assert_eq!(encoder.missing(1).to_bits(), 2f32.to_bits());
        assert_eq!(encoder.columns().iter().map(typical).collect::<Vec<_>>(), [3., 2.]);
    }

    #[test]
    fn a_sentinel_is_missing_however_it_is_written() {
        let kind = ColumnKind::Numeric { median: 3., sentinels: vec![-9_999., f32::MAX], usual: None };
        let encoder = encoder(vec![Column { name: "bytes".to_owned(), kind }]).unwrap();
        for (json, is_missing) in
            [("-9999", true), ("-9999.0", true), ("1e39", true), ("1e999", true), ("-9998", false), ("-1e39", false)]
        {
            assert_eq!(encoder.encode(0, Some(Scalar::of_json(json))).is_nan(), is_missing, "{json}");
        }
    }

    #[test]
    fn what_is_unusual_is_so_on_one_side_or_was_never_seen() {
        let usual = Some(UsualNumbers { low: 1., high: 9., beyond_low: -2., beyond_high: 12. });
        let kind = ColumnKind::Numeric { median: 3., sentinels: vec![], usual };
        let shares = vec![0.5, 0.25, 0.125, 0.0625];
        let values = ["http", "smtp", "dns", "ftp", "ntp"].map(str::to_owned).to_vec();
        let service = Column { name: "service".to_owned(), kind: ColumnKind::Categorical { values, shares } };
        let columns = vec![Column { name: "bytes".to_owned(), kind }, service, numeric("unknown", 0.)];
        let encoder = encoder(columns).unwrap();
        for (column, number, direction, is_outside) in [
            (0, 1., None, false),
            (0, 9.5, Some(Direction::Above), false),
            (0, 12.5, Some(Direction::Above), true),
            (0, -1., Some(Direction::Below), false),
            (0, -2., Some(Direction::Below), true),
            (0, f32::NAN, Some(Direction::Missing), false),
            (1, 4., None, false),
            (1, 5., Some(Direction::Unseen), true),
            (2, 1e9, None, false),
        ] {
            let seen = (encoder.direction(column, number), encoder.is_outside(column, number));
            assert_eq!(seen, (direction, is_outside), "{column} {number}");
        }
        assert_eq!(encoder.usual(0), Some(Usual::Range { low: 1., high: 9. }));
        assert_eq!(encoder.usual(2), None);
        let Some(Usual::Values(frequent)) = encoder.usual(1) else { panic!("{:?}", encoder.usual(1)) };
        let frequent: Vec<_> = frequent.iter().map(|UsualValue { value, share }| (value.as_str(), *share)).collect();
        assert_eq!(frequent, [("http", 0.5), ("smtp", 0.25), ("dns", 0.125)]);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_missing() {
        let encoder = encoder(vec![numeric("bytes", 3.), categorical("service", &["http", "7"])]).unwrap();
        let number = |value| Some(encoder.encode(0, value)).filter(|number| !number.is_nan());
        for (json, expected) in [
            ("7", (Some(7.), 1.)),
            ("\"7\"", (Some(7.), 1.)),
            ("\"1e999\"", (Some(f32::MAX), 2.)),
            ("\"n/a\"", (None, 2.)),
            ("\"http\"", (None, 0.)),
            ("true", (Some(1.), 2.)),
            ("1e999", (Some(f32::MAX), 2.)),
            ("null", (None, 2.)),
            ("[7]", (None, 2.)),
        ] {
            let value = Some(Scalar::of_json(json));
            assert_eq!((number(value), encoder.encode(1, value)), expected, "{json}");
        }
        assert_eq!((number(None), encoder.encode(1, None)), (None, 2.));
    }

    #[test]
    fn a_specification_that_could_mislead_is_refused() {
        let field = |name: &str| name.to_owned();
        assert_eq!(encoder(vec![]).unwrap_err(), FeatureError::NoColumns);
        for (columns, error) in [
            (vec![numeric("a", 0.), categorical("a", &[])], FeatureError::Duplicate { field: field("a") }),
            (vec![numeric(fields::SCORE, 0.)], FeatureError::Reserved { field: field("score") }),
            (vec![numeric("", 0.)], FeatureError::Reserved { field: field("") }),
            (vec![numeric("a", f32::NAN)], FeatureError::Median { field: field("a") }),
            (vec![categorical("a", &["x", "x"])], FeatureError::Values { field: field("a") }),
        ] {
            assert_eq!(encoder(columns).unwrap_err(), error);
        }
        for schema in [0, SCHEMA + 1] {
            let specification = FeatureSpecification { schema, columns: vec![numeric("a", 0.)] };
            assert_eq!(Encoder::new(&specification).unwrap_err(), FeatureError::Schema { schema });
        }
    }

    #[test]
    fn the_median_is_one_of_the_values() {
        assert_eq!(median([4., f32::NAN, 1., 3., 2.]).to_bits(), 2f32.to_bits());
        assert_eq!(median([]).to_bits(), 0f32.to_bits());
    }

    #[test]
    fn the_most_frequent_value_comes_first_and_ties_go_by_value() {
        let counts = [("b", 2), ("a", 2), ("z", 9)].map(|(value, count)| (value.to_owned(), count));
        assert_eq!(by_falling_frequency(counts), ["z", "a", "b"]);
    }
}
