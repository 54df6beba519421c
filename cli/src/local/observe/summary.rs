//! The end of a run: one JSON object for programs, a few lines for people.

use std::fmt;

use serde::Serialize;
use vedette_archive::{FoundMetadata, Selection, list_sources};
use vedette_contract::ModelVersion;
use vedette_contract::archive::Stream;
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_contract::model::ModelMetadata;
use vedette_registry::versions;
use vedette_streams::bucket::{Bucket, BucketError};

use crate::local::dataset::DatasetSummary;

use super::statistics::{LagThirds, Percentiles, Statistics};

/// What `--json` prints. A figure that cannot be known (no label, no model) is null.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The file of `--dataset`; none where there is none.
    pub dataset: Option<DatasetSummary>,
    /// Records in `sensor_messages`.
    pub records_generated: u64,
    /// Those of them that were there before the run, and that no detector had read.
    pub records_found: u64,
    /// Records in `enriched_data`, read committed.
    pub records_enriched: u64,
    /// Enriched records with a score.
    pub records_scored: u64,
    /// Records in `dead_letters`.
    pub dead_letters: u64,
    /// Records in `alerts`.
    pub alerts: u64,
    /// Scored records whose label says anomaly.
    pub anomalies: Option<u64>,
    /// Share of them that alerted.
    pub recall: Option<f64>,
    /// Share of the alerts that are anomalies.
    pub precision: Option<f64>,
    /// Area under the ROC curve of the scores in `enriched_data`.
    pub auroc: Option<f64>,
    /// Alerts per million scored records, to hold against the budget.
    pub alerts_per_million: Option<f64>,
    /// Arrival of an alert at a read-committed consumer minus `utc`; starts and rolls left out.
    pub latency_ms: Option<Percentiles>,
    /// The same for every enriched record.
    pub enriched_latency_ms: Option<Percentiles>,
    /// The same for every enriched record during the start.
    pub start_latency_ms: Option<Percentiles>,
    /// The same for every enriched record while processes were replaced, as for a model.
    pub roll_latency_ms: Option<Percentiles>,
    /// Records under way, to see whether the flow keeps up.
    pub lag_records: Option<LagThirds>,
    /// What lies in the bucket.
    pub archive: Archive,
    /// The versions in the bucket, oldest first.
    pub model_versions: Vec<ModelVersionLine>,
    /// Records that went in and did not come out.
    pub lost: u64,
    /// Records that came out more often than they went in.
    pub duplicates: u64,
    /// From the first record to the last.
    pub seconds: f64,
}

impl Summary {
    /// Whether no record came during the run: those that were there before tell nothing of its generator.
    pub fn nothing_generated(&self) -> bool {
        self.records_generated == self.records_found
    }
}

/// Archive totals, of the enriched records and of the alerts.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Archive {
    /// The enriched records.
    #[serde(flatten)]
    pub enriched_data: ArchiveTotals,
    pub alerts: ArchiveTotals,
}

/// Archive totals of one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ArchiveTotals {
    /// Closed objects.
    pub objects: u64,
    /// Records in them.
    pub records: u64,
    /// Their size, compressed.
    pub bytes: u64,
}

/// One model version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelVersionLine {
    pub version: String,
    /// When it was trained.
    pub trained_at: String,
    /// Records it was trained from.
    pub records: u64,
    /// On the holdout, where there are labels.
    pub auroc: Option<f64>,
    /// The 2016 recipe on the same holdout.
    pub baseline_auroc: Option<f64>,
    /// Records it scored in this run.
    pub scored: u64,
}

/// Puts the counts of a run together.
pub fn summarize(
    statistics: &Statistics,
    seconds: f64,
    archive: Archive,
    mut model_versions: Vec<ModelVersionLine>,
) -> Summary {
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let labelled = statistics.labelled > 0;
    let (scores, labels): (Vec<f64>, Vec<bool>) =
        statistics.scores.iter().map(|(score, anomaly)| (f64::from(*score), *anomaly)).unzip();
    for line in &mut model_versions {
        line.scored = statistics.by_version.get(&line.version).copied().unwrap_or(0);
    }
    Summary {
        dataset: None,
        records_generated: statistics.generated,
        records_found: statistics.found,
        records_enriched: statistics.enriched,
        records_scored: statistics.scored,
        dead_letters: statistics.dead_letters,
        alerts: statistics.alerts,
        anomalies: labelled.then_some(statistics.anomalies),
        recall: share(statistics.true_alerts, statistics.anomalies).filter(|_| labelled),
        precision: share(statistics.true_alerts, statistics.labelled_alerts),
        auroc: vedette_forest::metrics::auroc(&scores, &labels),
        alerts_per_million: share(statistics.alerts, statistics.scored).map(|rate| rate * 1e6),
        latency_ms: statistics.alert_latencies.percentiles(),
        enriched_latency_ms: statistics.enriched_latencies.percentiles(),
        start_latency_ms: statistics.start_latencies.percentiles(),
        roll_latency_ms: statistics.roll_latencies.percentiles(),
        lag_records: statistics.lag_thirds(),
        archive,
        model_versions,
        lost: statistics.missing(),
        duplicates: statistics.duplicates(),
        seconds,
    }
}

/// Counts the closed archive objects of a pipeline.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn archive_totals(bucket: &Bucket, keys: &PipelineKeys) -> Result<Archive, BucketError> {
    Ok(Archive {
        enriched_data: stream_totals(bucket, keys, Stream::EnrichedData).await?,
        alerts: stream_totals(bucket, keys, Stream::Alerts).await?,
    })
}

async fn stream_totals(bucket: &Bucket, keys: &PipelineKeys, stream: Stream) -> Result<ArchiveTotals, BucketError> {
    let mut totals = ArchiveTotals::default();
    let listed = list_sources(bucket, keys, Selection { stream, sites: &[], not_before: None }).await?;
    for source in listed.iter().filter(|source| !source.is_open()) {
        let head = bucket.head(&source.object.to_string()).await?;
        let records = head.and_then(|head| FoundMetadata::of(&head.metadata).records);
        totals.objects += 1;
        totals.bytes += source.bytes;
        totals.records += records.unwrap_or(0);
    }
    Ok(totals)
}

/// Lists the model versions of a training, oldest first.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn model_versions(bucket: &Bucket, keys: &ModelKeys) -> Result<Vec<ModelVersionLine>, BucketError> {
    let versions = versions::list(bucket, keys).await?.into_iter();
    let line = |(version, metadata): (ModelVersion, ModelMetadata)| ModelVersionLine {
        version: version.to_string(),
        trained_at: metadata.trained_at.to_string(),
        records: metadata.records,
        auroc: metadata.metrics.auroc,
        baseline_auroc: metadata.baseline.and_then(|baseline| baseline.auroc),
        scored: 0,
    };
    Ok(versions.map(line).collect())
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        let latency = |value: Option<Percentiles>| {
            value.map_or_else(|| "-".to_owned(), |value| format!("p50 {:.0} ms, p99 {:.0} ms", value.p50, value.p99))
        };
        let rate = self.records_generated as f64 / self.seconds.max(1e-9);
        writeln!(out, "Summary of {:.0} s", self.seconds)?;
        if let Some(dataset) = &self.dataset {
            writeln!(out, "  data set    {}", dataset.words)?;
        }
        writeln!(
            out,
            "  records     {} generated ({rate:.0}/s), {} enriched, {} dead letters",
            self.records_generated, self.records_enriched, self.dead_letters
        )?;
        if self.records_found > 0 {
            writeln!(out, "  found       {} of them were there before", self.records_found)?;
        }
        writeln!(out, "  lost        {}, duplicates {}", self.lost, self.duplicates)?;
        writeln!(
            out,
            "  alerts      {} of {} scored records{}",
            self.alerts,
            self.records_scored,
            self.alerts_per_million.map_or_else(String::new, |rate| format!(" ({rate:.0} per million)"))
        )?;
        if let Some(anomalies) = self.anomalies {
            writeln!(
                out,
                "  quality     {anomalies} anomalies by label: recall {}, precision {}, AUROC {}",
                figure(self.recall),
                figure(self.precision),
                figure(self.auroc)
            )?;
        }
        writeln!(
            out,
            "  latency     alerts {}; enriched {}; during rolls {}{}",
            latency(self.latency_ms),
            latency(self.enriched_latency_ms),
            latency(self.roll_latency_ms),
            self.roll_latency_ms.map_or_else(String::new, |roll| format!(", longest {:.0} ms", roll.max))
        )?;
        let Archive { enriched_data, alerts } = self.archive;
        writeln!(
            out,
            "  archive     {} records in {} objects, {:.1} MB; {} alerts in {} objects",
            enriched_data.records,
            enriched_data.objects,
            enriched_data.bytes as f64 / 1e6,
            alerts.records,
            alerts.objects
        )?;
        for line in &self.model_versions {
            writeln!(
                out,
                "  model       {} from {} records, AUROC {} (2016 recipe {}), scored {} here",
                line.version,
                line.records,
                figure(line.auroc),
                figure(line.baseline_auroc),
                line.scored
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::statistics::{AlertRecord, EnrichedRecord, Phase};
    use super::*;

    #[test]
    fn quality_is_that_of_the_scored_records() {
        let mut statistics = Statistics::default();
        for uuid in 0..100_u128 {
            statistics.sensor_message(Some(uuid));
            let anomaly = uuid >= 96;
            let score = if anomaly { 0.99 } else { 0.5 };
            let record = EnrichedRecord {
                uuid: Some(uuid),
                score: Some(score),
                anomaly: Some(anomaly),
                model_version: Some("v".into()),
            };
            statistics.enriched_record(record, Some(5.0), Phase::Steady);
        }
        for anomaly in [true, true, true, false] {
            statistics.alert(AlertRecord { anomaly: Some(anomaly), latency_ms: Some(9.0) }, Phase::Steady);
        }
        let summary = summarize(&statistics, 10.0, Archive::default(), Vec::new());
        assert_eq!((summary.anomalies, summary.recall, summary.precision), (Some(4), Some(0.75), Some(0.75)));
        assert_eq!(summary.auroc, Some(1.0));
        assert_eq!(summary.alerts_per_million, Some(40_000.0));
        let json = serde_json::to_value(&summary).unwrap();
        for field in [
            "records_generated",
            "records_enriched",
            "dead_letters",
            "alerts",
            "anomalies",
            "recall",
            "precision",
            "auroc",
            "latency_ms",
            "archive",
            "model_versions",
            "lost",
            "duplicates",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
        assert_eq!(json["latency_ms"]["p99"], 9.0);
        assert_eq!(json["archive"]["objects"], 0);
    }

    #[test]
    fn records_that_were_there_before_are_not_generated() {
        let mut statistics = Statistics::default();
        assert!(summarize(&statistics, 1.0, Archive::default(), Vec::new()).nothing_generated());
        statistics.sensor_message(Some(1));
        statistics.found = 1;
        let summary = summarize(&statistics, 1.0, Archive::default(), Vec::new());
        assert!(summary.nothing_generated());
        assert!(summary.to_string().contains("1 of them were there before"));
    }

    #[test]
    fn without_labels_or_a_model_the_figures_are_null() {
        let mut statistics = Statistics::default();
        statistics.sensor_message(Some(1));
        statistics.enriched_record(EnrichedRecord { uuid: Some(1), ..EnrichedRecord::default() }, None, Phase::Steady);
        let summary = summarize(&statistics, 1.0, Archive::default(), Vec::new());
        assert!(!summary.nothing_generated());
        assert_eq!((summary.recall, summary.precision, summary.auroc, summary.anomalies), (None, None, None, None));
    }
}
