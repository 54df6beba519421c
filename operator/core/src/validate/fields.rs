//! Checks of single fields, each with its hint.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use vedette_contract::fields::is_reserved;
use vedette_contract::{ModelVersion, Name, ObjectName, TopicName};
use vedette_crds::Resources;

use super::units::{parse_duration, parse_quantity};
use crate::field_error::{FieldErrors, quoted};

const NAME_MEND: &str = "use 1 to 63 lower-case letters, digits and '-', with a letter or digit at both ends";

pub(super) fn name(path: &str, value: &str, errors: &mut FieldErrors) -> Option<Name> {
    errors.check(path, quoted(value), value.parse().map_err(|_| NAME_MEND))
}

pub(super) fn object_name(path: &str, value: &str, errors: &mut FieldErrors) -> Option<ObjectName> {
    let hint = "use 1 to 253 lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each part";
    errors.check(path, quoted(value), value.parse().map_err(|_| hint))
}

pub(super) fn topic_name(path: &str, value: &str, errors: &mut FieldErrors) -> Option<TopicName> {
    let hint = "use 1 to 249 letters, digits, '.', '_' and '-', other than '.' and '..'";
    errors.check(path, quoted(value), value.parse().map_err(|_| hint))
}

pub(super) fn model_version(path: &str, value: &str, errors: &mut FieldErrors) -> Option<ModelVersion> {
    let hint = "use a version as it stands in the bucket, such as 20261123T084210Z-1a2b3c4d";
    errors.check(path, quoted(value), value.parse().map_err(|_| hint))
}

/// A duration between these two, both in seconds.
pub(super) fn duration(path: &str, value: &str, seconds: (u64, u64), errors: &mut FieldErrors) -> Option<Duration> {
    let (least, most) = seconds;
    let duration = parse_duration(value)
        .ok_or_else(|| "write a duration such as 10s, 15m or 1h30m".to_owned())
        .and_then(|duration| {
            let within = (Duration::from_secs(least)..=Duration::from_secs(most)).contains(&duration);
            within.then_some(duration).ok_or_else(|| format!("must be between {least}s and {}h", most / 3600))
        });
    errors.check(path, quoted(value), duration)
}

/// A number of bytes between these two.
pub(super) fn bytes(path: &str, value: &Quantity, limits: (u64, u64), errors: &mut FieldErrors) -> Option<u64> {
    let (least, most) = limits;
    let bytes =
        parse_quantity(&value.0).ok_or_else(|| "write a quantity such as 128Mi".to_owned()).and_then(|quantity| {
            let bytes = quantity.rounded_up().and_then(|bytes| u64::try_from(bytes).ok());
            bytes
                .filter(|bytes| (least..=most).contains(bytes))
                .ok_or_else(|| format!("must be between {least} and {most} bytes"))
        });
    errors.check(path, quoted(&value.0), bytes)
}

/// The name of a field that records get: one that an expression can be written with, and none of ours.
pub(super) fn new_field(path: &str, name: &str, errors: &mut FieldErrors) {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.bytes().all(inner) || name.starts_with(|first: char| first.is_ascii_digit()) {
        errors.push(path, quoted(name), "use letters, digits and '_', and no digit first");
    }
    if is_reserved(name) {
        errors.push(path, quoted(name), "is a field of Vedette's own; choose another name");
    }
}

/// Keys of a list in which the API server takes each once.
pub(super) fn once<'a>(path: &str, keys: impl Iterator<Item = &'a str>, errors: &mut FieldErrors) {
    let mut there = BTreeSet::new();
    for key in keys.filter(|key| !there.insert(*key)) {
        errors.push(path, quoted(key), "stands there twice; leave one out, or give it a name of its own");
    }
}

/// CPU and memory in which no request is over its limit.
pub(super) fn resources(path: &str, value: &Resources, errors: &mut FieldErrors) {
    let Resources { requests, limits } = value;
    let mut parsed = |kind: &str, quantities: &BTreeMap<String, Quantity>| {
        let mut amounts = BTreeMap::new();
        for (name, quantity) in quantities {
            match parse_quantity(&quantity.0) {
                Some(amount) => drop(amounts.insert(name.clone(), amount)),
                None => errors.push(
                    format!("{path}.{kind}.{name}"),
                    quoted(&quantity.0),
                    "write a quantity such as 500m, 2 or 256Mi",
                ),
            }
        }
        amounts
    };
    let (requested, limited) = (parsed("requests", requests), parsed("limits", limits));
    for (name, request) in &requested {
        if limited.get(name).is_some_and(|limit| request > limit) {
            let value = quoted(&requests[name].0);
            errors.push(
                format!("{path}.requests.{name}"),
                value,
                format!("must not be over the limit, {}", limits[name].0),
            );
        }
    }
}

pub(super) fn is_dns_name(text: &str) -> bool {
    text.parse::<ObjectName>().is_ok()
}
