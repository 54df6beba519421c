//! The step that makes enriched messages, alerts and dead letters of a batch of messages. It knows nothing of Kafka, has
//! no clock, and holds between batches only memory that it uses again.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use tracing::warn;
use vedette_contract::arguments::KeyValue;
use vedette_contract::dead_letter::DeadLetterReason;
use vedette_contract::lookup::Lookup;
use vedette_contract::{ModelVersion, Name, TopicName, fields};
use vedette_forest::Model;
use vedette_records::splice::{self, Replacement};
use vedette_records::{Field, RecordReader, Refusal, Renames, Scalar};
use vedette_streams::kafka::Watch;

use crate::added::{AddedFieldError, AddedFields};
use crate::alert::AlertFields;
use crate::identity::{Identity, uuid_of};
use crate::input::Input;
use crate::lookups::Tables;
use crate::metrics::Metrics;
use crate::scoring::Scoring;
use crate::stability::Bins;
use crate::tally::FieldTally;
use crate::threshold::Threshold;

/// How often the failure of one calculated field is logged before the metric alone tells of it.
const LOGGED_FAILURES: u64 = 3;

/// What the detector is to do, whatever Kafka it does it for.
#[derive(Debug, Clone)]
pub(crate) struct DetectorSettings {
    pub(crate) site: Name,
    pub(crate) sensor_messages_topic: TopicName,
    /// Name of a field, and the one that it gets.
    pub(crate) renamed_fields: Vec<KeyValue>,
    pub(crate) lookups: Vec<Lookup>,
    pub(crate) calculated_fields: Vec<KeyValue>,
    pub(crate) threshold: Threshold,
    pub(crate) reasons: usize,
    /// Largest output message, with what Kafka adds to its value.
    pub(crate) max_message_bytes: usize,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Output<'a> {
    /// It was read.
    Enriched {
        /// The enriched message.
        value: &'a [u8],
        /// The alert, where the score is above the threshold.
        alert: Option<&'a [u8]>,
        /// Somebody made the record up: neither it nor its alert counts.
        is_simulated: bool,
    },
    /// It was not.
    DeadLetter(&'a Refusal),
}

/// Enriches, scores and alerts.
pub(crate) struct Detector {
    site: Name,
    topic: TopicName,
    max_message_bytes: usize,
    renames: Renames,
    reader: RecordReader,
    uuid: Field,
    utc: Field,
    severity: Field,
    simulated: Field,
    /// Where a severity stands among the fields that are added.
    added_severity: Option<usize>,
    added: AddedFields,
    scoring: Option<Scoring>,
    /// By which features are counted, where the model says how they were.
    bins: Option<Bins>,
    /// Since it was last asked.
    tally: FieldTally,
    /// How often the failure of each calculated field was logged.
    logged: BTreeMap<String, u64>,
    /// `,"site":"…"`
    site_field: Vec<u8>,
    // What follows is memory that every batch uses again.
    renamed: Renamed,
    prepared: Vec<Result<Prepared, Refusal>>,
    /// The fields that are filled in, looked up and calculated, for all messages of the batch.
    additions: Vec<u8>,
    added_values: Vec<Option<Range<usize>>>,
    enriched: Vec<u8>,
    alert: Vec<u8>,
}

/// The records of a batch whose fields have other names than their messages.
#[derive(Default)]
struct Renamed {
    text: Vec<u8>,
    /// Of each message, where its record stands; none where it is the message.
    places: Vec<Option<Range<usize>>>,
}

impl Renamed {
    fn fill(&mut self, renames: &Renames, inputs: &[Input<'_>]) {
        self.text.clear();
        self.places.clear();
        if renames.is_empty() {
            return;
        }
        for input in inputs {
            let start = self.text.len();
            let is_renamed = renames.append(input.value.unwrap_or_default(), &mut self.text);
            self.places.push(is_renamed.then_some(start..self.text.len()));
        }
    }

    /// The record of a message.
    fn record<'a>(&'a self, position: usize, input: &Input<'a>) -> &'a [u8] {
        match self.places.get(position) {
            Some(Some(place)) => &self.text[place.clone()],
            Some(None) | None => input.value.unwrap_or_default(),
        }
    }
}

/// A message that was read and waits for its score.
struct Prepared {
    open_object: Range<usize>,
    has_fields: bool,
    has_severity: bool,
    is_simulated: bool,
    replacements: Vec<Replacement>,
    additions: Range<usize>,
    row: Option<usize>,
}

impl Detector {
    /// A detector with these tables and this model, whose steps are watched, or one that enriches only.
    ///
    /// # Errors
    /// When a field that is looked up or calculated cannot be used.
    pub(crate) fn new(
        settings: DetectorSettings,
        tables: &Tables,
        model: Option<(ModelVersion, Model)>,
        watch: Watch,
        metrics: &Metrics,
    ) -> Result<Self, AddedFieldError> {
        let DetectorSettings {
            site,
            sensor_messages_topic,
            renamed_fields,
            lookups,
            calculated_fields,
            threshold,
            reasons,
            max_message_bytes,
        } = settings;
        let renames = Renames::new(renamed_fields.iter().map(|field| (field.key.as_str(), field.value.as_str())));
        let (added, mut names) = AddedFields::compile(&lookups, tables, &calculated_fields, metrics)?;
        let scoring = model.map(|model| Scoring::new(model, watch, threshold, reasons, &added, &mut names));
        let [uuid, utc, severity, simulated] =
            [fields::UUID, fields::UTC, fields::SEVERITY, fields::SIMULATED].map(|name| names.want(name));
        let reader = RecordReader::new(names);
        let mut site_field = Vec::new();
        splice::field(&mut site_field, fields::SITE, site.as_str());
        let added_values = vec![None; added.count()];
        Ok(Self {
            site,
            topic: sensor_messages_topic,
            max_message_bytes,
            renames,
            reader,
            uuid,
            utc,
            severity,
            simulated,
            added_severity: added.position(fields::SEVERITY),
            added,
            scoring,
            bins: None,
            tally: FieldTally::default(),
            logged: BTreeMap::new(),
            site_field,
            renamed: Renamed::default(),
            prepared: Vec::new(),
            additions: Vec::new(),
            added_values,
            enriched: Vec::new(),
            alert: Vec::new(),
        })
    }

    /// Counts features by these.
    #[must_use]
    pub(crate) fn with_bins(self, bins: Option<Bins>) -> Self {
        Self { bins, ..self }
    }

    /// Processes a batch. `emit` hears of every message once, in order, by its position in `inputs`.
    ///
    /// # Errors
    /// Those of `emit`, which end the batch.
    pub(crate) fn process<E>(
        &mut self,
        inputs: &[Input<'_>],
        now: Timestamp,
        mut emit: impl FnMut(usize, Output<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.prepared.clear();
        self.additions.clear();
        self.added.start();
        if let Some(scoring) = &mut self.scoring {
            scoring.start();
        }
        let mut renamed = std::mem::take(&mut self.renamed);
        renamed.fill(&self.renames, inputs);
        for (position, input) in inputs.iter().enumerate() {
            let prepared = self.prepare(input, renamed.record(position, input), now);
            self.prepared.push(prepared);
        }
        if let Some(scoring) = &mut self.scoring {
            scoring.finish();
            self.tally.scored += scoring.counted().count() as u64;
            self.tally.spread.count_scores(scoring.counted().map(|(_, score)| score));
            if let Some(bins) = &self.bins {
                bins.count(scoring.counted().map(|(row, _)| row), &mut self.tally.spread);
            }
            for (field, seen) in scoring.take_seen() {
                self.tally.features.entry(field.to_owned()).or_default().add(seen);
            }
        }
        let mut prepared = std::mem::take(&mut self.prepared);
        let outcome = inputs.iter().zip(&prepared).enumerate().try_for_each(|(position, (input, prepared))| {
            let record = renamed.record(position, input);
            let prepared = prepared.as_ref().map_err(Clone::clone);
            let written = prepared.and_then(|prepared| Ok((prepared, self.write(input, record, prepared, now)?)));
            match written {
                Ok((prepared, alerts)) => {
                    let alert = alerts.then_some(self.alert.as_slice());
                    emit(
                        position,
                        Output::Enriched { value: &self.enriched, alert, is_simulated: prepared.is_simulated },
                    )
                }
                Err(refusal) => emit(position, Output::DeadLetter(&refusal)),
            }
        });
        prepared.clear();
        self.prepared = prepared;
        self.renamed = renamed;
        outcome
    }

    /// What there is to tell of the fields of the records since the last call.
    pub(crate) fn take_tally(&mut self) -> FieldTally {
        FieldTally { lookups: self.added.take_outcomes(), ..std::mem::take(&mut self.tally) }
    }

    /// Of so many records that were scored so many alerted, and that is committed. The threshold follows, from the next batch on; where
    /// there is one it is given back.
    pub(crate) fn committed(&mut self, scored: u64, alerts: u64) -> Option<&Threshold> {
        let scoring = self.scoring.as_mut()?;
        scoring.committed(scored, alerts);
        Some(scoring.threshold())
    }

    fn prepare(&mut self, input: &Input<'_>, record: &[u8], now: Timestamp) -> Result<Prepared, Refusal> {
        let record = self.reader.read(record)?;
        let start = self.additions.len();
        let mut replacements = Vec::new();
        let (additions, replaced, tally) = (&mut self.additions, &mut replacements, &mut self.tally);
        let mut identity = Identity { record: &record, additions, replacements: replaced, tally };
        identity.uuid(self.uuid, || uuid_of(&self.site, &self.topic, input))?;
        identity.utc(self.utc, input.timestamp.unwrap_or(now))?;
        let failed = |field: &str, reason: &str| {
            *self.tally.not_calculated.entry(field.to_owned()).or_default() += 1;
            let logged = self.logged.entry(field.to_owned()).or_default();
            if *logged < LOGGED_FAILURES {
                *logged += 1;
                warn!(field, reason, "calculated field left out");
            }
        };
        self.added.append(&record, &mut self.additions, &mut self.added_values, failed);
        let is_simulated = record.get(self.simulated).is_some_and(Scalar::is_true);
        let (additions, added) = (&self.additions, &self.added_values);
        let row = self.scoring.as_mut().map(|scoring| scoring.push(&record, additions, added, is_simulated));
        let is_severity_added = self.added_severity.is_some_and(|position| self.added_values[position].is_some());
        Ok(Prepared {
            open_object: record.open_object(),
            has_fields: record.has_fields(),
            has_severity: is_severity_added || record.get(self.severity).is_some(),
            is_simulated,
            replacements,
            additions: start..self.additions.len(),
            row,
        })
    }

    /// Writes the enriched message and, where it alerts, the alert. Says whether it alerts.
    fn write(
        &mut self,
        input: &Input<'_>,
        record: &[u8],
        prepared: &Prepared,
        now: Timestamp,
    ) -> Result<bool, Refusal> {
        let Prepared { open_object, has_fields, has_severity, is_simulated, replacements, additions, row } = prepared;
        let out = &mut self.enriched;
        splice::begin(out, record, open_object.clone(), replacements);
        let additions = &self.additions[additions.clone()];
        splice::append(out, *has_fields, additions);
        splice::append(out, *has_fields || !additions.is_empty(), &self.site_field);
        let Some((scoring, row)) = self.scoring.as_mut().zip(*row) else {
            out.push(b'}');
            return self.check_size(input, self.enriched.len()).map(|()| false);
        };
        let score = scoring.score(row).ok_or_else(|| {
            Refusal::new(DeadLetterReason::ScoringFailed, "the model gave no finite score for the record")
        })?;
        splice::field(out, fields::SCORE, &score);
        out.extend_from_slice(scoring.version_field());
        out.push(b'}');
        let threshold = scoring.threshold().score();
        let alerts = score > threshold;
        // Whoever made a record up wants to know why it is no alert, too.
        if alerts || *is_simulated {
            let site = self.site.as_str();
            let severity = scoring.severity(row, score);
            let reasons = scoring.reasons(row, out);
            let mut alert =
                AlertFields { site, score, threshold, severity, has_severity: *has_severity, detected: now, reasons };
            self.alert.clone_from(&self.enriched);
            alert.append(&mut self.alert);
            if self.alert.len() + input.overhead > self.max_message_bytes {
                // The fields that it came from are in the message itself; an alert is worth more than its reasons.
                alert.reasons = &[];
                self.alert.clone_from(&self.enriched);
                alert.append(&mut self.alert);
            }
            if *is_simulated {
                alert.append_decision(&mut self.enriched);
            }
            if alerts {
                self.check_size(input, self.alert.len())?;
            }
        }
        self.check_size(input, self.enriched.len())?;
        Ok(alerts)
    }

    fn check_size(&self, input: &Input<'_>, bytes: usize) -> Result<(), Refusal> {
        let bytes = bytes + input.overhead;
        if bytes <= self.max_message_bytes {
            return Ok(());
        }
        let message = format!("enriched it would have {bytes} bytes, and its topic accepts {}", self.max_message_bytes);
        Err(Refusal::new(DeadLetterReason::TooLarge, message))
    }
}

#[cfg(test)]
mod tests;
