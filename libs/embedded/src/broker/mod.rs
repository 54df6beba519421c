//! The embedded Kafka broker of `vedette local`: noida-db's engine behind a listener of ours.
//! We hold the engine because it never expires a dead process by itself. Fetches are answered here and joins are watched
//! here, for the reasons that `fetch` and `join` give.

mod connection;
mod coordinators;
mod eviction;
mod fetch;
mod frame;
mod groups;
mod hold;
mod join;
mod keeper;
mod leaderless;
mod progress;
mod refusal;
mod slow;

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

use noida::kafka::engine::Engine;
use thiserror::Error;

pub use self::coordinators::LostCoordinator;
pub use self::hold::HeldProduces;
pub use self::refusal::RefusedWrite;

use self::progress::LogProgress;

/// Why the embedded broker did not start.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// The address is taken or not ours.
    #[error("could not listen on {address} for the embedded Kafka; choose another address with --kafka-listen")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
}

/// A Kafka broker in memory; it stops when it is dropped.
pub struct EmbeddedBroker {
    shared: Arc<Shared>,
    address: SocketAddr,
    threads: Vec<JoinHandle<()>>,
    /// The keeper ends when this is gone.
    keeper: Option<mpsc::Sender<()>>,
}

/// What the listener, the connections and the keeper have in common.
struct Shared {
    engine: Engine,
    stopping: AtomicBool,
    log: LogProgress,
    connections: Mutex<HashMap<u64, OpenConnection>>,
    next_connection: AtomicU64,
    fetches: Mutex<fetch::FetchState>,
    readers: Mutex<keeper::Readers>,
    holds: hold::Holds,
    rates: slow::Rates,
    refusals: Mutex<refusal::Refusals>,
    leaderless: Mutex<leaderless::Leaderless>,
    coordinators: Mutex<coordinators::Coordinators>,
}

struct OpenConnection {
    stream: TcpStream,
    /// Kafka's `client.id`, known after the first request.
    client_id: Option<String>,
}

impl EmbeddedBroker {
    /// Listens on this address; port 0 is any free one.
    pub fn start(listen: SocketAddr) -> Result<Self, BrokerError> {
        let failed = |source| BrokerError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared::new(address));
        keeper::refuse_unknown_topics(&shared.engine);
        shared.engine.spawn_log_cleaner();
        let (keeper, stopped) = mpsc::channel();
        let accepting = Arc::clone(&shared);
        let keeping = Arc::clone(&shared);
        let threads = vec![
            std::thread::spawn(move || connection::accept(&listener, &accepting)),
            std::thread::spawn(move || keeper::run(&keeping, &stopped)),
        ];
        Ok(Self { shared, address, threads, keeper: Some(keeper) })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells the engine that a process with this `client.id` (and `transactional.id`) is dead: its group memberships end
    /// and its open transaction is aborted. Returns when nothing that it sent is left to be processed.
    pub async fn process_died(&self, client_id: &str) {
        eviction::evict(&self.shared, client_id).await;
    }

    /// Does not answer what this client produces until the value is dropped.
    pub fn hold_produces(&self, client_id: &str) -> HeldProduces {
        HeldProduces::new(Arc::clone(&self.shared), client_id)
    }

    /// Takes no more than so many bytes a second of what this client produces.
    pub fn slow_down_produces(&self, client_id: &str, bytes_a_second: u32) {
        self.shared.rates.set(client_id, bytes_a_second);
    }

    /// Answers the next questions of this client for its group's committed offsets as a coordinator that moved.
    pub fn refuse_offset_fetches(&self, client_id: &str, count: usize) {
        lock(&self.shared.refusals).add_offset_fetches(client_id, count);
    }

    /// Refuses this client to write, as an authorizer does that misses an ACL.
    pub fn refuse_writes(&self, client_id: &str, write: RefusedWrite) {
        lock(&self.shared.refusals).add_write(client_id, write);
    }

    /// Refuses the next batches of this client, as an authorizer does whose ACL comes and goes.
    pub fn refuse_batches(&self, client_id: &str, count: usize) {
        lock(&self.shared.refusals).add_batches(client_id, count);
    }

    /// Refuses it no more.
    pub fn allow_writes(&self, client_id: &str) {
        lock(&self.shared.refusals).allow_writes(client_id);
    }

    /// Leaves a partition without a leader, until it is given one.
    pub fn take_leader(&self, topic: &str, partition: i32) {
        lock(&self.shared.leaderless).take_leader(topic, partition);
    }

    /// Gives a partition its leader back.
    pub fn give_leader(&self, topic: &str, partition: i32) {
        lock(&self.shared.leaderless).give_leader(topic, partition);
    }

    /// Names no broker to who asks, as a cluster does whose brokers are all fenced, or names itself again.
    pub fn name_no_broker(&self, none: bool) {
        lock(&self.shared.leaderless).name_no_broker(none);
    }

    /// Names to this client a coordinator of its groups that nobody reaches, as one whose broker is gone, until the value is dropped.
    pub fn lose_coordinator(&self, client_id: &str) -> LostCoordinator {
        LostCoordinator::new(Arc::clone(&self.shared), client_id)
    }

    /// Names the consumer groups that read a topic: what all of them have committed, and every other reader has fetched,
    /// is dropped from memory. A topic that is not named keeps everything that its retention leaves.
    pub fn drop_what_was_read(&self, topic: &str, groups: &[&str]) {
        keeper::cut_into_segments(&self.shared.engine, topic);
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        lock(&self.shared.readers).insert(topic.to_owned(), groups);
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.log.changed();
        self.shared.holds.release_all();
        self.keeper = None;
        for connection in lock(&self.shared.connections).values() {
            // Only fails if the client was faster.
            let _ = connection.stream.shutdown(Shutdown::Both);
        }
        // Wakes the accepting thread, which then sees the flag.
        let _ = TcpStream::connect(self.address);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the embedded Kafka panicked");
            }
        }
    }
}

impl Shared {
    fn new(address: SocketAddr) -> Self {
        Self {
            engine: Engine::new(address.ip().to_string(), i32::from(address.port())),
            stopping: AtomicBool::new(false),
            log: LogProgress::default(),
            connections: Mutex::default(),
            next_connection: AtomicU64::new(0),
            fetches: Mutex::default(),
            readers: Mutex::default(),
            holds: hold::Holds::default(),
            rates: slow::Rates::default(),
            refusals: Mutex::default(),
            leaderless: Mutex::default(),
            coordinators: Mutex::default(),
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn has_connection_of(&self, client_id: &str) -> bool {
        lock(&self.connections).values().any(|connection| connection.client_id.as_deref() == Some(client_id))
    }
}

/// A poisoned lock guards plain counters and maps here, which no panic leaves half-written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
