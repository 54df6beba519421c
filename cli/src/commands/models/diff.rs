//! `vedette models diff`: what two versions have and do differently.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use vedette_contract::ModelVersion;
use vedette_contract::model::{Column, ColumnKind, FoldMetrics, Metrics, ModelMetadata};
use vedette_forest::Model;
use vedette_forest::calibration::{Calibrator, threshold_for_budget};
use vedette_registry::summary::Summary;

use super::catalogue::Catalogue;
use super::training::{Chosen, TrainingOptions, WhichVersion};
use super::{ModelsError, load_model};
use crate::output::{Align, OutputFormat, OutputOptions, Table, figure, print, time};

/// Budgets for which the thresholds are compared, records per million.
const BUDGETS: [f64; 4] = [100., 1_000., 10_000., 100_000.];

/// Compares two versions of a training: what they were made of, their quality, the raw scores from which on a budget's records
/// alert, and the features that only one has or that were otherwise where it learned.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette models diff previous current --data-dir ./data -n demo
  vedette models diff current 20261123T084210Z-0a1b2c3d --data-dir ./data -n demo -o json")]
pub struct DiffOptions {
    /// A version, `current` or `previous`
    #[arg(value_name = "VERSION")]
    pub from: WhichVersion,
    /// Another one
    #[arg(value_name = "OTHER")]
    pub to: WhichVersion,
    /// Whose models.
    #[command(flatten)]
    pub training: TrainingOptions,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

#[derive(Debug, Serialize)]
struct Difference {
    from: Summary,
    to: Summary,
    thresholds: Vec<Threshold>,
    features: Features,
}

/// The raw scores above which so many records of a million score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Threshold {
    per_million: f64,
    from: f64,
    to: f64,
}

/// Features of two models.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Features {
    added: Vec<Column>,
    removed: Vec<Column>,
    changed: Vec<Changed>,
    unchanged: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Changed {
    from: Column,
    to: Column,
}

/// Prints it.
pub(super) async fn diff(options: &DiffOptions) -> Result<(), ModelsError> {
    let chosen = options.training.choose().await?;
    let catalogue = Catalogue::read(&chosen).await?;
    let [(from, of_from), (to, of_to)] =
        [catalogue.find(&chosen, &options.from)?, catalogue.find(&chosen, &options.to)?];
    let (first, second) = (model(&chosen, &from).await?, model(&chosen, &to).await?);
    let difference = Difference {
        from: catalogue.summary(&from, of_from),
        to: catalogue.summary(&to, of_to),
        thresholds: BUDGETS.map(|budget| threshold(budget, &first.calibrator, &second.calibrator)).to_vec(),
        features: features(first.encoder.columns(), second.encoder.columns()),
    };
    let format = options.output.format();
    Ok(print(|out| write(out, &difference, [of_from, of_to], format))?)
}

async fn model(chosen: &Chosen, version: &ModelVersion) -> Result<Model, ModelsError> {
    load_model(chosen.bucket(), &chosen.keys, version).await
}

fn threshold(per_million: f64, from: &Calibrator, to: &Calibrator) -> Threshold {
    let score = threshold_for_budget(per_million);
    Threshold { per_million, from: raw(from, score), to: raw(to, score) }
}

/// The raw score of a rank, which rises with it: between bounds that are doubled until they hold it, to the last digit.
fn raw(calibrator: &Calibrator, rank: f64) -> f64 {
    let (mut low, mut high) = (-1., 1.);
    while calibrator.score(low) > rank && low > f64::MIN / 2. {
        low *= 2.;
    }
    while calibrator.score(high) <= rank && high < f64::MAX / 2. {
        high *= 2.;
    }
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return low;
        }
        if calibrator.score(middle) > rank { high = middle } else { low = middle }
    }
}

fn features(from: &[Column], to: &[Column]) -> Features {
    let by_name = |columns: &[Column]| -> BTreeMap<String, Column> {
        columns.iter().map(|column| (column.name.clone(), column.clone())).collect()
    };
    let (from, to) = (by_name(from), by_name(to));
    let only_in = |these: &BTreeMap<String, Column>, others: &BTreeMap<String, Column>| -> Vec<Column> {
        these.values().filter(|column| !others.contains_key(&column.name)).cloned().collect()
    };
    let both = from.values().filter_map(|column| Some((column.clone(), to.get(&column.name)?.clone())));
    let (changed, same): (Vec<_>, Vec<_>) = both.partition(|(from, to)| said(from) != said(to));
    Features {
        added: only_in(&to, &from),
        removed: only_in(&from, &to),
        changed: changed.into_iter().map(|(from, to)| Changed { from, to }).collect(),
        unchanged: same.len(),
    }
}

/// A column in a few words, by which people tell it from another.
fn said(column: &Column) -> String {
    match &column.kind {
        ColumnKind::Numeric { median, sentinels, usual } => {
            let usual = usual.map(|usual| format!(", usually {} to {}", usual.low, usual.high)).unwrap_or_default();
            let none: Vec<String> = sentinels.iter().map(ToString::to_string).collect();
            let none = if none.is_empty() { String::new() } else { format!(", none is {}", none.join(" or ")) };
            format!("number, median {median}{usual}{none}")
        }
        ColumnKind::Categorical { values, shares: _ } => {
            let first: Vec<&str> = values.iter().take(3).map(String::as_str).collect();
            format!("{} categories, mostly {}", values.len(), first.join(", "))
        }
    }
}

fn write(
    out: &mut impl Write,
    difference: &Difference,
    metadata: [&ModelMetadata; 2],
    format: OutputFormat,
) -> io::Result<()> {
    if let Some(document) = format.document() {
        return document.write(out, difference);
    }
    let Difference { from, to, thresholds, features } = difference;
    let mut table = Table::new([("", Align::Left), ("FROM", Align::Left), ("TO", Align::Left)]);
    let (left, right) = (facts(from, metadata[0]), facts(to, metadata[1]));
    for ((name, from), (_, to)) in left.into_iter().zip(right) {
        table.row([name.to_owned(), from, to]);
    }
    for Threshold { per_million, from, to } in thresholds {
        table.row([format!("raw score of {per_million} in a million"), format!("{from:.6}"), format!("{to:.6}")]);
    }
    let Features { added, removed, changed, unchanged } = features;
    let none = || "none".to_owned();
    removed.iter().for_each(|column| table.row([format!("feature {}", column.name), said(column), none()]));
    added.iter().for_each(|column| table.row([format!("feature {}", column.name), none(), said(column)]));
    for Changed { from, to } in changed {
        table.row([format!("feature {}", from.name), said(from), said(to)]);
    }
    table.row(["features as they were".to_owned(), unchanged.to_string(), unchanged.to_string()]);
    table.write(out, format)
}

/// The same of either version, in one order.
fn facts(summary: &Summary, metadata: &ModelMetadata) -> [(&'static str, String); 18] {
    let Metrics { auroc, auprc, recall_at_budget, precision_at_budget, alert_budget_per_million, folds, .. } =
        &summary.quality;
    let of_folds = |figure: fn(&FoldMetrics) -> f64| folds.as_ref().map(figure);
    let parameters = metadata.parameters.iter().map(|(name, value)| format!("{name} {value}"));
    let parameters = parameters.collect::<Vec<_>>().join(", ");
    let sites: Vec<String> = metadata.sites.iter().map(ToString::to_string).collect();
    [
        ("version", summary.version.to_string()),
        ("state", summary.state.as_str().to_owned()),
        ("trained", time(summary.trained_at)),
        ("by", summary.published_by.as_ref().unwrap_or(&summary.trained_by).clone()),
        ("algorithm", summary.algorithm.as_str().to_owned()),
        ("parameters", if parameters.is_empty() { "none".to_owned() } else { parameters }),
        ("seed", metadata.seed.to_string()),
        ("sites", sites.join(", ")),
        ("records", summary.records.to_string()),
        ("learned from", metadata.learned.to_string()),
        ("budget", format!("{alert_budget_per_million} in a million")),
        ("AUROC", figure(*auroc)),
        ("AUPRC", figure(*auprc)),
        ("recall", figure(*recall_at_budget)),
        ("precision", figure(*precision_at_budget)),
        ("separation", figure(of_folds(|folds| folds.separation))),
        ("stability", figure(of_folds(|folds| folds.stability))),
        (
            "refused for",
            if summary.gate.refused.is_empty() { "nothing".to_owned() } else { summary.gate.refused.join("; ") },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use vedette_contract::model::UsualNumbers;
    use vedette_forest::calibration::calibrate;

    use super::*;

    #[test]
    fn the_raw_score_of_a_rank_is_the_last_that_does_not_exceed_it() {
        let calibrator = Calibrator::new(&calibrate((0..1_000).map(f64::from).collect()).unwrap()).unwrap();
        for rank in [1e-9, 0.25, 0.999, 0.999_999] {
            let found = raw(&calibrator, rank);
            assert!(calibrator.score(found) <= rank && calibrator.score(found.next_up()) > rank, "{rank}: {found}");
        }
    }

    #[test]
    fn features_are_told_apart_by_what_people_see_of_them() {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let usual = Some(UsualNumbers { low: 0., high: 9., beyond_low: -1., beyond_high: 20. });
        let number = |median| ColumnKind::Numeric { median, sentinels: vec![-9_999.], usual };
        let service = || ColumnKind::categorical(["http", "dns"].map(str::to_owned).to_vec());
        let from = [column("bytes", number(3.)), column("service", service()), column("gone", service())];
        let to = [column("bytes", number(4.)), column("new", service()), column("service", service())];
        let Features { added, removed, changed, unchanged } = features(&from, &to);
        assert_eq!((added[0].name.as_str(), removed[0].name.as_str(), unchanged), ("new", "gone", 1));
        let [Changed { from, to }] = changed.as_slice() else { panic!("{changed:?}") };
        assert_eq!(said(from), "number, median 3, usually 0 to 9, none is -9999");
        assert_eq!((to.name.as_str(), said(&removed[0]).as_str()), ("bytes", "2 categories, mostly http, dns"));
    }
}
