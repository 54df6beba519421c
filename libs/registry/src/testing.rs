//! A training in a bucket.

use std::collections::BTreeMap;

use vedette_contract::gate::GateReport;
use vedette_contract::keys::ModelKeys;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{CurrentPointer, Metrics, ModelMetadata, SCHEMA};

pub(crate) fn models() -> ModelKeys {
    ModelKeys::new(&"team".parse().unwrap(), &"daily".parse().unwrap())
}

/// A pointer to a version of this day of November.
pub(crate) fn pointer(day: u8, generation: u64, job: &str) -> CurrentPointer {
    CurrentPointer {
        version: format!("202611{day:02}T000000Z-00000000").parse().unwrap(),
        generation,
        manifest_sha256: "0".repeat(64),
        published_at: "2026-11-23T00:00:00Z".parse().unwrap(),
        published_by: job.to_owned(),
        comment: None,
        earlier: Vec::new(),
    }
}

/// A pointer that took the place of another one.
pub(crate) fn after(old: &CurrentPointer, new: CurrentPointer) -> CurrentPointer {
    CurrentPointer { earlier: old.so_far(), ..new }
}

/// What a Job says of its model.
pub(crate) fn metadata(job: &str) -> ModelMetadata {
    let metrics = Metrics {
        rows: 1,
        anomalies: None,
        auroc: None,
        auprc: None,
        recall_at_budget: None,
        precision_at_budget: None,
        alert_budget_per_million: 100.0,
        alerts_per_million: 0.0,
        folds: None,
    };
    ModelMetadata {
        schema: SCHEMA,
        vedette_version: "0.1.0".to_owned(),
        training: "daily".parse().unwrap(),
        pipeline: "flows".parse().unwrap(),
        trained_at_site: "east".parse().unwrap(),
        trained_by: job.to_owned(),
        trained_at: "2026-11-23T00:00:00Z".parse().unwrap(),
        algorithm: Algorithm::Ensemble,
        parameters: BTreeMap::new(),
        seed: 1,
        objects: Vec::new(),
        sites: Vec::new(),
        records: 1,
        duplicates: 0,
        unreadable: 0,
        reference: None,
        sampled: 1,
        learned: 1,
        calibrated_on: None,
        damaged: 0,
        lost: 0,
        texts: BTreeMap::new(),
        sentinels: BTreeMap::new(),
        missing: BTreeMap::new(),
        distributions: None,
        left_out: BTreeMap::new(),
        separating: Vec::new(),
        silenced: 0,
        simulated: 0,
        silences: Vec::new(),
        verdicts: Vec::new(),
        judged: Vec::new(),
        verdicts_uncounted: None,
        last_utc: None,
        metrics,
        search: None,
        report: None,
        baseline: None,
        gate: GateReport::default(),
    }
}
