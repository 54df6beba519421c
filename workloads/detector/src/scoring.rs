//! From records to scores: the rows of a batch are gathered in the order that the model wants and scored together.

use std::ops::Range;

use thiserror::Error;
use vedette_contract::ModelVersion;
use vedette_contract::fields::{self, Reason};
use vedette_contract::incident::Severity;
use vedette_contract::model::Column;
use vedette_forest::features::Encoder;
use vedette_forest::{Matrix, Model, calibration};
use vedette_records::{Field, FieldNames, Record, Scalar, ScalarKind, splice};

use crate::added::AddedFields;
use crate::reasons;
use crate::tally::FeatureTally;
use crate::watch::Watch;

/// When a record alerts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Threshold(f64);

/// Why a threshold was refused.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum ThresholdError {
    /// Not a number of records per million.
    #[error("an alert budget of {0} records per million is not between 0 and 1000000")]
    Budget(f64),
    /// Not a score.
    #[error("a score threshold of {0} is not between 0 and 1")]
    Score(f64),
    /// Neither or both were given.
    #[error("give either an alert budget or a score threshold")]
    Choice,
}

impl Threshold {
    /// From an alert budget in records per million, or from a score between 0 and 1.
    ///
    /// # Errors
    /// When not exactly one is given, or it is out of range.
    pub(crate) fn new(budget_per_million: Option<f64>, score: Option<f64>) -> Result<Self, ThresholdError> {
        match (budget_per_million, score) {
            (Some(budget), None) if (0.0..=1e6).contains(&budget) => {
                Ok(Self(calibration::threshold_for_budget(budget)))
            }
            (Some(budget), None) => Err(ThresholdError::Budget(budget)),
            (None, Some(score)) if (0.0..=1.0).contains(&score) => Ok(Self(score)),
            (None, Some(score)) => Err(ThresholdError::Score(score)),
            (None, None) | (Some(_), Some(_)) => Err(ThresholdError::Choice),
        }
    }

    pub(crate) fn score(self) -> f64 {
        self.0
    }

    /// How bad it is to score so much, which is above the threshold: medium and high are above the thresholds of a tenth and a
    /// hundredth of the budget. A record that is also outside everything learned is critical, not high.
    fn severity(self, score: f64, is_outside: impl FnOnce() -> bool) -> Severity {
        let beyond = |part: f64| score > 1. - (1. - self.0) / part;
        match () {
            () if beyond(100.) && is_outside() => Severity::Critical,
            () if beyond(100.) => Severity::High,
            () if beyond(10.) => Severity::Medium,
            () => Severity::Low,
        }
    }
}

/// Where the value of a column comes from.
#[derive(Debug, Clone, Copy)]
enum Source {
    Record(Field),
    Added(usize),
}

/// A model at work on one batch after the other.
pub(crate) struct Scoring {
    model: Model,
    watch: Watch,
    sources: Vec<Source>,
    /// What was odd about the values of each column since it was last asked.
    seen: Vec<FeatureTally>,
    /// `,"model_version":"…"`
    version_field: Vec<u8>,
    threshold: Threshold,
    reason_limit: usize,
    rows: Matrix,
    row: Vec<f32>,
    scores: Vec<f64>,
    reasons: Vec<Reason>,
}

impl Scoring {
    /// Asks for the fields that the model reads. A field that this detector adds is a feature like any other.
    pub(crate) fn new(
        (version, model): (ModelVersion, Model),
        watch: Watch,
        threshold: Threshold,
        reason_limit: usize,
        added: &AddedFields,
        names: &mut FieldNames,
    ) -> Self {
        let source = |column: &Column| match added.position(&column.name) {
            Some(position) => Source::Added(position),
            None => Source::Record(names.want(&column.name)),
        };
        let sources: Vec<Source> = model.encoder.columns().iter().map(source).collect();
        let mut version_field = Vec::new();
        splice::field(&mut version_field, fields::MODEL_VERSION, version.as_str());
        let rows = Matrix::new(sources.len());
        let (row, scores, reasons) = (Vec::new(), Vec::new(), Vec::new());
        let seen = vec![FeatureTally::default(); sources.len()];
        Self { model, watch, sources, seen, version_field, threshold, reason_limit, rows, row, scores, reasons }
    }

    /// Begins a batch.
    pub(crate) fn start(&mut self) {
        self.rows.clear();
        self.scores.clear();
    }

    /// Adds a record; `added` says where in `json` the values stand of the fields that were added. Gives its row's number.
    pub(crate) fn push(&mut self, record: &Record<'_>, json: &[u8], added: &[Option<Range<usize>>]) -> usize {
        self.row.clear();
        for (column, source) in self.sources.iter().enumerate() {
            let value = match source {
                Source::Record(field) => record.get(*field),
                Source::Added(position) => added[*position]
                    .clone()
                    .and_then(|range| std::str::from_utf8(&json[range]).ok())
                    .map(Scalar::of_json),
            };
            let number = self.model.encoder.encode(column, value);
            note(&mut self.seen[column], &self.model.encoder, column, value, number);
            self.row.push(number);
        }
        self.rows.push_row(&self.row);
        self.rows.rows() - 1
    }

    /// Scores the whole batch.
    pub(crate) fn finish(&mut self) {
        self.watch.step(|| self.model.score_batch(&self.rows, &mut self.scores));
    }

    /// What was odd about the values of features since the last call, by field.
    pub(crate) fn take_seen(&mut self) -> impl Iterator<Item = (&str, FeatureTally)> {
        let names = self.model.encoder.columns().iter().map(|column| column.name.as_str());
        names.zip(self.seen.iter_mut().map(std::mem::take)).filter(|(_, seen)| *seen != FeatureTally::default())
    }

    /// Records of the batch.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.rows() as u64
    }

    /// The score of a row; `None` where the model gave no finite one.
    pub(crate) fn score(&self, row: usize) -> Option<f64> {
        self.scores.get(row).copied().filter(|score| score.is_finite())
    }

    pub(crate) fn threshold(&self) -> f64 {
        self.threshold.score()
    }

    /// How bad it is that a row has this score, which is above the threshold.
    pub(crate) fn severity(&self, row: usize, score: f64) -> Severity {
        let outside = |(column, number): (usize, &f32)| self.model.encoder.is_outside(column, *number);
        self.threshold.severity(score, || self.rows.row(row).iter().enumerate().any(outside))
    }

    /// `,"model_version":"…"`
    pub(crate) fn version_field(&self) -> &[u8] {
        &self.version_field
    }

    /// Why a row is anomalous, largest share first, with the values of the enriched record that it is of.
    pub(crate) fn reasons(&mut self, row: usize, enriched: &[u8]) -> &[Reason] {
        self.reasons.clear();
        if self.reason_limit > 0 {
            let row = self.rows.row(row);
            self.watch.step(|| self.model.reasons(row, &mut self.reasons, self.reason_limit));
            reasons::add_values(&mut self.reasons, enriched);
        }
        &self.reasons
    }
}

/// Notes what is odd about a value that became this number.
fn note(seen: &mut FeatureTally, encoder: &Encoder, column: usize, value: Option<Scalar<'_>>, number: f32) {
    if encoder.is_numeric(column) {
        if let Some(text) = value.filter(|value| value.kind() == ScalarKind::Text) {
            seen.texts.note(text.number().is_some());
        }
        seen.missing += u64::from(number.is_nan());
    } else if number.to_bits() == encoder.missing(column).to_bits() {
        let is_there = value.is_some_and(|value| value.category().is_some());
        *(if is_there { &mut seen.unseen } else { &mut seen.missing }) += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_leaves_as_many_records_above_it_as_the_budget_says() {
        for (per_million, score) in [(100.0, 0.9999), (5_000.0, 0.995), (1e6, 0.0)] {
            let threshold = Threshold::new(Some(per_million), None).unwrap().score();
            assert!((threshold - score).abs() < 1e-12, "{per_million}: {threshold}");
        }
    }

    #[test]
    fn an_alert_is_as_bad_as_its_part_of_the_budget_is_small() {
        let threshold = Threshold::new(Some(10_000.), None).unwrap();
        for (score, within, outside) in [
            (0.9901, Severity::Low, Severity::Low),
            (0.9989, Severity::Low, Severity::Low),
            (0.9991, Severity::Medium, Severity::Medium),
            (0.999_91, Severity::High, Severity::Critical),
        ] {
            let severity = |is_outside| threshold.severity(score, || is_outside);
            assert_eq!((severity(false), severity(true)), (within, outside), "{score}");
        }
    }

    #[test]
    fn a_threshold_is_one_budget_or_one_score_within_its_range() {
        assert_eq!(Threshold::new(None, Some(0.5)), Ok(Threshold(0.5)));
        for bad in [f64::NAN, -1.0, 1e7] {
            assert!(Threshold::new(Some(bad), None).is_err() && Threshold::new(None, Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(Threshold::new(None, None), Err(ThresholdError::Choice));
    }
}
