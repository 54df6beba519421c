//! The topic full of records of the repository's own generator that rows start from.

use std::process::Command;
use std::time::{Duration, Instant};

use vedette_e2e::local::binary;
use vedette_e2e::{RunError, topic};

use crate::bed::{INPUT, create_topic, ends, failed, kafka, service};
use crate::measure::Running;

/// How many records a row is measured with, unless `BENCH_RECORDS` says.
const RECORDS: i64 = 300_000;
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Fills [`INPUT`] with records of about 1 kB, if it is not full already; gives their number.
pub(crate) fn fill_input() -> Result<i64, RunError> {
    if topic::partitions(&kafka("bench"), INPUT).map_err(failed)? > 0 {
        return ends(INPUT);
    }
    create_topic(INPUT)?;
    let wanted = std::env::var("BENCH_RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(RECORDS);
    let mut command = Command::new(binary("vedette-generator"));
    command.args(["--topic", INPUT, "--records-per-second=100000", "--mode=Random", "--seed=1"]).args(service("fill"));
    let mut generator = Running::start(command)?;
    let deadline = Instant::now() + PATIENCE;
    while ends(INPUT)? < wanted {
        generator.check()?;
        if Instant::now() > deadline {
            return Err(failed("the records did not come in time"));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    generator.stop()?;
    ends(INPUT)
}
