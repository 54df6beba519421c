//! The three brokers that `e2e/scripts/with-brokers.sh` started. The pipeline reaches them by proxies, the test itself directly.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use vedette_contract::arguments::KafkaArguments;
use vedette_e2e::local::send_signal;
use vedette_streams::kafka::KafkaSettings;

use crate::admin;
use crate::proxy::{Proxy, Way};

const DIRECTORY_ENV: &str = "VEDETTE_BROKERS";
const BROKERS: [u8; 3] = [1, 2, 3];

pub(crate) struct Brokers {
    directory: PathBuf,
    proxies: Vec<Proxy>,
    /// The one that a fault has taken away.
    away: Option<u8>,
}

/// What a workload is given.
pub(crate) fn bootstrap() -> String {
    BROKERS.map(|broker| address(19_200, broker).to_string()).join(",")
}

/// What a client of the test's own is given.
pub(crate) fn direct() -> KafkaSettings {
    let bootstrap_servers = BROKERS.map(|broker| address(19_000, broker).to_string()).join(",");
    KafkaSettings::new(&KafkaArguments { bootstrap_servers, ..KafkaArguments::default() }, "vedette-e2e")
}

impl Brokers {
    pub(crate) async fn find() -> Self {
        let directory = std::env::var(DIRECTORY_ENV).unwrap_or_else(|_| {
            panic!("{DIRECTORY_ENV} is not set: it names the directory of the brokers; `make e2e-records` starts them and sets it")
        });
        let mut proxies = Vec::new();
        for broker in BROKERS {
            proxies.push(Proxy::start(address(19_200, broker), address(19_100, broker)).await);
        }
        Self { directory: directory.into(), proxies, away: None }
    }

    /// Sends it a signal after which it is away, or back.
    pub(crate) fn signal(&mut self, broker: u8, name: &str) {
        let pid = std::fs::read_to_string(self.file(broker, "pid")).unwrap();
        send_signal(pid.trim().parse().unwrap(), name).unwrap();
        self.away = (name != "CONT").then_some(broker);
    }

    /// Starts one that was killed, or asked to end: which is waited for, as its directory is locked.
    pub(crate) fn start(&mut self, broker: u8) {
        let log = std::fs::File::options().append(true).open(self.file(broker, "log")).unwrap();
        let wait_and_start = r#"while kill -0 "$(cat "$0/pid")" 2>/dev/null; do sleep .1; done; exec "$0/start""#;
        let directory = self.directory.join(broker.to_string());
        let mut started = Command::new("bash");
        started.arg("-c").arg(wait_and_start).arg(directory).stdin(Stdio::null());
        // It ends with the script.
        let mut child = started.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        // One that nobody waits for never seems to end.
        std::thread::spawn(move || child.wait());
        self.away = None;
    }

    /// Nobody but the others reaches it.
    pub(crate) fn out_of_reach(&self, broker: u8) {
        self.proxies[usize::from(broker) - 1].cut(Way::Closed);
    }

    /// Breaks all connections; new ones are taken.
    pub(crate) fn cut(&self, broker: Option<u8>) {
        let cut =
            BROKERS.iter().zip(&self.proxies).filter(|(number, _)| broker.is_none_or(|broker| broker == **number));
        cut.for_each(|(_, proxy)| proxy.cut(Way::Open));
    }

    /// Gives leaders back.
    pub(crate) fn move_leaders(&self) -> bool {
        self.ask("leaders are not moved", admin::elect_preferred_leaders)
    }

    /// Says whether it is so.
    pub(crate) fn throttle(&self, bytes_a_second: Option<u32>) -> bool {
        self.ask("a quota is not set", |broker| admin::throttle(broker, bytes_a_second))
    }

    /// Asks one after the other; tells why not where none does it.
    fn ask(&self, what: &str, ask: impl Fn(SocketAddr) -> std::io::Result<()>) -> bool {
        let present = BROKERS.into_iter().filter(|broker| self.away != Some(*broker));
        let mut errors = Vec::new();
        for broker in present {
            match ask(address(19_000, broker)) {
                Ok(()) => return true,
                Err(error) => errors.push(error),
            }
        }
        println!("    {what}: {errors:?}");
        false
    }

    fn file(&self, broker: u8, name: &str) -> PathBuf {
        self.directory.join(broker.to_string()).join(name)
    }
}

fn address(base: u16, broker: u8) -> SocketAddr {
    ([127, 0, 0, 1], base + u16::from(broker)).into()
}
