//! How often a numeric field has which values, by a categorical one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::value::RawValue;
use vedette_records::{Scalar, ScalarKind};

use super::text_of;
use crate::alert::Alert;
use crate::read::SampleOf;
use crate::sample::Sample;
use crate::view::{HistogramSeries, HistogramView, SampleView};

/// Bins between the least and the largest value.
const BINS: usize = 30;
/// Categories with a series of their own.
const CATEGORIES: usize = 6;
/// What all others are called.
const OTHERS: &str = "(others)";
/// Fields that are named.
const NAMED_FIELDS: usize = 200;
const LONGEST_NAME: usize = 200;

/// Of these alerts, without those of simulated records. Where the values span several powers of ten the bins do, too.
pub(crate) fn histogram(alerts: &[Arc<Alert>], field: &str, by: &str) -> HistogramView {
    let records = alerts.iter().filter(|alert| !alert.simulated).map(|alert| alert.fields());
    of_records(records, field, by)
}

/// Of the records of a sample.
pub(crate) fn histogram_of_sample(of: &SampleOf, sample: &Sample, (field, by): (&str, &str)) -> HistogramView {
    let records = sample.records.iter().map(|drawn| serde_json::from_str(&drawn.json).unwrap_or_default());
    let times = || sample.records.iter().map(|drawn| drawn.utc);
    let read = SampleView {
        namespace: of.pipeline.namespace.clone(),
        pipeline: of.pipeline.pipeline.clone(),
        sites_in_it: sample.records.iter().map(|drawn| &drawn.site).collect::<BTreeSet<_>>().len(),
        sites: sample.sites,
        from_utc: times().min(),
        to_utc: times().max(),
        read_utc: sample.read,
    };
    HistogramView { sample: Some(read), ..of_records(records, field, by) }
}

fn of_records<'a>(
    records: impl Iterator<Item = BTreeMap<String, &'a RawValue>>,
    field: &str,
    by: &str,
) -> HistogramView {
    let (mut values, mut fields, mut looked_at) = (Vec::new(), FieldNames::default(), 0);
    for record in records {
        looked_at += 1;
        fields.note(&record);
        let Some(number) = record.get(field).and_then(|raw| number(Scalar::of_json(raw.get()))) else { continue };
        let category = text_of(record.get(by).map(|raw| raw.get())).unwrap_or_else(|| "(none)".to_owned());
        values.push((category.chars().take(80).collect::<String>(), number));
    }
    let bounds = bounds(values.iter().map(|(_, number)| *number));
    let FieldNames { numeric, categorical } = fields;
    HistogramView {
        field: field.to_owned(),
        by: by.to_owned(),
        series: series(&values, &bounds),
        bounds,
        alerts: looked_at,
        without: looked_at - values.len(),
        numeric_fields: numeric.into_iter().collect(),
        categorical_fields: categorical.into_iter().collect(),
        sample: None,
    }
}

/// What a numeric column of a model has of it; an infinite number is in no bin.
fn number(value: Scalar<'_>) -> Option<f64> {
    value.number().filter(|number| number.is_finite())
}

/// Names of fields by what they hold; a number that is written as text, and a boolean, are a category as well.
#[derive(Default)]
struct FieldNames {
    numeric: BTreeSet<String>,
    categorical: BTreeSet<String>,
}

impl FieldNames {
    fn note(&mut self, record: &BTreeMap<String, &RawValue>) {
        for (name, raw) in record {
            let value = Scalar::of_json(raw.get());
            let is_category = matches!(value.kind(), ScalarKind::Text | ScalarKind::Boolean);
            let kinds = [(number(value).is_some(), &mut self.numeric), (is_category, &mut self.categorical)];
            for (_, names) in kinds.into_iter().filter(|(is_of_kind, _)| *is_of_kind) {
                if names.len() < NAMED_FIELDS && name.len() <= LONGEST_NAME && !names.contains(name) {
                    names.insert(name.clone());
                }
            }
        }
    }
}

fn series(values: &[(String, f64)], bounds: &[f64]) -> Vec<HistogramSeries> {
    let mut sizes = BTreeMap::<&str, usize>::new();
    values.iter().for_each(|(category, _)| *sizes.entry(category).or_default() += 1);
    let mut largest: Vec<_> = sizes.into_iter().collect();
    largest.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let has_others = largest.len() > CATEGORIES;
    let own = if has_others { CATEGORIES - 1 } else { largest.len() };
    let mut names: Vec<&str> = largest.iter().take(own).map(|(category, _)| *category).collect();
    if has_others {
        names.push(OTHERS);
    }
    let bins = bounds.len().saturating_sub(1);
    let empty = |category: &&str| HistogramSeries { category: (*category).to_owned(), counts: vec![0; bins] };
    let mut series: Vec<_> = names.iter().map(empty).collect();
    for (category, number) in values {
        let of = names.iter().position(|name| name == category).unwrap_or(names.len() - 1);
        series[of].counts[bin(bounds, *number)] += 1;
    }
    series
}

/// The bin of a number, the last including its upper bound.
pub(super) fn bin(bounds: &[f64], number: f64) -> usize {
    bounds.partition_point(|bound| *bound <= number).saturating_sub(1).min(bounds.len().saturating_sub(2))
}

/// Bounds of the bins that hold all of these.
pub(super) fn bounds(numbers: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let (low, high) = numbers
        .clone()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| (low.min(number), high.max(number)));
    if low > high {
        return Vec::new();
    }
    // Less than a power of ten apart from the next number, a bin would hold nothing.
    if high - low <= f64::EPSILON * high.abs().max(low.abs()).max(1.0) {
        return vec![low, high + high.abs().max(1.0) * 0.01];
    }
    let least = numbers.filter(|number| *number > 0.0).fold(f64::INFINITY, f64::min);
    if low >= 0.0 && high / least > 1_000.0 {
        return powers(low, least, high);
    }
    // The difference of two finite numbers need not be finite.
    let between = |bin: usize| low * (1.0 - bin as f64 / BINS as f64) + high * (bin as f64 / BINS as f64);
    let mut bounds: Vec<f64> = (0..BINS).map(between).chain([high]).collect();
    bounds.dedup();
    bounds
}

/// Bins whose widths grow with the numbers; zero has one of its own.
fn powers(low: f64, least: f64, high: f64) -> Vec<f64> {
    let (from, to) = (least.ln(), high.ln());
    let step = |bin: usize| (from + (to - from) * bin as f64 / BINS as f64).exp();
    let zero = (low == 0.0).then_some(0.0);
    zero.into_iter().chain([least]).chain((1..BINS).map(step)).chain([high]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::Owner;
    use crate::sample::Drawn;
    use crate::testing::owner;

    fn alerts(records: &[&str]) -> Vec<Arc<Alert>> {
        let read = |(number, record): (usize, &&str)| {
            let owner: Owner = owner("east");
            let json = format!(r#"{{"detected_utc":"2026-11-23T08:00:00Z","n":{number},{record}}}"#);
            Arc::new(Alert::read(owner, json.as_bytes()).unwrap())
        };
        records.iter().enumerate().map(read).collect()
    }

    #[test]
    fn numbers_are_counted_by_category() {
        let alerts = alerts(&[
            r#""duration":0,"service":"http""#,
            r#""duration":10,"service":"http""#,
            r#""duration":5,"service":"ssh""#,
            r#""duration":"long","service":"ssh""#,
            r#""service":"ssh""#,
            r#""duration":5.0"#,
        ]);
        let view = histogram(&alerts, "duration", "service");
        assert_eq!((view.alerts, view.without, view.bounds.len()), (6, 2, BINS + 1));
        let names: Vec<_> = view.series.iter().map(|series| series.category.as_str()).collect();
        assert_eq!(names, ["http", "(none)", "ssh"]);
        assert_eq!((view.series[0].counts[0], view.series[0].counts[BINS - 1]), (1, 1));
        assert_eq!(view.series.iter().flat_map(|series| &series.counts).sum::<u64>(), 4);
        assert_eq!(view.numeric_fields, ["duration", "n"]);
        assert!(view.categorical_fields.contains(&"service".to_owned()));
    }

    #[test]
    fn a_number_is_what_a_model_takes_for_one() {
        let alerts = alerts(&[
            r#""d":"7","s":true"#,
            r#""d":8,"s":"a""#,
            r#""d":true,"s":"a""#,
            r#""d":"n/a","s":"a""#,
            r#""d":"Infinity","s":"Infinity""#,
            r#""d":null,"s":[1]"#,
        ]);
        let view = histogram(&alerts, "d", "s");
        assert_eq!((view.alerts, view.without), (6, 3));
        assert_eq!((view.bounds.first(), view.bounds.last()), (Some(&1.0), Some(&8.0)));
        let series: Vec<_> =
            view.series.iter().map(|series| (series.category.as_str(), series.counts.iter().sum())).collect();
        assert_eq!(series, [("a", 2), ("true", 1_u64)]);
        assert_eq!(view.numeric_fields, ["d", "n", "s"]);
        assert_eq!(view.categorical_fields, ["d", "detected_utc", "s"]);
    }

    #[test]
    fn a_sample_says_of_how_many_sites_and_of_when_it_is() {
        let drawn = |site: &str, utc: &str, json: &str| Drawn {
            site: site.parse().unwrap(),
            utc: utc.parse().unwrap(),
            json: json.into(),
        };
        let records = vec![
            drawn("west", "2026-11-23T11:30:00Z", r#"{"duration":1,"service":"http"}"#),
            drawn("east", "2026-11-23T11:10:00Z", r#"{"duration":2,"service":"http"}"#),
            drawn("west", "2026-11-23T11:20:00Z", r#"{"service":"http"}"#),
        ];
        let sample = Sample { records, sites: 3, read: "2026-11-23T12:00:00Z".parse().unwrap() };
        let of = SampleOf { pipeline: owner("east").pipeline_name(), site: None };
        let view = histogram_of_sample(&of, &sample, ("duration", "service"));
        assert_eq!((view.alerts, view.without, view.series.len()), (3, 1, 1));
        let read = view.sample.unwrap();
        assert_eq!((read.sites_in_it, read.sites), (2, 3));
        let utc = |text: &str| Some(text.parse().unwrap());
        assert_eq!((read.from_utc, read.to_utc), (utc("2026-11-23T11:10:00Z"), utc("2026-11-23T11:30:00Z")));
        let none = histogram_of_sample(&of, &Sample::default(), ("duration", "service"));
        assert_eq!((none.alerts, none.sample.unwrap().from_utc), (0, None));
    }

    #[test]
    fn rare_categories_are_one() {
        let records: Vec<String> = (0..20).map(|number| format!(r#""d":{number},"s":"s{number}""#)).collect();
        let view = histogram(&alerts(&records.iter().map(String::as_str).collect::<Vec<_>>()), "d", "s");
        assert_eq!((view.series.len(), view.series[CATEGORIES - 1].category.as_str()), (CATEGORIES, OTHERS));
        assert_eq!(view.series[CATEGORIES - 1].counts.iter().sum::<u64>(), 15);
    }

    #[test]
    fn every_number_has_a_bin() {
        for numbers in [
            vec![0.0, 1.0, 2.0],
            vec![0.0, 0.001, 5e9],
            vec![-5.0, 1e9],
            vec![3.0],
            vec![3.0, 3.0],
            vec![-1.7e308, 1.7e308],
            vec![0.0],
            vec![1e-300, 1e300],
        ] {
            let bounds = bounds(numbers.iter().copied());
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{bounds:?}");
            for number in numbers {
                let bin = bin(&bounds, number);
                assert!(bounds[bin] <= number && number <= bounds[bin + 1], "{number} in {bounds:?}");
            }
        }
        assert!(bounds(std::iter::empty()).is_empty());
        let nothing = histogram(&alerts(&[r#""a":[1]"#]), "duration", "service");
        assert_eq!((nothing.without, nothing.series.len()), (1, 0));
    }
}
