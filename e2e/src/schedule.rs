//! Which faults strike a pipeline, and when: the same for the same seed. Some wait until what was before is over, and some do not.

use std::time::Duration;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A fault at its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// After the start.
    pub at: Duration,
    /// What happens.
    pub fault: Fault,
    /// How long it lasts; nothing where it is over at once.
    pub lasts: Duration,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL; it is started again.
    Killed(Process),
    /// SIGSTOP, for a while.
    Stopped(Process),
    /// SIGKILL of the broker of this number; it is started again.
    BrokerKilled(u8),
    /// SIGSTOP of it, for a while.
    BrokerStopped(u8),
    /// SIGTERM of it, as an upgrade does; it is started again.
    BrokerRestarted(u8),
    /// Nobody but the other brokers reaches it for a while.
    BrokerOutOfReach(u8),
    /// Each partition goes back to the broker that is to lead it.
    LeadersMoved,
    /// Every client may write and read only so many bytes a second for a while.
    Throttled(u32),
    /// All connections to the brokers break.
    ConnectionsCut,
    /// The bucket cannot be reached for a while.
    BucketAway,
    /// Connections to the bucket break after so many bytes of a request, for a while.
    BucketCuts(u32),
    /// The disk of the archivers' spools is full for a while.
    SpoolFull,
    /// Retention deletes records that were not read, as whoever reads them is away for a while.
    RetentionPassed(Topic),
}

/// Who may be killed or stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    Generator,
    FirstDetector,
    SecondDetector,
    FirstArchiver,
    SecondArchiver,
}

impl Process {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Generator, Self::FirstDetector, Self::SecondDetector, Self::FirstArchiver, Self::SecondArchiver];
}

/// Whose records may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    SensorMessages,
    EnrichedData,
    Alerts,
}

/// The kinds of faults, each as often as it comes in one deal.
const DEAL: [(Kind, usize); 13] = [
    (Kind::Killed, 6),
    (Kind::Stopped, 4),
    (Kind::BrokerKilled, 2),
    (Kind::BrokerStopped, 2),
    (Kind::BrokerRestarted, 1),
    (Kind::BrokerOutOfReach, 2),
    (Kind::LeadersMoved, 2),
    (Kind::Throttled, 1),
    (Kind::ConnectionsCut, 2),
    (Kind::BucketAway, 2),
    (Kind::BucketCuts, 2),
    (Kind::SpoolFull, 1),
    (Kind::RetentionPassed, 3),
];

/// A broker that was away has caught up after so long, mostly. Two that are away at once are a Kafka that is away.
const BROKER_RECOVERS: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Killed,
    Stopped,
    BrokerKilled,
    BrokerStopped,
    BrokerRestarted,
    BrokerOutOfReach,
    LeadersMoved,
    Throttled,
    ConnectionsCut,
    BucketAway,
    BucketCuts,
    SpoolFull,
    RetentionPassed,
}

/// So many faults in the order of their times. Of thirty, every kind is one.
pub fn strikes(seed: u64, count: usize) -> Vec<Strike> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let (mut at, mut brokers_are_well_at) = (Duration::ZERO, Duration::ZERO);
    let mut strikes = Vec::with_capacity(count);
    while strikes.len() < count {
        for kind in deal(&mut random).into_iter().take(count - strikes.len()) {
            at += pause(&mut random);
            let (fault, lasts) = draw(kind, &mut random);
            if fault.broker().is_some() {
                at = at.max(brokers_are_well_at);
                brokers_are_well_at = at + lasts + BROKER_RECOVERS;
            }
            strikes.push(Strike { at, fault, lasts });
        }
    }
    strikes
}

impl Fault {
    /// The broker that it is about.
    pub fn broker(self) -> Option<u8> {
        match self {
            Self::BrokerKilled(broker)
            | Self::BrokerStopped(broker)
            | Self::BrokerRestarted(broker)
            | Self::BrokerOutOfReach(broker) => Some(broker),
            Self::Killed(_)
            | Self::Stopped(_)
            | Self::LeadersMoved
            | Self::Throttled(_)
            | Self::ConnectionsCut
            | Self::BucketAway
            | Self::BucketCuts(_)
            | Self::SpoolFull
            | Self::RetentionPassed(_) => None,
        }
    }
}

fn deal(random: &mut Xoshiro256PlusPlus) -> Vec<Kind> {
    let mut kinds: Vec<_> = DEAL.iter().flat_map(|(kind, often)| std::iter::repeat_n(*kind, *often)).collect();
    kinds.shuffle(random);
    kinds
}

/// Two of five do not wait until what was before is over.
fn pause(random: &mut Xoshiro256PlusPlus) -> Duration {
    if random.random_bool(0.4) { between(random, 50, 800) } else { between(random, 1_500, 4_000) }
}

fn draw(kind: Kind, random: &mut Xoshiro256PlusPlus) -> (Fault, Duration) {
    let broker = random.random_range(1..=3);
    let process = *Process::ALL.choose(random).unwrap_or(&Process::FirstArchiver);
    let away = between(random, 2_000, 7_000);
    match kind {
        Kind::Killed => (Fault::Killed(process), Duration::ZERO),
        // Some longer than a session of a consumer group and than a transaction may last.
        Kind::Stopped if random.random_bool(0.4) => (Fault::Stopped(process), between(random, 11_000, 14_000)),
        Kind::Stopped => (Fault::Stopped(process), between(random, 300, 3_000)),
        Kind::BrokerKilled => (Fault::BrokerKilled(broker), away),
        Kind::BrokerStopped => (Fault::BrokerStopped(broker), away),
        Kind::BrokerRestarted => (Fault::BrokerRestarted(broker), away),
        Kind::BrokerOutOfReach => (Fault::BrokerOutOfReach(broker), away),
        Kind::LeadersMoved => (Fault::LeadersMoved, Duration::ZERO),
        Kind::Throttled => (Fault::Throttled(random.random_range(5_000..50_000)), away),
        Kind::ConnectionsCut => (Fault::ConnectionsCut, Duration::ZERO),
        Kind::BucketAway => (Fault::BucketAway, away),
        Kind::BucketCuts => (Fault::BucketCuts(random.random_range(100..20_000)), away),
        Kind::SpoolFull => (Fault::SpoolFull, between(random, 500, 2_000)),
        Kind::RetentionPassed => {
            let topics = [Topic::SensorMessages, Topic::SensorMessages, Topic::EnrichedData, Topic::Alerts];
            (Fault::RetentionPassed(*topics.choose(random).unwrap_or(&topics[0])), between(random, 1_500, 3_000))
        }
    }
}

fn between(random: &mut Xoshiro256PlusPlus, least: u64, most: u64) -> Duration {
    Duration::from_millis(random.random_range(least..=most))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::mem::discriminant;

    use super::*;

    #[test]
    fn a_seed_is_one_schedule() {
        assert_eq!(strikes(7, 100), strikes(7, 100));
        assert_eq!(strikes(7, 100)[..30], strikes(7, 30));
        assert_ne!(strikes(7, 100), strikes(8, 100));
    }

    #[test]
    fn thirty_are_of_every_kind_and_are_over_soon() {
        for seed in 0..200 {
            let thirty = strikes(seed, 30);
            let kinds: HashSet<_> = thirty.iter().map(|strike| discriminant(&strike.fault)).collect();
            assert_eq!((thirty.len(), kinds.len()), (30, DEAL.len()), "seed {seed}");
            assert!(thirty.iter().all(|strike| strike.at + strike.lasts < Duration::from_secs(140)), "seed {seed}");
        }
    }

    #[test]
    fn some_strike_while_others_last_and_one_broker_is_away_at_a_time() {
        for seed in 0..200 {
            let strikes = strikes(seed, 100);
            assert!(strikes.is_sorted_by_key(|strike| strike.at), "seed {seed}");
            let in_the_middle = strikes.windows(2).filter(|pair| pair[1].at < pair[0].at + pair[0].lasts).count();
            assert!((10..90).contains(&in_the_middle), "seed {seed}: {in_the_middle}");
            let brokers: Vec<_> = strikes.iter().filter(|strike| strike.fault.broker().is_some()).collect();
            for pair in brokers.windows(2) {
                assert!(pair[0].at + pair[0].lasts + BROKER_RECOVERS <= pair[1].at, "seed {seed}: {pair:?}");
            }
        }
    }
}
