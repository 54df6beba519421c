//! The report of a model: one page for a browser that needs nothing else, no script, no font, no picture from elsewhere, and may
//! load nothing. Whatever comes from the data goes through `markup`, which escapes it.

mod charts;
mod gate;
mod markup;
mod tables;

use vedette_contract::Name;
use vedette_contract::model::{CalibrationRows, FeatureSpecification, ModelMetadata, Reference};

use crate::picture::Picture;
use markup::{Cell, Text, section, table};

const STYLE: &str = include_str!("page/style.css");

/// The page of a model.
pub(crate) fn page(metadata: &ModelMetadata, features: &FeatureSpecification, picture: &Picture) -> String {
    let title = format!("Model of training {}", metadata.training);
    let mut body = vec![
        header(metadata),
        section("Gate", &gate::verdict(&metadata.gate, metadata.metrics.alert_budget_per_million)),
    ];
    body.push(section("Scores", &charts::histogram(picture, metadata.metrics.alert_budget_per_million)));
    body.extend((!picture.budgets.is_empty()).then(|| {
        let budgets = format!("{}{}", charts::budgets(&picture.budgets), tables::budgets(&picture.budgets));
        section("Recall and precision by alert budget", &budgets)
    }));
    body.push(section("Comparison of algorithms", &tables::algorithms(metadata)));
    body.extend(
        (!metadata.judged.is_empty() || metadata.verdicts_uncounted.is_some())
            .then(|| section("Judged alerts", &tables::judged(metadata))),
    );
    body.extend(metadata.search.as_ref().map(|search| section("Search", &tables::search(search))));
    body.push(section("Features", &tables::features(features, metadata)));
    body.extend((!metadata.left_out.is_empty()).then(|| section("Fields left out", &tables::left_out(metadata))));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        title = Text(title),
        body = body.concat(),
    )
}

fn header(metadata: &ModelMetadata) -> String {
    let ModelMetadata {
        training,
        pipeline,
        trained_at_site,
        trained_at,
        trained_by,
        vedette_version,
        algorithm,
        parameters,
        seed,
        sites,
        records,
        duplicates,
        unreadable,
        damaged,
        lost,
        silenced,
        simulated,
        silences,
        sampled,
        learned,
        reference,
        separating,
        calibrated_on,
        ..
    } = metadata;
    let joined = |names: &[Name]| names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
    let parameters: Vec<String> = parameters.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let mut facts = vec![
        ("Pipeline", pipeline.to_string()),
        ("Trained", format!("{trained_at:.0} at site {trained_at_site} by {trained_by}, Vedette {vedette_version}")),
        ("Algorithm", algorithm.as_str().to_owned()),
    ];
    facts.extend((!parameters.is_empty()).then(|| ("Parameters", parameters.join(", "))));
    facts.push(("Seed", seed.to_string()));
    facts.push((
        "Records read",
        format!("{records} of {}; {duplicates} duplicates, {unreadable} unreadable", joined(sites)),
    ));
    facts.extend(
        reference.map(|Reference { window, records }| ("Reference window", format!("{window}, {records} records"))),
    );
    facts.push(("Rows", format!("{sampled} sampled, {learned} learned from")));
    facts.extend(calibrated_on.map(|CalibrationRows { at_random, newest, .. }| {
        ("Calibrated on", format!("{at_random} rows at random, {newest} of the newest"))
    }));
    facts.extend((*damaged > 0).then(|| ("Damaged", format!("{damaged} archive objects, {lost} records lost"))));
    facts.extend((!silences.is_empty()).then(|| {
        let ids: Vec<_> = silences.iter().map(|silence| silence.key.id.as_str()).collect();
        ("Left out by silences", format!("{silenced} records, by {}", ids.join(", ")))
    }));
    facts.extend((*simulated > 0).then(|| ("Left out as simulated", format!("{simulated} records"))));
    facts.extend((!separating.is_empty()).then(|| ("May be labels", separating.join(", "))));
    let rows = facts.into_iter().map(|(name, value)| vec![Cell::Name(name.to_owned()), Cell::Text(value)]);
    format!("<h1>Model of training {}</h1>\n{}", Text(training), table(&[], rows))
}

#[cfg(test)]
mod tests;
