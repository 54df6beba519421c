//! From records to scores: the rows of a batch are gathered in the order that the model wants and scored together.

use std::ops::Range;

use vedette_contract::ModelVersion;
use vedette_contract::fields::{self, Reason};
use vedette_contract::incident::Severity;
use vedette_contract::model::Column;
use vedette_forest::features::Encoder;
use vedette_forest::{Matrix, Model};
use vedette_records::{Field, FieldNames, Record, Scalar, ScalarKind, splice};
use vedette_streams::kafka::Watch;

use crate::added::AddedFields;
use crate::reasons;
use crate::tally::FeatureTally;
use crate::threshold::Threshold;

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
    /// Numbers of the rows that count for nothing, in their order.
    uncounted: Vec<usize>,
    /// Numbers of the rows with a category that was never seen, in their order.
    unseen: Vec<usize>,
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
        let seen = vec![FeatureTally::default(); sources.len()];
        Self {
            model,
            watch,
            sources,
            seen,
            version_field,
            threshold,
            reason_limit,
            rows,
            uncounted: Vec::new(),
            unseen: Vec::new(),
            row: Vec::new(),
            scores: Vec::new(),
            reasons: Vec::new(),
        }
    }

    /// Begins a batch.
    pub(crate) fn start(&mut self) {
        self.rows.clear();
        self.uncounted.clear();
        self.unseen.clear();
        self.scores.clear();
    }

    /// Adds a record; `added` says where in `json` the values stand of the fields that were added. One that is simulated is scored, and
    /// counts for nothing. Gives its row's number.
    pub(crate) fn push(
        &mut self,
        record: &Record<'_>,
        json: &[u8],
        added: &[Option<Range<usize>>],
        is_simulated: bool,
    ) -> usize {
        self.row.clear();
        let mut has_unseen = false;
        for (column, source) in self.sources.iter().enumerate() {
            let value = match source {
                Source::Record(field) => record.get(*field),
                Source::Added(position) => added[*position]
                    .clone()
                    .and_then(|range| std::str::from_utf8(&json[range]).ok())
                    .map(Scalar::of_json),
            };
            let number = self.model.encoder.encode(column, value);
            let is_unseen = is_unseen(&self.model.encoder, column, value, number);
            has_unseen |= is_unseen;
            if !is_simulated {
                note(&mut self.seen[column], &self.model.encoder, column, value, (number, is_unseen));
            }
            self.row.push(number);
        }
        let row = self.rows.rows();
        self.rows.push_row(&self.row);
        if is_simulated {
            self.uncounted.push(row);
        }
        if has_unseen {
            self.unseen.push(row);
        }
        row
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

    /// The rows of the batch that count, each with its score.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (&[f32], f64)> + Clone {
        let scored = (0..self.rows.rows()).zip(&self.scores);
        let counted = scored.filter(move |(row, _)| self.uncounted.binary_search(row).is_err());
        counted.map(move |(row, score)| (self.rows.row(row), *score))
    }

    /// The score of a row; `None` where the model gave no finite one.
    pub(crate) fn score(&self, row: usize) -> Option<f64> {
        self.scores.get(row).copied().filter(|score| score.is_finite())
    }

    pub(crate) fn threshold(&self) -> &Threshold {
        &self.threshold
    }

    /// Of so many records that were scored so many alerted, and that is committed: the threshold follows.
    pub(crate) fn committed(&mut self, records: u64, alerts: u64) {
        self.threshold.count(records, alerts);
    }

    /// How bad it is that a row has this score, which is above the threshold. A value that is missing is not outside what was learned.
    pub(crate) fn severity(&self, row: usize, score: f64) -> Severity {
        let encoder = &self.model.encoder;
        let outside =
            |(column, number): (usize, &f32)| encoder.is_numeric(column) && encoder.is_outside(column, *number);
        let is_outside =
            || self.unseen.binary_search(&row).is_ok() || self.rows.row(row).iter().enumerate().any(outside);
        self.threshold.severity(score, is_outside)
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

/// Whether a value that became this number is a category that was never seen; one that is missing becomes the same number.
fn is_unseen(encoder: &Encoder, column: usize, value: Option<Scalar<'_>>, number: f32) -> bool {
    !encoder.is_numeric(column)
        && number.to_bits() == encoder.missing(column).to_bits()
        && value.is_some_and(|value| value.category().is_some())
}

/// Notes what is odd about a value that became this number, and is a category that was never seen or not.
fn note(
    seen: &mut FeatureTally,
    encoder: &Encoder,
    column: usize,
    value: Option<Scalar<'_>>,
    (number, is_unseen): (f32, bool),
) {
    if encoder.is_numeric(column) {
        if let Some(text) = value.filter(|value| value.kind() == ScalarKind::Text) {
            seen.texts.note(text.number().is_some());
        }
        seen.missing += u64::from(number.is_nan());
    } else {
        seen.unseen += u64::from(is_unseen);
        let is_missing = !is_unseen && number.to_bits() == encoder.missing(column).to_bits();
        seen.missing += u64::from(is_missing);
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;
    use vedette_contract::arguments::BudgetTracking;
    use vedette_records::RecordReader;

    use super::*;
    use crate::lookups::Tables;
    use crate::metrics::Metrics;
    use crate::testing;

    #[test]
    fn what_is_outside_everything_learned_is_critical_and_what_is_missing_is_not_outside() {
        let metrics = Metrics::register(&mut Registry::default());
        let (added, mut names) = AddedFields::compile(&[], &Tables::default(), &[], &metrics).unwrap();
        let threshold = Threshold::new(Some(10_000.), BudgetTracking::Disabled, None).unwrap();
        let mut scoring = Scoring::new(testing::model(), Watch::default(), threshold, 0, &added, &mut names);
        let mut reader = RecordReader::new(names);
        scoring.start();
        for (line, severity) in [
            (r#"{"duration":4,"total_bytes":500,"service":"http"}"#, Severity::High),
            (r#"{"duration":4,"total_bytes":9e9,"service":"http"}"#, Severity::Critical),
            (r#"{"duration":4,"total_bytes":500,"service":"gopher"}"#, Severity::Critical),
            (r#"{"duration":4,"total_bytes":500,"service":null}"#, Severity::High),
            (r#"{"total_bytes":500}"#, Severity::High),
        ] {
            let row = scoring.push(&reader.read(line.as_bytes()).unwrap(), line.as_bytes(), &[], false);
            assert_eq!(scoring.severity(row, 0.999_95), severity, "{line}");
        }
        scoring.start();
        let line = br#"{"duration":4,"total_bytes":500}"#;
        let row = scoring.push(&reader.read(line).unwrap(), line, &[], false);
        assert_eq!(scoring.severity(row, 0.999_95), Severity::High);
    }
}
