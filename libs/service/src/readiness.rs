//! Readiness as named conditions, each of which holds or has a reason why it does not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{info, warn};

/// The conditions of one process; clones share them. It is ready when all of them hold.
#[derive(Debug, Clone)]
pub struct Readiness {
    conditions: Arc<Mutex<Vec<Condition>>>,
}

/// The reason of a condition that nothing was done about yet.
const STARTING: &str = "starting";

#[derive(Debug)]
struct Condition {
    name: &'static str,
    /// Why it does not hold; `None` when it holds.
    reason: Option<String>,
}

impl Readiness {
    /// These conditions, none of which holds yet: their reason is `starting`.
    pub fn new(conditions: &[&'static str]) -> Self {
        let starting = |name: &&'static str| Condition { name, reason: Some(STARTING.to_owned()) };
        Self { conditions: Arc::new(Mutex::new(conditions.iter().map(starting).collect())) }
    }

    /// The condition holds. One that was not named before is added.
    pub fn hold(&self, condition: &'static str) {
        if self.replace(condition, None).is_some() {
            info!(condition, "readiness condition holds");
        }
    }

    /// The condition does not hold, for this reason. One that was not named before is added.
    pub fn fail(&self, condition: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        if self.replace(condition, Some(reason.clone())).as_ref() != Some(&reason) {
            warn!(condition, reason, "readiness condition does not hold");
        }
    }

    /// The conditions that do not hold, with their reasons.
    pub fn reasons(&self) -> Vec<(&'static str, String)> {
        self.lock().iter().filter_map(|condition| Some((condition.name, condition.reason.clone()?))).collect()
    }

    /// Those of them that have something to say: the others come later.
    pub fn troubles(&self) -> Vec<(&'static str, String)> {
        self.reasons().into_iter().filter(|(_, reason)| reason != STARTING).collect()
    }

    /// Whether every condition holds.
    pub fn is_ready(&self) -> bool {
        self.lock().iter().all(|condition| condition.reason.is_none())
    }

    /// Sets the reason and returns the one before.
    fn replace(&self, name: &'static str, reason: Option<String>) -> Option<String> {
        let mut conditions = self.lock();
        if let Some(condition) = conditions.iter_mut().find(|condition| condition.name == name) {
            return std::mem::replace(&mut condition.reason, reason);
        }
        conditions.push(Condition { name, reason });
        None
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Condition>> {
        // Every change is one assignment, so what a thread left behind that panicked is whole.
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_every_condition_holds() {
        let readiness = Readiness::new(&["broker", "model"]);
        assert_eq!(readiness.reasons(), [("broker", "starting".to_owned()), ("model", "starting".to_owned())]);
        readiness.hold("broker");
        readiness.clone().fail("model", "hash differs");
        assert_eq!(readiness.reasons(), [("model", "hash differs".to_owned())]);
        assert_eq!(readiness.troubles(), readiness.reasons());
        assert!(!readiness.is_ready());
        readiness.hold("model");
        assert!(readiness.is_ready());
        assert_eq!(readiness.reasons(), []);
    }

    #[test]
    fn what_has_not_begun_is_no_trouble() {
        let readiness = Readiness::new(&["broker", "group"]);
        assert_eq!(readiness.troubles(), []);
        readiness.fail("broker", "refused");
        assert_eq!(readiness.troubles(), [("broker", "refused".to_owned())]);
    }

    #[test]
    fn a_condition_that_failed_later_is_not_forgotten() {
        let readiness = Readiness::new(&[]);
        assert!(readiness.is_ready());
        readiness.fail("group", "lost");
        assert_eq!(readiness.reasons(), [("group", "lost".to_owned())]);
    }
}
