//! A broker that does not answer what a client produces, for as long as somebody wants it: how tests see who waits for
//! acknowledgements.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use super::{Shared, lock};

/// While it lives, what the client produces is neither written nor answered.
pub struct HeldProduces {
    shared: Arc<Shared>,
    client_id: String,
}

/// Requests that wait, of each client that is held.
#[derive(Default)]
pub(super) struct Holds {
    /// How many clients are held: none in a `vedette local`, whose every Produce looks here and takes no lock.
    held: AtomicUsize,
    waiting: Mutex<HashMap<String, usize>>,
    changed: Condvar,
}

impl HeldProduces {
    pub(super) fn new(shared: Arc<Shared>, client_id: &str) -> Self {
        shared.holds.change(|waiting| _ = waiting.insert(client_id.to_owned(), 0));
        Self { shared, client_id: client_id.to_owned() }
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        lock(&self.shared.holds.waiting).get(&self.client_id).copied().unwrap_or(0)
    }
}

impl Drop for HeldProduces {
    fn drop(&mut self) {
        self.shared.holds.change(|waiting| _ = waiting.remove(&self.client_id));
    }
}

impl Holds {
    /// Returns when the client is not held, or not any more.
    pub(super) fn wait(&self, client_id: &str) {
        if self.held.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut waiting = lock(&self.waiting);
        let Some(count) = waiting.get_mut(client_id) else { return };
        *count += 1;
        drop(self.changed.wait_while(waiting, |waiting| waiting.contains_key(client_id)));
    }

    /// Lets everything go, as the broker ends.
    pub(super) fn release_all(&self) {
        self.change(HashMap::clear);
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<String, usize>)) {
        let mut waiting = lock(&self.waiting);
        change(&mut waiting);
        self.held.store(waiting.len(), Ordering::Release);
        self.changed.notify_all();
    }
}
