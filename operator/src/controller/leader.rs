//! Which of several processes acts: the one that holds the lease. It gives it up when it ends, so that another takes over
//! at once, and stops acting when it cannot show that it still has it. Whether another's lease ran out is told by how long
//! this process sees it unchanged: the clock of the other's host may be hours off.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use serde_json::json;
use tokio::time::{Instant, timeout, timeout_at};
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
    /// Another's lease, as it was seen last.
    seen: Mutex<Option<Sighting>>,
}

/// Another's lease, and since when this process sees it unchanged.
#[derive(Debug, Clone)]
struct Sighting {
    lease: LeaseSpec,
    since: Instant,
}

/// What a lease is to a process that wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Nobody holds it, or this process does.
    Free,
    /// Its holder did not renew it for as long as it lasts.
    Abandoned,
    /// Another may hold it.
    Held,
}

/// The lease, while it is held.
pub(super) struct Leadership {
    manager: LeaseManager,
    leases: Api<Lease>,
    name: String,
    identity: String,
    duration: Duration,
    /// Before it was won.
    since: Instant,
}

impl Election {
    /// As this process; a leader that is gone keeps the lease for this long.
    pub(super) fn new(client: Client, namespace: &Name, lease: &Name, identity: &str, duration: Duration) -> Self {
        let (namespace, lease, identity) = (namespace.clone(), lease.clone(), identity.to_owned());
        Self { client, namespace, lease, identity, duration, seen: Mutex::default() }
    }

    /// Waits until this process leads; none at shutdown.
    pub(super) async fn win(&self, shutdown: &Shutdown) -> Option<Leadership> {
        shutdown.run_until_cancelled(self.wait_for_lease()).await
    }

    async fn wait_for_lease(&self) -> Leadership {
        loop {
            match timeout(LOOK.saturating_mul(5), self.try_to_win()).await {
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
        let lease = leases.get(self.lease.as_str()).await?;
        match self.claim(&lease, Instant::now()) {
            Claim::Free => {}
            // The manager goes by the time that the holder wrote.
            Claim::Abandoned => empty(&leases, &lease).await?,
            Claim::Held => return Ok(None),
        }
        let since = Instant::now();
        Ok(manager.changed().await?.then(|| Leadership {
            since,
            manager,
            leases,
            name: self.lease.to_string(),
            identity: self.identity.clone(),
            duration: self.duration,
        }))
    }

    fn claim(&self, lease: &Lease, now: Instant) -> Claim {
        // Every change is one assignment, so what a thread left behind that panicked is whole.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let spec = lease.spec.clone().unwrap_or_default();
        match spec.holder_identity.as_deref() {
            None | Some("") => return Claim::Free,
            Some(holder) if holder == self.identity => return Claim::Free,
            Some(_) => {}
        }
        let lasts = lasts(&spec).unwrap_or(self.duration);
        match &*seen {
            Some(sighting) if sighting.lease == spec => {
                if now.duration_since(sighting.since) >= lasts {
                    Claim::Abandoned
                } else {
                    Claim::Held
                }
            }
            _ => {
                *seen = Some(Sighting { lease: spec, since: now });
                Claim::Held
            }
        }
    }
}

/// Takes the name of a holder out of its lease, if nobody changed it since it was read.
async fn empty(leases: &Api<Lease>, lease: &Lease) -> kube::Result<()> {
    let change = json!({
        "metadata": { "resourceVersion": lease.resource_version() },
        "spec": { "holderIdentity": null, "acquireTime": null, "renewTime": null }
    });
    leases.patch(&lease.name_any(), &PatchParams::default(), &Patch::Merge(change)).await?;
    Ok(())
}

impl Leadership {
    /// Renews the lease, and returns when it is lost.
    pub(super) async fn lost(&self) {
        let held = Held { renewed: None, until: self.since + self.duration };
        while_renewed(held, self.duration, || self.renew_and_look()).await;
    }

    /// The lease as it is after a renewal, where it could be read.
    async fn renew_and_look(&self) -> Look {
        // The manager renews inside; it returns only when something happened.
        match timeout(LOOK, self.manager.changed()).await {
            Ok(Ok(true)) | Err(_) => {}
            Ok(Ok(false)) => return Look::OfAnother,
            Ok(Err(error)) => {
                tracing::warn!(error = error_chain(&error), "the lease was not renewed");
                tokio::time::sleep(jittered(LOOK / 2)).await;
            }
        }
        match timeout(REQUEST, self.leases.get(&self.name)).await {
            Ok(Ok(lease)) if is_held_by(&lease, &self.identity) => return Look::Held(Box::new(lease)),
            Ok(Ok(_)) => return Look::OfAnother,
            Ok(Err(error)) => tracing::warn!(error = error_chain(&error), "cannot look at the lease"),
            Err(_) => tracing::warn!("the API server does not answer: cannot look at the lease"),
        }
        Look::Unanswered
    }

    /// Gives the lease up.
    pub(super) async fn release(self) {
        // In a task of its own: the manager panics where it loses a race that only this call can lose.
        let release = tokio::spawn(async move { self.manager.release().await });
        match timeout(RELEASE, release).await {
            Ok(Ok(Ok(()))) => tracing::info!("gave the lease up"),
            Ok(Ok(Err(error))) => tracing::warn!(error = error_chain(&error), "the lease was not given up"),
            Ok(Err(error)) => tracing::warn!(%error, "the lease was not given up"),
            Err(_) => tracing::warn!("the API server does not answer: the lease was not given up"),
        }
    }
}

/// What the leader sees of its lease.
enum Look {
    /// It has it.
    Held(Box<Lease>),
    /// Another has it.
    OfAnother,
    /// Nobody knows.
    Unanswered,
}

/// Returns when the lease is another's, and at the very moment when it ends, whatever a look waits for.
async fn while_renewed<F: Future<Output = Look>>(mut held: Held, duration: Duration, look: impl Fn() -> F) {
    loop {
        match timeout_at(held.until, look()).await {
            Ok(Look::Held(lease)) => held.renew(&lease, duration, Timestamp::now(), Instant::now()),
            Ok(Look::OfAnother) => return tracing::warn!("another process took the lease"),
            Ok(Look::Unanswered) => {}
            Err(_) => return tracing::warn!("the lease ran out before it could be renewed"),
        }
    }
}

/// Until when this process may act.
#[derive(Debug, Clone, Copy)]
struct Held {
    renewed: Option<Timestamp>,
    until: Instant,
}

impl Held {
    /// A renewal counts from when this process made it, and never for longer than a lease lasts, however its clock was set
    /// meanwhile.
    fn renew(&mut self, lease: &Lease, duration: Duration, now: Timestamp, now_steady: Instant) {
        let renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref()).map(|time| time.0);
        if let Some(time) = renewed.filter(|_| renewed != self.renewed) {
            let age = Duration::try_from(now.duration_since(time)).unwrap_or_default();
            self.until = now_steady + duration.saturating_sub(age);
            self.renewed = renewed;
        }
    }
}

fn is_held_by(lease: &Lease, identity: &str) -> bool {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) == Some(identity)
}

/// How long a lease lasts after its last renewal.
fn lasts(lease: &LeaseSpec) -> Option<Duration> {
    u64::try_from(lease.lease_duration_seconds?).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: Option<&str>, renewed: &str) -> Lease {
        serde_json::from_value(json!({ "spec": {
            "holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15
        } }))
        .unwrap()
    }

    fn election() -> Election {
        let never = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            std::future::pending::<Result<http::Response<kube::client::Body>, std::convert::Infallible>>().await
        });
        let name: Name = "n".parse().unwrap();
        Election::new(Client::new(never, "n"), &name, &name, "a", Duration::from_secs(15))
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_lease_of_nobody_or_of_this_process_is_free() {
        let now = Instant::now();
        assert_eq!(election().claim(&Lease::default(), now), Claim::Free);
        assert_eq!(election().claim(&lease(None, "2026-11-23T08:00:00.000000Z"), now), Claim::Free);
        assert_eq!(election().claim(&lease(Some("a"), "2026-11-23T08:00:00.000000Z"), now), Claim::Free);
    }

    #[tokio::test]
    async fn a_lease_is_abandoned_when_it_is_seen_unchanged_for_its_time_whatever_it_says_of_the_time() {
        for clock in ["1999-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"] {
            let (election, start) = (election(), Instant::now());
            let of_another = lease(Some("b"), clock);
            assert_eq!(election.claim(&of_another, start), Claim::Held, "{clock}");
            assert_eq!(election.claim(&of_another, start + 14 * SECOND), Claim::Held);
            assert_eq!(election.claim(&of_another, start + 15 * SECOND), Claim::Abandoned);
        }
    }

    #[tokio::test]
    async fn a_lease_that_is_renewed_is_held_even_by_a_clock_that_stands_still_years_ago() {
        let (election, start) = (election(), Instant::now());
        for second in 0..60 {
            let renewed = format!("1999-01-01T00:00:{second:02}.000000Z");
            let claim = election.claim(&lease(Some("b"), &renewed), start + second * 10 * SECOND);
            assert_eq!(claim, Claim::Held);
        }
    }

    #[tokio::test]
    async fn only_the_holder_may_act_and_a_renewal_counts_once() {
        assert!(is_held_by(&lease(Some("a"), "2026-11-23T08:00:00.000000Z"), "a"));
        assert!(!is_held_by(&lease(Some("b"), "2026-11-23T08:00:00.000000Z"), "a"));
        assert!(!is_held_by(&Lease::default(), "a"));
        let (start, wall) = (Instant::now(), "2026-11-23T08:00:05Z".parse::<Timestamp>().unwrap());
        let mut held = Held { renewed: None, until: start };
        let mine = lease(Some("a"), "2026-11-23T08:00:00.000000Z");
        held.renew(&mine, 15 * SECOND, wall, start);
        assert_eq!(held.until, start + 10 * SECOND);
        // The clock is set back by an hour: what was renewed before is not renewed again.
        held.renew(&mine, 15 * SECOND, wall - 3600 * SECOND, start + 9 * SECOND);
        assert_eq!(held.until, start + 10 * SECOND);
        let ahead = lease(Some("a"), "2026-11-23T09:00:00.000000Z");
        held.renew(&ahead, 15 * SECOND, wall, start + 9 * SECOND);
        assert_eq!(held.until, start + 24 * SECOND, "never longer than a lease lasts");
    }

    #[tokio::test]
    async fn nobody_acts_past_the_end_of_a_lease_whatever_is_waited_for() {
        let start = Instant::now();
        let held = || Held { renewed: None, until: start + Duration::from_millis(50) };
        let waits_for_ever = while_renewed(held(), SECOND, std::future::pending);
        assert!(timeout(SECOND, waits_for_ever).await.is_ok(), "it is waited for a look");
        let ended = start + Duration::from_millis(50);
        assert!(Instant::now() >= ended);
        let late = || async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Look::Unanswered
        };
        while_renewed(Held { until: Instant::now() + Duration::from_millis(50), ..held() }, SECOND, late).await;
        while_renewed(Held { until: start + 3600 * SECOND, ..held() }, SECOND, || async { Look::OfAnother }).await;
    }
}
