//! What changes, as server-sent events: a browser is told at most ten times a second, each time of all that is new since, and of
//! nothing twice. A slow one is told less often and needs no memory here.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream};
use tokio::sync::watch;

use super::Served;
use super::problem::Problem;
use crate::store;
use crate::view::{AlertRow, ChangesView, IncidentRow};

/// Browsers that listen at once, at most.
const MOST_LISTENERS: usize = 200;
static LISTENERS: AtomicUsize = AtomicUsize::new(0);
/// The shortest time between two events.
const PAUSE: Duration = Duration::from_millis(100);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A browser whose connection broke comes back after so long.
const RETRY: Duration = Duration::from_secs(1);
/// Rows of one event; a browser that missed more asks for everything anew.
const MOST_ROWS: usize = 1_000;

pub(super) async fn changes(
    State(served): State<Served>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let listener = Listener::begin(&served).ok_or_else(Problem::too_many)?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let since = last.map_or(Since::Now, |id| change_of(&served.run, id).map_or(Since::Lost, Since::Change));
    let state = Listening { changes: served.store.changes(), served, since, _listener: listener };
    let events = stream::unfold(state, |mut listening| async {
        let event = listening.next().await?;
        Some((Ok(event), listening))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// From where on a browser is told.
#[derive(Debug, Clone, Copy)]
enum Since {
    /// It is new, and has just asked for everything.
    Now,
    /// It was told of this change last.
    Change(u64),
    /// What it was told of last is not known here.
    Lost,
}

/// The change that an event told of last; none where it was one of another run.
fn change_of(run: &str, id: &str) -> Option<u64> {
    id.strip_prefix(run)?.strip_prefix('-')?.parse().ok()
}

/// One that is counted as long as it listens.
struct Listener(Served);

impl Listener {
    fn begin(served: &Served) -> Option<Self> {
        let has_room = |count: usize| (count < MOST_LISTENERS).then_some(count + 1);
        LISTENERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, has_room).ok()?;
        served.metrics.listeners.inc();
        Some(Self(served.clone()))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.listeners.dec();
    }
}

struct Listening {
    served: Served,
    changes: watch::Receiver<u64>,
    since: Since,
    _listener: Listener,
}

impl Listening {
    async fn next(&mut self) -> Option<Event> {
        // The first event comes at once: by its id a browser that is gone in the next moment goes on.
        match self.since {
            Since::Change(change) if change <= *self.changes.borrow() => self.wait(change).await?,
            Since::Now | Since::Change(_) | Since::Lost => {}
        }
        self.changes.borrow_and_update();
        let (change, view) = {
            let state = self.served.store.state();
            (state.change(), since(&state, self.since))
        };
        self.since = Since::Change(change);
        let data = serde_json::to_string(&view).unwrap_or_default();
        Some(Event::default().id(format!("{}-{change}", self.served.run)).event("changes").retry(RETRY).data(data))
    }

    async fn wait(&mut self, known: u64) -> Option<()> {
        tokio::time::sleep(PAUSE).await;
        tokio::select! {
            () = self.served.shutdown.cancelled() => None,
            changed = self.changes.wait_for(|change| *change > known) => changed.ok().map(drop),
        }
    }
}

/// What changed since a change; nothing at the first event of a new browser, and all where what it knew is not known.
fn since(state: &store::State, since: Since) -> ChangesView {
    let nothing =
        |is_cut| ChangesView { alerts: Vec::new(), incidents: Vec::new(), is_cut, sites: is_cut, people: is_cut };
    let change = match since {
        Since::Now => return nothing(false),
        Since::Change(change) if change <= state.change() => change,
        // A change that has not been yet is of no run that is known.
        Since::Change(_) | Since::Lost => return nothing(true),
    };
    let alerts: Vec<_> = state.alerts.newest().filter(|kept| kept.change > change).collect();
    let incidents: Vec<_> = state.incidents.newest().filter(|kept| kept.change > change).collect();
    if alerts.len() + incidents.len() > MOST_ROWS {
        return nothing(true);
    }
    ChangesView {
        alerts: alerts.into_iter().map(|kept| AlertRow::of(&Arc::clone(&kept.value))).collect(),
        incidents: incidents.into_iter().map(|kept| IncidentRow::of(&kept.value)).collect(),
        is_cut: false,
        sites: state.sites_change > change,
        people: state.people_change > change,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::store::Store;
    use crate::testing::{alert, incident};

    #[test]
    fn a_browser_is_told_of_what_is_new_and_of_nothing_twice() {
        let (store, now) = (Store::new(Metrics::default()), "2026-11-23T09:00:00Z".parse().unwrap());
        store.add_alert(alert("east", "2026-11-23T08:00:00Z", "1"), now);
        let known = store.state().change();
        assert_eq!(since(&store.state(), Since::Change(known)).alerts.len(), 0);
        store.add_alert(alert("east", "2026-11-23T07:00:00Z", "2"), now);
        store.add_incident(incident(1, "2026-11-23T07:00:00Z", "2026-11-23T07:00:00Z"), 100);
        store.set_bucket(Ok(()), now);
        let told = since(&store.state(), Since::Change(known));
        assert_eq!((told.alerts.len(), told.incidents.len(), told.sites, told.is_cut), (1, 1, true, false));
        assert!(!since(&store.state(), Since::Now).is_cut, "a new browser has just asked for everything");
    }

    #[test]
    fn who_cannot_be_told_what_was_missed_is_told_so() {
        let (store, now) = (Store::new(Metrics::default()), "2026-11-23T09:00:00Z".parse().unwrap());
        assert!(since(&store.state(), Since::Lost).is_cut, "another run");
        assert!(since(&store.state(), Since::Change(7)).is_cut, "a change that has not been yet");
        for number in 0..=MOST_ROWS {
            store.add_alert(alert("east", "2026-11-23T08:00:00Z", &number.to_string()), now);
        }
        assert!(since(&store.state(), Since::Change(0)).is_cut);
        assert!(!since(&store.state(), Since::Change(1)).is_cut);
    }

    #[test]
    fn ids_are_of_one_run() {
        assert_eq!(change_of("ab", "ab-12"), Some(12));
        for other in ["", "12", "ac-12", "ab-", "ab12", "ab-x"] {
            assert_eq!(change_of("ab", other), None, "{other}");
        }
    }
}
