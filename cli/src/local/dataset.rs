//! The data set of a run: looked at before anything starts, then put into the bucket.

use std::collections::BTreeMap;
use std::fs::File;

use serde::Serialize;
use vedette_contract::arguments::DatasetArguments;
use vedette_core::validate::{Dataset, ValidatedPipeline};
use vedette_datasets::{DatasetSettings, FaultyRows, Inspection, LeftOut, inspect};
use vedette_records::Label;
use vedette_streams::bucket::{Body, Bucket};

use super::error::LocalError;
use super::options::LocalOptions;
use crate::output::Console;

/// What is told of a data set in the summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatasetSummary {
    /// Its usable rows.
    pub rows: usize,
    /// Rows that are no part of it, by reason.
    pub left_out: BTreeMap<&'static str, LeftOutSummary>,
    /// The same in words.
    #[serde(skip)]
    pub words: String,
}

/// Rows that are left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOutSummary {
    /// How many.
    pub rows: u64,
    /// Line of the first, from 1.
    pub first_line: u64,
    /// What is wrong with the first.
    pub example: String,
}

impl From<&Inspection> for DatasetSummary {
    fn from(inspection: &Inspection) -> Self {
        let Inspection { rows, left_out } = inspection;
        Self { rows: *rows, words: format!("{rows} rows; {left_out}"), left_out: by_reason(left_out) }
    }
}

fn by_reason(left_out: &LeftOut) -> BTreeMap<&'static str, LeftOutSummary> {
    let line = |faulty: &FaultyRows| {
        let FaultyRows { rows, first_line, example } = faulty.clone();
        LeftOutSummary { rows, first_line, example }
    };
    left_out.by_fault().map(|(fault, faulty)| (fault.word(), line(faulty))).collect()
}

/// Reads the file of `--dataset` as the generator will, so that what it would refuse is refused at once.
///
/// # Errors
/// When it cannot be read or used.
pub(super) fn look_at(
    options: &LocalOptions,
    pipeline: &ValidatedPipeline,
) -> Result<Option<DatasetSummary>, LocalError> {
    let Some((path, (_, settings))) = options.dataset.as_ref().zip(settings(pipeline)) else { return Ok(None) };
    let file = File::open(path).map_err(|source| LocalError::File { path: path.clone(), source })?;
    let inspection = inspect(file, &settings).map_err(|source| LocalError::Dataset { path: path.clone(), source })?;
    Ok(Some(DatasetSummary::from(&inspection)))
}

/// Puts the file of `--dataset` into the bucket.
///
/// # Errors
/// When the bucket refuses it, or no generator would read it.
pub(super) async fn upload(
    options: &LocalOptions,
    pipeline: &ValidatedPipeline,
    bucket: &Bucket,
    console: &Console,
) -> Result<(), LocalError> {
    let Some(path) = &options.dataset else { return Ok(()) };
    let Some((key, _)) = settings(pipeline) else { return Err(LocalError::DatasetWithoutGenerator) };
    bucket.delete(&key).await?;
    bucket.create(&key, Body::File(path.clone()), &BTreeMap::new()).await?;
    console.say(&format!("data set {} is in the bucket as {key}", path.display()));
    Ok(())
}

/// What is told on the command line goes over what the manifest says.
pub(super) fn over(format: &mut DatasetArguments, told: &DatasetArguments) {
    let DatasetArguments { separator, decimal_mark, encoding, columns } = told.clone();
    format.separator = separator.or(format.separator);
    format.decimal_mark = decimal_mark.or(format.decimal_mark);
    format.encoding = encoding.or(format.encoding);
    if !columns.is_empty() {
        format.columns = columns;
    }
}

/// The key of the pipeline's file, and how its generator reads it.
fn settings(pipeline: &ValidatedPipeline) -> Option<(String, DatasetSettings)> {
    let Dataset::Object { key, label, format } = &pipeline.generator.as_ref()?.dataset else { return None };
    let settings = DatasetSettings {
        format: format.clone(),
        label: label.as_ref().map(|label| Label::new(&label.field, &label.normal)),
        calculated_names: pipeline.detector.added_names(),
    };
    Some((key.clone(), settings))
}
