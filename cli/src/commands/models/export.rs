//! `vedette models export`: a model version in a format that other engines load.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use thiserror::Error;
use vedette_contract::ModelVersion;
use vedette_contract::keys::ModelKeys;
use vedette_forest::{Model, export};
use vedette_registry::load::{self, Fetched, LoadError};
use vedette_registry::{RegistryError, pointer};
use vedette_streams::bucket::Bucket;

use super::training::{TrainingError, TrainingOptions};
use crate::output::{OutputError, print};

/// Writes a model as ONNX or PMML. Its inputs are the model's features as numbers, in the order of `features.json`; its
/// outputs are `raw`, the forest's own score, and `score`, the one that the detector writes.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette models export --data-dir ./data -n demo --format onnx --output kdd.onnx
  vedette models export --data-dir ./data -n demo --model-version 20261123T084210Z-0a1b2c3d --format pmml --output kdd.pmml")]
pub struct ExportOptions {
    /// Whose models.
    #[command(flatten)]
    pub training: TrainingOptions,

    /// The version; the current one where omitted
    #[arg(long, value_name = "VERSION")]
    pub model_version: Option<ModelVersion>,

    /// The format
    #[arg(long, value_enum)]
    pub format: Format,

    /// The file; standard output where omitted
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A format that other engines load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// ONNX with the operators of ai.onnx.ml 5, such as for onnxruntime 1.20 or newer
    Onnx,
    /// PMML 4.4, such as for JPMML
    Pmml,
}

/// Why there is no export.
#[derive(Debug, Error)]
pub enum ExportError {
    /// There is no such training.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// The current pointer could not be read.
    #[error(transparent)]
    Pointer(#[from] RegistryError),
    /// The version could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Nothing was published, or not this.
    #[error("the bucket has no {key}: look at --namespace, --training and --model-version")]
    Missing {
        /// What was looked for.
        key: String,
    },
    /// The file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Reads the version, checks it, and writes it in the format.
///
/// # Errors
/// When the version is not there, is damaged, or the output cannot be written.
pub(super) async fn export(options: &ExportOptions) -> Result<(), ExportError> {
    let chosen = options.training.choose().await?;
    let version = match &options.model_version {
        Some(version) => version.clone(),
        None => current(chosen.bucket(), &chosen.keys).await?,
    };
    let Model { forest, encoder, calibrator } = model(chosen.bucket(), &chosen.keys, &version).await?;
    let bytes = match options.format {
        Format::Onnx => export::onnx(&forest, Some(&calibrator)),
        Format::Pmml => export::pmml(&forest, encoder.columns(), Some(&calibrator)).into_bytes(),
    };
    match &options.output {
        Some(path) => std::fs::write(path, bytes).map_err(|source| ExportError::Write { path: path.clone(), source }),
        None => Ok(print(|out| out.write_all(&bytes))?),
    }
}

async fn current(bucket: &Bucket, keys: &ModelKeys) -> Result<ModelVersion, ExportError> {
    let stored = pointer::load(bucket, keys).await?;
    Ok(stored.ok_or_else(|| ExportError::Missing { key: keys.current() })?.pointer.version)
}

async fn model(bucket: &Bucket, keys: &ModelKeys, version: &ModelVersion) -> Result<Model, ExportError> {
    match load::fetch(bucket, keys, version).await? {
        Fetched::Whole(files) => Ok(load::model(version, &files)?),
        Fetched::Missing(key) => Err(ExportError::Missing { key }),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;
    use vedette_contract::learner::Algorithm;
    use vedette_contract::model::{Column, ColumnKind, CurrentPointer, FeatureSpecification, MANIFEST_FILE, SCHEMA};
    use vedette_forest::artifact::{ArtifactFiles, manifest_for, pack};
    use vedette_forest::calibration::calibrate;
    use vedette_forest::{Learner, Matrix, fit};

    use super::*;
    use crate::place::PlaceError;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: ExportOptions,
    }

    fn options(directory: &Path, more: &[&str]) -> ExportOptions {
        let place = directory.display().to_string();
        let line = ["export", "--data-dir", &place, "--namespace", "demo", "--training", "kdd"];
        Command::try_parse_from(line.iter().chain(more)).unwrap().options
    }

    /// Publishes a version as files.
    fn publish(directory: &Path) -> ModelVersion {
        let column = |name: &str| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.0) };
        let features = FeatureSpecification { schema: SCHEMA, columns: vec![column("bytes"), column("count")] };
        let mut rows = Matrix::new(2);
        (0..300_u16).for_each(|row| rows.push_row(&[f32::from(row % 90), f32::from(row % 7)]));
        let forest = fit(&Learner::defaults(Algorithm::Ensemble), &rows, &features.columns, &[], 1).unwrap();
        let mut scores = Vec::new();
        forest.score_batch(&rows, &mut scores);
        let ArtifactFiles { mut files, content_sha256 } =
            pack(&forest, &features, &calibrate(scores).unwrap()).unwrap();
        let version = ModelVersion::new("2026-11-23T08:42:10Z".parse().unwrap(), &content_sha256).unwrap();
        let manifest = manifest_for(version.clone(), &files);
        files.insert(MANIFEST_FILE.to_owned(), serde_json::to_vec(&manifest).unwrap());
        let keys = ModelKeys::new(&"demo".parse().unwrap(), &"kdd".parse().unwrap());
        let pointer = CurrentPointer {
            version: version.clone(),
            generation: 1,
            manifest_sha256: String::new(),
            published_at: jiff::Timestamp::now(),
            published_by: "a test".to_owned(),
            comment: None,
            earlier: Vec::new(),
        };
        let pointer = (keys.current(), serde_json::to_vec(&pointer).unwrap());
        let objects = files.into_iter().map(|(name, bytes)| (keys.file(&version, &name), bytes));
        for (key, bytes) in objects.chain([pointer]) {
            let path = directory.join("vedette").join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        version
    }

    #[tokio::test]
    async fn the_current_version_and_a_named_one_are_exported() {
        let directory = tempfile::tempdir().unwrap();
        let version = publish(directory.path());
        let output = directory.path().join("model");
        let file = output.display().to_string();
        export(&options(directory.path(), &["--format", "pmml", "--output", &file])).await.unwrap();
        let current = std::fs::read_to_string(&output).unwrap();
        assert!(current.contains(r#"<DataField name="bytes""#) && current.contains(r#"<OutputField name="score""#));
        let named = ["--format", "pmml", "--output", &file, "--model-version", version.as_str()];
        export(&options(directory.path(), &named)).await.unwrap();
        assert_eq!(std::fs::read_to_string(&output).unwrap(), current);
        export(&options(directory.path(), &["--format", "onnx", "--output", &file])).await.unwrap();
        let onnx = std::fs::read(&output).unwrap();
        assert!(onnx.windows(12).any(|bytes| bytes == b"TreeEnsemble"));
    }

    #[tokio::test]
    async fn what_is_not_there_or_damaged_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let refused = async |more: &[&str]| export(&options(directory.path(), more)).await.unwrap_err();
        let nothing = refused(&["--format", "onnx"]).await;
        assert!(matches!(nothing, ExportError::Training(TrainingError::Place(PlaceError::NoData { .. }))), "{nothing}");
        let version = publish(directory.path());
        let missing = refused(&["--format", "onnx", "--model-version", "20250101T000000Z-00000000"]).await;
        assert!(matches!(&missing, ExportError::Missing { key } if key.contains("20250101T000000Z")), "{missing}");
        let keys = ModelKeys::new(&"demo".parse().unwrap(), &"kdd".parse().unwrap());
        std::fs::write(directory.path().join("vedette").join(keys.file(&version, "forest.bin")), "trees").unwrap();
        let damaged = refused(&["--format", "onnx"]).await;
        assert!(matches!(damaged, ExportError::Load(LoadError::Artifact { .. })), "{damaged}");
    }
}
