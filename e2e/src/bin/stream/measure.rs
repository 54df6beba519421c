//! A process at work on a topic: how fast it gets on and what CPU that takes it, from the first records that it is done with to
//! the last, so that neither its start nor its joining of a group counts.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tempfile::TempDir;
use vedette_e2e::RunError;
use vedette_e2e::figure::{Limit, figure_within};
use vedette_e2e::local::send_signal;
use vedette_e2e::processes::{cpu_seconds, descendants, peak_resident_bytes, resident_bytes};
use vedette_streams::kafka::Isolation;

use crate::bed::{INPUT, PARTITIONS, failed, kafka};

const LOOK_AGAIN: Duration = Duration::from_millis(20);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(180);

/// What a process did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) records_per_second: f64,
    /// Of one record.
    pub(crate) cpu_microseconds: f64,
    /// The most that it held.
    pub(crate) peak_resident_bytes: u64,
}

/// Of each of two that are compared; the medians count.
const ROUNDS: usize = 3;

/// What was promised of a workload, by what it is compared with.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Promised {
    pub(crate) throughput: Option<Limit>,
    pub(crate) cpu: Option<Limit>,
}

/// Measures a workload and what it is compared with by turns, and prints how fast they are and what CPU they take. Each gets the
/// number of its round.
pub(crate) fn compare(
    what: &str,
    promised: Promised,
    ours: impl Fn(usize) -> Result<Measured, RunError>,
    peer: impl Fn(usize) -> Result<Measured, RunError>,
) -> Result<(), RunError> {
    let (mut all_ours, mut all_peers) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (peer, ours) = (peer(round)?, ours(round)?);
        eprintln!("{what}: peer {peer:?}, ours {ours:?}");
        all_peers.push(peer);
        all_ours.push(ours);
    }
    let of = |all: &[Measured], what: fn(&Measured) -> f64| median(all.iter().map(what).collect());
    let (rate, cpu) = (|it: &Measured| it.records_per_second, |it: &Measured| it.cpu_microseconds);
    let Promised { throughput, cpu: cpu_of_a_record } = promised;
    figure_within(throughput, what, "records/s", of(&all_ours, rate), of(&all_peers, rate));
    let cpu_figure = format!("{what}, CPU of a record");
    figure_within(cpu_of_a_record, &cpu_figure, "us", of(&all_ours, cpu), of(&all_peers, cpu));
    Ok(())
}

pub(crate) fn median(numbers: Vec<f64>) -> f64 {
    percentile(numbers, 50)
}

/// So many of a hundred are below it.
pub(crate) fn percentile(mut numbers: Vec<f64>, percent: usize) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len() * percent / 100).copied().unwrap_or(f64::NAN)
}

/// A child of this process, in a directory of its own; killed when dropped.
pub(crate) struct Running {
    child: Child,
    /// As `/proc` has it.
    pid: u32,
    log: File,
    _directory: TempDir,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Result<Self, RunError> {
        let directory = tempfile::tempdir().map_err(RunError::Process)?;
        let path = directory.path().join("log");
        let log = File::options().create(true).truncate(true).read(true).write(true).open(path);
        let log = log.map_err(RunError::Process)?;
        let [out, errors] = [log.try_clone(), log.try_clone()];
        let before = children()?;
        let child = command
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(out.map_err(RunError::Process)?)
            .stderr(errors.map_err(RunError::Process)?)
            .spawn()
            .map_err(|source| RunError::Start { program: command.get_program().into(), source })?;
        let pid = children()?.into_iter().find(|pid| !before.contains(pid));
        let mut this = Self { child, pid: 0, log, _directory: directory };
        this.pid = pid.ok_or_else(|| failed("a process is not in /proc"))?;
        Ok(this)
    }

    /// Fails where it has ended.
    pub(crate) fn check(&mut self) -> Result<(), RunError> {
        match self.child.try_wait().map_err(RunError::Process)? {
            None => Ok(()),
            Some(status) => Err(RunError::Failed { status, log: self.log() }),
        }
    }

    fn log(&mut self) -> String {
        // What cannot be read of a log is not worth another error.
        let _ = self.log.seek(SeekFrom::Start(0));
        std::io::read_to_string(&self.log).unwrap_or_default()
    }

    /// What it holds in memory, bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64, RunError> {
        resident_bytes(self.pid).ok_or_else(|| failed("a process is not in /proc any more"))
    }

    /// The most that it has held, bytes.
    pub(crate) fn peak_resident_bytes(&self) -> Result<u64, RunError> {
        peak_resident_bytes(self.pid).ok_or_else(|| failed("a process is not in /proc any more"))
    }

    fn cpu_seconds(&self) -> Result<f64, RunError> {
        cpu_seconds(self.pid).ok_or_else(|| failed("a process is not in /proc any more"))
    }

    /// Ends it as a kubelet does.
    pub(crate) fn stop(mut self) -> Result<(), RunError> {
        send_signal(self.child.id(), "TERM")?;
        let status = self.child.wait().map_err(RunError::Process)?;
        if status.success() { Ok(()) } else { Err(RunError::Failed { status, log: self.log() }) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that is gone already needs neither.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Children of this process by the numbers of `/proc`, which in a PID namespace may be others than those of `fork`.
fn children() -> Result<Vec<u32>, RunError> {
    let own = fs::read_link("/proc/self").map_err(RunError::Process)?;
    let own = own.to_string_lossy().parse().map_err(failed)?;
    Ok(descendants(own).into_iter().map(|child| child.pid).collect())
}

/// Has a process read so many records of the input, as far as its group commits.
pub(crate) fn measure(command: Command, group: &str, records: i64) -> Result<Measured, RunError> {
    measure_of(command, group, INPUT, records)
}

/// The same of another topic.
pub(crate) fn measure_of(command: Command, group: &str, topic: &str, records: i64) -> Result<Measured, RunError> {
    let consumer: BaseConsumer = kafka("bench").consumer(group, Isolation::ReadCommitted).create().map_err(failed)?;
    // A coordinator that is new to its group does not tell yet.
    measure_by(command, records, || Ok(committed(&consumer, topic).unwrap_or(0)))
}

/// Has a process do so many records; `done` tells how many.
pub(crate) fn measure_by(
    command: Command,
    records: i64,
    done: impl Fn() -> Result<i64, RunError>,
) -> Result<Measured, RunError> {
    let mut running = Running::start(command)?;
    let (deadline, mut first) = (Instant::now() + PATIENCE, None);
    while Instant::now() < deadline {
        running.check()?;
        let (done, now, cpu) = (done()?, Instant::now(), running.cpu_seconds()?);
        match first {
            None if done > 0 => first = Some((done, now, cpu)),
            Some((done_before, began, cpu_before)) if done >= records => {
                let counted = (done - done_before) as f64;
                return Ok(Measured {
                    records_per_second: counted / (now - began).as_secs_f64(),
                    cpu_microseconds: (cpu - cpu_before) * 1e6 / counted,
                    peak_resident_bytes: running.peak_resident_bytes()?,
                });
            }
            None | Some(_) => {}
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    let what = format!("the end of {records} records");
    Err(RunError::Deadline { what, seconds: PATIENCE.as_secs(), log: running.log() })
}

/// How many records of the topic its group has committed.
fn committed(consumer: &BaseConsumer, topic: &str) -> KafkaResult<i64> {
    let mut list = TopicPartitionList::new();
    (0..PARTITIONS).for_each(|partition| _ = list.add_partition(topic, partition));
    let committed = consumer.committed_offsets(list, REQUEST_TIMEOUT)?;
    let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
    Ok(committed.elements().iter().map(|element| offset(element.offset())).sum())
}
