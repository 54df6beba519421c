//! A group coordinator that is gone. Its client may ask for it for ever, whatever its time-out (librdkafka issue 5456).

use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};

use vedette_testing::{eventually, free_address, http_get};

use crate::incidents::{alerts, total};
use crate::support::{Broker, notifier, words};

/// A notifier that runs as a process, as no task ends that does not come back; it is killed when it is dropped.
struct Process {
    child: Child,
    probes: SocketAddr,
}

impl Process {
    fn start(broker: &Broker, pod: &str) -> Self {
        let probes = free_address();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette-notifier"));
        command.args(&words(broker, probes, pod, &[])[1..]).stdin(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().unwrap(), probes }
    }

    async fn is_ready(&self) -> bool {
        http_get(self.probes, "/readyz").await.starts_with("HTTP/1.1 200")
    }

    fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    async fn end(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("it ends", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notifier_whose_client_does_not_come_back_ends_by_itself_and_in_time_when_it_is_asked_to() {
    for is_asked in [false, true] {
        let broker = Broker::start().await;
        let mut first = Process::start(&broker, "first");
        eventually("it is ready", async || first.is_ready().await).await;
        let lost = broker.embedded.lose_coordinator("first");
        broker.produce(alerts(0..20, "src_bytes"));
        eventually("it asks for the coordinator", async || lost.asked() > 0).await;
        if is_asked {
            first.terminate();
        }
        let status = first.end().await;
        assert_eq!(status.code(), Some(1), "what it has read is not written");
        drop(lost);
        broker.embedded.process_died("first").await;
        let second = notifier(&broker, "second", &[]);
        let (_, standing) = broker.incidents(|incidents| total(incidents) >= 20).await;
        assert_eq!(total(&standing), 20);
        second.stop().await;
    }
}
