//! Processes of a site are killed and paused while records flow.

use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::site::Site;

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

/// So many faults, one after the other; the same for the same seed.
pub(crate) async fn strike(sites: [&Site; 2], count: usize, seed: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    for number in 1..=count {
        let site = sites[random.random_range(0..2)];
        let process = PROCESSES.choose(&mut random).unwrap();
        // Longer than a session of a consumer group and than a transaction may last, now and then.
        let pause = random.random_bool(0.3);
        println!("  fault {number}: {} {process} at {}", if pause { "pauses" } else { "kills" }, site.cluster.name());
        if pause {
            signal(site, "STOP", process);
            tokio::time::sleep(PAUSE).await;
            signal(site, "CONT", process);
        } else {
            signal(site, "KILL", process);
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(500..4000))).await;
    }
}

/// Sent to all of them; that there is none just now, because the last fault was its end, is no error.
fn signal(site: &Site, name: &str, process: &str) {
    let command = format!("pkill -{name} -f '^[^ ]*{process}|^[^ ]*java .*{process}' || [ $? = 1 ]");
    site.cluster.on_node(&["sh", "-c", &command]).unwrap();
}
