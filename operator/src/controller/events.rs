//! Events of the API server. Which changes are worth one, the core decides.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use vedette_service::error_chain;

use vedette_core::desired::labels::MANAGER;

/// What an event may say at most, bytes.
const NOTE_LIMIT: usize = 1000;

/// Tells the API server.
pub(super) struct Announcer {
    recorder: Recorder,
}

impl Announcer {
    /// As this process; there is one in it, as it counts repeats.
    pub(super) fn new(client: Client, pod_name: &str) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(pod_name.to_owned()) };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Tells of an object. An event that cannot be written is logged and lost: the status has it too.
    pub(super) async fn announce(&self, object: &ObjectReference, events: &[vedette_core::event::Event]) {
        for event in events {
            let (reason, message) = (event.reason(), event.message());
            let name = object.name.as_deref().unwrap_or_default();
            tracing::info!(namespace = object.namespace, name, reason, note = message, "event");
            let event = Event {
                type_: if event.is_warning() { EventType::Warning } else { EventType::Normal },
                reason: reason.clone(),
                note: Some(cut(&message)),
                action: "Reconcile".to_owned(),
                secondary: None,
            };
            if let Err(error) = self.recorder.publish(&event, object).await {
                tracing::warn!(name, reason, error = error_chain(&error), "an event was not written");
            }
        }
    }
}

fn cut(text: &str) -> String {
    let end = text.char_indices().map(|(index, _)| index).take_while(|index| *index <= NOTE_LIMIT).last();
    if text.len() <= NOTE_LIMIT { text.to_owned() } else { format!("{}…", &text[..end.unwrap_or_default()]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_fits() {
        assert!(cut(&"ä".repeat(2000)).len() <= 1024);
    }
}
