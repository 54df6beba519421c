//! What is at different sites, and has nothing to do with each other, happens at once.

use std::panic::resume_unwind;
use std::thread::scope;

use tokio::runtime::Handle;

use crate::site::Site;
use crate::story::Story;

/// Does both, each in a thread of its own, as whoever waits for kubectl or helm keeps the thread. Where one fails, the other goes on to
/// its end before that is told.
pub(crate) fn together<A: Send, B: Send>(
    one: impl AsyncFnOnce() -> A + Send,
    other: impl AsyncFnOnce() -> B + Send,
) -> (A, B) {
    let runtime = &Handle::current();
    scope(|threads| {
        let one = threads.spawn(move || runtime.block_on(one()));
        let other = threads.spawn(move || runtime.block_on(other()));
        let ends = (one.join(), other.join());
        match ends {
            (Ok(one), Ok(other)) => (one, other),
            (Err(failure), _) | (_, Err(failure)) => resume_unwind(failure),
        }
    })
}

impl Story {
    /// Does the same at both sites.
    pub(crate) fn at_both<T: Send>(&self, step: impl AsyncFn(&Site) -> T + Sync) -> [T; 2] {
        let (east, west) = together(async || step(&self.east).await, async || step(&self.west).await);
        [east, west]
    }
}
