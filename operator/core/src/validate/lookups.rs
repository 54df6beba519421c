//! Validation of lookups: what can be known of them without their tables.

use std::collections::BTreeMap;

use vedette_contract::fields as record;
use vedette_contract::keys::NamespaceKeys;
use vedette_contract::lookup::{Lookup, TableFormat, TablePlace};
use vedette_crds as crds;

use super::fields;
use super::validated_pipeline::{ConfigMapKey, ValidatedLookup};
use crate::field_error::{FieldErrors, quoted};
use crate::site::check_key;

const PATH: &str = "spec.detector.lookups";
const KEY_MEND: &str = "use a file name below the namespace's prefix, of letters, digits, '.', '_', '-' and '/'";

/// The lookups of a detector; none of their fields is another's, and none is looked up by what is added itself.
pub(super) fn lookups(
    detector: &crds::Detector,
    keys: Option<&NamespaceKeys>,
    errors: &mut FieldErrors,
) -> Option<Vec<ValidatedLookup>> {
    let lookups = &detector.lookups;
    fields::once(PATH, lookups.iter().map(|lookup| lookup.name.as_str()), errors);
    check_fields(detector, errors);
    let read = |(index, read): (usize, &crds::Lookup)| lookup(&format!("{PATH}[{index}]"), read, keys, errors);
    let validated: Vec<Option<ValidatedLookup>> = lookups.iter().enumerate().map(read).collect();
    validated.into_iter().collect()
}

/// Checks the names of all fields that are added, and what each lookup is by.
fn check_fields(detector: &crds::Detector, errors: &mut FieldErrors) {
    let calculated = detector.calculated_fields();
    let by_calculation = calculated
        .iter()
        .enumerate()
        .map(|(index, field)| (field.name.clone(), format!("spec.detector.calculatedFields[{index}]")));
    let mut added: BTreeMap<String, String> = by_calculation.collect();
    for (index, lookup) in detector.lookups.iter().enumerate() {
        let path = format!("{PATH}[{index}]");
        fields::once(&format!("{path}.columns"), lookup.columns.iter().map(String::as_str), errors);
        let prefix = lookup.prefix.as_deref().unwrap_or_default();
        for (column, name) in lookup.columns.iter().enumerate() {
            let (place, field) = (format!("{path}.columns[{column}]"), format!("{prefix}{name}"));
            if record::is_reserved(&field) {
                let mend = format!("would add {field:?}, a field of Vedette's own; set prefix");
                errors.push(&place, quoted(name), mend);
            }
            match added.get(&field).filter(|other| **other != path) {
                Some(other) => {
                    let mend = format!("would add {field:?}, which {other} adds; set prefix");
                    errors.push(&place, quoted(name), mend);
                }
                None => drop(added.insert(field, path.clone())),
            }
        }
    }
    for (index, lookup) in detector.lookups.iter().enumerate() {
        let field = &lookup.field;
        let first = field.split('.').next().unwrap_or_default();
        if let Some(adds) = [field.as_str(), first].into_iter().find_map(|name| adds(&added, name)) {
            let mend = format!("{adds} adds it, so that no record has it; name a field of the records, or set prefix");
            errors.push(format!("{PATH}[{index}].field"), quoted(field), mend);
        }
    }
}

/// Who adds a field.
fn adds<'a>(added: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let by_us = record::ADDED.contains(&name).then_some("the detector");
    by_us.or_else(|| added.get(name).map(String::as_str))
}

fn lookup(
    path: &str,
    lookup: &crds::Lookup,
    keys: Option<&NamespaceKeys>,
    errors: &mut FieldErrors,
) -> Option<ValidatedLookup> {
    let crds::Lookup { name, field, table, format, key_column, columns, prefix } = lookup;
    let name = fields::name(&format!("{path}.name"), name, errors);
    let (place, config_map) = match table {
        crds::Table::Bucket(crds::TableObject { key }) => {
            let parts = key.split('/');
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            if !parts.clone().all(|part| !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)) {
                errors.push(format!("{path}.table.bucket.key"), quoted(key), KEY_MEND);
            }
            (keys.map(|keys| TablePlace::Object(keys.table(key))), None)
        }
        crds::Table::ConfigMap(crds::TableConfigMap { name, key }) => {
            if !fields::is_dns_name(name) {
                let mend = "use the name of a ConfigMap: lower-case letters, digits, '-' and '.'";
                errors.push(format!("{path}.table.configMap.name"), quoted(name), mend);
            }
            check_key(&format!("{path}.table.configMap.key"), key, errors);
            (Some(TablePlace::File), Some(ConfigMapKey { name: name.clone(), key: key.clone() }))
        }
    };
    let format = match format {
        crds::TableFormat::Csv => TableFormat::Csv,
        crds::TableFormat::JsonLines => TableFormat::JsonLines,
    };
    let prefix = prefix.clone().unwrap_or_default();
    let (key_column, columns) = (key_column.clone(), columns.clone());
    let lookup = Lookup { name: name?, field: field.clone(), place: place?, format, key_column, columns, prefix };
    Some(ValidatedLookup { lookup, config_map })
}
