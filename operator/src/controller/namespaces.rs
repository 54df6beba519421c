//! Which namespaces are acted upon: those that the site file names, or those that its selector matches, as they come and go.

use std::collections::BTreeSet;

use futures::stream::{self, BoxStream, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use vedette_contract::Name;
use vedette_core::site::Watched;
use vedette_service::error_chain;

/// The namespaces to act upon, each time that they change.
pub(super) fn namespaces(client: &Client, watched: &Watched) -> BoxStream<'static, BTreeSet<Name>> {
    match watched {
        Watched::These(names) => {
            let names = names.iter().cloned().collect();
            stream::once(std::future::ready(names)).chain(stream::pending()).boxed()
        }
        Watched::Selected(selector) => selected(client.clone(), selector),
    }
}

fn selected(client: Client, selector: &str) -> BoxStream<'static, BTreeSet<Name>> {
    let (store, writer) = reflector::store();
    let config = watcher::Config::default().labels(selector);
    let events = watcher(Api::<PartialObjectMeta<Namespace>>::all(client), config).default_backoff().reflect(writer);
    let changes = events.filter_map(move |event| std::future::ready(known_after(event, &store)));
    changes.boxed()
}

/// All that are known after an event; none where it tells of no whole list yet.
fn known_after(
    event: Result<Event<PartialObjectMeta<Namespace>>, watcher::Error>,
    store: &Store<PartialObjectMeta<Namespace>>,
) -> Option<BTreeSet<Name>> {
    match event {
        Ok(Event::Init | Event::InitApply(_)) => None,
        Ok(Event::InitDone | Event::Apply(_) | Event::Delete(_)) => {
            let living = store.state_filter(|namespace| namespace.metadata.deletion_timestamp.is_none());
            Some(living.iter().filter_map(|namespace| namespace.name_any().parse().ok()).collect())
        }
        Err(error) => {
            tracing::warn!(error = error_chain(&error), "the watch of the namespaces broke and begins again");
            None
        }
    }
}
