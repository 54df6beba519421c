//! Whether what blocks comes back, as a call of the Kafka client does. A process of which something does not ends itself and says so: from
//! outside nobody could tell it from one that waits for Kafka.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// How often is looked.
const LOOK: Duration = Duration::from_secs(1);
/// A call that is seen so often does not end. Looks are counted and not time, as a process may be frozen. The Kafka client's calls have time-outs of 5 s, and one of them may forget its own (librdkafka's issues 5456 and 5511).
const CLIENT_LOOKS: u32 = 15;

/// Watches steps, one at a time; clones watch the same.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Odd while a step is under way.
    turns: Arc<AtomicU64>,
}

impl Watch {
    /// Does a step.
    pub fn step<T>(&self, step: impl FnOnce() -> T) -> T {
        self.turns.fetch_add(1, Ordering::Relaxed);
        let outcome = step();
        self.turns.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    /// Returns once a step does not end that was seen so often, a second after each other.
    pub async fn stuck(&self, looks: u32) {
        self.stuck_for(looks, LOOK).await;
    }

    /// The same, where the steps are calls of the Kafka client, whose time-outs are 5 s.
    pub async fn client_stuck(&self) {
        self.stuck_for(CLIENT_LOOKS, LOOK).await;
    }

    async fn stuck_for(&self, looks: u32, look: Duration) {
        let mut interval = interval(look);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sighting = Sighting::default();
        while sighting.times < looks {
            interval.tick().await;
            sighting = sighting.then(self.turns.load(Ordering::Relaxed));
        }
    }
}

/// How often one step was seen again.
#[derive(Debug, Clone, Copy, Default)]
struct Sighting {
    turn: u64,
    times: u32,
}

impl Sighting {
    fn then(self, turn: u64) -> Self {
        let is_the_same_step = turn == self.turn && turn % 2 == 1;
        Self { turn, times: if is_the_same_step { self.times + 1 } else { 0 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SHORT: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_step_that_does_not_end_is_seen() {
        let watch = Watch::default();
        let (end, ended) = mpsc::channel::<()>();
        let stepping = watch.clone();
        let thread = std::thread::spawn(move || stepping.step(|| ended.recv()));
        tokio::time::timeout(Duration::from_secs(20), watch.stuck_for(5, SHORT)).await.unwrap();
        drop(end);
        assert!(thread.join().unwrap().is_err());
    }

    #[test]
    fn only_the_same_step_seen_again_and_again_counts() {
        let times = |turns: &[u64]| turns.iter().fold(Sighting::default(), |sighting, turn| sighting.then(*turn)).times;
        assert_eq!(times(&[1, 1, 1]), 2);
        assert_eq!(times(&[1, 3, 5]), 0, "another step each time");
        assert_eq!(times(&[1, 1, 2, 2, 2]), 0, "it ended");
        assert_eq!(times(&[1, 1, 3]), 0);
    }
}
