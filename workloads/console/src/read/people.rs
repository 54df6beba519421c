//! What people wrote of a pipeline: silences, of all sites, and the newest verdicts.

use vedette_contract::keys::PipelineKeys;
use vedette_contract::verdict::{LARGEST_VERDICT, VerdictKey};
use vedette_filters::silence_filter;
use vedette_registry::PassedObject;
use vedette_registry::silences::{KeptSilence, SilenceReader, Silences};
use vedette_registry::verdicts::{KeptVerdict, Verdicts, understood};
use vedette_streams::bucket::{BucketError, ObjectSummary};

use super::Reader;
use super::mirror::Mirror;

/// Of more verdicts the oldest are not looked at: what is shown is new.
const MOST_VERDICTS: usize = 2_000;
/// Verdicts that are read in one look.
const MOST_READ: usize = 500;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct People {
    reader: SilenceReader,
    /// As they were read last.
    silences: Option<Silences>,
    verdicts: Mirror<KeptVerdict>,
}

impl People {
    /// The silences, where they are others than at the last look. Those whose match nobody can ask silence nothing.
    pub(super) async fn look_at_silences(
        &mut self,
        reader: &Reader,
        keys: &PipelineKeys,
    ) -> Result<Option<Silences>, BucketError> {
        let read = reader.silences(&mut self.reader, keys).await?;
        if self.silences.as_ref() == Some(&read) {
            return Ok(None);
        }
        self.silences = Some(read.clone());
        Ok(Some(sifted(read, keys)))
    }

    pub(super) async fn look_at_verdicts(
        &mut self,
        reader: &Reader,
        keys: &PipelineKeys,
    ) -> Result<Verdicts, BucketError> {
        let listed = newest(reader.list(&keys.verdicts_prefix()).await?, keys);
        let read = |key: &str, bytes: &[u8]| understood(keys.verdict_of(key)?, bytes).ok();
        self.verdicts.take(reader, listed, MOST_READ, read).await?;
        let all = self.verdicts.objects().filter_map(|(_, object)| object.value.clone()).collect();
        Ok(Verdicts { all, ..Verdicts::default() })
    }
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

fn newest(listed: Vec<ObjectSummary>, keys: &PipelineKeys) -> Vec<ObjectSummary> {
    let mut found: Vec<(VerdictKey, ObjectSummary)> = listed
        .into_iter()
        .filter(|object| object.length <= LARGEST_VERDICT)
        .filter_map(|object| Some((keys.verdict_of(&object.key)?, object)))
        .collect();
    found.sort_unstable_by(|(one, _), (other, _)| (&other.id, &other.site).cmp(&(&one.id, &one.site)));
    found.truncate(MOST_VERDICTS);
    found.into_iter().map(|(_, object)| object).collect()
}

#[cfg(test)]
mod tests {
    use vedette_contract::silence::SilenceFields;

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
        assert!(found[0].key.contains("/west/2026-12/20261228"), "{:?}", found[0]);
    }

    #[test]
    fn a_silence_whose_match_is_none_is_told_as_one_that_silences_nothing() {
        let kept = |number: u8, matches: &str| {
            let fields = SilenceFields {
                matches: Some(matches.to_owned()),
                from: Some("2026-11-23T08:00:00Z".parse().unwrap()),
                until: Some("2026-11-23T10:00:00Z".parse().unwrap()),
                by: Some("ada".to_owned()),
                why: Some("a test".to_owned()),
                exclude_from_training: false,
            };
            let key = format!("team/flows/silences/east/20261123T0842{number:02}Z-1a2b3c4d.json");
            KeptSilence { key: keys().silence_of(&key).unwrap(), silence: fields.try_into().unwrap() }
        };
        let read = Silences { all: vec![kept(1, "site =="), kept(2, "true")], passed: Vec::new() };
        let Silences { all, passed } = sifted(read, &keys());
        assert_eq!(all, [kept(2, "true")]);
        assert!(passed[0].key.ends_with("/east/20261123T084201Z-1a2b3c4d.json"), "{passed:?}");
        assert!(passed[0].why.contains("is not a CEL expression"), "{passed:?}");
    }
}
