//! Validation of the fields that are calculated.

use vedette_contract::arguments::KeyValue;
use vedette_crds as crds;

use super::fields;
use crate::field_error::{FieldErrors, quoted};

/// The calculated fields of a detector, each once.
pub(super) fn calculated_fields(detector: &crds::Detector, errors: &mut FieldErrors) -> Vec<KeyValue> {
    let calculated = detector.calculated_fields();
    fields::once("spec.detector.calculatedFields", calculated.iter().map(|field| field.name.as_str()), errors);
    let read = |(index, field): (usize, crds::CalculatedField)| {
        let (path, crds::CalculatedField { name, expression }) =
            (format!("spec.detector.calculatedFields[{index}]"), field);
        fields::new_field(&format!("{path}.name"), &name, errors);
        if let Err(error) = cel::Program::compile(&expression) {
            errors.push(format!("{path}.expression"), quoted(&expression), format!("is not CEL: {error}"));
        }
        KeyValue { key: name, value: expression }
    };
    calculated.into_iter().enumerate().map(read).collect()
}
