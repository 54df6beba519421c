//! A loaded model: what the detector needs to turn records into scores and reasons.

pub mod artifact;
pub mod budget;
pub mod calibration;
pub mod features;
pub mod rows;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use vedette_contract::fields::{Direction, Expected, Reason};
use vedette_contract::model::{CALIBRATION_FILE, FEATURES_FILE, FOREST_FILE, ModelManifest};

use crate::model::artifact::ArtifactError;
use crate::model::calibration::Calibrator;
use crate::model::features::Encoder;
use crate::score::dependence as forest;
use crate::{Forest, Matrix};

/// Forest, features and calibration of one version, checked against each other.
#[derive(Debug, Clone)]
pub struct Model {
    /// Gives raw scores and shares.
    pub forest: Forest,
    /// Turns fields into the numbers of a row.
    pub encoder: Encoder,
    /// Turns raw scores into ranks.
    pub calibrator: Calibrator,
}

impl Model {
    /// Reads a version's files. Every file of the manifest must be there, whole; all of them together must be the
    /// version's; and each must be usable.
    pub fn from_files(files: &BTreeMap<String, Vec<u8>>, manifest: &ModelManifest) -> Result<Self, ArtifactError> {
        artifact::check_files(files, manifest)?;
        let mut forest = Forest::from_bytes(artifact::file(files, FOREST_FILE)?)?;
        let encoder = Encoder::new(&json(files, FEATURES_FILE)?)?;
        // Builds before left it to the features.
        forest.know_typical(encoder.columns().iter().map(features::typical));
        let calibrator = Calibrator::new(&json(files, CALIBRATION_FILE)?)?;
        artifact::check_columns(&forest, &encoder)?;
        Ok(Self { forest, encoder, calibrator })
    }

    /// Calibrated scores of all rows, instead of what `out` held.
    ///
    /// # Panics
    /// When the rows are shorter than the model has columns.
    pub fn score_batch(&self, rows: &Matrix, out: &mut Vec<f64>) {
        self.forest.score_batch(rows, out);
        out.iter_mut().for_each(|score| *score = self.calibrator.score(*score));
    }

    /// The fields that made the row anomalous, largest share first, at most so many, instead of what `out` held.
    /// Empty where nothing about the row is strange; see [`Forest::explain`]. Their values are those of the record, which is not
    /// known here.
    ///
    /// # Panics
    /// When the row is shorter than the model has columns.
    pub fn reasons(&self, row: &[f32], out: &mut Vec<Reason>, limit: usize) {
        let columns = self.encoder.columns();
        let mut shares = vec![0.; columns.len()];
        let broken = self.forest.explain(row, &mut shares).expected;
        let mut order: Vec<usize> = (0..shares.len()).filter(|column| shares[*column] > 0.).collect();
        order.sort_by(|left, right| shares[*right].total_cmp(&shares[*left]));
        out.clear();
        let expected = |column: usize| {
            let forest::Expected { column: _, value, low, high } = broken.filter(|broken| broken.column == column)?;
            let is_known = [value, low, high].iter().all(|number| number.is_finite());
            is_known.then_some(Expected { value, low, high })
        };
        let reason = |column: usize| {
            let expected = expected(column);
            let direction = expected.map_or_else(|| self.encoder.direction(column, row[column]), side);
            let (field, usual) = (columns[column].name.clone(), self.encoder.usual(column));
            Reason { field, share: shares[column], value: None, direction, usual, expected }
        };
        out.extend(order.into_iter().take(limit).map(reason));
    }
}

/// On which side of what fits the others a value lies.
fn side(expected: Expected) -> Option<Direction> {
    let Expected { value, low, high } = expected;
    let above = (value > high).then_some(Direction::Above);
    above.or((value < low).then_some(Direction::Below))
}

fn json<T: DeserializeOwned>(files: &BTreeMap<String, Vec<u8>>, name: &'static str) -> Result<T, ArtifactError> {
    serde_json::from_slice(artifact::file(files, name)?).map_err(|source| ArtifactError::Json { file: name, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::artifact::{ArtifactFiles, CONTENT_FILES, content_sha256, manifest_for, pack};
    use crate::model::calibration::calibrate;
    use crate::score::order;
    use crate::{Learner, fit};
    use vedette_contract::ModelVersion;
    use vedette_contract::learner::Algorithm;
    use vedette_contract::model::{Calibration, Column, ColumnKind, FeatureSpecification, SCHEMA};

    struct Parts {
        forest: Forest,
        features: FeatureSpecification,
        calibration: Calibration,
        rows: Matrix,
    }

    fn parts() -> Parts {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let values = ["tcp", "udp"].map(str::to_owned).to_vec();
        let columns =
            vec![column("bytes", ColumnKind::numeric(3.)), column("protocol", ColumnKind::categorical(values))];
        let mut rows = Matrix::new(2);
        (0..400u16).for_each(|row| rows.push_row(&[f32::from(row % 100), f32::from(row % 2)]));
        let forest = fit(&Learner::defaults(Algorithm::Ensemble), &rows, &columns, &[], 1).unwrap();
        let mut scores = Vec::new();
        forest.score_batch(&rows, &mut scores);
        let calibration = calibrate(scores).unwrap();
        Parts { forest, features: FeatureSpecification { schema: SCHEMA, columns }, calibration, rows }
    }

    fn packed(parts: &Parts) -> (BTreeMap<String, Vec<u8>>, ModelManifest) {
        let ArtifactFiles { files, content_sha256 } = pack(&parts.forest, &parts.features, &parts.calibration).unwrap();
        let version = ModelVersion::new("2026-11-23T08:42:10Z".parse().unwrap(), &content_sha256).unwrap();
        let manifest = manifest_for(version, &files);
        (files, manifest)
    }

    #[test]
    fn what_was_packed_scores_the_same_after_it_was_read() {
        let parts = parts();
        let (files, manifest) = packed(&parts);
        let model = Model::from_files(&files, &manifest).unwrap();
        let calibrator = Calibrator::new(&parts.calibration).unwrap();
        let mut scores = Vec::new();
        model.score_batch(&parts.rows, &mut scores);
        for (row, score) in parts.rows.iter().zip(&scores) {
            assert_eq!(score.to_bits(), model.calibrator.score(model.forest.score(row)).to_bits());
            assert!((score - calibrator.score(parts.forest.score(row))).abs() < 1e-9);
        }
        assert_eq!(packed(&parts), (files, manifest));
    }

    #[test]
    fn what_an_older_forest_does_not_know_of_missing_values_the_features_say() {
        let mut parts = parts();
        let known = parts.forest.typical.clone();
        assert_eq!(known, [3., 2.].map(order::of_value));
        parts.forest.typical = vec![order::UNKNOWN; 2];
        let (files, manifest) = packed(&parts);
        assert_eq!(Model::from_files(&files, &manifest).unwrap().forest.typical, known);
    }

    #[test]
    fn the_strange_field_is_the_first_reason() {
        let parts = parts();
        let (files, manifest) = packed(&parts);
        let model = Model::from_files(&files, &manifest).unwrap();
        let mut reasons = Vec::new();
        model.reasons(&[1e6, 0.], &mut reasons, 9);
        assert_eq!(reasons[0].field, "bytes");
        assert!((reasons.iter().map(|reason| reason.share).sum::<f64>() - 1.).abs() < 1e-9);
        model.reasons(&[1e6, 2.], &mut reasons, 1);
        assert_eq!(reasons.len(), 1);
        model.reasons(&[1e6, 2.], &mut reasons, 0);
        assert_eq!(reasons, []);
    }

    #[test]
    fn a_changed_or_missing_file_is_refused() {
        let (files, manifest) = packed(&parts());
        for name in CONTENT_FILES {
            let mut broken = files.clone();
            broken.get_mut(name).unwrap()[20] ^= 1;
            let error = Model::from_files(&broken, &manifest).unwrap_err();
            assert!(matches!(error, ArtifactError::Hash { file, .. } if file == name));
            broken.get_mut(name).unwrap().push(0);
            let error = Model::from_files(&broken, &manifest).unwrap_err();
            assert!(matches!(error, ArtifactError::Length { file, .. } if file == name));
            broken.remove(name);
            let error = Model::from_files(&broken, &manifest).unwrap_err();
            assert!(matches!(error, ArtifactError::MissingFile { file } if file == name));
            let mut unlisted = manifest.clone();
            unlisted.files.remove(name);
            let error = Model::from_files(&files, &unlisted).unwrap_err();
            assert!(matches!(error, ArtifactError::MissingFile { file } if file == name));
        }
    }

    #[test]
    fn a_newer_schema_and_a_foreign_version_are_refused() {
        let (files, manifest) = packed(&parts());
        let newer = ModelManifest { schema: SCHEMA + 1, ..manifest.clone() };
        let error = Model::from_files(&files, &newer).unwrap_err();
        assert!(matches!(error, ArtifactError::Schema { .. }));
        let foreign = ModelManifest { version: "20261123T084210Z-00000000".parse().unwrap(), ..manifest };
        let error = Model::from_files(&files, &foreign).unwrap_err();
        assert!(matches!(error, ArtifactError::Version { .. }) && error.reason() == "WrongHash");
    }

    #[test]
    fn parts_that_do_not_belong_together_are_not_packed() {
        let Parts { forest, mut features, calibration, .. } = parts();
        features.columns.pop();
        let error = pack(&forest, &features, &calibration).unwrap_err();
        assert!(matches!(error, ArtifactError::Columns { forest: 2, features: 1 }));
        let empty = Calibration { quantiles: vec![], ..calibration };
        assert!(matches!(pack(&forest, &parts().features, &empty), Err(ArtifactError::Calibration(_))));
    }

    #[test]
    fn the_content_hash_tells_where_one_file_ends() {
        let files = |contents: [&str; 3]| -> BTreeMap<String, Vec<u8>> {
            CONTENT_FILES.into_iter().zip(contents).map(|(name, text)| (name.to_owned(), text.into())).collect()
        };
        let hash = content_sha256(&files(["ab", "c", ""])).unwrap();
        assert_ne!(hash, content_sha256(&files(["a", "bc", ""])).unwrap());
        let mut with_metadata = files(["ab", "c", ""]);
        with_metadata.insert("metadata.json".to_owned(), b"{}".to_vec());
        assert_eq!(hash, content_sha256(&with_metadata).unwrap());
    }
}
