//! What a training says of itself: its metadata, its result, and its lines in the log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use vedette_contract::arguments::TrainerArguments;
use vedette_contract::gate::GateReport;
use vedette_contract::model::{
    CalibrationRows, FoldMetrics, JudgedVersion, LearnedWithout, ModelMetadata, REPORT_FILE, Reference, SCHEMA,
    TextValues, TrainingOutcome, TrainingResult,
};
use vedette_contract::search::{BestTrial, SearchReport, SearchSummary};
use vedette_contract::{ModelVersion, Name};

use crate::collect::Sampler;
use crate::field::{LeftOut, listed, words};
use crate::judged::Judged;
use crate::learn::Learned;
use crate::read::Reading;
use crate::schema::Kind;

/// Newest rows that alert so many times as often as others, and of which at least so many alert, are of a stream that moves.
const MOVES: f64 = 2.;
const MOVING: f64 = 10.;

/// Everything there is to know of a model.
pub(crate) fn metadata(
    arguments: &TrainerArguments,
    reading: Reading,
    learned: Learned,
    (left_out, texts): (&BTreeMap<String, LeftOut>, BTreeMap<String, TextValues>),
    (duplicates, sampled): (u64, u64),
    judged: Judged,
) -> ModelMetadata {
    let Learned {
        forest: _,
        calibration: _,
        calibrated_on,
        parameters,
        learned,
        metrics,
        baseline,
        sentinels,
        missing,
        separating,
        search,
        picture: _,
        distributions,
    } = learned;
    let Reading { objects, sites, damaged, lost, silences, tally } = reading;
    let Judged { verdicts, versions: judged, uncounted: verdicts_uncounted } = judged;
    ModelMetadata {
        schema: SCHEMA,
        vedette_version: env!("CARGO_PKG_VERSION").to_owned(),
        training: arguments.training.clone(),
        pipeline: arguments.owner.pipeline.clone(),
        trained_at_site: arguments.owner.site.clone(),
        trained_by: arguments.job.to_string(),
        trained_at: Timestamp::now(),
        algorithm: arguments.algorithm,
        parameters,
        seed: arguments.seed,
        objects: objects.into_iter().collect(),
        sites: sites.into_iter().collect(),
        records: tally.records,
        duplicates,
        unreadable: tally.unreadable,
        damaged,
        lost,
        silenced: tally.silenced,
        simulated: tally.simulated,
        silences,
        verdicts,
        judged,
        verdicts_uncounted,
        texts,
        reference: arguments.reference_window.map(|window| Reference { window, records: tally.reference }),
        sampled,
        learned,
        calibrated_on: Some(calibrated_on),
        sentinels,
        missing,
        distributions,
        left_out: words(left_out).map(|(name, words)| (name.to_owned(), words.to_owned())).collect(),
        separating,
        last_utc: tally.newest_utc.map(|(_, text)| text),
        metrics,
        search,
        report: Some(REPORT_FILE.to_owned()),
        baseline,
        gate: GateReport::default(),
    }
}

/// A result without a model.
pub(crate) fn result(job: &str, outcome: TrainingOutcome, records: u64, message: String) -> TrainingResult {
    TrainingResult {
        job: job.to_owned(),
        finished_at: Timestamp::now(),
        outcome,
        records,
        version: None,
        metrics: None,
        baseline: None,
        report: None,
        search: None,
        message,
    }
}

/// What became of a model that the gate refused.
pub(crate) fn candidate(arguments: &TrainerArguments, version: &ModelVersion, gate: &GateReport) -> String {
    let GateReport { refused, warnings: _, newest: _ } = gate;
    let TrainerArguments { owner, training, .. } = arguments;
    format!(
        "the gate refused version {version}, which is kept as a candidate: {}; what was current stays; to have it current all the \
         same: `vedette models promote {version} -n {} --training {training} --site {} --comment WHY`, which docs/cli.md explains, and \
         what the gate looks at stands in spec.publish.gate",
        refused.join("; "),
        owner.namespace,
        owner.site,
    )
}

/// Why there is nothing to learn from.
pub(crate) fn not_enough_data(reading: &Reading, distinct: u64, arguments: &TrainerArguments) -> String {
    let Reading { objects, sites: _, damaged, lost: _, silences, tally } = reading;
    let TrainerArguments { min_records, reference_window, .. } = arguments;
    let message = format!(
        "{distinct} different records are not enough to learn from, it takes {min_records} and two patterns: {} objects were \
         read ({damaged} damaged), {} records were outside the lookback and {} lines could not be read",
        objects.len(),
        tally.outside_lookback,
        tally.unreadable,
    );
    let message = if tally.silenced > 0 {
        format!("{message}; {}", left_out_by(tally.silenced, silences))
    } else if tally.records == 0 && !silences.is_empty() {
        // What was only looked at was not counted.
        let ids: Vec<_> = silences.iter().map(|silence| silence.key.id.as_str()).collect();
        format!("{message}; records are left out by the silences {}", ids.join(", "))
    } else {
        message
    };
    let message = match tally.simulated {
        0 => message,
        simulated => format!("{message}; {}", left_out_as_simulated(simulated)),
    };
    let Some(window) = reference_window else { return message };
    format!(
        "{message}; {} records lie in spec.data.referenceWindow {window}, and {} are of the stream to calibrate on: see that the \
         window is one of which the archive has records, by their `utc`",
        tally.reference, tally.records,
    )
}

/// A model in one sentence.
pub(crate) fn summary(metadata: &ModelMetadata) -> String {
    let ModelMetadata {
        records,
        learned,
        reference,
        search,
        sites,
        metrics,
        baseline,
        sentinels,
        left_out,
        separating,
        damaged,
        lost,
        silenced,
        simulated,
        silences,
        judged,
        verdicts_uncounted,
        texts,
        gate,
        calibrated_on,
        ..
    } = metadata;
    let sites: Vec<_> = sites.iter().map(Name::as_str).collect();
    let mut parts = vec![format!("learned {learned} rows from {records} records of {}", sites.join(", "))];
    if let Some(Reference { window, records }) = reference {
        parts.push(format!("they are of the {records} records of the reference window {window}"));
    }
    if let Some(search) = search {
        parts.push(search_summary(search));
    }
    if let Some(auroc) = metrics.auroc {
        parts.push(format!("AUROC {auroc:.4}"));
    }
    if let Some(auroc) = baseline.as_ref().and_then(|baseline| baseline.auroc) {
        parts.push(format!("SeedForest's {auroc:.4}"));
    }
    if let (Some(recall), Some(precision)) = (metrics.recall_at_budget, metrics.precision_at_budget) {
        let budget = metrics.alert_budget_per_million;
        parts.push(format!("recall {recall:.4} and precision {precision:.4} when {budget} in a million may alert"));
    }
    if let Some(FoldMetrics { folds, separation, stability }) = metrics.folds {
        parts.push(format!(
            "over {folds} folds alerts stand out by {separation:.1} standard deviations and {:.0} % of them are found again",
            stability * 100.
        ));
    }
    if !sentinels.is_empty() {
        let listed = sentinels.iter().map(|(field, values)| {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            format!("{field} {}", values.join(" and "))
        });
        parts.push(format!(
            "taken for missing, as they come back far from all others: {}",
            listed.collect::<Vec<_>>().join(", ")
        ));
    }
    let told = left_out.iter().filter(|(_, words)| !LeftOut::goes_without_saying(words));
    let told = listed(told.map(|(name, words)| (name.as_str(), words.as_str())));
    if !told.is_empty() {
        parts.push(format!("not learned from unless spec.features lists them: {told}"));
    }
    if *damaged > 0 {
        parts.push(format!("{damaged} archive objects are damaged, of which {lost} records are lost"));
    }
    if *silenced > 0 {
        parts.push(left_out_by(*silenced, silences));
    }
    if *simulated > 0 {
        parts.push(left_out_as_simulated(*simulated));
    }
    if !texts.is_empty() {
        let told = texts
            .iter()
            .map(|(name, TextValues { numbers, missing })| format!("{name} ({numbers} numbers, {missing} missing)"));
        parts.push(format!("arrived as text: {}", told.collect::<Vec<_>>().join(", ")));
    }
    if !separating.is_empty() {
        parts.push(format!(
            "by themselves these fields tell the label, and may be labels, too: {}",
            separating.join(", ")
        ));
    }
    parts.extend((!judged.is_empty()).then(|| judged_by_people(judged)));
    parts.extend(
        verdicts_uncounted
            .as_ref()
            .and_then(|of| of.unread.as_ref())
            .map(|why| format!("verdicts are not read: {why}")),
    );
    parts.extend(gate.warnings.iter().cloned());
    parts.extend(calibrated_on.as_ref().map(|rows| of_calibration(rows, metrics.alert_budget_per_million)));
    parts.join("; ")
}

fn left_out_by(records: u64, silences: &[LearnedWithout]) -> String {
    let noun = if silences.len() == 1 { "silence" } else { "silences" };
    format!("{records} records are left out by {} {noun}", silences.len())
}

fn left_out_as_simulated(records: u64) -> String {
    format!("{records} records are left out, as they are simulated")
}

fn judged_by_people(judged: &[JudgedVersion]) -> String {
    let sum = |of: fn(&JudgedVersion) -> u64| judged.iter().map(of).fold(0, u64::saturating_add);
    let noun = if judged.len() == 1 { "version" } else { "versions" };
    let (alerts, anomalies) = (sum(|of| of.alerts), sum(|of| of.anomalies));
    format!("of {alerts} alerts of {} {noun} that people judged {anomalies} are anomalies", judged.len())
}

fn search_summary(search: &SearchReport) -> String {
    let SearchSummary { metric, trials, failed, best } = search.summary();
    let best = best.first().map_or_else(String::new, |BestTrial { parameters, value }| {
        format!(", of which {parameters} is best, {} {value:.4}", metric.as_str())
    });
    let failed = if failed > 0 { format!("; {failed} trials failed, which the metadata names") } else { String::new() };
    format!("{trials} combinations were tried on {} folds{best}{failed}", search.folds)
}

/// How far a budget will be held, and what was seen of the newest rows where that is amiss.
fn of_calibration(rows: &CalibrationRows, budget: f64) -> String {
    let CalibrationRows { at_random: _, newest, newest_alerts_per_million, budget_error_per_million } = *rows;
    let error = budget_error_per_million;
    let moves =
        newest_alerts_per_million.filter(|alerts| *alerts > MOVES * budget && newest as f64 * alerts > MOVING * 1e6);
    let moves = moves.map_or_else(String::new, |alerts| {
        format!(
            "; what the records are changes with time, by which {alerts:.0} in a million of the newest would alert: they have half of the \
             weight in the calibration"
        )
    });
    format!("the alerts may be {error:.0} in a million off a budget of {budget}{moves}")
}

/// Logs which features were chosen, and what was left out.
pub(crate) fn log_features(features: &[(String, Kind)], left_out: &BTreeMap<String, LeftOut>) {
    let of_kind = |wanted| {
        let names = features.iter().filter(|(_, kind)| *kind == wanted).map(|(name, _)| name.as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    tracing::info!(
        numeric = of_kind(Kind::Numeric),
        categorical = of_kind(Kind::Categorical),
        left_out = listed(words(left_out)),
        "features were chosen"
    );
}

/// Logs what was read.
pub(crate) fn log_reading(reading: &Reading, sampler: &Sampler) {
    let Reading { objects, sites: _, damaged, lost, silences: _, tally } = reading;
    tracing::info!(
        objects = objects.len(),
        damaged,
        lost,
        records = tally.records,
        outside_lookback = tally.outside_lookback,
        silenced = tally.silenced,
        simulated = tally.simulated,
        unreadable = tally.unreadable,
        duplicates = sampler.duplicates(),
        sampled = sampler.len(),
        "the archive was read"
    );
}

/// Logs how the training ended.
pub(crate) fn log(result: &TrainingResult) {
    let TrainingResult {
        job,
        finished_at: _,
        outcome,
        records,
        version,
        metrics,
        baseline,
        report: _,
        search: _,
        message,
    } = result;
    let (metrics, baseline) = (metrics.as_ref(), baseline.as_ref());
    tracing::info!(
        job,
        ?outcome,
        records,
        version = version.as_ref().map(ModelVersion::as_str),
        auroc = metrics.and_then(|metrics| metrics.auroc),
        auprc = metrics.and_then(|metrics| metrics.auprc),
        recall_at_budget = metrics.and_then(|metrics| metrics.recall_at_budget),
        precision_at_budget = metrics.and_then(|metrics| metrics.precision_at_budget),
        alerts_per_million = metrics.map(|metrics| metrics.alerts_per_million),
        separation = metrics.and_then(|metrics| metrics.folds).map(|folds| folds.separation),
        stability = metrics.and_then(|metrics| metrics.folds).map(|folds| folds.stability),
        baseline_auroc = baseline.and_then(|baseline| baseline.auroc),
        baseline_auprc = baseline.and_then(|baseline| baseline.auprc),
        baseline_recall_at_budget = baseline.and_then(|baseline| baseline.recall_at_budget),
        result = message,
        "training finished"
    );
}
