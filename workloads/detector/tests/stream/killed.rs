//! The built detector as a process that is killed in the middle of its work.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use vedette_testing::eventually;

use crate::support::{Broker, TOPICS, arguments, detector};
use crate::{BUDGET, distinct, noisy, uuids};

const GUARANTEE: &str = "--processing-guarantee=AtLeastOnce";
const RECORDS: usize = 2_000;

/// Killed when it is dropped, too.
struct Killed(Child);

impl Killed {
    fn start(broker: &Broker, pod_name: &str, directory: &Path) -> Self {
        // Many requests, so that there is a middle.
        let words = arguments(broker, pod_name, directory, &[GUARANTEE, BUDGET, "--max-message-bytes=20000"]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette-detector"));
        Self(command.args(words).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Killed {
    /// By SIGKILL.
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_least_once_commits_only_what_is_written_whenever_a_detector_is_killed_and_loses_nothing() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..RECORDS).map(noisy).collect();
    broker.produce(1, records.iter().map(Vec::as_slice));
    for killing in 0..3 {
        let name = format!("detector-{killing}");
        // So slowly that all of it takes half a minute, and whoever looks late still finds it at work.
        broker.embedded.slow_down_produces(&name, 30_000);
        let before = broker.written();
        let killed = Killed::start(&broker, &name, directory.path());
        eventually("some of its work is written", async || broker.written() > before).await;
        drop(killed);
        broker.embedded.process_died(&name).await;
        let committed = usize::try_from(broker.committed().unwrap_or(0)).unwrap();
        let written: BTreeSet<_> = uuids(&broker.read(&[(TOPICS[1], 1)], committed)).into_iter().collect();
        assert!(written.len() < RECORDS, "it was killed after all of its work");
        let nowhere = (0..committed).find(|number| !written.contains(&format!("u{number}")));
        assert_eq!(nowhere, None, "committed up to {committed}");
    }
    let last = detector(&broker, "detector-3", directory.path(), &[GUARANTEE, BUDGET]);
    broker.read_until(&[(TOPICS[1], 1)], |messages| distinct(messages) == RECORDS);
    last.stop().await;
}
