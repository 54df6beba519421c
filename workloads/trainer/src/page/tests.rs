use vedette_contract::gate::{GateReport, NewestOfSite};
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{
    Column, ColumnKind, FoldMetrics, JudgedVersion, LearnedWithout, Metrics, ReadVerdict, SCHEMA, Uncounted,
    UsualNumbers,
};
use vedette_contract::parameters::Setting;
use vedette_contract::search::{SearchAlgorithm, SearchMetric, SearchReport, Trial, TrialMetrics};
use vedette_contract::silence::SilenceKey;
use vedette_contract::verdict::VerdictKey;

use super::*;

const HOSTILE: &str = "</td><script>alert(1)</script>\" onload='x'&\u{202e}\u{7}";

fn metadata() -> ModelMetadata {
    let metrics = Metrics {
        rows: 1_000,
        anomalies: Some(10),
        auroc: Some(0.99),
        auprc: Some(0.8),
        recall_at_budget: Some(0.7),
        precision_at_budget: None,
        alert_budget_per_million: 10_000.,
        alerts_per_million: 9_000.,
        folds: Some(FoldMetrics { folds: 2, separation: 7., stability: 0.9 }),
    };
    let trial = |trees: i32, error: Option<&str>| Trial {
        parameters: [("trees".to_owned(), Setting::Count(trees))].into(),
        metrics: TrialMetrics { auprc: error.is_none().then_some(0.75), ..TrialMetrics::default() },
        seconds: 1.5,
        error: error.map(str::to_owned),
    };
    let search = SearchReport {
        algorithm: SearchAlgorithm::Random,
        metric: SearchMetric::Auprc,
        folds: 2,
        space: None,
        seconds: 3.,
        trials: vec![trial(60, None), trial(70, Some(HOSTILE))],
    };
    ModelMetadata {
        schema: SCHEMA,
        vedette_version: "0.1.0".to_owned(),
        training: "daily".parse().unwrap(),
        pipeline: "flows".parse().unwrap(),
        trained_at_site: "east".parse().unwrap(),
        trained_by: "daily-1".to_owned(),
        trained_at: "2026-11-23T00:00:00Z".parse().unwrap(),
        algorithm: Algorithm::IsolationForest,
        parameters: [("trees".to_owned(), 60.into())].into(),
        seed: 1,
        objects: Vec::new(),
        sites: vec!["east".parse().unwrap()],
        records: 5_000,
        duplicates: 3,
        unreadable: 0,
        damaged: 0,
        lost: 0,
        texts: [].into(),
        reference: None,
        sampled: 5_000,
        learned: 4_000,
        calibrated_on: Some(CalibrationRows {
            at_random: 1_000,
            newest: 900,
            newest_alerts_per_million: Some(1_100.),
            budget_error_per_million: 700.,
        }),
        sentinels: [].into(),
        missing: [(HOSTILE.to_owned(), 0.125)].into(),
        distributions: None,
        left_out: [(HOSTILE.to_owned(), HOSTILE.to_owned())].into(),
        separating: vec![HOSTILE.to_owned()],
        silenced: 7,
        simulated: 3,
        silences: vec![LearnedWithout {
            key: SilenceKey { site: "east".parse().unwrap(), id: "20261123T084210Z-1a2b3c4d".parse().unwrap() },
            matches: HOSTILE.to_owned(),
            from: "2026-11-23T08:00:00Z".parse().unwrap(),
            until: "2026-11-23T09:00:00Z".parse().unwrap(),
        }],
        verdicts: vec![ReadVerdict {
            key: VerdictKey { site: "east".parse().unwrap(), id: "20261123T084210Z-1a2b3c4d".parse().unwrap() },
            sha256: String::new(),
        }],
        judged: vec![judged(None, 1, 0), judged(Some("20261122T000000Z-1a2b3c4d"), 8, 5)],
        verdicts_uncounted: None,
        last_utc: None,
        baseline: Some(Metrics { folds: None, ..metrics.clone() }),
        metrics,
        search: Some(search),
        report: None,
        gate: GateReport::default(),
    }
}

fn judged(version: Option<&str>, alerts: u64, anomalies: u64) -> JudgedVersion {
    let precision = anomalies as f64 / alerts as f64;
    JudgedVersion { version: version.map(|version| version.parse().unwrap()), alerts, anomalies, precision }
}

fn features() -> FeatureSpecification {
    let usual = Some(UsualNumbers { low: 1.25, high: 1_234.5, beyond_low: 0., beyond_high: 9_999. });
    let numeric = ColumnKind::Numeric { median: 7., sentinels: vec![-9_999.], usual };
    let values =
        (0..7).map(|number| if number == 0 { HOSTILE.to_owned() } else { format!("value {number}") }).collect();
    let categorical = ColumnKind::Categorical { values, shares: vec![0.5, 0.25] };
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    FeatureSpecification { schema: SCHEMA, columns: vec![column(HOSTILE, numeric), column("service", categorical)] }
}

fn drawn() -> Picture {
    let scores: Vec<f64> = (0..1_000).map(|row| f64::from(row * row)).collect();
    let labels: Vec<Option<bool>> = (0..1_000).map(|row| Some(row % 100 == 99)).collect();
    Picture::of(&scores, &labels, 10_000.)
}

/// The page with every tag and its attributes cut away.
fn tags(page: &str) -> Vec<&str> {
    page.split('<').skip(1).map(|tag| tag.split(['>', ' ']).next().unwrap()).collect()
}

#[test]
fn no_name_or_value_of_the_data_is_markup() {
    let page = page(&metadata(), &features(), &drawn());
    let known = [
        "!doctype", "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "section", "div",
        "table", "thead", "tbody", "tr", "th", "td", "code", "svg", "rect", "line", "text", "polyline", "circle",
    ];
    for tag in tags(&page) {
        assert!(known.contains(&tag.trim_start_matches('/')), "{tag}");
    }
    assert!(!page.contains("onload='"), "an attribute");
    let escaped = "&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39;&amp;\u{202e}\\u{7}";
    // The feature, what is left out with its reason, what may be a label, and the trial that failed.
    assert_eq!(page.matches(escaped).count(), 5);
    for tag in ["section", "table", "tr", "td", "th", "svg", "code", "text", "p"] {
        let [opened, closed] = [format!("<{tag}>"), format!("</{tag}>")].map(|tag| page.matches(&tag).count());
        assert_eq!(opened + page.matches(&format!("<{tag} ")).count(), closed, "{tag}");
    }
}

#[test]
fn the_page_needs_and_may_load_nothing_else() {
    let page = page(&metadata(), &features(), &drawn());
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
    for word in ["http:", "https:", "url(", "@import", "src=", "href="] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn what_is_known_of_the_model_stands_on_the_page() {
    let page = page(&metadata(), &features(), &drawn());
    for text in [
        "alerts at 10000 per million",
        "1.25 to 1234",
        "12.50 %",
        "-9999",
        "50.0 %, value 1 25.0 %, value 2, value 3, value 4, and 2 more",
        "Random: 2 of infinitely many combinations, each on 2 folds of the training rows, compared by Auprc",
        "0.7500",
        "SeedForest, the recipe of 2016",
        "narrow bars are the 10 that the label calls anomalies",
        "5000 of east; 3 duplicates",
        "1000 rows at random, 900 of the newest",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn what_people_made_of_alerts_stands_by_version_the_newest_first() {
    let number = |text: &str| format!("<td class=\"number\">{text}</td>");
    let row = |version: &str, numbers: [&str; 3]| {
        format!("<tr><th scope=\"row\">{version}</th>{}</tr>\n", numbers.map(number).concat())
    };
    let rows = row("20261122T000000Z-1a2b3c4d", ["8", "5", "0.6250"]) + &row("not known", ["1", "0", "0.0000"]);
    let few = page(&metadata(), &features(), &drawn());
    assert!(few.contains(&rows) && few.contains("Verdicts read: 1. "), "{few}");
    let uncounted = Uncounted { passed: 2, alerts_of_incidents: 3, ..Uncounted::default() };
    let some = page(&ModelMetadata { verdicts_uncounted: Some(uncounted), ..metadata() }, &features(), &drawn());
    assert!(some.contains("Verdicts read: 1, 2 that are none or were not given left out. "), "{some}");
    assert!(some.contains("judged by themselves (3)."), "{some}");
    let uncounted = Uncounted { unread: Some("access denied".to_owned()), ..Uncounted::default() };
    let without = ModelMetadata { verdicts_uncounted: Some(uncounted), judged: Vec::new(), ..metadata() };
    assert!(page(&without, &features(), &drawn()).contains("are not read, and count for nothing: access denied."));
    let versions = (0..60).map(|number| judged(Some(&format!("20261122T0000{number:02}Z-1a2b3c4d")), 1, 1));
    let many = page(&ModelMetadata { judged: versions.collect(), ..metadata() }, &features(), &drawn());
    assert!(many.contains(" 10 more are in the metadata."));
    assert!(many.contains("20261122T000010Z") && !many.contains("20261122T000009Z"));
}

#[test]
fn the_page_of_a_candidate_says_why_and_how_each_site_stands() {
    let newest = |site: &str, alerts, alerts_before| NewestOfSite {
        site: site.parse().unwrap(),
        records: 5_000,
        alerts,
        alerts_before,
        missing: 0.25,
    };
    let gate = GateReport {
        refused: vec![HOSTILE.to_owned()],
        warnings: vec!["there is more".to_owned()],
        newest: vec![newest("east", 3, None), newest("west", 400, Some(7))],
    };
    let candidate = page(&ModelMetadata { gate, ..metadata() }, &features(), &drawn());
    for text in
        ["Refused: this version is a candidate", "there is more", "80000", "25.00 %", "<td class=\"number\">7</td>"]
    {
        assert!(candidate.contains(text), "{text}");
    }
    assert!(!candidate.contains("<script"));
    let passed = page(&metadata(), &features(), &drawn());
    assert!(passed.contains("Passed.") && passed.contains("The newest records were not looked at."));
}

#[test]
fn what_there_is_not_is_left_out() {
    let metrics = Metrics { anomalies: None, auroc: None, ..metadata().metrics };
    let metadata = ModelMetadata {
        search: None,
        baseline: None,
        left_out: [].into(),
        separating: Vec::new(),
        silenced: 0,
        simulated: 0,
        silences: Vec::new(),
        verdicts: Vec::new(),
        judged: Vec::new(),
        verdicts_uncounted: None,
        metrics,
        ..metadata()
    };
    let page = page(&metadata, &features(), &Picture { histogram: None, budgets: Vec::new() });
    assert!(!page.contains("silences") && !page.contains("simulated"));
    assert!(self::page(&self::metadata(), &features(), &drawn()).contains("Left out as simulated"));
    assert!(self::page(&self::metadata(), &features(), &drawn()).contains("7 records, by 20261123T084210Z-1a2b3c4d"));
    for title in ["Search", "Judged alerts", "Fields left out", "Recall and precision by alert budget"] {
        assert!(!page.contains(&format!("<h2>{title}</h2>")), "{title}");
    }
    assert!(page.contains("there is nothing to draw") && page.contains("1000 rows without labels"));
}

#[test]
fn numbers_are_short() {
    let numbers = [0., 7., 1_234.5, 0.012_345, -3.456_78, 1e-9, 3.4e38, 120., 999_999.];
    let expected = ["0", "7", "1234", "0.0123", "-3.46", "1.00e-9", "3.40e38", "120", "999999"];
    assert_eq!(numbers.map(charts::short), expected.map(str::to_owned));
}
