//! What became of the lines that were read, counted, and added up over threads and objects.

use jiff::Timestamp;
use vedette_contract::model::TextValues;
use vedette_records::LabelTally;

/// What became of lines.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    /// Records of the stream, which were offered to the sample.
    pub(crate) records: u64,
    /// Records of the reference window.
    pub(crate) reference: u64,
    /// Records that are too old, or whose age cannot be told.
    pub(crate) outside_lookback: u64,
    /// Records that a silence leaves out.
    pub(crate) silenced: u64,
    /// Records that somebody made up.
    pub(crate) simulated: u64,
    /// Lines that are not a record.
    pub(crate) unreadable: u64,
    /// Newest `utc` of the records, and as it is written.
    pub(crate) newest_utc: Option<(Timestamp, String)>,
    /// What their labels said.
    pub(crate) labels: LabelTally,
    /// What arrived as text in numeric columns, by their position.
    pub(crate) texts: Vec<TextValues>,
}

impl Tally {
    /// Adds what became of other lines.
    pub(crate) fn add(&mut self, other: Tally) {
        let Self { records, reference, outside_lookback, silenced, simulated, unreadable, newest_utc, labels, texts } =
            self;
        labels.add(&other.labels);
        texts.resize(other.texts.len().max(texts.len()), TextValues::default());
        texts.iter_mut().zip(&other.texts).for_each(|(texts, other)| texts.add(*other));
        *records += other.records;
        *reference += other.reference;
        *outside_lookback += other.outside_lookback;
        *silenced += other.silenced;
        *simulated += other.simulated;
        *unreadable += other.unreadable;
        // Equal times may be written in different ways: the smaller text, so that the order of reading does not show.
        let rank = |utc: &Option<(Timestamp, String)>| utc.clone().map(|(time, text)| (time, std::cmp::Reverse(text)));
        if rank(&other.newest_utc) > rank(newest_utc) {
            *newest_utc = other.newest_utc;
        }
    }
}
