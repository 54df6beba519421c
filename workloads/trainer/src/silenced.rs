//! Records that people want no model to learn from: those that a silence with `excludeFromTraining` matches, and that were made while it
//! was in force. Neither the features, nor the sample, nor the gate sees them.

use std::sync::Arc;

use vedette_contract::Name;
use vedette_contract::arguments::PipelineArguments;
use vedette_contract::fields::UTC;
use vedette_contract::incident::IncidentOwner;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::model::LearnedWithout;
use vedette_filters::{Filter, Subject, silence_filter};
use vedette_records::{Field, FieldNames, RecordReader, read_utc};
use vedette_registry::PassedObject;
use vedette_registry::silences::{KeptSilence, SilenceReader};
use vedette_streams::bucket::Bucket;

use crate::error::TrainerError;

/// The silences of a pipeline by which records are left out.
#[derive(Debug)]
pub(crate) struct Silenced {
    namespace: Name,
    pipeline: Name,
    silences: Vec<(KeptSilence, Filter)>,
}

impl Silenced {
    /// None.
    pub(crate) fn new(owner: &PipelineArguments) -> Self {
        let PipelineArguments { namespace, pipeline, site: _ } = owner.clone();
        Self { namespace, pipeline, silences: Vec::new() }
    }

    /// Reads those of all sites.
    ///
    /// # Errors
    /// When the bucket cannot be read. What is no silence leaves nothing out.
    pub(crate) async fn read(bucket: &Bucket, owner: &PipelineArguments) -> Result<Arc<Self>, TrainerError> {
        let keys = PipelineKeys::new(&owner.namespace, &owner.pipeline);
        let listed = SilenceReader::default().read(bucket, &keys).await?;
        for PassedObject { key, why } in &listed.passed {
            tracing::warn!(key, why, "what stands among the silences is none, and leaves nothing out");
        }
        let mut silences = Vec::new();
        for kept in listed.all.into_iter().filter(|kept| kept.silence.excludes_from_training()) {
            match silence_filter(&kept.silence) {
                Ok(filter) => silences.push((kept, filter)),
                Err(error) => {
                    tracing::warn!(id = %kept.key.id, %error, "what stands among the silences is none, and leaves nothing out");
                }
            }
        }
        tracing::info!(silences = silences.len(), "silences by which records are left out");
        Ok(Arc::new(Self { silences, ..Self::new(owner) }))
    }

    /// As the metadata has them.
    pub(crate) fn told(&self) -> Vec<LearnedWithout> {
        let told = |(kept, _): &(KeptSilence, Filter)| LearnedWithout {
            key: kept.key.clone(),
            matches: kept.silence.matches().to_owned(),
            from: kept.silence.from(),
            until: kept.silence.until(),
        };
        self.silences.iter().map(told).collect()
    }
}

/// Tells the records of a site apart; one per thread.
pub(crate) struct SilencedReader {
    silenced: Arc<Silenced>,
    owner: IncidentOwner,
    reader: RecordReader,
    utc: Field,
}

impl SilencedReader {
    /// Of enriched records of that site.
    pub(crate) fn new(silenced: &Arc<Silenced>, site: &Name) -> Self {
        let mut names = FieldNames::default();
        let utc = names.want(UTC);
        let (namespace, pipeline) = (silenced.namespace.clone(), silenced.pipeline.clone());
        let owner = IncidentOwner { namespace, pipeline, site: site.clone() };
        Self { silenced: Arc::clone(silenced), owner, reader: RecordReader::new(names), utc }
    }

    /// Whether a record is to be left out. One that does not say when it was made is not, nor one of which a match is neither true nor
    /// false.
    pub(crate) fn holds(&mut self, line: &[u8]) -> bool {
        if self.silenced.silences.is_empty() {
            return false;
        }
        let Ok(record) = self.reader.read(line) else { return false };
        let Some((made, _)) = record.get(self.utc).and_then(read_utc) else { return false };
        let mut in_force = self.silenced.silences.iter().filter(|(kept, _)| kept.silence.is_in_force(made)).peekable();
        if in_force.peek().is_none() {
            return false;
        }
        let subject = Subject::record(&self.owner, line);
        in_force.any(|(_, filter)| filter.matches(&subject).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vedette_testing::TestBucket;

    use super::*;

    #[tokio::test]
    async fn a_record_is_left_out_where_a_silence_says_so_that_was_in_force_when_it_was_made() {
        let served = TestBucket::serve().await;
        let name = |text: &str| text.parse::<Name>().unwrap();
        let owner = PipelineArguments { namespace: name("team"), pipeline: name("flows"), site: name("east") };
        let silence = |matches: &str, excludes: bool| {
            json!({ "match": matches, "from": "2026-11-23T08:00:00Z", "until": "2026-11-23T09:00:00Z", "by": "ada",
                "why": "a test", "excludeFromTraining": excludes })
        };
        for (number, silence) in [
            (1, silence("site == 'west' && example.host == 'backup'", true)),
            (2, silence("true", false)),
            (3, silence("severity == 'low'", true)),
        ] {
            let key = format!("team/flows/silences/west/20261123T0842{number:02}Z-1a2b3c4d.json");
            served.put_json(&key, &silence).await;
        }
        let silenced = Silenced::read(&served.bucket, &owner).await.unwrap();
        let ids: Vec<_> = silenced.told().iter().map(|told| told.key.id.to_string()).collect();
        assert_eq!(ids, ["20261123T084201Z-1a2b3c4d"], "the second is for people alone, and the third no silence");
        let holds = |site: &str, host: &str, utc: &str| {
            let line = format!(r#"{{"host":"{host}","utc":"2026-11-23T{utc}Z"}}"#);
            SilencedReader::new(&silenced, &name(site)).holds(line.as_bytes())
        };
        assert!(holds("west", "backup", "08:00:00"));
        assert!(!holds("west", "backup", "09:00:00") && !holds("west", "backup", "07:59:59"));
        assert!(!holds("east", "backup", "08:30:00") && !holds("west", "web", "08:30:00"));
        let mut west = SilencedReader::new(&silenced, &name("west"));
        for strange in [&br#"{"host":"backup"}"#[..], br#"{"utc":"2026-11-23T08:30:00Z"}"#, b"{half"] {
            assert!(!west.holds(strange));
        }
    }
}
