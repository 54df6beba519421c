//! Scores what one archive object holds.

use std::ops::ControlFlow;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use vedette_archive::{Fetched, Line};
use vedette_contract::archive::Stream;
use vedette_contract::fields;
use vedette_forest::rows::RowReader;
use vedette_forest::{Matrix, Model};
use vedette_records::{Field, FieldNames, Record, RecordReader, Scalar, read_utc};

use super::ReplayError;
use super::counts::{Counts, Replayed};

/// Rows that are scored together.
const BATCH_ROWS: usize = 1_024;

/// From a time to another, each open where it is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Option<Timestamp>,
    /// The first time that is not in it.
    pub(super) to: Option<Timestamp>,
}

impl Span {
    /// # Errors
    /// When nothing is in it.
    pub(super) fn new(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Self, ReplayError> {
        match from.zip(to) {
            Some((from, to)) if from >= to => Err(ReplayError::NoSpan { from, to }),
            Some(_) | None => Ok(Self { from, to }),
        }
    }

    /// Whether records of it may have arrived on that day, or in the object that began then: not more than a day late.
    pub(super) fn may_hold(self, day: Date) -> bool {
        let last = self.to.map(|to| {
            let day = to.to_zoned(TimeZone::UTC).date();
            day.checked_add(1.day()).unwrap_or(day)
        });
        last.is_none_or(|last| day <= last)
    }

    fn is_open(self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    fn holds(self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to)
    }
}

/// A model, and what is to be counted with it.
pub(super) struct Scorer {
    pub(super) model: Model,
    /// A record that scores more alerts.
    pub(super) threshold: f64,
    pub(super) span: Span,
}

/// What of a record is looked at beside its features.
struct Fields {
    utc: Field,
    model_version: Field,
    threshold: Field,
    simulated: Field,
}

impl Scorer {
    /// Counts the records of an object, or the alerts.
    pub(super) fn count(&self, fetched: &Fetched) -> Replayed {
        let Fetched { source, parts } = fetched;
        let mut names = FieldNames::default();
        let mut rows = RowReader::new(&self.model.encoder, &mut names);
        let [utc, model_version, threshold, simulated] =
            [fields::UTC, fields::MODEL_VERSION, fields::THRESHOLD, fields::SIMULATED].map(|name| names.want(name));
        let fields = Fields { utc, model_version, threshold, simulated };
        let mut reader = RecordReader::new(names);
        let mut batch = Batch::new(self.model.encoder.columns().len());
        let (mut seen, stream) = (Replayed::default(), source.object.origin.stream);
        for part in parts {
            if part.is_damaged() {
                seen.damaged_objects += 1;
                continue;
            }
            let end = part.for_each_line(|line| {
                let record = match line {
                    Line::Whole(line) => reader.read(line).ok(),
                    Line::TooLong => None,
                };
                match record {
                    None => seen.unreadable += 1,
                    Some(record) if self.takes(&record, &fields, &mut seen) => {
                        note(&record, &fields, stream, &mut seen);
                        rows.push(&self.model.encoder, &record, &mut batch.rows);
                        if batch.rows.rows() >= BATCH_ROWS {
                            batch.score(&self.model, self.threshold);
                        }
                    }
                    Some(_) => {}
                }
                ControlFlow::Continue(())
            });
            seen.damaged_objects += u64::from(end.is_err());
        }
        batch.score(&self.model, self.threshold);
        let Batch { scored, alerts, .. } = batch;
        let counts = match stream {
            Stream::Alerts => Counts { alerts_then: scored, alerts_both: alerts, ..Counts::default() },
            Stream::EnrichedData | Stream::Incidents => {
                Counts { records: scored, alerts_now: alerts, ..Counts::default() }
            }
        };
        seen.add(Replayed::of_day(source.object.day, source.object.origin.site.clone(), counts));
        seen
    }

    fn takes(&self, record: &Record<'_>, fields: &Fields, seen: &mut Replayed) -> bool {
        if record.get(fields.simulated).is_some_and(Scalar::is_true) {
            seen.simulated += 1;
            return false;
        }
        if self.span.is_open() {
            return true;
        }
        let time = record.get(fields.utc).and_then(read_utc);
        seen.without_time += u64::from(time.is_none());
        time.is_some_and(|(time, _)| self.span.holds(time))
    }
}

/// Notes by what a record was scored then, or above which threshold it alerted.
fn note(record: &Record<'_>, fields: &Fields, stream: Stream, seen: &mut Replayed) {
    match stream {
        Stream::Alerts => {
            let threshold = record.get(fields.threshold).and_then(Scalar::number);
            if let Some(threshold) = threshold.filter(|threshold| threshold.is_finite()) {
                let one = Replayed { thresholds_then: Some((threshold, threshold)), ..Replayed::default() };
                seen.add(one);
            }
        }
        Stream::EnrichedData | Stream::Incidents => {
            let version = record.get(fields.model_version).and_then(|value| value.text()?.parse().ok());
            match version {
                Some(version) => *seen.models_then.entry(version).or_default() += 1,
                None => seen.without_model_then += 1,
            }
        }
    }
}

/// Rows that wait to be scored, and what came of those before.
struct Batch {
    rows: Matrix,
    scores: Vec<f64>,
    scored: u64,
    alerts: u64,
}

impl Batch {
    fn new(columns: usize) -> Self {
        Self { rows: Matrix::new(columns), scores: Vec::new(), scored: 0, alerts: 0 }
    }

    fn score(&mut self, model: &Model, threshold: f64) {
        model.score_batch(&self.rows, &mut self.scores);
        self.scored += self.rows.rows() as u64;
        self.alerts += self.scores.iter().filter(|score| **score > threshold).count() as u64;
        self.rows.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_holds_its_first_moment_and_not_its_last_and_objects_of_the_day_after() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let (from, to) = (time("2026-11-20T00:00:00Z"), time("2026-11-21T00:00:00Z"));
        let span = Span::new(Some(from), Some(to)).unwrap();
        assert_eq!([from, time("2026-11-20T23:59:59.999Z"), to].map(|time| span.holds(time)), [true, true, false]);
        let day = |day| Date::constant(2026, 11, day);
        assert_eq!([20, 21, 22, 23].map(|number| span.may_hold(day(number))), [true, true, true, false]);
        assert!(Span::new(Some(to), Some(to)).is_err() && Span::new(None, None).unwrap().may_hold(day(30)));
    }
}
