use super::*;
use crate::testing;
use clap::Parser;
use vedette_contract::arguments::BucketArguments;
use vedette_contract::model::FOREST_FILE;
use vedette_forest::artifact;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    bucket: BucketArguments,
}

/// A store whose bucket nobody serves.
fn store(directory: &Path) -> ModelStore {
    let words = "test --bucket b --bucket-endpoint http://127.0.0.1:1 --access-key-id a --secret-access-key s";
    let Arguments { bucket } = Arguments::parse_from(words.split(' '));
    let keys = ModelKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap());
    ModelStore { bucket: Bucket::new(&bucket), keys, directory: directory.to_owned(), watch: Watch::default() }
}

fn files() -> (ModelVersion, Files) {
    let (version, mut files) = testing::model_files();
    let manifest = artifact::manifest_for(version.clone(), &files);
    files.insert(MANIFEST_FILE.to_owned(), serde_json::to_vec(&manifest).unwrap());
    (version, files)
}

#[tokio::test]
async fn a_model_that_was_kept_is_loaded_without_the_bucket() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    let (version, files) = files();
    store.keep(&version, &files).await.unwrap();
    store.keep(&version, &files).await.unwrap();
    let readiness = Readiness::new(&[MODEL]);
    assert!(store.load(&version, &readiness, &Shutdown::new()).await.unwrap().is_some());
    let entries: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(entries, [version.as_str()]);
}

#[tokio::test]
async fn a_damaged_copy_is_not_used_and_the_bucket_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    let (version, mut files) = files();
    files.get_mut(FOREST_FILE).unwrap()[20] ^= 1;
    store.keep(&version, &files).await.unwrap();
    let (readiness, shutdown) = (Readiness::new(&[MODEL]), Shutdown::new());
    let observer = {
        let (readiness, shutdown) = (readiness.clone(), shutdown.clone());
        async move {
            while readiness.reasons()[0].1 == "starting" {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            shutdown.cancel();
        }
    };
    let (loaded, ()) = tokio::join!(store.load(&version, &readiness, &shutdown), observer);
    assert!(loaded.unwrap().is_none());
    assert!(readiness.reasons()[0].1.contains("manifest.json"), "{:?}", readiness.reasons());
}
