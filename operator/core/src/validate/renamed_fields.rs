//! Validation of the fields that get other names.

use vedette_contract::arguments::KeyValue;
use vedette_crds as crds;

use super::fields;
use crate::field_error::{FieldErrors, quoted};

const PATH: &str = "spec.detector.renamedFields";

/// The renamed fields of a detector: none gets a name that another gets or that is added, and nothing asks for one by the name that it
/// no longer has.
pub(super) fn renamed_fields(detector: &crds::Detector, errors: &mut FieldErrors) -> Vec<KeyValue> {
    let (renamed, added) = (&detector.renamed_fields, added(detector));
    fields::once(PATH, renamed.iter().map(|field| field.name.as_str()), errors);
    fields::once(PATH, renamed.iter().map(|field| field.to.as_str()), errors);
    for (index, crds::RenamedField { name, to }) in renamed.iter().enumerate() {
        let path = format!("{PATH}[{index}]");
        if name.contains('=') {
            errors.push(format!("{path}.name"), quoted(name), "cannot be renamed, as its name has a '='");
        }
        fields::new_field(&format!("{path}.to"), to, errors);
        if added.contains(to) {
            errors.push(format!("{path}.to"), quoted(to), "is added to the records; choose another name");
        }
    }
    check_users(detector, errors);
    renamed.iter().map(|crds::RenamedField { name, to }| KeyValue { key: name.clone(), value: to.clone() }).collect()
}

/// The names that are looked up or calculated.
fn added(detector: &crds::Detector) -> Vec<String> {
    let looked_up = detector.lookups.iter().flat_map(|lookup| {
        let prefix = lookup.prefix.as_deref().unwrap_or_default();
        lookup.columns.iter().map(move |column| format!("{prefix}{column}"))
    });
    looked_up.chain(detector.calculated_fields().into_iter().map(|field| field.name)).collect()
}

/// Whoever asks for a field by the name that it had finds it in no record.
fn check_users(detector: &crds::Detector, errors: &mut FieldErrors) {
    let renamed = &detector.renamed_fields;
    let other_name = |name: &str| {
        let is_given_again = renamed.iter().any(|field| field.to == name);
        renamed.iter().find(|field| field.name == name && !is_given_again).map(|field| field.to.as_str())
    };
    for (index, lookup) in detector.lookups.iter().enumerate() {
        let field = &lookup.field;
        if let Some(to) = [field.as_str(), field.split('.').next().unwrap_or_default()].into_iter().find_map(other_name)
        {
            errors.push(format!("spec.detector.lookups[{index}].field"), quoted(field), called(to));
        }
    }
    for (index, calculated) in detector.calculated_fields().iter().enumerate() {
        // One that is no expression is told of elsewhere.
        let Ok(program) = cel::Program::compile(&calculated.expression) else { continue };
        if let Some(to) = program.references().variables().into_iter().find_map(other_name) {
            let path = format!("spec.detector.calculatedFields[{index}].expression");
            errors.push(path, quoted(&calculated.expression), called(to));
        }
    }
}

fn called(to: &str) -> String {
    format!("asks for a field that is called {to:?} by then; use that name")
}
