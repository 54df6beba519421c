//! The marks that Kafka writes into each partition of a transaction, after it has said that it is committed. A transaction that begins
//! before they are there is refused its partitions (`CONCURRENT_TRANSACTIONS`), for which librdkafka asks again only after 20 ms.

use std::time::{Duration, Instant};

/// So long Kafka mostly takes for them.
const MOSTLY: Duration = Duration::from_millis(4);

/// Those of the last transaction.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    since: Option<Instant>,
}

impl Marks {
    /// A transaction was committed.
    pub(crate) fn begin(&mut self) {
        self.since = Some(Instant::now());
    }

    /// Waits for what is left of their time, if anything is; records come meanwhile that the next transaction takes along.
    pub(crate) fn wait(&mut self) {
        if let Some(since) = self.since.take() {
            std::thread::sleep(MOSTLY.saturating_sub(since.elapsed()));
        }
    }
}
