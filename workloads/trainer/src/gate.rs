//! Whether a model becomes current by itself: what it must reach on the holdout, and how it does on the newest records of each site.
//! It judges figures, and reads and writes nothing.

use std::collections::BTreeMap;

use vedette_contract::Name;
use vedette_contract::gate::NewestOfSite;
use vedette_contract::model::{Column, Metrics};
use vedette_forest::calibration::threshold_for_budget;
use vedette_forest::rows::RowReader;
use vedette_forest::{Matrix, Model};
use vedette_records::{FieldNames, RecordReader};

/// A model that would alert at more than so many times its budget floods.
const FLOOD: f64 = 3.;
/// Unless as many alerts come by chance this often, or more.
const CHANCE: f64 = 1e-4;
/// Of fewer records nothing is told by what they lack.
const ENOUGH_RECORDS: u64 = 100;
/// A model that replaces none is kept back where more than this share of the records would alert: nobody can look at that, and less
/// is more than no model at all.
const FIRST_FLOOD: f64 = 0.1;
/// A site has so much at least of what the features had where the model learned.
const PRESENT: f64 = 0.5;
/// So many features are named in one clause.
const NAMED: usize = 10;

/// What a model must reach on the holdout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    /// Smallest AUROC.
    pub minimum_auroc: Option<f64>,
    /// Smallest recall at the alert budget.
    pub minimum_recall: Option<f64>,
}

impl Gate {
    /// Everything that speaks against the model. A figure that is not there, for want of labels, does not reach anything.
    pub(crate) fn refuses(&self, metrics: &Metrics) -> Vec<String> {
        let Self { minimum_auroc, minimum_recall } = *self;
        let checks = [
            ("AUROC", metrics.auroc, minimum_auroc),
            ("recall at the alert budget", metrics.recall_at_budget, minimum_recall),
        ];
        let failed = checks.into_iter().filter_map(|(name, found, minimum)| match (found, minimum?) {
            (Some(found), minimum) if found >= minimum => None,
            (Some(found), minimum) => Some(format!("{name} is {found:.4} and must be at least {minimum}")),
            (None, minimum) => Some(format!(
                "{name} must be at least {minimum} and is unknown: the holdout has no labels of both kinds"
            )),
        });
        failed.collect()
    }
}

/// A model, and the one whose place it would take.
pub(crate) struct Contest {
    pub(crate) model: Model,
    /// None where there is none, or none that can be loaded.
    pub(crate) replaced: Option<Model>,
    pub(crate) alert_budget_per_million: f64,
}

/// How a model does on the newest records of a site.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SiteCheck {
    pub(crate) newest: NewestOfSite,
    /// Features that most of the records lack, those that most lack first.
    pub(crate) lacking: Vec<String>,
}

/// What a model is known by when its checks are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promise<'a> {
    /// Its budget, and from how many rows the threshold of that is known.
    pub(crate) metrics: &'a Metrics,
    /// Share of the rows that it learned from without a value, by feature.
    pub(crate) missing: &'a BTreeMap<String, f64>,
}

impl Contest {
    /// Scores the newest records of a site by both models. A line that is no record is left out.
    pub(crate) fn on(&self, site: Name, lines: &[Vec<u8>]) -> SiteCheck {
        let Self { model, replaced, alert_budget_per_million } = self;
        let mut names = FieldNames::default();
        let mut side = |model| Side::new(model, &mut names);
        let (mut ours, mut theirs) = (side(model), replaced.as_ref().map(side));
        let mut reader = RecordReader::new(names);
        for line in lines {
            let Ok(record) = reader.read(line) else { continue };
            for side in std::iter::once(&mut ours).chain(theirs.as_mut()) {
                side.reader.push(&side.model.encoder, &record, &mut side.rows);
            }
        }
        let threshold = threshold_for_budget(*alert_budget_per_million);
        let records = ours.rows.rows() as u64;
        let missing = ours.reader.missing();
        let cells = (records * missing.len() as u64).max(1);
        let newest = NewestOfSite {
            site,
            records,
            alerts: ours.alerts(threshold),
            alerts_before: theirs.map(|theirs| theirs.alerts(threshold)),
            missing: missing.iter().sum::<u64>() as f64 / cells as f64,
        };
        SiteCheck { newest, lacking: lacking(model.encoder.columns(), missing, records) }
    }
}

struct Side<'a> {
    model: &'a Model,
    reader: RowReader,
    rows: Matrix,
}

impl<'a> Side<'a> {
    fn new(model: &'a Model, names: &mut FieldNames) -> Self {
        let rows = Matrix::new(model.encoder.columns().len());
        Self { model, reader: RowReader::new(&model.encoder, names), rows }
    }

    fn alerts(&self, threshold: f64) -> u64 {
        let mut scores = Vec::with_capacity(self.rows.rows());
        self.model.score_batch(&self.rows, &mut scores);
        scores.iter().filter(|score| **score > threshold).count() as u64
    }
}

fn lacking(columns: &[Column], missing: &[u64], records: u64) -> Vec<String> {
    let mut lacking: Vec<(&u64, &Column)> =
        missing.iter().zip(columns).filter(|(missing, _)| **missing * 2 > records).collect();
    lacking.sort_by_key(|(missing, _)| std::cmp::Reverse(**missing));
    lacking.into_iter().map(|(_, column)| column.name.clone()).collect()
}

impl SiteCheck {
    /// Everything that speaks against the model at this site.
    pub(crate) fn refuses(&self, promise: Promise<'_>) -> Vec<String> {
        let Promise { metrics, missing } = promise;
        let Self { newest, lacking } = self;
        floods(newest, metrics).into_iter().chain(lacks(newest, lacking, missing)).collect()
    }

    /// What somebody should know of a model that nothing speaks against.
    pub(crate) fn warns(&self, promise: Promise<'_>) -> Option<String> {
        let Promise { metrics, missing: _ } = promise;
        let NewestOfSite { site, records, alerts, alerts_before, missing: _ } = &self.newest;
        let is_above = alerts_before.is_none() && is_above_budget(&self.newest, metrics);
        let is_told = is_above && floods(&self.newest, metrics).is_none();
        is_told.then(|| {
            format!("at site {site} {}, and there is no version to compare with", rate(*alerts, *records, metrics))
        })
    }
}

/// A model that alerts more often than its budget allows, and than the one before it; where there is none, on a good part of all.
fn floods(newest: &NewestOfSite, metrics: &Metrics) -> Option<String> {
    let NewestOfSite { site, records, alerts, alerts_before, missing: _ } = newest;
    let compared = match alerts_before {
        Some(before) if alerts > before => format!("of the current version {before} would"),
        None if *alerts as f64 > FIRST_FLOOD * *records as f64 => "there is no version to compare with".to_owned(),
        Some(_) | None => return None,
    };
    is_above_budget(newest, metrics).then(|| format!("at site {site} {}; {compared}", rate(*alerts, *records, metrics)))
}

fn rate(alerts: u64, records: u64, metrics: &Metrics) -> String {
    let per_million = alerts as f64 * 1e6 / records.max(1) as f64;
    let budget = metrics.alert_budget_per_million;
    format!("{alerts} of the newest {records} records would alert, {per_million:.0} in a million where {budget} may")
}

fn is_above_budget(newest: &NewestOfSite, metrics: &Metrics) -> bool {
    let share = metrics.alert_budget_per_million / 1e6;
    let (alerts, records) = (newest.alerts as f64, newest.records as f64);
    alerts > FLOOD * share * records && chance(newest, share, metrics.rows) < CHANCE
}

/// How often at least as many alerts come although the records are those that the threshold was set by: of the alerts on both, so
/// many or more fall on these (Przyborowski and Wilenski 1940). A threshold from few rows may be far off, which counts here.
fn chance(newest: &NewestOfSite, share: f64, rows: u64) -> f64 {
    let (records, rows) = (newest.records as f64, rows.max(1) as f64);
    let odds = records / rows;
    let expected = (share * rows).round();
    let (alerts, all) = (newest.alerts as f64, newest.alerts as f64 + expected);
    // The binomial term of exactly so many, then of one more each.
    let mut ln_term = alerts * (odds / (1. + odds)).ln() - expected * (1. + odds).ln();
    let mut count = 1.;
    while count <= expected {
        ln_term += ((alerts + count) / count).ln();
        count += 1.;
    }
    let (mut term, mut tail, mut at) = (ln_term.exp(), 0., alerts);
    while at <= all {
        tail += term;
        term *= (all - at) / (at + 1.) * odds;
        at += 1.;
    }
    tail
}

/// A site whose records have less than half of what the features had where the model learned.
fn lacks(newest: &NewestOfSite, lacking: &[String], missing: &BTreeMap<String, f64>) -> Option<String> {
    let NewestOfSite { site, records, missing: missing_here, .. } = newest;
    let usually = missing.values().sum::<f64>() / missing.len().max(1) as f64;
    if *records < ENOUGH_RECORDS || 1. - missing_here >= (1. - usually) * PRESENT {
        return None;
    }
    let named = lacking.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = lacking.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!(
        "at site {site} {:.0} % of the values that the features want are missing in the newest {records} records, where it learned \
         {:.0} %: most of the records have no {named}{more}",
        missing_here * 100.,
        usually * 100.,
    ))
}

#[cfg(test)]
mod tests;
