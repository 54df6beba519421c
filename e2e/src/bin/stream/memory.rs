//! Detector and archiver at full load, second by second, while their bucket is there, away, and there again.

use std::process::Command;
use std::time::{Duration, Instant};

use vedette_e2e::RunError;
use vedette_e2e::figure::figure;

use crate::bed::{self, LearnedModel};
use crate::bucket::LocalBucket;
use crate::measure::{Running, median};
use crate::{archiver, detector, generator};

/// Unless `BENCH_SECONDS` says.
const SECONDS: u64 = 600;
/// More than the three of them get done on two cores.
const RECORDS_PER_SECOND: &str = "20000";
const INPUT: &str = "memory";
const DETECTOR: &str = "memory-detector";
const ARCHIVER: &str = "memory-archiver";
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A process, and what it held each second.
struct Watched {
    process: Running,
    resident: Vec<f64>,
}

impl Watched {
    fn start(command: Command) -> Result<Self, RunError> {
        Ok(Self { process: Running::start(command)?, resident: Vec::new() })
    }

    fn look(&mut self) -> Result<(), RunError> {
        self.process.check()?;
        self.resident.push(self.process.resident_bytes()? as f64 / 1e6);
        Ok(())
    }

    /// The most that it held; and of the last third of the time, in which all has happened, what it held over that of the first.
    fn tell(&self, name: &str, limit: f64) -> Result<(), RunError> {
        let third = self.resident.len() / 3;
        let (first, last) = (self.resident[..third].to_vec(), self.resident[self.resident.len() - third..].to_vec());
        figure(&format!("{name}, peak resident"), "MB", self.process.peak_resident_bytes()? as f64 / 1e6, limit);
        figure(&format!("{name}, median of the last third by the first"), "MB", median(last), median(first));
        Ok(())
    }
}

pub(crate) fn of_detector_and_archiver() -> Result<(), RunError> {
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let model = LearnedModel::learn()?;
    let mut bucket = LocalBucket::start()?;
    bed::create_topic(INPUT)?;
    let mut generator = generator::command("memory-generator", INPUT);
    generator.args(["--records-per-second", RECORDS_PER_SECOND]);
    let mut generator = Running::start(generator)?;
    let detector = detector::command(DETECTOR, INPUT, bed::service_with(DETECTOR, bucket.arguments()), &model)?;
    let mut archiver = archiver::command(ARCHIVER, &detector::enriched(DETECTOR), &bucket);
    // A manifest's defaults.
    archiver.args(["--rolling-max-bytes=134217728", "--rolling-max-age-seconds=900"]);
    archiver.arg(format!("--archive=alerts={}", detector::alerts(DETECTOR)));
    let (mut detector, mut archiver) = (Watched::start(detector)?, Watched::start(archiver)?);
    let [leaves, returns] = [seconds * 3 / 10, seconds * 6 / 10].map(Duration::from_secs);
    let (began, mut is_away) = (Instant::now(), false);
    while began.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(LOOK_AGAIN);
        generator.check()?;
        [&mut detector, &mut archiver].into_iter().try_for_each(Watched::look)?;
        let be_away = (leaves..returns).contains(&began.elapsed());
        match be_away {
            true if !is_away => bucket.go_away(),
            false if is_away => bucket.come_back()?,
            true | false => {}
        }
        is_away = be_away;
    }
    let done = bed::ends(&detector::enriched(DETECTOR))?;
    eprintln!("{} records enriched a second", done as f64 / began.elapsed().as_secs_f64());
    detector.tell("detector at full load", 80.)?;
    archiver.tell("archiver at full load", 120.)
}
