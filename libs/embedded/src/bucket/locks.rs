//! One lock per object key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Unused locks are dropped when there are more than this.
const KEPT_LOCKS: usize = 1024;

/// Readers of a key wait for its writer, and writers for each other.
#[derive(Debug, Default)]
pub(super) struct KeyLocks {
    locks: Mutex<HashMap<String, Arc<RwLock<()>>>>,
}

impl KeyLocks {
    pub(super) async fn read(&self, key: &str) -> OwnedRwLockReadGuard<()> {
        self.of(key).read_owned().await
    }

    pub(super) async fn write(&self, key: &str) -> OwnedRwLockWriteGuard<()> {
        self.of(key).write_owned().await
    }

    fn of(&self, key: &str) -> Arc<RwLock<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if locks.len() > KEPT_LOCKS {
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        }
        Arc::clone(locks.entry(key.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_writer_is_alone_and_unused_locks_go() {
        let locks = KeyLocks::default();
        let writer = locks.write("a").await;
        assert!(locks.of("a").try_read().is_err());
        assert!(locks.of("b").try_write().is_ok());
        for number in 0..2 * KEPT_LOCKS {
            drop(locks.read(&number.to_string()).await);
        }
        assert!(locks.locks.lock().unwrap().len() <= KEPT_LOCKS + 1);
        assert!(locks.of("a").try_read().is_err(), "a lock that is held stays");
        drop(writer);
        assert!(locks.of("a").try_read().is_ok());
    }
}
