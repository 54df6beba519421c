//! Validation of the incidents of a pipeline.

use std::path::PathBuf;

use vedette_contract::Name;
use vedette_contract::incident::Severity;
use vedette_contract::receiver::{FILTER_VARIABLES, Receiver, ReceiverKind, is_http_url};
use vedette_contract::topic::TopicSpecification;
use vedette_crds as crds;

use super::fields;
use super::validated_pipeline::{SecretValue, ValidatedIncidents, ValidatedReceiver};
use crate::desired::receiver_file;
use crate::field_error::{FieldErrors, MISSING, quoted};
use crate::site::{SiteFile, check_key};

const PATH: &str = "spec.incidents";
const LONGEST_WINDOW_SECONDS: u64 = 7 * 24 * 3_600;

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
    Some(ValidatedIncidents {
        topic: topic?,
        group_by: group_by.clone(),
        window: window?,
        receivers: receivers.into_iter().collect::<Option<_>>()?,
        image: image?,
    })
}

fn receiver(path: &str, receiver: &crds::Receiver, errors: &mut FieldErrors) -> Option<ValidatedReceiver> {
    let crds::Receiver { name, minimum_severity, filter, alertmanager, webhook } = receiver;
    let name = fields::name(&format!("{path}.name"), name, errors)?;
    filter.iter().for_each(|expression| self::filter(&format!("{path}.filter"), expression, errors));
    // Both or none is against a rule of the CRD, which has its error already.
    let (url, to, hmac, authorization) = match (alertmanager, webhook) {
        (Some(crds::AlertmanagerReceiver { url, authorization_secret }), None) => {
            (url, ReceiverKind::Alertmanager {}, None, authorization_secret)
        }
        (None, Some(crds::WebhookReceiver { url, hmac_secret, authorization_secret })) => {
            let hmac_key_file = hmac_secret.as_ref().map(|secret| file(&name, HMAC, &secret.key));
            (url, ReceiverKind::Webhook { hmac_key_file }, hmac_secret.as_ref(), authorization_secret)
        }
        (Some(_), Some(_)) | (None, None) => return None,
    };
    let path = format!("{path}.{}", kind(&to));
    if !is_http_url(url) {
        errors.push(format!("{path}.url"), quoted(url), "write an http:// or https:// URL with a host");
    }
    let [hmac_secret, authorization_secret] = [("hmacSecret", hmac), ("authorizationSecret", authorization.as_ref())]
        .map(|(field, secret)| match secret {
            Some(secret) => self::secret(&format!("{path}.{field}"), secret, errors).map(Some),
            None => Some(None),
        });
    let receiver = Receiver {
        to,
        url: url.clone(),
        minimum_severity: severity(*minimum_severity),
        filter: filter.clone(),
        ca_file: None,
        authorization_file: authorization.as_ref().map(|secret| file(&name, AUTHORIZATION, &secret.key)),
        name,
    };
    Some(ValidatedReceiver { receiver, hmac_secret: hmac_secret?, authorization_secret: authorization_secret? })
}

/// The field that describes it.
fn kind(to: &ReceiverKind) -> &'static str {
    match to {
        ReceiverKind::Alertmanager {} => "alertmanager",
        ReceiverKind::Webhook { .. } => "webhook",
    }
}

fn secret(path: &str, secret: &crds::SecretKey, errors: &mut FieldErrors) -> Option<SecretValue> {
    let crds::SecretKey { name, key } = secret;
    let name = fields::name(&format!("{path}.name"), name, errors);
    check_key(&format!("{path}.key"), key, errors);
    Some(SecretValue { name: name?, key: key.clone() })
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

/// What the key of the signature is for, in the name of its volume, which has to be short.
pub(crate) const HMAC: &str = "hmac";
/// What a header's value is for.
pub(crate) const AUTHORIZATION: &str = "auth";

fn file(receiver: &Name, purpose: &str, key: &str) -> PathBuf {
    receiver_file(receiver, purpose, key).into()
}

fn severity(severity: crds::IncidentSeverity) -> Severity {
    match severity {
        crds::IncidentSeverity::Low => Severity::Low,
        crds::IncidentSeverity::Medium => Severity::Medium,
        crds::IncidentSeverity::High => Severity::High,
        crds::IncidentSeverity::Critical => Severity::Critical,
    }
}
