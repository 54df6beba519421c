use vedette_contract::learner::Algorithm;
use vedette_contract::model::{Column, ColumnKind, FOREST_FILE, FeatureSpecification, METADATA_FILE, SCHEMA};
use vedette_forest::artifact::{ArtifactFiles, manifest_for, pack};
use vedette_forest::calibration::calibrate;
use vedette_forest::{Learner, Matrix, fit};

use super::*;
use crate::testing::models;
use vedette_testing::TestBucket;

/// A small real version, with a file that no score depends on.
fn files() -> (ModelVersion, Files) {
    let columns = vec![Column { name: "bytes".to_owned(), kind: ColumnKind::numeric(0.0) }];
    let mut rows = Matrix::new(1);
    (0..300_u16).for_each(|row| rows.push_row(&[f32::from(row % 90)]));
    let forest = fit(&Learner::defaults(Algorithm::IsolationForest), &rows, &columns, &[], 1).unwrap();
    let mut scores = Vec::new();
    forest.score_batch(&rows, &mut scores);
    let features = FeatureSpecification { schema: SCHEMA, columns };
    let ArtifactFiles { mut files, content_sha256 } = pack(&forest, &features, &calibrate(scores).unwrap()).unwrap();
    files.insert(METADATA_FILE.to_owned(), b"{}".to_vec());
    let version = ModelVersion::new("2026-11-23T08:42:10Z".parse().unwrap(), &content_sha256).unwrap();
    let manifest = manifest_for(version.clone(), &files);
    files.insert(MANIFEST_FILE.to_owned(), serde_json::to_vec(&manifest).unwrap());
    (version, files)
}

#[tokio::test]
async fn a_version_is_fetched_whole_or_not_at_all() {
    let served = TestBucket::serve().await;
    let (version, files) = files();
    let fetch = async || fetch(&served.bucket, &models(), &version).await.unwrap();
    for (name, bytes) in files.iter().rev() {
        let fetched = fetch().await;
        assert!(matches!(fetched, Fetched::Missing(_)), "{fetched:?}");
        served.put(&models().file(&version, name), bytes.clone()).await;
    }
    let Fetched::Whole(fetched) = fetch().await else { panic!() };
    assert_eq!(fetched, files);
    assert_eq!(model(&version, &fetched).unwrap().encoder.columns()[0].name, "bytes");
}

#[test]
fn what_is_damaged_is_refused_with_its_reason() {
    let (version, whole) = files();
    let with = |name: &str, bytes: &[u8]| {
        let mut files = whole.clone();
        files.insert(name.to_owned(), bytes.to_vec());
        model(&version, &files).map(|_| ()).map_err(|error| error.reason())
    };
    let manifest = String::from_utf8(whole[MANIFEST_FILE].clone()).unwrap();
    assert_eq!(with(MANIFEST_FILE, manifest.as_bytes()), Ok(()));
    assert_eq!(with(FOREST_FILE, b"other"), Err("WrongHash"));
    assert_eq!(with(MANIFEST_FILE, b"{"), Err("InvalidManifest"));
    assert_eq!(with(MANIFEST_FILE, manifest.replace(FOREST_FILE, "../forest.bin").as_bytes()), Err("InvalidManifest"));
    assert_eq!(with(MANIFEST_FILE, manifest.replace("\"schema\":1", "\"schema\":9").as_bytes()), Err("UnknownSchema"));
    let other = manifest.replace(version.as_str(), "20200101T000000Z-00000000");
    assert_eq!(with(MANIFEST_FILE, other.as_bytes()), Err("WrongVersion"));
}

/// The version's own hash is over the files that make the scores; the others are held by the manifest alone.
#[test]
fn a_file_that_no_score_depends_on_is_checked_too() {
    let (version, whole) = files();
    let with = |bytes: &[u8]| {
        let mut files = whole.clone();
        files.insert(METADATA_FILE.to_owned(), bytes.to_vec());
        model(&version, &files).unwrap_err()
    };
    let changed = with(b"[]");
    let LoadError::Artifact { source: ArtifactError::Hash { file, .. }, .. } = &changed else { panic!("{changed:?}") };
    assert_eq!((file.as_str(), changed.reason()), (METADATA_FILE, "WrongHash"));
    let longer = with(b"{} ");
    assert!(matches!(longer, LoadError::Artifact { source: ArtifactError::Length { .. }, .. }), "{longer:?}");
}

#[test]
fn how_records_were_in_the_training_is_known_where_the_metadata_say_it() {
    let (_, mut files) = files();
    assert_eq!(learned(&files), Learned::default(), "no metadata");
    let usually_missing = BTreeMap::from([("bytes".to_owned(), 0.25)]);
    let distributions = Distributions { score_ends: vec![0.5], scores: vec![0.25, 0.75], features: BTreeMap::new() };
    let metadata = ModelMetadata {
        missing: usually_missing.clone(),
        distributions: Some(distributions.clone()),
        ..crate::testing::metadata("daily-1")
    };
    files.insert(METADATA_FILE.to_owned(), serde_json::to_vec(&metadata).unwrap());
    assert_eq!(learned(&files), Learned { usually_missing, distributions: Some(distributions) });
    let mut older = serde_json::to_value(&metadata).unwrap();
    let fields = older.as_object_mut().unwrap();
    assert!(fields.remove("missing").is_some() && fields.remove("distributions").is_some());
    files.insert(METADATA_FILE.to_owned(), older.to_string().into_bytes());
    assert_eq!(learned(&files), Learned::default(), "an older build's");
}
