//! Archive objects as the archiver writes them, of the pipeline `team/flows`.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use vedette_contract::archive::{ArchiveObjectKey, METADATA_END, METADATA_RECORDS, METADATA_SHA256, Stream};
use vedette_contract::keys::PipelineKeys;

use super::TestBucket;

impl TestBucket {
    /// Writes a closed archive object of these lines, in several frames; returns its key.
    pub async fn archive(&self, day: &str, site: &str, start: usize, lines: &[String]) -> String {
        let bytes: Vec<u8> = lines.chunks(200).flat_map(compress).collect();
        let metadata = BTreeMap::from([
            (METADATA_END.to_owned(), (start + lines.len()).to_string()),
            (METADATA_RECORDS.to_owned(), lines.len().to_string()),
            (METADATA_SHA256.to_owned(), hex::encode(Sha256::digest(&bytes))),
        ]);
        let key = object_key(day, site, start);
        self.create(&key, bytes, &metadata).await;
        key
    }

    /// Writes a delta of an object that is open; returns its key.
    pub async fn tail(&self, object: &str, offset: usize, lines: &[String]) -> String {
        let object: ArchiveObjectKey = object.parse().unwrap();
        let key = object.delta(offset.try_into().unwrap()).to_string();
        self.create(&key, compress(lines), &BTreeMap::new()).await;
        key
    }
}

/// The key of an archive object of enriched records.
pub fn object_key(day: &str, site: &str, start: usize) -> String {
    let prefix = PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap()).stream(Stream::EnrichedData);
    format!("{prefix}{day}/{site}/enriched_data-0-{start:020}-00c0ffee.jsonl.zst")
}

fn compress(lines: &[String]) -> Vec<u8> {
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}
