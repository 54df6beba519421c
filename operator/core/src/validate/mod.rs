//! Turns what people wrote into values in which nothing can be wrong any more, or into the list of everything that is.
//! Limits and rules stand in the CRD and are checked with its own schema; here is what a schema cannot say.

mod alerting;
mod calculated_fields;
mod fields;
mod incidents;
mod lookups;
mod mounts;
mod pipeline;
mod pods;
mod renamed_fields;
mod tags;
mod topics;
mod training;
mod units;
mod validated_pipeline;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use vedette_contract::Name;

pub use pipeline::validate_pipeline;
pub use tags::Tags;
pub use training::{ValidatedData, ValidatedFeatures, ValidatedJob, ValidatedTraining, validate_training};
pub use validated_pipeline::{
    Alerting, ComponentPods, ConfigMapKey, Dataset, ReceiverFile, Scale, ValidatedArchiver, ValidatedDetector,
    ValidatedGenerator, ValidatedIncidents, ValidatedLookup, ValidatedModel, ValidatedPipeline, ValidatedReceiver,
    ValidatedTopics,
};

use crate::field_error::{FieldErrors, MISSING, quoted};
use crate::schema::{Report, Schema};

/// Checks an object against its CRD: limits, and rules in CEL.
fn check_schema(schema: &Schema, object: &impl Serialize, errors: &mut FieldErrors) {
    if let Some(mut object) = errors.check("(object)", "not representable", serde_json::to_value(object)) {
        schema.check(&mut object, Report::Limits, errors);
        schema.check_rules(&object, errors);
    }
}

/// Namespace and name of an object.
fn identity(metadata: &ObjectMeta, errors: &mut FieldErrors) -> Option<(Name, Name)> {
    let mut name = |path: &str, value: Option<&String>| match value {
        Some(value) => fields::name(path, value, errors),
        None => {
            errors.push(path, MISSING, "is required");
            None
        }
    };
    let namespace = name("metadata.namespace", metadata.namespace.as_ref());
    let name = name("metadata.name", metadata.name.as_ref());
    Some((namespace?, name?))
}

/// A number that its schema keeps from being negative.
fn unsigned<T: TryFrom<i64>>(path: &str, value: i64, errors: &mut FieldErrors) -> Option<T> {
    errors.check(path, value, T::try_from(value).map_err(|_| "is out of range"))
}

/// A label and what counts as normal.
fn label(path: &str, label: Option<&vedette_crds::Label>, errors: &mut FieldErrors) -> Option<vedette_crds::Label> {
    let label = label?;
    if vedette_contract::fields::is_reserved(&label.field) {
        errors.push(
            format!("{path}.field"),
            quoted(&label.field),
            "is a field of Vedette's own; name the data's label",
        );
    }
    Some(label.clone())
}
