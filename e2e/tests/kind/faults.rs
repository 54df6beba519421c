//! Processes of a site are killed and paused while records flow.

use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::site::Site;
use crate::story::Story;

/// What stands in the command line of the processes that may fail.
const PROCESSES: [&str; 6] = [
    "/vedette-detector",
    "/vedette-archiver",
    "/vedette-notifier",
    "/vedette-generator",
    "/vedette-operator",
    "kafka.Kafka",
];
const PAUSE: Duration = Duration::from_secs(12);

struct Fault {
    number: usize,
    site: String,
    process: &'static str,
    is_pause: bool,
    /// How long after it the next one of its site comes.
    before_the_next: Duration,
}

/// So many faults, at each site one after the other; the same for the same seed.
pub(crate) fn strike(story: &Story, count: usize, seed: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let fault = |number| Fault {
        number,
        site: story.sites()[random.random_range(0..2)].cluster.name().to_owned(),
        process: PROCESSES.choose(&mut random).copied().unwrap(),
        // Longer than a session of a consumer group and than a transaction may last, now and then.
        is_pause: random.random_bool(0.3),
        before_the_next: Duration::from_millis(random.random_range(500..4000)),
    };
    let faults: Vec<Fault> = (1..=count).map(fault).collect();
    story.at_both(async |site| {
        for fault in faults.iter().filter(|fault| fault.site == site.cluster.name()) {
            fault.strike(site).await;
        }
    });
}

impl Fault {
    async fn strike(&self, site: &Site) {
        let Self { number, site: name, process, is_pause, before_the_next } = self;
        println!("  fault {number}: {} {process} at {name}", if *is_pause { "pauses" } else { "kills" });
        if *is_pause {
            signal(site, "STOP", process);
            tokio::time::sleep(PAUSE).await;
            signal(site, "CONT", process);
        } else {
            signal(site, "KILL", process);
        }
        tokio::time::sleep(*before_the_next).await;
    }
}

/// Sent to all of them; that there is none just now, because the last fault was its end, is no error.
fn signal(site: &Site, name: &str, process: &str) {
    let command = format!("pkill -{name} -f '^[^ ]*{process}|^[^ ]*java .*{process}' || [ $? = 1 ]");
    site.cluster.on_node(&["sh", "-c", &command]).unwrap();
}
