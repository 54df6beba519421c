//! The archiver beside a bare consumer that compresses.

use std::process::Command;

use vedette_e2e::RunError;
use vedette_e2e::figure::Limit;
use vedette_e2e::local::binary;

use crate::bed::{self, INPUT};
use crate::bucket::LocalBucket;
use crate::compressor::{COMPRESSOR, OBJECT_BYTES};
use crate::input::fill_input;
use crate::measure::{Measured, Promised, compare, measure};

pub(crate) fn beside_a_bare_compressor() -> Result<(), RunError> {
    let bucket = LocalBucket::start()?;
    // Both commit object by object; what is open in the end is not.
    let records = fill_input()? * 9 / 10;
    compare(
        "archiver beside a bare consumer that compresses",
        Promised { throughput: Some(Limit::AtLeast(0.7)), ..Promised::default() },
        |round| archiver(&format!("archiver-{round}"), &bucket, records),
        |round| bare_compressor(&format!("bare-compressor-{round}"), records),
    )
}

fn bare_compressor(name: &str, records: i64) -> Result<Measured, RunError> {
    let mut command = Command::new(binary("stream"));
    command.args([COMPRESSOR, name, INPUT]);
    measure(command, name, records)
}

fn archiver(name: &str, bucket: &LocalBucket, records: i64) -> Result<Measured, RunError> {
    let mut command = command(name, INPUT, bucket);
    command.args(["--rolling-max-bytes", &OBJECT_BYTES.to_string(), "--rolling-max-age-seconds=900"]);
    measure(command, name, records)
}

/// An archiver of the name, of a pipeline that has its name too. When objects close is for the caller to say.
pub(crate) fn command(name: &str, input: &str, bucket: &LocalBucket) -> Command {
    let mut command = Command::new(binary("vedette-archiver"));
    command
        .args(bed::service_with(name, bucket.arguments()))
        .args(["--namespace=e2e", "--site=local", "--spool-directory=spool", "--group", name, "--pipeline", name])
        .args(["--archive", &format!("enriched_data={input}")]);
    command
}
