//! Validation of the incidents of a pipeline.

use std::path::PathBuf;
use std::time::Duration;

use vedette_contract::incident::Severity;
use vedette_contract::receiver::{Address, FILTER_VARIABLES, Receiver, ReceiverKind, is_http_url};
use vedette_contract::topic::{TopicManagement, TopicSpecification};
use vedette_crds as crds;

use super::fields;
use super::validated_pipeline::{ReceiverFile, ValidatedIncidents, ValidatedReceiver};
use crate::desired::receiver_file;
use crate::field_error::{FieldErrors, MISSING, quoted};
use crate::site::{SiteFile, Source, WITH_USER, check_key, check_keys, has_user};

const PATH: &str = "spec.incidents";
const LONGEST_WINDOW_SECONDS: u64 = 7 * 24 * 3_600;
const DAY: Duration = Duration::from_secs(24 * 3_600);

pub(super) fn incidents(
    incidents: &crds::Incidents,
    topic: Option<TopicSpecification>,
    site: &SiteFile,
    errors: &mut FieldErrors,
) -> Option<ValidatedIncidents> {
    let crds::Incidents { topic: _, group_by, window, receivers, resources, pod: _ } = incidents;
    let window = fields::duration(&format!("{PATH}.window"), window, (1, LONGEST_WINDOW_SECONDS), errors);
    fields::once(&format!("{PATH}.groupBy"), group_by.iter().map(String::as_str), errors);
    fields::resources(&format!("{PATH}.resources"), resources, errors);
    let image = site.images.notifier.clone();
    if image.is_none() {
        errors.push(PATH, MISSING, "this site has no image of the notifier; set images.notifier in its site file");
    }
    // All are looked at, whatever is wrong with the first.
    let receivers: Vec<Option<_>> = receivers
        .iter()
        .enumerate()
        .map(|(index, receiver)| self::receiver(&format!("{PATH}.receivers[{index}]"), receiver, errors))
        .collect();
    if let (Some(topic), Some(window)) = (&topic, window) {
        check_retention(topic, window, errors);
    }
    Some(ValidatedIncidents {
        topic: topic?,
        group_by: group_by.clone(),
        window: window?,
        receivers: receivers.into_iter().collect::<Option<_>>()?,
        image: image?,
    })
}

/// The topic is the notifier's only memory: what is open has to be there until it is closed, also when nobody was there for a while.
fn check_retention(topic: &TopicSpecification, window: Duration, errors: &mut FieldErrors) {
    let stated = topic.configuration.get("retention.ms").filter(|_| topic.management != TopicManagement::None);
    let kept = stated.and_then(|kept| kept.parse::<u64>().ok()).map(Duration::from_millis);
    let least = window + DAY;
    if let Some(kept) = kept.filter(|kept| *kept < least && !kept.is_zero()) {
        let mend = format!(
            "must be at least {}, the window and a day: an open incident would be forgotten",
            least.as_millis()
        );
        errors.push(format!("{PATH}.topic.retentionMs"), kept.as_millis(), mend);
    }
}

fn receiver(path: &str, receiver: &crds::Receiver, errors: &mut FieldErrors) -> Option<ValidatedReceiver> {
    let crds::Receiver { name, minimum_severity, filter, alertmanager, webhook } = receiver;
    let name = fields::name(&format!("{path}.name"), name, errors)?;
    filter.iter().for_each(|expression| self::filter(&format!("{path}.filter"), expression, errors));
    // Both or none is against a rule of the CRD, which has its error already.
    let (kind, url, url_secret, ca, hmac, authorization) = match (alertmanager, webhook) {
        (Some(crds::AlertmanagerReceiver { url, ca, authorization_secret }), None) => {
            ("alertmanager", Some(url), None, ca, None, authorization_secret)
        }
        (None, Some(crds::WebhookReceiver { url, url_secret, ca, hmac_secret, authorization_secret })) => {
            ("webhook", url.as_ref(), url_secret.as_ref(), ca, hmac_secret.as_ref(), authorization_secret)
        }
        (Some(_), Some(_)) | (None, None) => return None,
    };
    let path = format!("{path}.{kind}");
    if let Some(url) = url.filter(|url| !is_http_url(url)) {
        errors.push(format!("{path}.url"), quoted(url), "write an http:// or https:// URL with a host");
    }
    if url.is_some_and(|url| has_user(url)) {
        let mend = "leave out what stands before the host; authorizationSecret names the Secret of who is let in";
        errors.push(format!("{path}.url"), WITH_USER, mend);
    }
    let secrets = [
        ("urlSecret", "url", url_secret),
        ("hmacSecret", "hmac", hmac),
        ("authorizationSecret", "auth", authorization.as_ref()),
    ];
    let [url_file, hmac_file, authorization_file] =
        secrets.map(|(field, purpose, secret)| secret_file(&format!("{path}.{field}"), purpose, secret?, errors));
    let ca_file = ca.as_ref().and_then(|ca| authority_file(&format!("{path}.ca"), ca, errors));
    let place = |file: &Option<ReceiverFile>| Some(PathBuf::from(receiver_file(&name, file.as_ref()?)));
    let receiver = Receiver {
        to: match alertmanager {
            Some(_) => ReceiverKind::Alertmanager {},
            None => ReceiverKind::Webhook { hmac_key_file: place(&hmac_file) },
        },
        url: url.cloned().map(Address::Url).or_else(|| place(&url_file).map(|file| Address::Secret { file }))?,
        minimum_severity: severity(*minimum_severity),
        filter: filter.clone(),
        ca_file: place(&ca_file),
        authorization_file: place(&authorization_file),
        name,
    };
    let files = [url_file, hmac_file, authorization_file, ca_file].into_iter().flatten().collect();
    Some(ValidatedReceiver { receiver, files })
}

fn secret_file(
    path: &str,
    purpose: &'static str,
    secret: &crds::SecretKey,
    errors: &mut FieldErrors,
) -> Option<ReceiverFile> {
    let crds::SecretKey { name, key } = secret;
    let name = fields::object_name(&format!("{path}.name"), name, errors);
    check_key(&format!("{path}.key"), key, errors);
    Some(ReceiverFile { purpose, source: Source::Secret(name?), key: key.clone() })
}

fn authority_file(path: &str, ca: &crds::Authority, errors: &mut FieldErrors) -> Option<ReceiverFile> {
    let crds::Authority { secret, config_map, key } = ca;
    check_keys(&format!("{path}.key"), key, errors);
    // Both or none is against a rule of the CRD.
    let source = match (secret, config_map) {
        (Some(name), _) => Source::Secret(fields::object_name(&format!("{path}.secret"), name, errors)?),
        (None, Some(name)) => Source::ConfigMap(fields::object_name(&format!("{path}.configMap"), name, errors)?),
        (None, None) => return None,
    };
    Some(ReceiverFile { purpose: "ca", source, key: key.clone() })
}

fn filter(path: &str, expression: &str, errors: &mut FieldErrors) {
    let program = match cel::Program::compile(expression) {
        Ok(program) => program,
        Err(error) => return errors.push(path, quoted(expression), format!("is not CEL: {error}")),
    };
    let references = program.references();
    for unknown in references.variables().into_iter().filter(|name| !FILTER_VARIABLES.contains(name)) {
        let known = FILTER_VARIABLES.join(", ");
        errors.push(
            path,
            quoted(expression),
            format!("speaks of {unknown}, which no incident has; there are: {known}"),
        );
    }
}

fn severity(severity: crds::IncidentSeverity) -> Severity {
    match severity {
        crds::IncidentSeverity::Low => Severity::Low,
        crds::IncidentSeverity::Medium => Severity::Medium,
        crds::IncidentSeverity::High => Severity::High,
        crds::IncidentSeverity::Critical => Severity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_forgets_what_is_open_is_refused() {
        let complaints = |topic: &str, window_hours: u64| {
            let mut errors = FieldErrors::of("a pipeline");
            check_retention(&topic.parse().unwrap(), Duration::from_secs(window_hours * 3_600), &mut errors);
            errors.finish(Some(())).err().unwrap_or_default()
        };
        for (topic, window_hours) in
            [("i:partitions=1,retention.ms=3600000", 24), ("i:partitions=1,retention.ms=172799999", 24)]
        {
            let complaints = complaints(topic, window_hours);
            assert_eq!(complaints.len(), 1, "{topic}");
            assert_eq!(complaints[0].path, "spec.incidents.topic.retentionMs");
            assert!(complaints[0].hint.starts_with("must be at least 172800000"), "{complaints:?}");
        }
        assert_eq!(
            complaints("i:partitions=1,retention.ms=604800000", 168).len(),
            1,
            "the default, and the longest window"
        );
        for kept in ["i:partitions=1,retention.ms=172800000", "i:partitions=1,retention.ms=-1", "i:partitions=1"] {
            assert_eq!(complaints(kept, 24), [], "{kept}");
        }
    }
}
