//! Searches for hyper-parameters, and the reports of models.

use vedette_contract::model::{REPORT_FILE, TrainingOutcome};
use vedette_contract::search::SearchMetric;
use vedette_service::Reason;
use vedette_testing::TestBucket;

use crate::support::{DAY, LABEL, current_files, machine_records, metadata, models, pointer, result, train};

const SEARCH: &str = "--search Grid --max-trials 6 --parallel-trials 2 --search-parameter trees=1,20 \
    --search-parameter maxDepth=2..10/4";

#[tokio::test]
async fn the_best_combination_is_learned_again_and_the_table_is_kept() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..4_000)).await;
    train(&bucket, "daily-1", &format!("{LABEL} {SEARCH}")).await.unwrap();
    let found = metadata(&bucket).await;
    let search = found.search.unwrap();
    assert_eq!(
        (search.metric, search.space, search.trials.len(), search.failed()),
        (SearchMetric::Auprc, Some(6), 6, 0)
    );
    assert!(search.trials.is_sorted_by(|one, next| one.metrics.auprc >= next.metrics.auprc));
    for (api, metadata) in [("trees", "trees"), ("maxDepth", "max_depth")] {
        let best = serde_json::to_value(&search.trials[0].parameters[api]).unwrap();
        assert_eq!(found.parameters[metadata], best, "{api}");
    }
    // It learned again from all rows that are not held out.
    assert!((1_850..2_150).contains(&found.learned), "{}", found.learned);
    let told = result(&bucket, "daily-1").await;
    let summary = told.search.unwrap();
    assert_eq!((summary.trials, summary.failed, summary.best.len()), (6, 0, 3));
    assert_eq!(summary.best[0].parameters, search.trials[0].combination());
    assert!(told.message.contains("6 combinations were tried on 2 folds, of which maxDepth "), "{}", told.message);

    train(&bucket, "daily-2", &format!("{LABEL} {SEARCH}")).await.unwrap();
    let again = metadata(&bucket).await.search.unwrap();
    let table = |trials: &[vedette_contract::search::Trial]| -> Vec<_> {
        trials.iter().map(|trial| (trial.combination(), trial.metrics)).collect()
    };
    assert_eq!(table(&again.trials), table(&search.trials));
}

#[tokio::test]
async fn a_search_that_would_not_end_is_refused_before_anything_is_read() {
    let bucket = TestBucket::serve().await;
    let refused = train(&bucket, "daily-1", &SEARCH.replace("--max-trials 6", "--max-trials 5")).await.unwrap_err();
    assert_eq!(refused.reason(), "InvalidSearch");
    let expected = "spec.search.maxTrials: the grid has 6 combinations";
    assert!(refused.to_string().contains(expected), "{refused}");
}

#[tokio::test]
async fn trials_that_fail_are_listed_and_do_not_end_the_search() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..1_000)).await;
    // Trees of two rows score all rows alike, so nothing alerts.
    let search = "--search Grid --max-trials 2 --parallel-trials 1 --search-parameter rowsPerTree=2,64 --maxDepth 8";
    let search = search.replace("--maxDepth 8", "--max-depth 8");
    train(
        &bucket,
        "daily-1",
        &format!("{search} --alert-budget-per-million 50000 --algorithm IsolationForest --trees 40"),
    )
    .await
    .unwrap();
    let search = metadata(&bucket).await.search.unwrap();
    assert_eq!((search.metric, search.trials.len(), search.failed()), (SearchMetric::Stability, 2, 1));
    let last = &search.trials[1];
    assert_eq!(last.combination(), "rowsPerTree 2");
    assert!(last.error.as_ref().unwrap().contains("Stability cannot be told: nothing alerts"), "{last:?}");
    let told = result(&bucket, "daily-1").await;
    assert_eq!((told.outcome, told.search.unwrap().failed), (TrainingOutcome::Published, 1));
    assert!(told.message.contains("1 trials failed, which the metadata names"), "{}", told.message);
}

#[tokio::test]
async fn the_report_lies_beside_the_version_whose_hash_it_does_not_change() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..2_000)).await;
    train(&bucket, "daily-1", &format!("{LABEL} {SEARCH}")).await.unwrap();
    let first = pointer(&bucket).await.unwrap().version;
    assert_eq!(metadata(&bucket).await.report.as_deref(), Some(REPORT_FILE));
    let key = result(&bucket, "daily-1").await.report.unwrap();
    assert_eq!(key, models().file(&first, REPORT_FILE));
    let (_, files) = current_files(&bucket).await;
    let page = String::from_utf8(files[REPORT_FILE].clone()).unwrap();
    for text in
        ["<code>vibration</code>", "<h2>Search</h2>", "alerts at 20000 per million", "SeedForest, the recipe of 2016"]
    {
        assert!(page.contains(text), "{text}");
    }
    train(&bucket, "daily-2", &format!("{LABEL} {SEARCH}")).await.unwrap();
    let second = pointer(&bucket).await.unwrap().version;
    let hash = |version: &vedette_contract::ModelVersion| version.as_str()[17..].to_owned();
    assert!(first != second && hash(&first) == hash(&second), "{first} and {second}");
    // A Job that is run again after it died before its result finds the report, too.
    bucket.bucket.delete(&models().result("daily-2")).await.unwrap();
    train(&bucket, "daily-2", &format!("{LABEL} {SEARCH}")).await.unwrap();
    let recovered = result(&bucket, "daily-2").await;
    assert_eq!(recovered.report, Some(models().file(&second, REPORT_FILE)));
    assert_eq!(recovered.search.unwrap().trials, 6);
}
