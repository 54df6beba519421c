//! The generator beside a bare producer, both at one pace: how many records share a request is decided by their rate, and with it
//! what one costs.

use std::process::Command;

use vedette_e2e::RunError;
use vedette_e2e::figure::Limit;
use vedette_e2e::local::binary;

use crate::bed::{self, INPUT};
use crate::input::fill_input;
use crate::measure::{Measured, Promised, compare, measure_by};
use crate::producer::PRODUCER;

const RECORDS_PER_SECOND: &str = "30000";
const SECONDS: i64 = 8;

pub(crate) fn beside_a_bare_producer() -> Result<(), RunError> {
    fill_input()?;
    compare(
        "generator beside a bare producer, at 30,000 records/s",
        Promised { cpu: Some(Limit::AtMost(1.5)), ..Promised::default() },
        |round| generator(&format!("generator-{round}")),
        |round| bare_producer(&format!("bare-producer-{round}")),
    )
}

fn bare_producer(name: &str) -> Result<Measured, RunError> {
    let mut command = Command::new(binary("stream"));
    command.args([PRODUCER, name, INPUT, name, RECORDS_PER_SECOND]);
    fill(command, name)
}

fn generator(name: &str) -> Result<Measured, RunError> {
    let mut command = command(name, name);
    command.args(["--records-per-second", RECORDS_PER_SECOND]);
    fill(command, name)
}

/// A generator of the name from the simulator.
pub(crate) fn command(name: &str, topic: &str) -> Command {
    let mut command = Command::new(binary("vedette-generator"));
    command.args(bed::service(name)).args(["--topic", topic, "--mode=Random", "--seed=1"]);
    command
}

/// Into a topic of the process's own name.
fn fill(command: Command, name: &str) -> Result<Measured, RunError> {
    bed::create_topic(name)?;
    let records = RECORDS_PER_SECOND.parse::<i64>().map_err(bed::failed)? * SECONDS;
    measure_by(command, records, || bed::ends(name))
}
