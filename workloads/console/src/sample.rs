//! A sample of records, as they are drawn of what is archived: each record that is offered has the same chance, and what is kept is bounded
//! in records and in bytes.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;

use jiff::Timestamp;
use vedette_contract::Name;
use vedette_contract::fields::{SIMULATED, UTC};
use vedette_records::{Field, FieldNames, RecordReader, read_utc};

/// Records that are kept.
const MOST: usize = 5_000;
const MOST_BYTES: usize = 4 << 20;
/// A longer record is left out.
const LONGEST: usize = 64 << 10;
/// What a record takes beside its text.
const OVERHEAD: usize = 128;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    pub(crate) records: Vec<Drawn>,
    /// Sites that archived records within the time.
    pub(crate) sites: usize,
    /// When it was read, by the bucket's clock.
    pub(crate) read: Timestamp,
}

/// A record of it.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) site: Name,
    pub(crate) utc: Timestamp,
    pub(crate) json: Box<str>,
}

/// A sample that is being drawn: the records with the smallest hashes. One that is archived twice is one.
pub(crate) struct Draw {
    most: usize,
    most_bytes: usize,
    times: RangeInclusive<Timestamp>,
    hasher: RandomState,
    /// Nothing from this hash on can be kept.
    limit: u64,
    kept: BTreeMap<u64, Drawn>,
    bytes: usize,
    reader: RecordReader,
    utc: Field,
    simulated: Field,
}

impl Draw {
    /// Of records of these times.
    pub(crate) fn new(times: RangeInclusive<Timestamp>) -> Self {
        Self::bounded(times, MOST, MOST_BYTES)
    }

    fn bounded(times: RangeInclusive<Timestamp>, most: usize, most_bytes: usize) -> Self {
        let mut names = FieldNames::default();
        let [utc, simulated] = [UTC, SIMULATED].map(|name| names.want(name));
        Self {
            most,
            most_bytes,
            times,
            hasher: RandomState::new(),
            limit: u64::MAX,
            kept: BTreeMap::new(),
            bytes: 0,
            reader: RecordReader::new(names),
            utc,
            simulated,
        }
    }

    /// Takes a record of a site, unless somebody made it up, it is of another time or too long, or it is none. What is not drawn costs its hash only.
    pub(crate) fn offer(&mut self, site: &Name, record: &[u8]) {
        let hash = self.hasher.hash_one(record);
        if hash >= self.limit || record.len() > LONGEST {
            return;
        }
        let Some(drawn) = self.drawn(site, record) else { return };
        self.bytes += drawn.size();
        if let Some(same) = self.kept.insert(hash, drawn) {
            self.bytes -= same.size();
        }
        while self.kept.len() > self.most || self.bytes > self.most_bytes {
            let Some((hash, dropped)) = self.kept.pop_last() else { return };
            self.limit = hash;
            self.bytes -= dropped.size();
        }
    }

    fn drawn(&mut self, site: &Name, record: &[u8]) -> Option<Drawn> {
        let read = self.reader.read(record).ok()?;
        if read.get(self.simulated).is_some_and(vedette_records::Scalar::is_true) {
            return None;
        }
        let (utc, _) = read_utc(read.get(self.utc)?)?;
        let json = std::str::from_utf8(record).ok()?;
        self.times.contains(&utc).then(|| Drawn { site: site.clone(), utc, json: json.into() })
    }

    /// What was drawn.
    pub(crate) fn finish(self) -> Vec<Drawn> {
        self.kept.into_values().collect()
    }
}

impl Drawn {
    fn size(&self) -> usize {
        self.json.len() + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: [&str; 2] = ["2026-11-23T12:00:00Z", "2026-11-23T13:00:00Z"];

    fn draw(most: usize, most_bytes: usize, records: &[String]) -> Vec<Drawn> {
        let [from, to] = TIMES.map(|time| time.parse().unwrap());
        let mut draw = Draw::bounded(from..=to, most, most_bytes);
        let site = "east".parse().unwrap();
        records.iter().for_each(|record| draw.offer(&site, record.as_bytes()));
        draw.finish()
    }

    fn record(number: usize) -> String {
        format!(r#"{{"n":{number},"utc":"2026-11-23T12:30:00Z"}}"#)
    }

    #[test]
    fn what_is_old_ahead_made_up_long_or_no_record_is_left_out_and_one_that_is_archived_twice_is_one() {
        let whole = record(1);
        let records = [
            whole.clone(),
            whole.clone(),
            r#"{"utc":"2026-11-23T11:59:59Z"}"#.to_owned(),
            r#"{"utc":"2026-11-23T13:00:01Z"}"#.to_owned(),
            r#"{"utc":"2026-11-23T12:30:00Z","simulated":true}"#.to_owned(),
            r#"{"utc":"2026-11-23T12:30:00Z","simulated":1}"#.to_owned(),
            r#"{"utc":"yesterday"}"#.to_owned(),
            r#"{"n":1}"#.to_owned(),
            whole[..whole.len() - 2].to_owned(),
            format!(r#"{{"utc":"2026-11-23T12:30:00Z","long":"{}"}}"#, "x".repeat(LONGEST)),
        ];
        let mut drawn: Vec<String> = draw(100, 1 << 20, &records).iter().map(|drawn| drawn.json.to_string()).collect();
        drawn.sort();
        assert_eq!(drawn, [whole.as_str(), &records[5]]);
    }

    #[test]
    fn it_is_bounded_in_records_and_in_bytes_and_each_has_the_same_chance() {
        let records: Vec<String> = (0..2_000).map(record).collect();
        assert_eq!(draw(100, 1 << 20, &records).len(), 100);
        let drawn = draw(1_000, 50_000, &records);
        let bytes: usize = drawn.iter().map(Drawn::size).sum();
        assert!((49_000..=50_000).contains(&bytes), "{bytes}");
        // Of the first half 500 of 1,000, with a standard deviation of 13.7.
        let drawn = draw(1_000, 1 << 20, &records);
        let first = drawn.iter().filter(|drawn| records[..1_000].iter().any(|one| **one == *drawn.json)).count();
        assert!((400..600).contains(&first), "{first}");
    }
}
