//! What a notifier tells of its receivers, as a condition: whether each can use what it needs of Secrets and `ConfigMaps`. The operator may
//! not read those that a pipeline names; the notifier, into which they are mounted, can.

use std::path::Path;

use vedette_contract::Name;
use vedette_contract::file_names::FileNames;
use vedette_contract::health::{Health, NotifierHealth, UnusableFile};

use crate::desired::receiver_file;
use crate::last_words::cut;
use crate::reason::ReceiversReason;
use crate::site::Source;
use crate::status::Finding;
use crate::validate::{ReceiverFile, ValidatedReceiver};

/// The files that are of no use to receivers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReceiversSeen {
    unusable: Vec<UnusableFile>,
}

impl ReceiversSeen {
    /// By the notifier that began last, which is the one that acts; none where no notifier tells.
    pub(crate) fn new(fresh: &[&Health]) -> Option<Self> {
        let notifiers = fresh.iter().filter(|health| health.notifier.is_some());
        let NotifierHealth { unusable_files } = notifiers.max_by_key(|health| health.started_at)?.notifier.clone()?;
        Some(Self { unusable: unusable_files })
    }

    /// None where these receivers need no file. A notifier of another spec tells of others, which are passed.
    pub(crate) fn finding(&self, receivers: &[ValidatedReceiver], namespace: &Name) -> Option<Finding> {
        let needed = receivers
            .iter()
            .flat_map(|ValidatedReceiver { receiver, files }| files.iter().map(move |file| (&receiver.name, file)));
        let needed: Vec<(&Name, &ReceiverFile)> = needed.collect();
        if needed.is_empty() {
            return None;
        }
        let told = needed.into_iter().filter_map(|(receiver, file)| Some((receiver, file, self.told(receiver, file)?)));
        let told: Vec<(&Name, &ReceiverFile, &UnusableFile)> = told.collect();
        if told.is_empty() {
            let message = "every receiver of incidents has what it needs of Secrets and ConfigMaps";
            return Some(Finding::holds(ReceiversReason::Usable, message));
        }
        let is_any_missing = told.iter().any(|(_, _, told)| told.wrong.is_none());
        let reason =
            if is_any_missing { ReceiversReason::ReceiverSecretMissing } else { ReceiversReason::ReceiverSecretWrong };
        let said: Vec<String> =
            told.iter().map(|(receiver, file, told)| sentence(receiver, file, told, namespace)).collect();
        Some(Finding::fails(reason, format!("{}; what they are to be told waits", said.join("; "))))
    }

    fn told(&self, receiver: &Name, file: &ReceiverFile) -> Option<&UnusableFile> {
        let path = receiver_file(receiver, file);
        self.unusable.iter().find(|told| told.receiver == *receiver && told.file == Path::new(&path))
    }
}

/// What is the case, and what to do.
fn sentence(receiver: &Name, file: &ReceiverFile, told: &UnusableFile, namespace: &Name) -> String {
    let ReceiverFile { purpose: _, source, key } = file;
    let key = match FileNames::of(key) {
        FileNames::This(key) => format!("the key {key}"),
        FileNames::Ending(end) => format!("a key that ends in {end}"),
    };
    let kind = match source {
        Source::Secret(_) => "Secret",
        Source::ConfigMap(_) => "ConfigMap",
    };
    match &told.wrong {
        None => format!(
            "receiver {receiver} lacks {key} of {source} in namespace {namespace}: create the {kind}, or add the key"
        ),
        Some(wrong) => {
            let wrong = cut(wrong);
            format!(
                "receiver {receiver} cannot use {key} of {source} in namespace {namespace}, which {wrong}: write it anew"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};
    use vedette_contract::receiver::{Address, ReceiverKind};

    use super::*;

    fn receiver(name: &str, files: &[(&'static str, Source, &str)]) -> ValidatedReceiver {
        let file = |(purpose, source, key): &(&'static str, Source, &str)| ReceiverFile {
            purpose,
            source: source.clone(),
            key: (*key).to_owned(),
        };
        let receiver = vedette_contract::receiver::Receiver {
            name: name.parse().unwrap(),
            to: ReceiverKind::Alertmanager {},
            url: Address::Url("http://a".to_owned()),
            minimum_severity: vedette_contract::incident::Severity::Low,
            filter: None,
            ca_file: None,
            authorization_file: None,
        };
        ValidatedReceiver { receiver, files: files.iter().map(file).collect() }
    }

    fn receivers() -> [ValidatedReceiver; 2] {
        let secret = |name: &str| Source::Secret(name.parse().unwrap());
        let authorities = Source::ConfigMap("company-ca".parse().unwrap());
        [
            receiver("chat", &[("url", secret("chat"), "url"), ("ca", authorities, "*.crt")]),
            receiver("pager", &[("auth", secret("pager"), "token")]),
        ]
    }

    fn notifier(started_at: i64, unusable: &Value) -> Health {
        serde_json::from_value(json!({
            "site": "east", "pod": format!("n-{started_at}"), "component": "notifier",
            "started_at": Timestamp::from_second(started_at).unwrap(), "updated_at": Timestamp::from_second(1_000).unwrap(),
            "notifier": { "unusable_files": unusable },
        }))
        .unwrap()
    }

    fn said(all: &[Health], receivers: &[ValidatedReceiver]) -> Option<(&'static str, String)> {
        let fresh: Vec<&Health> = all.iter().collect();
        let finding = ReceiversSeen::new(&fresh)?.finding(receivers, &"payments".parse().unwrap())?;
        assert_eq!(finding.holds, Some(finding.reason == "Usable"));
        Some((finding.reason, finding.message))
    }

    #[test]
    fn what_a_receiver_lacks_is_named_with_its_key_its_object_and_the_namespace() {
        let lacks = json!([
            { "receiver": "chat", "file": "/var/lib/vedette/vedette-receiver-chat-url/url" },
            { "receiver": "chat", "file": "/var/lib/vedette/vedette-receiver-chat-ca/*.crt" },
            { "receiver": "pager", "file": "/var/lib/vedette/vedette-receiver-pager-auth/token", "wrong": "is empty" },
        ]);
        let (reason, message) = said(&[notifier(1, &lacks)], &receivers()).unwrap();
        assert_eq!(reason, "ReceiverSecretMissing");
        assert_eq!(
            message,
            "receiver chat lacks the key url of Secret chat in namespace payments: create the Secret, or add the key; \
             receiver chat lacks a key that ends in .crt of ConfigMap company-ca in namespace payments: create the ConfigMap, or add \
             the key; receiver pager cannot use the key token of Secret pager in namespace payments, which is empty: write it anew; \
             what they are to be told waits"
        );
        let (reason, _) = said(&[notifier(1, &json!([lacks[2]]))], &receivers()).unwrap();
        assert_eq!(reason, "ReceiverSecretWrong");
    }

    #[test]
    fn the_notifier_that_began_last_is_heard_of_what_the_spec_names() {
        let lacks = |key: &str| json!([{ "receiver": "pager", "file": format!("/var/lib/vedette/vedette-receiver-pager-auth/{key}") }]);
        let reason = |all: &[Health]| said(all, &receivers()).map(|(reason, _)| reason);
        assert_eq!(reason(&[]), None, "nobody tells");
        assert_eq!(reason(&[notifier(1, &lacks("token")), notifier(2, &json!([]))]), Some("Usable"));
        assert_eq!(reason(&[notifier(2, &lacks("token")), notifier(1, &json!([]))]), Some("ReceiverSecretMissing"));
        assert_eq!(reason(&[notifier(1, &lacks("another"))]), Some("Usable"), "it is of another spec");
        assert_eq!(said(&[notifier(1, &lacks("token"))], &[receiver("pager", &[])]), None, "none is needed");
    }
}
