//! The tables of the page.

use vedette_contract::model::{
    Column, ColumnKind, FeatureSpecification, JudgedVersion, Metrics, ModelMetadata, Uncounted, UsualNumbers,
};
use vedette_contract::search::{SearchReport, Trial, TrialMetrics};
use vedette_forest::metrics::AtBudget;

use super::charts::short;
use super::markup::{Cell, paragraph, table};

/// Categories of a feature that are shown.
const CATEGORIES: usize = 5;
/// Versions of judged alerts that are shown.
const JUDGED_VERSIONS: usize = 50;
/// Characters of one.
const CATEGORY_CHARACTERS: usize = 40;

/// What each budget finds.
pub(super) fn budgets(budgets: &[(f64, AtBudget)]) -> String {
    let row = |(budget, AtBudget { recall, precision, alerts_per_million }): &(f64, AtBudget)| {
        let numbers = [format!("{budget}"), format!("{alerts_per_million:.0}")].map(Cell::Number);
        numbers.into_iter().chain([Cell::figure(*recall), Cell::figure(*precision)]).collect()
    };
    table(&["Budget per million", "Alerts per million", "Recall", "Precision"], budgets.iter().map(row))
}

/// The model beside the recipe of 2016.
pub(super) fn algorithms(metadata: &ModelMetadata) -> String {
    let ModelMetadata { algorithm, metrics, baseline, .. } = metadata;
    let row = |name: &str, of: &Metrics| {
        let figures = [of.auroc, of.auprc, of.recall_at_budget, of.precision_at_budget].map(Cell::figure);
        let (separation, stability) = of.folds.map(|folds| (folds.separation, folds.stability)).unzip();
        let folds = [separation, stability].map(Cell::figure);
        let alerts = Cell::Number(format!("{:.0}", of.alerts_per_million));
        [Cell::Name(name.to_owned())].into_iter().chain(figures).chain([alerts]).chain(folds).collect::<Vec<_>>()
    };
    let mut rows = vec![row(algorithm.as_str(), metrics)];
    rows.extend(baseline.as_ref().map(|baseline| row("SeedForest, the recipe of 2016", baseline)));
    let headings = ["", "AUROC", "AUPRC", "Recall", "Precision", "Alerts per million", "Separation", "Stability"];
    let rows_of = match metrics.anomalies {
        Some(anomalies) => format!("{} rows, {anomalies} of them anomalies by their label", metrics.rows),
        None => format!("{} rows without labels", metrics.rows),
    };
    let words =
        format!("On the holdout, {rows_of}, at a budget of {} alerts per million.", metrics.alert_budget_per_million);
    format!("{}{}", paragraph(&words), table(&headings, rows))
}

/// What people made of the alerts of each version, the newest first.
pub(super) fn judged(metadata: &ModelMetadata) -> String {
    let ModelMetadata { judged, verdicts, verdicts_uncounted, .. } = metadata;
    let row = |JudgedVersion { version, alerts, anomalies, precision }: &JudgedVersion| {
        let version = version.as_ref().map_or_else(|| "not known".to_owned(), ToString::to_string);
        let numbers = [alerts, anomalies].map(|count| Cell::Number(count.to_string()));
        [Cell::Name(version)].into_iter().chain(numbers).chain([Cell::figure(Some(*precision))]).collect()
    };
    let more = judged.len().saturating_sub(JUDGED_VERSIONS);
    let more = if more > 0 { format!(" {more} more are in the metadata.") } else { String::new() };
    let Uncounted { unread, passed, older, alerts_of_incidents } = verdicts_uncounted.clone().unwrap_or_default();
    if let Some(why) = unread {
        return paragraph(&format!("The verdicts are not read, and count for nothing: {why}."));
    }
    let left_out: String = [(passed as u64, "that are none or were not given"), (older as u64, "that are too old")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!(", {count} {what} left out"))
        .collect();
    let uncounted = if alerts_of_incidents > 0 { format!(" ({alerts_of_incidents})") } else { String::new() };
    let words = format!(
        "Verdicts read: {}{left_out}. Of each alert or incident the last counts, and a judged incident for all its alerts but those that may be \
         judged by themselves{uncounted}.{more}",
        verdicts.len()
    );
    let rows = judged.iter().rev().take(JUDGED_VERSIONS).map(row);
    format!("{}{}", paragraph(&words), table(&["Version", "Judged alerts", "Anomalies", "Precision"], rows))
}

/// Every trial, the best first.
pub(super) fn search(search: &SearchReport) -> String {
    let SearchReport { algorithm, metric, folds, space, seconds, trials } = search;
    let of = space.map_or_else(|| "infinitely many".to_owned(), |space| space.to_string());
    let words = format!(
        "{}: {} of {of} combinations, each on {folds} folds of the training rows, compared by {}, in {seconds:.0} s. The first \
         was learned again on all training rows.",
        algorithm.as_str(),
        trials.len(),
        metric.as_str()
    );
    let names: Vec<&str> =
        trials.first().map(|trial| trial.parameters.keys().map(String::as_str).collect()).unwrap_or_default();
    let figures = ["AUPRC", "Recall", "Separation", "Stability", "Budget error", "Seconds", "Failed"];
    let headings: Vec<&str> = names.iter().copied().chain(figures).collect();
    let row = |Trial { parameters, metrics, seconds, error }: &Trial| {
        let TrialMetrics { auprc, recall_at_budget, separation, stability, budget_error } = *metrics;
        let settings = parameters.values().map(|setting| Cell::Number(setting.to_string()));
        let figures = [auprc, recall_at_budget, separation, stability, budget_error].map(Cell::figure);
        let rest = [Cell::Number(format!("{seconds:.1}")), Cell::Text(error.clone().unwrap_or_default())];
        settings.chain(figures).chain(rest).collect::<Vec<_>>()
    };
    format!("{}{}", paragraph(&words), table(&headings, trials.iter().map(row)))
}

/// What is learned from, and what is usual there.
pub(super) fn features(features: &FeatureSpecification, metadata: &ModelMetadata) -> String {
    let row = |Column { name, kind }: &Column| {
        let (kind, usual, sentinels) = match kind {
            ColumnKind::Numeric { median, sentinels, usual } => {
                ("numeric", numbers(*median, usual.as_ref()), list(sentinels))
            }
            ColumnKind::Categorical { values, shares } => ("categorical", categories(values, shares), String::new()),
        };
        let missing = metadata.missing.get(name).map_or_else(String::new, |share| format!("{:.2} %", share * 100.));
        vec![
            Cell::Data(name.clone()),
            Cell::Text(kind.to_owned()),
            Cell::Data(usual),
            Cell::Number(missing),
            Cell::Data(sentinels),
        ]
    };
    let words = "Usual are the 5th to the 95th percentile of numbers, and the most frequent of categories. Sentinels count as missing.";
    let headings = ["Field", "Kind", "Usual", "Missing", "Sentinels"];
    format!("{}{}", paragraph(words), table(&headings, features.columns.iter().map(row)))
}

/// What is not learned from, and why.
pub(super) fn left_out(metadata: &ModelMetadata) -> String {
    let row = |(name, why): (&String, &String)| vec![Cell::Data(name.clone()), Cell::Text(why.clone())];
    let words = "A field that spec.features lists is learned from whatever it is.";
    format!("{}{}", paragraph(words), table(&["Field", "Reason"], metadata.left_out.iter().map(row)))
}

fn numbers(median: f32, usual: Option<&UsualNumbers>) -> String {
    match usual {
        Some(UsualNumbers { low, high, .. }) => format!("{} to {}", short(f64::from(*low)), short(f64::from(*high))),
        None => format!("median {}", short(f64::from(median))),
    }
}

fn categories(values: &[String], shares: &[f64]) -> String {
    let shown = values.iter().take(CATEGORIES).enumerate().map(|(number, value)| {
        let cut: String = value.chars().take(CATEGORY_CHARACTERS).collect();
        let cut = if cut.len() < value.len() { format!("{cut}…") } else { cut };
        shares.get(number).map_or_else(|| cut.clone(), |share| format!("{cut} {:.1} %", share * 100.))
    });
    let mut shown: Vec<String> = shown.collect();
    let more = values.len().saturating_sub(CATEGORIES);
    shown.extend((more > 0).then(|| format!("and {more} more")));
    shown.join(", ")
}

fn list(numbers: &[f32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
