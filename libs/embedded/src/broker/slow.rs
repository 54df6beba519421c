//! A broker that takes what a client produces at a certain rate only: how tests see what a quota or a slow disk does.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::lock;

/// Bytes a second, by `client.id`.
#[derive(Default)]
pub(super) struct Rates {
    /// None is slowed down in a `vedette local`, whose every Produce looks here and takes no lock.
    any: AtomicBool,
    by_client: Mutex<HashMap<String, u32>>,
}

impl Rates {
    pub(super) fn set(&self, client_id: &str, bytes_a_second: u32) {
        lock(&self.by_client).insert(client_id.to_owned(), bytes_a_second.max(1));
        self.any.store(true, Ordering::Release);
    }

    /// Returns when this client may have sent so many bytes.
    pub(super) fn wait(&self, client_id: &str, bytes: usize) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let rate = lock(&self.by_client).get(client_id).copied();
        if let Some(rate) = rate {
            std::thread::sleep(Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / rate);
        }
    }
}
