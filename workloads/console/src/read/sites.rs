//! How the sites of a pipeline stand, from the objects that each of them writes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use vedette_contract::Name;
use vedette_contract::health::{Health, HealthComponent};
use vedette_contract::progress::SiteStatus;
use vedette_registry::standing::{Heard, Standing, UnreadyProcess};

use crate::owner::PipelineName;
use crate::view::{SiteView, TopicView, UnreadyView};

/// Starts of a process that differ by less are one, as the bucket tells in whole seconds when something was written.
const SAME_START: SignedDuration = SignedDuration::from_secs(5);

/// What is known of one site.
#[derive(Debug, Default)]
pub(super) struct Known<'a> {
    pub(super) status: Option<&'a SiteStatus>,
    /// Of each process what it tells, and what it told before.
    pub(super) processes: Vec<(&'a Health, Option<&'a Health>)>,
    /// When a process of it wrote something else, by the bucket's clock.
    pub(super) wrote: Option<Timestamp>,
}

impl Known<'_> {
    fn heard(&self) -> Heard<'_> {
        let Self { status, processes, wrote } = self;
        Heard { status: *status, processes: processes.iter().map(|(health, _)| *health).collect(), wrote: *wrote }
    }
}

/// All of them where the pipeline was not deleted, by name.
pub(super) fn views(pipeline: &PipelineName, known: &BTreeMap<Name, Known<'_>>, now: Timestamp) -> Vec<SiteView> {
    let there = known.iter().filter(|(_, known)| !known.heard().is_over());
    there.map(|(site, known)| view(pipeline, site, known, now)).collect()
}

fn view(pipeline: &PipelineName, site: &Name, known: &Known<'_>, now: Timestamp) -> SiteView {
    let (standing, processes) = (Standing::of(&known.heard(), now), &known.processes);
    let fresh: Vec<_> = processes.iter().filter(|(health, _)| health.is_fresh(now)).copied().collect();
    let detectors: Vec<_> =
        fresh.iter().filter(|(health, _)| health.component == HealthComponent::Detector).copied().collect();
    SiteView {
        namespace: pipeline.namespace.clone(),
        pipeline: pipeline.pipeline.clone(),
        site: site.clone(),
        ready: standing.ready,
        training: standing.training,
        model_version: standing.model_version,
        heard_utc: standing.heard_utc,
        silent_since_utc: standing.silent_since_utc,
        detectors: standing.detectors,
        records: standing.records,
        alerts: standing.alerts,
        records_per_second: rate(&detectors),
        lag_records: standing.lag_records,
        lag_seconds: standing.lag_seconds,
        lost_records: standing.lost_records,
        dead_letters: standing.dead_letters,
        threshold: standing.threshold,
        alert_budget_per_million: standing.alert_budget_per_million,
        unready: standing.unready.into_iter().map(unready).collect(),
        topics: sizes(&fresh),
    }
}

fn unready(process: UnreadyProcess) -> UnreadyView {
    let UnreadyProcess { pod, condition, reason } = process;
    UnreadyView { pod, condition, reason }
}

/// Topics that several processes read by their parts are one.
fn sizes(processes: &[(&Health, Option<&Health>)]) -> Vec<TopicView> {
    let mut sizes = BTreeMap::<&str, TopicView>::new();
    for topic in processes.iter().flat_map(|(health, _)| &health.topics) {
        let name = topic.topic.as_str();
        let empty = TopicView { topic: name.to_owned(), partitions: 0, held_records: 0, lag_records: 0 };
        let size = sizes.entry(name).or_insert(empty);
        size.partitions += topic.partitions;
        size.held_records += topic.held_records;
        size.lag_records += topic.lag_records;
    }
    sizes.into_values().collect()
}

/// Records that detectors read in a second, between what each told last and what it told before.
fn rate(detectors: &[(&Health, Option<&Health>)]) -> Option<f64> {
    let rates: Vec<f64> = detectors.iter().filter_map(|(now, before)| rate_of(now, *before)).collect();
    (!rates.is_empty()).then(|| rates.iter().sum())
}

fn rate_of(now: &Health, before: Option<&Health>) -> Option<f64> {
    let records = |health: &Health| health.topics.iter().map(|topic| topic.records).sum::<u64>();
    let age = |health: &Health| health.updated_at.duration_since(health.started_at);
    let is_same = |before: &&Health| now.started_at.duration_since(before.started_at).abs() < SAME_START;
    let before = before.filter(is_same);
    // How old a process is it knows to less than the second in which it was written.
    let (since, counted) = before.map_or((SignedDuration::ZERO, 0), |before| (age(before), records(before)));
    let seconds = (age(now) - since).as_secs_f64();
    (seconds > 0.0).then(|| records(now).saturating_sub(counted) as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-23T08:10:00Z";

    fn health(pod: &str, component: &str, updated: &str, records: u64) -> Health {
        let text = format!(
            r#"{{"site":"east","pod":"{pod}","component":"{component}","started_at":"2026-11-23T08:00:00Z",
            "updated_at":"2026-11-23T{updated}Z","topics":[{{"topic":"sensors","partitions":2,"records":{records},
            "held_records":100,"lag_records":5,"lag_seconds":1.5}}],
            "detector":{{"threshold":0.9,"dead_letters":{{"empty":2}}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn shown(known: Known<'_>) -> Option<SiteView> {
        let pipeline = PipelineName { namespace: "team".parse().unwrap(), pipeline: "flows".parse().unwrap() };
        let known = BTreeMap::from([("east".parse().unwrap(), known)]);
        views(&pipeline, &known, NOW.parse().unwrap()).pop()
    }

    fn one(known: Known<'_>) -> SiteView {
        shown(known).unwrap()
    }

    #[test]
    fn a_site_is_the_sum_of_its_processes() {
        let (before, now) =
            (health("d-1", "detector", "08:09:00", 1_000), health("d-1", "detector", "08:09:30", 1_600));
        let other = health("d-2", "detector", "08:09:00", 540);
        let archiver = health("a", "archiver", "08:09:30", 9);
        let processes = vec![(&now, Some(&before)), (&other, None), (&archiver, None)];
        let view = one(Known { processes, ..Known::default() });
        assert_eq!(view.records_per_second, Some(20.0 + 1.0));
        assert_eq!((view.lag_records, view.lag_seconds, view.dead_letters, view.threshold), (10, 1.5, 4, Some(0.9)));
        assert_eq!((view.detectors, view.records, view.unready.len()), (2, 2_140, 0));
        assert_eq!((view.topics.len(), view.topics[0].partitions, view.topics[0].held_records), (1, 6, 300));
        assert_eq!((view.ready, view.silent_since_utc), (None, None));
    }

    #[test]
    fn a_site_has_the_budget_that_its_operator_tells() {
        let told =
            r#"{"site":"east","training":null,"model_version":null,"ready":true,"updated_at":"2026-11-23T08:09:00Z"}"#;
        let older: SiteStatus = serde_json::from_str(told).unwrap();
        let newer = SiteStatus { alert_budget_per_million: Some(1000.0), ..older.clone() };
        let budgets = [older, newer]
            .map(|status| one(Known { status: Some(&status), ..Known::default() }).alert_budget_per_million);
        assert_eq!(budgets, [None, Some(1000.0)]);
    }

    #[test]
    fn a_silent_site_is_silent_since_it_was_heard_last() {
        let stale = health("d", "detector", "08:03:59", 1);
        let view = one(Known { processes: vec![(&stale, None)], ..Known::default() });
        assert_eq!(view.silent_since_utc, Some("2026-11-23T08:03:59Z".parse().unwrap()));
        assert_eq!(
            (view.records_per_second, view.threshold, view.topics.len()),
            (None, None, 0),
            "nothing is known now"
        );
        let wrote = Some("2026-11-23T08:09:00Z".parse().unwrap());
        let view = one(Known { processes: vec![(&stale, None)], wrote, ..Known::default() });
        assert_eq!((view.silent_since_utc, view.heard_utc), (None, wrote));
        assert_eq!(one(Known::default()).silent_since_utc, None, "nothing was ever heard");
    }

    #[test]
    fn a_site_where_the_pipeline_was_deleted_is_shown_only_where_something_is_heard_of_it() {
        let told = r#"{"site":"east","training":null,"model_version":null,"ready":false,"deleted":true,
            "updated_at":"2026-11-23T07:00:00Z"}"#;
        let status: SiteStatus = serde_json::from_str(told).unwrap();
        let [ending, running] = ["07:00:40", "08:09:00"].map(|updated| health("d", "detector", updated, 1));
        let known = |health| Known { status: Some(&status), processes: vec![(health, None)], wrote: None };
        assert_eq!(shown(known(&ending)), None);
        assert_eq!(shown(known(&running)).map(|view| view.detectors), Some(1));
    }

    #[test]
    fn a_process_that_started_anew_counts_from_its_start() {
        let before = Health {
            started_at: "2026-11-23T07:00:00Z".parse().unwrap(),
            ..health("d", "detector", "08:00:00", 9_999)
        };
        let now = health("d", "detector", "08:01:40", 100);
        assert_eq!(rate_of(&now, Some(&before)), Some(1.0));
    }

    #[test]
    fn a_process_counts_by_its_own_clock_which_the_bucket_tells_to_the_second() {
        let [before, now] =
            [("08:01:40", 100, "09:00:00"), ("08:01:50", 400, "09:00:12")].map(|(updated, records, written)| {
                health("d", "detector", updated, records)
                    .by_clock(Some(format!("2026-11-23T{written}Z").parse().unwrap()))
            });
        assert_eq!(rate_of(&now, Some(&before)), Some(30.0));
    }
}
