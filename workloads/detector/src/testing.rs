//! A small real model for tests: two numeric features and a categorical one, one of them calculated.

use std::collections::BTreeMap;

use vedette_contract::ModelVersion;
use vedette_contract::fields::Reason;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{Column, ColumnKind, FeatureSpecification, SCHEMA};
use vedette_forest::{Learner, Matrix, Model, artifact, calibration, fit, with_usual};

/// A reason of which only this is known.
pub(crate) fn reason(field: &str, share: f64) -> Reason {
    Reason { field: field.to_owned(), share, value: None, direction: None, usual: None, expected: None }
}

/// A model that finds `total_bytes` far above 600, and its version and files.
pub(crate) fn model_files() -> (ModelVersion, BTreeMap<String, Vec<u8>>) {
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let columns = vec![
        column("duration", ColumnKind::numeric(5.0)),
        column("total_bytes", ColumnKind::numeric(500.0)),
        column("service", ColumnKind::categorical(vec!["http".to_owned(), "smtp".to_owned()])),
    ];
    let mut rows = Matrix::new(columns.len());
    for number in 0..1000u16 {
        let bytes = if number < 3 { 50_000.0 } else { 400.0 + f32::from(number % 200) };
        rows.push_row(&[f32::from(number % 10), bytes, f32::from(number % 2)]);
    }
    let forest = fit(&Learner::defaults(Algorithm::Ensemble), &rows, &columns, &[], 7).unwrap();
    let mut scores = Vec::new();
    forest.score_batch(&rows, &mut scores);
    let calibration = calibration::calibrate(scores).unwrap();
    let packed = artifact::pack(
        &forest,
        &FeatureSpecification { schema: SCHEMA, columns: with_usual(&columns, &rows) },
        &calibration,
    )
    .unwrap();
    let at = "2026-11-23T08:42:10Z".parse().unwrap();
    (ModelVersion::new(at, &packed.content_sha256).unwrap(), packed.files)
}

pub(crate) fn model() -> (ModelVersion, Model) {
    let (version, files) = model_files();
    let manifest = artifact::manifest_for(version.clone(), &files);
    (version, Model::from_files(&files, &manifest).unwrap())
}
