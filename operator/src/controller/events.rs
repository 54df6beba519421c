//! Events of the API server: what changed, said once. Which changes are worth one is a pure function.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use vedette_service::error_chain;

use vedette_core::desired::labels::MANAGER;
use vedette_core::roll::RollEvent;
use vedette_core::status::{BUCKET_REACHABLE, INVALID, READY, TOPIC_CONFLICT, find};

/// What an event may say at most, bytes.
const NOTE_LIMIT: usize = 1000;

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whether somebody should look.
    pub warning: bool,
    /// One word in CamelCase.
    pub reason: String,
    /// What is to be told.
    pub message: String,
}

impl From<&RollEvent> for Notice {
    fn from(event: &RollEvent) -> Self {
        let warning = match event {
            RollEvent::RolledBack { .. } => true,
            RollEvent::Started { .. } | RollEvent::Activated(_) => false,
        };
        Self { warning, reason: event.reason().to_owned(), message: event.to_string() }
    }
}

/// Conditions that flipped, as notices. What does not hold from the beginning is news only where it will stay so.
pub fn transitions(before: &[Condition], after: &[Condition]) -> Vec<Notice> {
    let flipped = [READY, BUCKET_REACHABLE].into_iter().filter_map(|kind| {
        let now = find(after, kind)?;
        let news = match find(before, kind) {
            Some(last) => {
                last.status != now.status || (now.status == "False" && is_lasting(now) && last.reason != now.reason)
            }
            None => is_lasting(now),
        };
        news.then(|| Notice {
            warning: now.status != "True",
            reason: if now.status == "True" { kind.to_owned() } else { now.reason.clone() },
            message: now.message.clone(),
        })
    });
    flipped.collect()
}

fn is_lasting(condition: &Condition) -> bool {
    [INVALID, TOPIC_CONFLICT, "TopicJobFailed", "ApplyFailed"].contains(&condition.reason.as_str())
}

/// Tells the API server.
pub struct Announcer {
    recorder: Recorder,
}

impl Announcer {
    /// As this process; there is one in it, as it counts repeats.
    pub fn new(client: Client, pod_name: &str) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(pod_name.to_owned()) };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Tells of an object. An event that cannot be written is logged and lost: the status has it too.
    pub async fn announce(&self, object: &ObjectReference, notices: &[Notice]) {
        for Notice { warning, reason, message } in notices {
            let name = object.name.as_deref().unwrap_or_default();
            tracing::info!(namespace = object.namespace, name, reason, note = message, "event");
            let event = Event {
                type_: if *warning { EventType::Warning } else { EventType::Normal },
                reason: reason.clone(),
                note: Some(cut(message)),
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
    use jiff::Timestamp;
    use vedette_core::status::{Conditions, Verdict};

    fn ready(holds: bool, reason: &str) -> Vec<Condition> {
        let verdict = Verdict { holds: Some(holds), reason: reason.to_owned(), message: String::new() };
        Conditions::from(&[], None, Timestamp::UNIX_EPOCH).with(READY, verdict).into_vec()
    }

    fn reasons(before: &[Condition], after: &[Condition]) -> Vec<String> {
        transitions(before, after).into_iter().map(|notice| notice.reason).collect()
    }

    #[test]
    fn only_transitions_are_told() {
        let (up, down, wrong) = (ready(true, "Running"), ready(false, "PodsNotReady"), ready(false, INVALID));
        assert_eq!(reasons(&[], &down), [""; 0]);
        assert_eq!(reasons(&[], &wrong), [INVALID]);
        assert_eq!(reasons(&down, &up), ["Ready"]);
        assert_eq!(reasons(&up, &down), ["PodsNotReady"]);
        assert_eq!(reasons(&down, &ready(false, "TopicJobRunning")), [""; 0]);
        assert_eq!(reasons(&down, &wrong), [INVALID]);
        assert_eq!(reasons(&wrong, &wrong), [""; 0]);
    }

    #[test]
    fn a_long_note_fits() {
        assert!(cut(&"ä".repeat(2000)).len() <= 1024);
    }
}
