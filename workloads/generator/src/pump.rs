//! The loop that generates: what is due is taken from the source, stamped and sent. It runs on a thread of its own.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use vedette_service::Shutdown;

use crate::pacing::TokenBucket;
use crate::record::{Record, Stamp};
use crate::sink::{Sent, Sink, SinkError};
use crate::source::Source;

/// Shutdown is seen within this time also when records are seldom.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// How generating ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generated {
    /// Records that were handed to Kafka.
    pub(crate) records: u64,
    /// Records of these for which Kafka had not answered in the time after shutdown.
    pub(crate) unanswered: u64,
}

/// Generates at the bucket's rate until the source ends or shutdown, then waits for what is in flight.
///
/// # Errors
/// When the producer has failed for good.
pub(crate) fn generate(
    mut source: Source,
    mut stamp: Stamp,
    mut bucket: TokenBucket,
    mut sink: Sink,
    shutdown: &Shutdown,
) -> Result<Generated, SinkError> {
    let started = Instant::now();
    let mut record = Record::empty();
    let mut records = 0;
    'generating: while !shutdown.is_cancelled() {
        for _ in 0..bucket.take_due(started.elapsed()) {
            let Some(index) = source.append_next(record.begin()) else {
                break 'generating;
            };
            stamp.complete(&mut record, index, Timestamp::now());
            match sink.send(&record)? {
                Sent::Taken => records += 1,
                Sent::ShuttingDown => break 'generating,
            }
        }
        sink.pause(bucket.wait(LONGEST_WAIT))?;
    }
    Ok(Generated { records, unanswered: sink.flush()? })
}
