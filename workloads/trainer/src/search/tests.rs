use clap::Parser;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{Column, ColumnKind, SCHEMA};
use vedette_contract::parameters::Setting;
use vedette_forest::Matrix;

use super::*;

fn settings(more: &str) -> Result<Option<SearchSettings>, TrainerError> {
    let common = "vedette-trainer --bucket b --access-key-id a --secret-access-key s --namespace n --pipeline p --site s \
        --training t --job j --max-records 10 --deduplicate-by uuid --seed 1 --holdout-share .5 \
        --alert-budget-per-million 20000 --keep 3";
    let arguments = TrainerArguments::try_parse_from(common.split_whitespace().chain(more.split_whitespace())).unwrap();
    SearchSettings::new(&arguments)
}

fn refused(more: &str) -> String {
    settings(more).err().map(|error| error.to_string()).unwrap_or_default()
}

const FOREST: &str = "--algorithm IsolationForest --folds 2 --search Grid --max-trials 4 --parallel-trials 2";

#[test]
fn a_search_that_would_have_no_end_or_no_begin_is_refused_with_its_field() {
    let table = [
        ("", "spec.search.parameters: is an empty space"),
        ("--search-parameter trees=", "spec.search.parameters.trees: is an empty space: give values"),
        ("--search-parameter trees=1..5", "spec.search.maxTrials: the grid has 5 combinations"),
        ("--search-parameter maxBins=8", "spec.search.parameters.maxBins: is no parameter of IsolationForest"),
        ("--search-parameter trees=8 --trees 9", "spec.search.parameters.trees: is fixed by spec.parameters"),
        ("--search-parameter trees=8 --search-parameter trees=9", "spec.search.parameters.trees: is named twice"),
        ("--search-parameter trees=8 --search-metric Auprc", "spec.search.metric: Auprc needs spec.features.label"),
    ];
    for (more, expected) in table {
        let refused = refused(&format!("{FOREST} {more}"));
        assert!(refused.contains(expected), "{more}: {refused:?}");
    }
    let one_fold = FOREST.replace("--folds 2", "--folds 1");
    let refused = refused(&format!("{one_fold} --search-parameter trees=8"));
    assert!(refused.contains("spec.validation.folds: a search takes 2 to 254 folds (is 1)"), "{refused}");
    assert!(settings("--algorithm IsolationForest --folds 2").unwrap().is_none());
}

/// One row in fifty is far away.
fn rows(count: u16) -> Rows {
    let mut matrix = Matrix::new(2);
    (0..count).for_each(|row| {
        matrix.push_row(&[f32::from(row % 97) + f32::from(u8::from(row % 50 == 7)) * 60., f32::from(row % 89)]);
    });
    Rows { matrix, labels: (0..count).map(|row| Some(row % 50 == 7)).collect(), made: vec![None; count.into()] }
}

fn features() -> FeatureSpecification {
    let column = |name: &str| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.) };
    FeatureSpecification { schema: SCHEMA, columns: vec![column("a"), column("b")] }
}

fn searched(more: &str, rows: &Rows) -> Result<(Learner, SearchReport), TrainerError> {
    let settings = settings(more).unwrap().unwrap();
    let learner = Learner::defaults(Algorithm::IsolationForest);
    let learning = LearnSettings { learner, seed: 1, alert_budget_per_million: 20_000., folds: 2 };
    search(&settings, &learning, &features(), rows, &Shutdown::new())
}

#[test]
fn the_best_combination_wins_whatever_is_made_at_a_time() {
    let space = "--search-parameter trees=1,60 --search-parameter maxDepth=1..9/8";
    let rows = rows(4_000);
    let label = "--label-field x --normal-label y";
    let (best, report) = searched(&format!("{FOREST} {space} {label}"), &rows).unwrap();
    assert_eq!((report.metric, report.space, report.trials.len()), (SearchMetric::Auprc, Some(4), 4));
    let first = &report.trials[0];
    let Learner::IsolationForest(parameters) = best else { panic!("{best:?}") };
    let expected = [("maxDepth", parameters.max_depth), ("trees", parameters.trees)]
        .map(|(name, value)| (name.to_owned(), Setting::Count(i32::try_from(value).unwrap())));
    assert_eq!(first.parameters, expected.into());
    let figures: Vec<f64> = report.trials.iter().map(|trial| trial.metrics.auprc.unwrap()).collect();
    assert!(figures.is_sorted_by(|one, next| one >= next) && figures[3] < figures[0], "{figures:?}");
    let alone = FOREST.replace("--parallel-trials 2", "--parallel-trials 1");
    let (_, other) = searched(&format!("{alone} {space} {label}"), &rows).unwrap();
    let table = |report: &SearchReport| -> Vec<_> {
        report.trials.iter().map(|trial| (trial.combination(), trial.metrics)).collect()
    };
    assert_eq!(table(&report), table(&other));
}

#[test]
fn the_smallest_budget_error_is_best_and_stability_is_the_default() {
    let space = "--search-parameter trees=1,60";
    let rows = rows(4_000);
    let (_, report) = searched(&format!("{FOREST} {space} --search-metric BudgetError"), &rows).unwrap();
    let errors: Vec<f64> = report.trials.iter().map(|trial| trial.metrics.budget_error.unwrap()).collect();
    assert!(errors[0] <= errors[1], "{errors:?}");
    assert_eq!(searched(&format!("{FOREST} {space}"), &rows).unwrap().1.metric, SearchMetric::Stability);
}

#[test]
fn trials_that_fail_are_listed_last_and_end_the_search_only_if_all_do() {
    let trial = |value: Option<f64>, error: Option<&str>| Trial {
        parameters: Combination::new(),
        metrics: TrialMetrics { stability: value, ..TrialMetrics::default() },
        seconds: 0.,
        error: error.map(str::to_owned),
    };
    let made = vec![trial(None, Some("why")), trial(Some(0.4), None), trial(Some(0.6), None), trial(Some(0.6), None)];
    let (best, trials) = ranked(made, SearchMetric::Stability);
    assert_eq!((best, trials[3].error.as_deref()), (Some(2), Some("why")));
    assert_eq!(ranked(vec![trial(None, Some("why"))], SearchMetric::Stability).0, None);

    let mut one_class = rows(1_000);
    one_class.labels.fill(Some(false));
    let classifier = "--algorithm RandomForestClassifier --folds 2 --search Grid --max-trials 2 --parallel-trials 1 \
        --search-parameter trees=1,2 --label-field x --normal-label y";
    let refused = searched(classifier, &one_class).unwrap_err();
    assert!(matches!(&refused, TrainerError::NoTrial { trials: 2, .. }), "{refused:?}");
    assert!(refused.to_string().contains("OneClass in fold 1"), "{refused}");
}

#[test]
fn an_interrupted_search_ends_without_a_result() {
    let settings = settings(&format!("{FOREST} --search-parameter trees=1,2")).unwrap().unwrap();
    let learning = LearnSettings {
        learner: Learner::defaults(Algorithm::IsolationForest),
        seed: 1,
        alert_budget_per_million: 20_000.,
        folds: 2,
    };
    let shutdown = Shutdown::new();
    shutdown.cancel();
    let ended = search(&settings, &learning, &features(), &rows(1_000), &shutdown).unwrap_err();
    assert!(matches!(ended, TrainerError::Interrupted), "{ended:?}");
}
