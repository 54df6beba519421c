//! The tables of all lookups: waited for once, then looked at again and again, off the record path.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use vedette_contract::Name;
use vedette_contract::arguments::KeyValue;
use vedette_contract::lookup::{Lookup, TablePlace};
use vedette_datasets::lookup::TableSettings;
use vedette_service::{Backoff, Readiness, Shutdown};
use vedette_streams::bucket::Bucket;

use super::error::LookupError;
use super::table::{Place, Slot, Table};
use crate::metrics::Metrics;
use crate::readiness::LOOKUPS;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15));

/// The tables of all lookups.
#[derive(Debug, Default)]
pub(crate) struct Tables(Vec<Table>);

impl Tables {
    /// The tables that these lookups name; none is looked for yet.
    ///
    /// # Errors
    /// When one is a file that was not given.
    pub(crate) fn new(
        lookups: &[Lookup],
        files: &[KeyValue],
        bucket: &Bucket,
        metrics: &Metrics,
    ) -> Result<Self, LookupError> {
        let table = |lookup: &Lookup| {
            let Lookup { name, field: _, place, format, key_column, columns, prefix: _ } = lookup.clone();
            let place = match place {
                TablePlace::Object(key) => Place::Object { bucket: bucket.clone(), key },
                TablePlace::File => {
                    let file = files.iter().find(|file| file.key == name.as_str());
                    let file = file.ok_or_else(|| LookupError::NoFile { lookup: name.clone() })?;
                    Place::File((&file.value).into())
                }
            };
            Ok(Table::new(name, place, TableSettings { format, key_column, columns }, metrics.clone()))
        };
        lookups.iter().map(table).collect::<Result<_, _>>().map(Self)
    }

    /// Where the record path finds the table of a lookup.
    pub(super) fn slot(&self, lookup: &Name) -> Slot {
        let table = self.0.iter().find(|table| table.name == *lookup);
        table.map(|table| table.slot.clone()).unwrap_or_default()
    }

    /// Waits until there is every table; false where shutdown came first.
    pub(crate) async fn wait(&mut self, readiness: &Readiness, shutdown: &Shutdown) -> bool {
        let mut backoff = BACKOFF;
        loop {
            for table in self.0.iter_mut().filter(|table| table.lacks().is_some()) {
                table.refresh().await;
            }
            let lacking: Vec<String> = self.0.iter().filter_map(Table::lacks).collect();
            if lacking.is_empty() {
                readiness.hold(LOOKUPS);
                return true;
            }
            readiness.fail(LOOKUPS, lacking.join("; "));
            if tokio::time::timeout(backoff.failed(), shutdown.cancelled()).await.is_ok() {
                return false;
            }
        }
    }

    /// Looks at each again and again, until shutdown.
    pub(crate) async fn keep_fresh(mut self, period: Duration, shutdown: Shutdown) {
        let mut interval = interval(period.max(Duration::from_secs(1)));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.0.is_empty() && !shutdown.is_cancelled() {
            tokio::select! {
                _ = interval.tick() => {}
                () = shutdown.cancelled() => return,
            }
            for table in &mut self.0 {
                table.refresh().await;
            }
        }
    }
}
