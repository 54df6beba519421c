//! What people wrote of a pipeline: silences, of all sites, and the newest verdicts. It is an addition: what of it cannot be read is told
//! among what silences nothing, and stops nothing else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use vedette_contract::console::MOST_VERDICTS;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::silence::SilenceState;
use vedette_contract::verdict::{LARGEST_VERDICT, VerdictKey};
use vedette_filters::silence_filter;
use vedette_registry::PassedObject;
use vedette_registry::silences::{KeptSilence, SilenceReader, Silences};
use vedette_registry::verdicts::{KeptVerdict, understood};
use vedette_service::error_chain;
use vedette_streams::bucket::{BucketError, ObjectSummary};

use super::Reader;
use crate::metrics::Metrics;
use crate::owner::PipelineName;
use crate::store::Store;

/// A silence is deleted long after it is over: of more that are the oldest are not kept.
const MOST_OVER: usize = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct People {
    reader: SilenceReader,
    /// As they were read last, and what of them is shown.
    read: Silences,
    sifted: Silences,
    /// Verdicts never change: what was read of those that are listed is not read again.
    seen: BTreeSet<VerdictKey>,
    /// Those that are yet to be read, the newest last.
    unread: Vec<VerdictKey>,
    /// By prefix or key, what the bucket does not give, and why.
    refused: BTreeMap<String, String>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) store: &'a Store,
    pub(super) metrics: &'a Metrics,
    /// So many objects of each kind are read.
    pub(super) most: usize,
    /// Whether it is asked which verdicts there are.
    pub(super) is_discovery: bool,
}

impl People {
    /// Reads what is new, and writes it into the store.
    pub(super) async fn look(
        &mut self,
        reader: &Reader,
        pipeline: &PipelineName,
        look: Look<'_>,
    ) -> Result<(), BucketError> {
        let (keys, before) = (pipeline.keys(), self.refused.clone());
        let written = look.store.written(pipeline);
        let silences = self.look_at_silences(reader, &keys, look.most).await;
        let given = self.told(&keys.silences_prefix(), silences)?;
        let mut verdicts = Vec::new();
        let looked = self.look_at_verdicts(reader, &keys, look, &mut verdicts).await;
        look.store.add_verdicts(pipeline, verdicts);
        self.told(&keys.verdicts_prefix(), looked)?;
        if given.is_some() || self.refused != before {
            let refused = self.refused.iter().map(|(key, why)| PassedObject { key: key.clone(), why: why.clone() });
            let passed = self.sifted.passed.iter().cloned().chain(refused).collect();
            look.store.set_silences(pipeline, Silences { all: self.sifted.all.clone(), passed }, written);
        }
        if let Some((key, why)) = self.refused.iter().find(|(key, _)| !before.contains_key(*key)) {
            look.metrics.bucket_failures.inc();
            tracing::warn!(
                key,
                error = why,
                "what people wrote cannot be read; allow it, or delete what cannot be read"
            );
        }
        Ok(())
    }

    /// What came of a listing: nothing where the bucket refuses it alone.
    fn told<T>(&mut self, prefix: &str, looked: Result<T, BucketError>) -> Result<Option<T>, BucketError> {
        match looked {
            Ok(found) => {
                self.refused.remove(prefix);
                Ok(Some(found))
            }
            Err(error) if is_refusal(&error) => {
                self.refused.insert(prefix.to_owned(), error_chain(&error));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Those whose match nobody can ask silence nothing.
    async fn look_at_silences(&mut self, reader: &Reader, keys: &PipelineKeys, most: usize) -> Result<(), BucketError> {
        let read = bounded(reader.silences(&mut self.reader, keys, most).await?, reader.now());
        if self.read != read {
            self.sifted = sifted(read.clone(), keys);
            self.read = read;
        }
        Ok(())
    }

    /// Those that were read stand in `found`, also where not all could be.
    async fn look_at_verdicts(
        &mut self,
        reader: &Reader,
        keys: &PipelineKeys,
        look: Look<'_>,
        found: &mut Vec<KeptVerdict>,
    ) -> Result<(), BucketError> {
        if look.is_discovery {
            let listed = newest(reader.list(&keys.verdicts_prefix()).await?, keys);
            self.take_listing(listed, keys);
        }
        for _ in 0..look.most {
            let Some(key) = self.unread.pop() else { break };
            let full = keys.verdict(&key);
            match reader.bytes(&full).await {
                Ok(bytes) => {
                    self.refused.remove(&full);
                    found.extend(bytes.and_then(|bytes| understood(key.clone(), &bytes).ok()));
                    self.seen.insert(key);
                }
                Err(error) if is_refusal(&error) => drop(self.refused.insert(full, error_chain(&error))),
                Err(error) => {
                    self.unread.push(key);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// What has to be read of what was listed, the newest first: what was refused before comes last.
    fn take_listing(&mut self, listed: Vec<VerdictKey>, keys: &PipelineKeys) {
        let (seen, mut unread): (Vec<_>, Vec<_>) = listed.into_iter().partition(|key| self.seen.contains(key));
        self.seen = seen.into_iter().collect();
        let is_unread: BTreeSet<String> = unread.iter().map(|key| keys.verdict(key)).collect();
        let prefix = keys.verdicts_prefix();
        self.refused.retain(|key, _| !key.starts_with(&prefix) || is_unread.contains(key));
        unread.reverse();
        unread.sort_by_key(|key| !self.refused.contains_key(&keys.verdict(key)));
        self.unread = unread;
    }
}

/// Whether the bucket is there and does not give this alone.
fn is_refusal(error: &BucketError) -> bool {
    matches!(error, BucketError::Denied { .. } | BucketError::Refused { .. } | BucketError::Server { .. })
}

/// Of those that are over the newest alone.
fn bounded(mut silences: Silences, now: Timestamp) -> Silences {
    let is_over = |kept: &KeptSilence| kept.silence.state(now) == SilenceState::Over;
    let mut over: Vec<_> = silences.all.iter().filter(|kept| is_over(kept)).map(|kept| kept.key.id.clone()).collect();
    if let Some(first) = over.len().checked_sub(MOST_OVER).filter(|first| *first > 0) {
        over.sort_unstable();
        silences.all.retain(|kept| !is_over(kept) || kept.key.id >= over[first]);
    }
    silences
}

fn sifted(silences: Silences, keys: &PipelineKeys) -> Silences {
    let Silences { all, mut passed } = silences;
    let is_asked = |kept: &KeptSilence| match silence_filter(&kept.silence) {
        Ok(_) => true,
        Err(error) => {
            passed.push(PassedObject { key: keys.silence(&kept.key), why: error.to_string() });
            false
        }
    };
    let all = all.into_iter().filter(is_asked).collect();
    Silences { all, passed }
}

/// The newest verdicts of all sites, the last first.
fn newest(listed: Vec<ObjectSummary>, keys: &PipelineKeys) -> Vec<VerdictKey> {
    let is_small = |object: &ObjectSummary| object.length <= LARGEST_VERDICT;
    let mut found: Vec<_> =
        listed.into_iter().filter(is_small).filter_map(|object| keys.verdict_of(&object.key)).collect();
    found.sort_unstable_by(|one, other| (&other.id, &other.site).cmp(&(&one.id, &one.site)));
    found.truncate(MOST_VERDICTS);
    found
}

#[cfg(test)]
mod tests {
    use vedette_contract::silence::{Silence, SilenceFields};

    use vedette_testing::TestBucket;
    use vedette_testing::bucket::Behaviour;

    use super::*;

    fn keys() -> PipelineKeys {
        PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap())
    }

    #[test]
    fn of_many_verdicts_the_newest_are_looked_at_whichever_site_wrote_them() {
        let object = |site: &str, number: usize, length: u64| {
            let (month, day) = (1 + number / 28 % 12, 1 + number % 28);
            let key =
                format!("team/flows/labels/{site}/2026-{month:02}/2026{month:02}{day:02}T084210Z-{number:08x}.json");
            ObjectSummary { key, length, last_modified: None }
        };
        let mut listed: Vec<_> = (0..MOST_VERDICTS).map(|number| object("east", number % 300, 100)).collect();
        listed.push(object("west", 12 * 28 - 1, 100));
        listed.push(object("west", 12 * 28 - 2, LARGEST_VERDICT + 1));
        listed.push(ObjectSummary { key: "team/flows/labels/west/x.json".to_owned(), length: 1, last_modified: None });
        let found = newest(listed, &keys());
        assert_eq!(found.len(), MOST_VERDICTS);
        let newest = keys().verdict(&found[0]);
        assert!(newest.contains("/west/2026-12/20261228"), "{newest}");
    }

    #[test]
    fn verdicts_are_read_once_the_newest_first_and_what_was_refused_last() {
        let key = |number: u8| {
            let key = format!("team/flows/labels/east/2026-11/20261123T0842{number:02}Z-1a2b3c4d.json");
            keys().verdict_of(&key).unwrap()
        };
        let mut people = People::default();
        let turns = |people: &mut People, listed: &[u8]| {
            people.take_listing(listed.iter().map(|number| key(*number)).collect(), &keys());
            std::iter::from_fn(|| people.unread.pop()).collect::<Vec<_>>()
        };
        assert_eq!(turns(&mut people, &[3, 2, 1]), [key(3), key(2), key(1)]);
        people.seen.insert(key(2));
        people.refused.insert(keys().verdict(&key(3)), "no".to_owned());
        people.refused.insert(keys().verdicts_prefix() + "gone", "no".to_owned());
        people.refused.insert(keys().silences_prefix(), "no".to_owned());
        assert_eq!(turns(&mut people, &[4, 3, 2, 1]), [key(4), key(1), key(3)]);
        assert_eq!(people.refused.len(), 2, "what is gone is not told of: {:?}", people.refused);
    }

    #[tokio::test]
    async fn what_people_wrote_and_the_bucket_does_not_give_is_told_and_stops_nothing() {
        let (served, pipeline) = (TestBucket::serve().await, crate::testing::owner("east").pipeline_name());
        let (metrics, mut people) = (Metrics::default(), People::default());
        let (store, reader) = (Store::new(metrics.clone()), Reader::new(served.bucket.clone(), metrics.clone()));
        let key = "team/flows/silences/east/20261123T084210Z-1a2b3c4d.json";
        served.put_json(key, &silence("true", "2026-11-23T10:00:00Z")).await;
        let verdict = serde_json::json!({
            "alert": {"uuid": "u", "site": "east", "detectedUtc": "2026-11-23T08:00:00Z"}, "verdict": "anomaly",
            "by": "ada", "why": "a test", "at": "2026-11-23T08:42:10Z",
        });
        let of_verdict = "team/flows/labels/east/2026-11/20261123T084210Z-1a2b3c4d.json";
        served.put_json(of_verdict, &verdict).await;
        let look = Look { store: &store, metrics: &metrics, most: 10, is_discovery: true };
        let kept = || {
            let state = store.state();
            let people = &state.people[&pipeline];
            let passed: Vec<_> = people.silences.passed.iter().map(|passed| passed.key.clone()).collect();
            (people.silences.all.len(), people.verdicts.all.len(), passed)
        };
        served.behave(Behaviour::OnlyLists);
        for _ in 0..2 {
            people.look(&reader, &pipeline, look).await.unwrap();
            assert_eq!(kept(), (0, 0, vec![of_verdict.to_owned(), "team/flows/silences/".to_owned()]));
            assert_eq!(metrics.bucket_failures.get(), 1, "it is told once");
        }
        served.behave(Behaviour::Honest);
        people.look(&reader, &pipeline, look).await.unwrap();
        assert_eq!(kept(), (1, 1, Vec::new()));
        served.behave(Behaviour::Refuses);
        people.look(&reader, &pipeline, look).await.unwrap();
        let prefixes = ["team/flows/labels/", "team/flows/silences/"].map(str::to_owned).to_vec();
        assert_eq!(kept(), (1, 1, prefixes), "what was read stays");
    }

    #[test]
    fn of_silences_that_are_over_the_newest_are_kept() {
        let kept = |number: usize, until: &str| {
            let id = format!("20261123T08{:02}{:02}Z-1a2b3c4d", number / 60, number % 60);
            let key = keys().silence_of(&format!("team/flows/silences/east/{id}.json")).unwrap();
            KeptSilence { key, silence: silence("true", until) }
        };
        let (over, lasting) = ("2026-11-23T10:00:00Z", "2026-12-23T10:00:00Z");
        let mut all = vec![kept(0, lasting)];
        all.extend((1..=MOST_OVER + 2).map(|number| kept(number, over)));
        let read = Silences { all: all.clone(), passed: Vec::new() };
        let found = bounded(read.clone(), "2026-11-24T00:00:00Z".parse().unwrap());
        assert_eq!(found.all, [&all[..1], &all[3..]].concat());
        assert_eq!(bounded(read.clone(), "2026-11-23T09:00:00Z".parse().unwrap()), read);
    }

    fn silence(matches: &str, until: &str) -> Silence {
        let fields = SilenceFields {
            matches: Some(matches.to_owned()),
            from: Some("2026-11-23T08:00:00Z".parse().unwrap()),
            until: Some(until.parse().unwrap()),
            by: Some("ada".to_owned()),
            why: Some("a test".to_owned()),
            exclude_from_training: false,
        };
        fields.try_into().unwrap()
    }

    #[test]
    fn a_silence_whose_match_is_none_is_told_as_one_that_silences_nothing() {
        let kept = |number: u8, matches: &str| {
            let key = format!("team/flows/silences/east/20261123T0842{number:02}Z-1a2b3c4d.json");
            KeptSilence { key: keys().silence_of(&key).unwrap(), silence: silence(matches, "2026-11-23T10:00:00Z") }
        };
        let read = Silences { all: vec![kept(1, "site =="), kept(2, "true")], passed: Vec::new() };
        let Silences { all, passed } = sifted(read, &keys());
        assert_eq!(all, [kept(2, "true")]);
        assert!(passed[0].key.ends_with("/east/20261123T084201Z-1a2b3c4d.json"), "{passed:?}");
        assert!(passed[0].why.contains("is not a CEL expression"), "{passed:?}");
    }
}
