//! Which of several processes acts: the one that holds the lease. It gives it up when it ends, so that another takes over
//! at once, and stops acting when it cannot show that it still has it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use vedette_contract::Name;
use vedette_service::{Shutdown, error_chain};

use super::backoff::jittered;

/// How often a lease that another holds is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long one look may take.
const REQUEST: Duration = Duration::from_secs(3);
/// How long giving up may take.
const RELEASE: Duration = Duration::from_secs(5);

/// Takes part in the election.
pub(super) struct Election {
    client: Client,
    namespace: Name,
    lease: Name,
    identity: String,
    duration: Duration,
}

/// The lease, while it is held.
pub(super) struct Leadership {
    manager: LeaseManager,
    leases: Api<Lease>,
    name: String,
    identity: String,
    duration: Duration,
}

impl Election {
    /// As this process; a leader that is gone keeps the lease for this long.
    pub(super) fn new(client: Client, namespace: &Name, lease: &Name, identity: &str, duration: Duration) -> Self {
        let (namespace, lease, identity) = (namespace.clone(), lease.clone(), identity.to_owned());
        Self { client, namespace, lease, identity, duration }
    }

    /// Waits until this process leads; none at shutdown.
    pub(super) async fn win(&self, shutdown: &Shutdown) -> Option<Leadership> {
        shutdown.run_until_cancelled(self.wait_for_lease()).await
    }

    async fn wait_for_lease(&self) -> Leadership {
        loop {
            match tokio::time::timeout(LOOK.saturating_mul(5), self.try_to_win()).await {
                Ok(Ok(Some(leadership))) => return leadership,
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::warn!(error = error_chain(&error), "cannot reach for the lease"),
                Err(_) => tracing::warn!("the API server does not answer: cannot reach for the lease"),
            }
            tokio::time::sleep(jittered(LOOK)).await;
        }
    }

    /// One attempt. The manager sleeps for as long as another holds the lease; it is asked only where that is not so.
    async fn try_to_win(&self) -> Result<Option<Leadership>, LeaseManagerError> {
        let seconds = self.duration.as_secs();
        let manager = LeaseManagerBuilder::new(self.client.clone(), self.lease.as_str())
            .with_namespace(self.namespace.as_str())
            .with_identity(self.identity.clone())
            .with_duration(seconds)
            .with_grace((seconds * 2 / 3).max(1))
            .build()
            .await?;
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), self.namespace.as_str());
        if !is_free(&leases.get(self.lease.as_str()).await?, &self.identity, Timestamp::now()) {
            return Ok(None);
        }
        Ok(manager.changed().await?.then(|| Leadership {
            manager,
            leases,
            name: self.lease.to_string(),
            identity: self.identity.clone(),
            duration: self.duration,
        }))
    }
}

impl Leadership {
    /// Renews the lease, and returns when it is lost.
    pub(super) async fn lost(&self) {
        let mut known_until = Timestamp::now() + self.duration;
        loop {
            // The manager renews inside; it returns only when something happened.
            match tokio::time::timeout(LOOK, self.manager.changed()).await {
                Ok(Ok(true)) | Err(_) => {}
                Ok(Ok(false)) => return tracing::warn!("another process took the lease"),
                Ok(Err(error)) => {
                    tracing::warn!(error = error_chain(&error), "the lease was not renewed");
                    tokio::time::sleep(jittered(LOOK / 2)).await;
                }
            }
            match tokio::time::timeout(REQUEST, self.leases.get(&self.name)).await {
                Ok(Ok(lease)) => match held_until(&lease, &self.identity) {
                    Some(until) => known_until = until,
                    None => return tracing::warn!("the lease is another's"),
                },
                Ok(Err(error)) => tracing::warn!(error = error_chain(&error), "cannot look at the lease"),
                Err(_) => tracing::warn!("the API server does not answer: cannot look at the lease"),
            }
            if Timestamp::now() >= known_until {
                return tracing::warn!("the lease ran out before it could be renewed");
            }
        }
    }

    /// Gives the lease up.
    pub(super) async fn release(self) {
        // In a task of its own: the manager panics where it loses a race that only this call can lose.
        let release = tokio::spawn(async move { self.manager.release().await });
        match tokio::time::timeout(RELEASE, release).await {
            Ok(Ok(Ok(()))) => tracing::info!("gave the lease up"),
            Ok(Ok(Err(error))) => tracing::warn!(error = error_chain(&error), "the lease was not given up"),
            Ok(Err(error)) => tracing::warn!(%error, "the lease was not given up"),
            Err(_) => tracing::warn!("the API server does not answer: the lease was not given up"),
        }
    }
}

/// Until when this process may act, by the lease itself; none if it is not its own.
fn held_until(lease: &Lease, identity: &str) -> Option<Timestamp> {
    let spec = lease.spec.as_ref()?;
    if spec.holder_identity.as_deref() != Some(identity) {
        return None;
    }
    let seconds = u64::try_from(spec.lease_duration_seconds?).ok()?;
    spec.renew_time.as_ref()?.0.checked_add(Duration::from_secs(seconds)).ok()
}

/// Whether the lease can be taken now.
fn is_free(lease: &Lease, identity: &str, now: Timestamp) -> bool {
    let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
    match holder {
        None => true,
        Some(holder) => holder == identity || held_until(lease, holder).is_none_or(|until| until <= now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lease(holder: Option<&str>) -> Lease {
        serde_json::from_value(json!({ "spec": {
            "holderIdentity": holder, "renewTime": "2026-11-23T08:00:00.000000Z", "leaseDurationSeconds": 15
        } }))
        .unwrap()
    }

    fn at(second: u8) -> Timestamp {
        format!("2026-11-23T08:00:{second:02}Z").parse().unwrap()
    }

    #[test]
    fn a_lease_is_free_when_nobody_holds_it_or_it_ran_out() {
        assert!(is_free(&Lease::default(), "a", at(0)));
        assert!(is_free(&lease(None), "a", at(1)));
        assert!(!is_free(&lease(Some("b")), "a", at(14)));
        assert!(is_free(&lease(Some("b")), "a", at(15)));
        assert!(is_free(&lease(Some("a")), "a", at(1)));
    }

    #[test]
    fn only_the_holder_may_act_and_only_for_a_time() {
        assert_eq!(held_until(&lease(Some("a")), "a"), Some(at(15)));
        assert_eq!(held_until(&lease(Some("b")), "a"), None);
        assert_eq!(held_until(&Lease::default(), "a"), None);
    }
}
