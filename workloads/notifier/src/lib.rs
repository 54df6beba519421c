//! The notifier: it reads the alerts of a site and groups them into incidents, which it writes to a compacted topic in one
//! transaction with how far it read. The step is pure (`incidents`); the loop around it (`pump`) owns Kafka, whose topic is
//! the only memory. Receivers are told of incidents by `delivery`, which knows the topic and nothing of the loop. What people want
//! not to be told of (`silences`) is looked for in the bucket (`look`), which nothing waits for; what others are to know (`health`)
//! is written there.

mod alert;
mod delivery;
mod error;
mod health;
mod history;
mod incidents;
mod look;
mod metrics;
mod pump;
mod readiness;
mod run;
mod silences;
mod start;
mod still;
mod tally;
mod watermark;
mod writer;

pub use delivery::ReceiversError;
pub use error::NotifierError;
pub use run::run;
