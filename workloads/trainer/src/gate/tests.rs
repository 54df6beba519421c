use vedette_contract::learner::Algorithm;
use vedette_contract::model::{ColumnKind, FeatureSpecification, SCHEMA};
use vedette_forest::artifact::{manifest_for, pack};
use vedette_forest::calibration::calibrate;
use vedette_forest::{Learner, fit};

use super::*;

fn metrics(alert_budget_per_million: f64, rows: u64) -> Metrics {
    Metrics {
        rows,
        anomalies: None,
        auroc: None,
        auprc: None,
        recall_at_budget: None,
        precision_at_budget: None,
        alert_budget_per_million,
        alerts_per_million: 0.,
        folds: None,
    }
}

fn newest(records: u64, alerts: u64, alerts_before: Option<u64>, missing: f64) -> NewestOfSite {
    NewestOfSite { site: "west".parse().unwrap(), records, alerts, alerts_before, missing }
}

#[test]
fn the_gate_names_everything_that_is_missing() {
    let gate = Gate { minimum_auroc: Some(0.9), minimum_recall: Some(0.5) };
    let reached = |auroc, recall_at_budget| Metrics { auroc, recall_at_budget, ..metrics(1_000., 2) };
    assert!(gate.refuses(&reached(Some(0.9), Some(0.5))).is_empty());
    let refused = gate.refuses(&reached(Some(0.85), None));
    let [auroc, recall] = refused.as_slice() else { panic!("{refused:?}") };
    assert_eq!(auroc, "AUROC is 0.8500 and must be at least 0.9");
    assert!(recall.contains("no labels"), "{recall}");
    let anything = Gate { minimum_auroc: None, minimum_recall: None };
    assert!(anything.refuses(&reached(None, None)).is_empty());
}

#[test]
fn a_flood_is_beyond_three_times_the_budget_beyond_chance_and_beyond_what_the_model_before_did() {
    // 1,000 in a million of 5,000 are 5.
    let well_known = metrics(1_000., 1_000_000);
    for (alerts, before, is_refused) in [
        (15, Some(0), false),
        (40, Some(39), true),
        (40, Some(40), false),
        (40, None, false),
        (500, None, false),
        (501, None, true),
        (5_000, Some(4_999), true),
    ] {
        let refused = floods(&newest(5_000, alerts, before, 0.), &well_known);
        assert_eq!(refused.is_some(), is_refused, "{alerts} {before:?}");
    }
    let refused = floods(&newest(5_000, 40, Some(3), 0.), &well_known).unwrap();
    assert_eq!(
        refused,
        "at site west 40 of the newest 5000 records would alert, 8000 in a million where 1000 may; of the current version 3 would"
    );
    // From 2,000 rows the threshold of this budget is that of the second highest score.
    let hardly_known = metrics(1_000., 2_000);
    assert_eq!(floods(&newest(5_000, 20, Some(0), 0.), &hardly_known), None);
    assert!(floods(&newest(5_000, 60, Some(0), 0.), &hardly_known).is_some());
    // Two alerts where half a one is due are chance.
    assert_eq!(floods(&newest(5_000, 2, Some(0), 0.), &metrics(100., 1_000_000)), None);
}

#[test]
fn a_first_model_is_kept_back_where_every_tenth_record_alerts_and_below_somebody_is_told() {
    let (metrics, missing) = (metrics(1_000., 1_000_000), BTreeMap::new());
    let promise = Promise { metrics: &metrics, missing: &missing };
    let check = |alerts, before| SiteCheck { newest: newest(5_000, alerts, before, 0.), lacking: Vec::new() };
    assert_eq!(check(400, None).refuses(promise), Vec::<String>::new());
    let warning = check(400, None).warns(promise).unwrap();
    assert!(warning.contains("site west 400 of the newest 5000") && warning.contains("no version to"), "{warning}");
    assert_eq!((check(5, None).warns(promise), check(400, Some(400)).warns(promise)), (None, None));
    let refused = check(4_000, None).refuses(promise);
    assert!(refused.len() == 1 && refused[0].ends_with("there is no version to compare with"), "{refused:?}");
    assert_eq!(check(4_000, None).warns(promise), None, "it is said once");
}

#[test]
fn the_chance_is_that_of_a_binomial_count() {
    // As many rows as records and one alert on either side: of two alerts, one or more on this side in three of four cases.
    let even = chance(&newest(1_000, 1, None, 0.), 0.001, 1_000);
    assert!((even - 0.75).abs() < 1e-12, "{even}");
    // 10 here and 5 there, one to four: binomial(15, 1/5), 10 or more, is 1.1 in 10,000.
    let ten = chance(&newest(1_000, 10, None, 0.), 0.00125, 4_000);
    assert!((ten - 1.132_5e-4).abs() < 1e-7, "{ten}");
    assert!(chance(&newest(5_000, 0, None, 0.), 0.001, 2_000) > 0.999);
    let flood = chance(&newest(5_000, 5_000, None, 0.), 0.005, 1_000_000);
    assert!(flood.is_finite() && flood < 1e-100, "{flood}");
}

#[test]
fn features_that_are_mostly_missing_at_a_site_are_named_where_they_were_there_in_training() {
    let lacking: Vec<String> = (0..12).map(|number| format!("f{number}")).collect();
    let usual = |share: f64| BTreeMap::from([("a".to_owned(), share), ("b".to_owned(), share)]);
    let refused = lacks(&newest(5_000, 0, None, 0.6), &lacking, &usual(0.1)).unwrap();
    assert!(refused.starts_with("at site west 60 % of the values"), "{refused}");
    assert!(
        refused.contains("where it learned 10 %")
            && refused.ends_with("no f0, f1, f2, f3, f4, f5, f6, f7, f8, f9 and 2 more")
    );
    // As sparse as where it learned, or hardly more, or too few to tell.
    assert_eq!(lacks(&newest(5_000, 0, None, 0.9), &lacking, &usual(0.9)), None);
    assert_eq!(lacks(&newest(5_000, 0, None, 0.5), &lacking, &usual(0.)), None);
    assert_eq!(lacks(&newest(99, 0, None, 1.), &lacking, &usual(0.)), None);
}

/// A model of numbers from 0 to this, that has two features.
fn model(largest: u16) -> Model {
    let column = |name: &str| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.) };
    let features = FeatureSpecification { schema: SCHEMA, columns: vec![column("load"), column("speed")] };
    let mut rows = Matrix::new(2);
    (0..1_000_u16).for_each(|row| rows.push_row(&[f32::from(row % largest), f32::from(row % 7)]));
    let forest = fit(&Learner::defaults(Algorithm::Ensemble), &rows, &features.columns, &[], 1).unwrap();
    let mut scores = Vec::new();
    forest.score_batch(&rows, &mut scores);
    let artifact = pack(&forest, &features, &calibrate(scores).unwrap()).unwrap();
    let version = vedette_contract::ModelVersion::new(jiff::Timestamp::UNIX_EPOCH, &artifact.content_sha256).unwrap();
    Model::from_files(&artifact.files, &manifest_for(version, &artifact.files)).unwrap()
}

#[test]
fn both_models_score_the_same_records_and_what_these_lack_is_counted() {
    let contest = |replaced| Contest { model: model(10), replaced, alert_budget_per_million: 20_000. };
    let line = |number: usize| format!(r#"{{"load":{}}}"#, number % 500).into_bytes();
    let mut lines: Vec<_> = (0..500).map(line).collect();
    lines.push(b"{half".to_vec());
    let SiteCheck { newest, lacking } = contest(Some(model(500))).on("west".parse().unwrap(), &lines);
    assert_eq!((newest.records, newest.missing, lacking), (500, 0.5, vec!["speed".to_owned()]));
    assert!(newest.alerts > 300 && newest.alerts_before.unwrap() < 100, "{newest:?}");
    let alone = contest(None).on("west".parse().unwrap(), &[]);
    assert_eq!((alone.newest.records, alone.newest.alerts, alone.newest.alerts_before), (0, 0, None));
}
