//! No record is lost or twice, whatever fails: the built programs against three brokers and a bucket, while faults strike.
//!
//! SEED chooses the faults, FAULTS how many.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod bed;
mod brokers;
mod count;
mod ledger;
mod process;
mod proxy;
mod strike;

use rand::Rng;
use vedette_e2e::schedule::strikes;

use bed::Bed;
use count::count;
use strike::strike;

const FAULTS: u64 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn no_record_is_lost_or_twice_but_what_retention_took_and_that_is_said() {
    let seed = number("SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    let faults = number("FAULTS").unwrap_or(FAULTS);
    println!("{faults} faults; again with: make e2e-records FAULTS={faults} SEED={seed}");
    let mut bed = Bed::start(seed).await;
    strike(&mut bed, &strikes(seed, faults.try_into().unwrap())).await;
    count(bed).await;
}

/// What is set, unless it is empty as make leaves it.
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?} and should be a number")))
}
