//! What people made of alerts: the verdicts of a pipeline, and what they come to by the version that scored the alerts. Nothing is
//! learned from them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use vedette_contract::arguments::PipelineArguments;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::model::{JudgedVersion, ReadVerdict, Uncounted};
use vedette_contract::verdict::{Finding, Judged as Subject, JudgedIncident, JudgedKey};
use vedette_contract::{ModelVersion, Name};
use vedette_registry::PassedObject;
use vedette_registry::verdicts::{self, KeptVerdict, Verdicts};
use vedette_streams::bucket::Bucket;

/// So many of what is no verdict are named in the log.
const NAMED: usize = 100;

/// By so much a detector's clock may be ahead of that of the notifier, which dates no alert of an incident later than its own.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// As the metadata has them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Judged {
    pub(crate) verdicts: Vec<ReadVerdict>,
    pub(crate) versions: Vec<JudgedVersion>,
    pub(crate) uncounted: Option<Uncounted>,
}

impl Judged {
    /// Reads the verdicts of all sites. What is none counts for nothing, and none does where the bucket gives none: nothing is learned
    /// from them, so a training does not stop for them.
    pub(crate) async fn read(bucket: &Bucket, owner: &PipelineArguments) -> Self {
        let keys = PipelineKeys::new(&owner.namespace, &owner.pipeline);
        let read = match verdicts::read(bucket, &keys).await {
            Ok(read) => read,
            Err(error) => {
                let unread = Some(error.to_string());
                tracing::warn!(reason = error.reason(), %error, "verdicts on alerts cannot be read, and count for nothing");
                return Self { uncounted: Some(Uncounted { unread, ..Uncounted::default() }), ..Self::default() };
            }
        };
        let Verdicts { all, passed, older } = &read;
        for PassedObject { key, why } in passed.iter().take(NAMED) {
            tracing::warn!(key, why, "what stands among the verdicts is none, and counts for nothing");
        }
        if passed.len() > NAMED || *older > 0 {
            tracing::warn!(passed = passed.len(), older, "verdicts were passed: those that are none, and the oldest");
        }
        let told =
            |KeptVerdict { key, sha256, .. }: &KeptVerdict| ReadVerdict { key: key.clone(), sha256: sha256.clone() };
        let (versions, alerts_of_incidents) = by_version(&read);
        let uncounted = Uncounted { unread: None, passed: passed.len(), older: *older, alerts_of_incidents };
        let uncounted = (uncounted != Uncounted::default()).then_some(uncounted);
        tracing::info!(verdicts = all.len(), versions = versions.len(), "verdicts on alerts were read");
        Self { verdicts: all.iter().map(told).collect(), versions, uncounted }
    }
}

/// Of all that are judged each alert once: by the verdict on itself, where there is one, and else by that on its incident. Also how many
/// alerts of incidents were not counted for that.
fn by_version(verdicts: &Verdicts) -> (Vec<JudgedVersion>, u64) {
    let standing = verdicts.standing();
    let mut tally = Tally::default();
    let mut times = BTreeMap::<_, Vec<_>>::new();
    for kept in standing.values() {
        if let Subject::Alert(alert) = kept.verdict.judged() {
            tally.add(alert.model_version.as_ref(), kept.verdict.finding(), 1);
            times.entry(&alert.site).or_default().push(alert.detected_utc);
        }
    }
    times.values_mut().for_each(|times| times.sort_unstable());
    let alone = Alone { times, standing: &standing };
    let mut uncounted = 0_u64;
    for kept in standing.values() {
        if let Subject::Incident(incident) = kept.verdict.judged() {
            let taken = alone.of(incident).min(incident.alerts);
            uncounted = uncounted.saturating_add(taken);
            tally.add(incident.model_version.as_ref(), kept.verdict.finding(), incident.alerts - taken);
        }
    }
    (tally.versions(), uncounted)
}

/// The alerts that have a verdict of their own.
struct Alone<'a> {
    /// When those of a site were detected, sorted.
    times: BTreeMap<&'a Name, Vec<Timestamp>>,
    standing: &'a BTreeMap<JudgedKey<'a>, &'a KeptVerdict>,
}

impl Alone<'_> {
    /// How many of an incident they may be. It does not say which alerts it has, but where, from when until when, and its example: so
    /// all that were detected there and then, that none is counted twice.
    fn of(&self, incident: &JudgedIncident) -> u64 {
        let JudgedIncident { site, first_utc, last_utc, example, .. } = incident;
        let first = first_utc.saturating_sub(SKEW).unwrap_or(*first_utc);
        let last = last_utc.saturating_add(SKEW).unwrap_or(*last_utc);
        let within = self.times.get(site).map_or(0, |times| {
            let before = times.partition_point(|time| *time < first);
            times.partition_point(|time| *time <= last) - before
        });
        let example = example.as_ref().and_then(|uuid| self.standing.get(&JudgedKey::Alert { site, uuid }));
        let is_beyond = example.is_some_and(|kept| match kept.verdict.judged() {
            Subject::Alert(alert) => !(first..=last).contains(&alert.detected_utc),
            Subject::Incident(_) => false,
        });
        (within + usize::from(is_beyond)) as u64
    }
}

/// Alerts and anomalies among them, by version.
#[derive(Default)]
struct Tally<'a>(BTreeMap<Option<&'a ModelVersion>, (u64, u64)>);

impl<'a> Tally<'a> {
    fn add(&mut self, version: Option<&'a ModelVersion>, finding: Finding, more: u64) {
        if more == 0 {
            return;
        }
        let (alerts, anomalies) = self.0.entry(version).or_default();
        *alerts = alerts.saturating_add(more);
        if finding == Finding::Anomaly {
            *anomalies = anomalies.saturating_add(more);
        }
    }

    fn versions(self) -> Vec<JudgedVersion> {
        let version = |(version, (alerts, anomalies)): (Option<&ModelVersion>, (u64, u64))| JudgedVersion {
            version: version.cloned(),
            alerts,
            anomalies,
            precision: anomalies as f64 / alerts as f64,
        };
        self.0.into_iter().map(version).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use vedette_testing::TestBucket;
    use vedette_testing::bucket::Behaviour;

    use super::*;

    const OLD: &str = "20261101T000000Z-00000001";
    const NEW: &str = "20261120T000000Z-00000002";
    const INCIDENT: &str = "e10ccd88-6b1b-5425-8e1e-5a86f19dd1c5";
    const OTHER: &str = "e10ccd88-6b1b-5425-8e1e-5a86f19dd1c6";

    fn alert(uuid: &str, site: &str, minute: u32, version: Option<&str>) -> Value {
        let detected = format!("2026-11-21T08:{minute:02}:00Z");
        let alert = json!({ "uuid": uuid, "site": site, "detectedUtc": detected });
        json!({ "alert": with_version(alert, version) })
    }

    /// Of eight in the morning until half past.
    fn incident(id: &str, site: &str, alerts: u64, example: Option<&str>, version: Option<&str>) -> Value {
        let mut incident = json!({ "id": id, "site": site, "firstUtc": "2026-11-21T08:00:00Z",
            "lastUtc": "2026-11-21T08:30:00Z", "alerts": alerts });
        incident.as_object_mut().unwrap().extend(example.map(|uuid| ("example".to_owned(), uuid.into())));
        json!({ "incident": with_version(incident, version) })
    }

    fn with_version(mut judged: Value, version: Option<&str>) -> Value {
        judged.as_object_mut().unwrap().extend(version.map(|version| ("modelVersion".to_owned(), version.into())));
        judged
    }

    /// What verdicts come to that were given one after the other, by the two sites in turn.
    async fn judged(given: &[(&str, Value)]) -> Judged {
        let served = TestBucket::serve().await;
        let name = |text: &str| text.parse::<Name>().unwrap();
        let owner = PipelineArguments { namespace: name("team"), pipeline: name("flows"), site: name("east") };
        for (number, (finding, judged)) in given.iter().enumerate() {
            let mut verdict = json!({ "verdict": finding, "by": "ada", "why": "a test",
                "at": format!("2026-11-23T08:42:{number:02}Z") });
            verdict.as_object_mut().unwrap().extend(judged.as_object().unwrap().clone());
            let site = if number % 2 == 0 { "west" } else { "east" };
            let key = format!("team/flows/labels/{site}/2026-11/20261123T0842{number:02}Z-1a2b3c4d.json");
            served.put_json(&key, &verdict).await;
        }
        Judged::read(&served.bucket, &owner).await
    }

    fn told(judged: &Judged) -> Vec<(Option<&str>, u64, u64)> {
        let told = judged.versions.iter();
        told.map(|of| (of.version.as_ref().map(ModelVersion::as_str), of.alerts, of.anomalies)).collect()
    }

    #[tokio::test]
    async fn the_precision_of_a_version_is_that_of_its_judged_alerts_and_the_last_verdict_of_each_counts() {
        let judged = judged(&[
            ("anomaly", alert("u-1", "east", 1, Some(NEW))),
            ("anomaly", alert("u-2", "east", 2, Some(NEW))),
            ("expected", alert("u-3", "west", 3, Some(NEW))),
            ("anomaly", alert("u-4", "west", 4, Some(OLD))),
            ("expected", alert("u-1", "east", 1, Some(NEW))),
            ("expected", alert("u-5", "west", 5, None)),
        ])
        .await;
        assert_eq!(told(&judged), [(None, 1, 0), (Some(OLD), 1, 1), (Some(NEW), 3, 1)]);
        let precision: Vec<f64> = judged.versions.iter().map(|of| of.precision).collect();
        assert_eq!(precision, [0., 1., 1. / 3.]);
        let keys: Vec<_> =
            judged.verdicts.iter().map(|read| read.key.site.to_string() + &read.key.id.as_str()[13..15]).collect();
        assert_eq!(
            keys,
            ["east01", "east03", "east05", "west00", "west02", "west04"],
            "also the one that was replaced"
        );
    }

    #[tokio::test]
    async fn an_incident_counts_for_all_its_alerts_but_those_that_were_judged_by_themselves() {
        let judged = judged(&[
            // Two may be of the incident, one is of another site, and one came after it.
            ("anomaly", alert("u-1", "east", 0, Some(NEW))),
            ("expected", alert("u-2", "east", 30, Some(OLD))),
            ("expected", alert("u-3", "west", 7, Some(NEW))),
            ("expected", alert("u-4", "east", 32, Some(NEW))),
            ("anomaly", incident(INCIDENT, "east", 10, Some("u-1"), Some(NEW))),
        ])
        .await;
        assert_eq!(told(&judged), [(Some(OLD), 1, 0), (Some(NEW), 3 + 8, 1 + 8)]);
        assert_eq!(judged.uncounted, Some(Uncounted { alerts_of_incidents: 2, ..Uncounted::default() }));
    }

    #[tokio::test]
    async fn no_alert_of_an_incident_counts_twice_and_no_count_is_below_none() {
        let example = judged(&[
            // The clock of its detector was wrong, and it is known by its record.
            ("expected", alert("u-1", "east", 45, Some(NEW))),
            ("anomaly", incident(INCIDENT, "east", 1, Some("u-1"), Some(NEW))),
        ])
        .await;
        assert_eq!(told(&example), [(Some(NEW), 1, 0)]);
        let ahead = judged(&[
            // The notifier, whose clock ends the incident, is behind the detector.
            ("anomaly", alert("u-9", "east", 31, Some(NEW))),
            ("expected", incident(INCIDENT, "east", 2, Some("u-1"), Some(NEW))),
        ])
        .await;
        assert_eq!(told(&ahead), [(Some(NEW), 2, 1)]);
        let grown = judged(&[
            ("anomaly", incident(INCIDENT, "east", 3, None, None)),
            ("expected", incident(INCIDENT, "east", 5, None, Some(OLD))),
            ("anomaly", alert("u-1", "west", 1, Some(OLD))),
        ])
        .await;
        assert_eq!((told(&grown), &grown.uncounted), (vec![(Some(OLD), 1 + 5, 1)], &None), "of another site");
        let huge = judged(&[
            ("anomaly", incident(INCIDENT, "east", u64::MAX, None, Some(OLD))),
            ("anomaly", incident(OTHER, "west", u64::MAX, None, Some(OLD))),
        ])
        .await;
        assert_eq!(told(&huge), [(Some(OLD), u64::MAX, u64::MAX)]);
        assert_eq!(judged(&[]).await, Judged::default());
    }
    #[tokio::test]
    async fn what_cannot_be_read_counts_for_nothing_and_is_told() {
        let served = TestBucket::serve().await;
        let name = |text: &str| text.parse::<Name>().unwrap();
        let owner = PipelineArguments { namespace: name("team"), pipeline: name("flows"), site: name("east") };
        let mut verdict = alert("u-1", "east", 1, Some(NEW));
        let more = json!({ "verdict": "anomaly", "by": "ada", "why": "a test", "at": "2026-11-23T08:42:10Z" });
        verdict.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let month = "team/flows/labels/east/2026-11";
        served.put_json(&format!("{month}/20261123T084210Z-1a2b3c4d.json"), &verdict).await;
        served.put(&format!("{month}/20261123T084211Z-1a2b3c4d.json"), "{half").await;
        let read = Judged::read(&served.bucket, &owner).await;
        assert_eq!(told(&read), [(Some(NEW), 1, 1)]);
        assert_eq!(read.uncounted, Some(Uncounted { passed: 1, ..Uncounted::default() }));
        served.behave(Behaviour::OnlyLists);
        let Judged { verdicts, versions, uncounted } = Judged::read(&served.bucket, &owner).await;
        let unread = uncounted.and_then(|uncounted| uncounted.unread).unwrap();
        assert!(verdicts.is_empty() && versions.is_empty() && unread.contains("access denied"), "{unread}");
    }
}
