//! The CRDs as the API server gets them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

use crate::{AnomalyPipeline, ModelTraining};

/// Every CRD.
pub fn all() -> [CustomResourceDefinition; 2] {
    [anomaly_pipeline(), model_training()]
}

/// The CRD of `AnomalyPipeline`.
pub fn anomaly_pipeline() -> CustomResourceDefinition {
    awaiting_a_look(without_nulls(AnomalyPipeline::crd()))
}

/// The CRD of `ModelTraining`.
pub fn model_training() -> CustomResourceDefinition {
    awaiting_a_look(without_nulls(ModelTraining::crd()))
}

/// Takes `nullable` from every optional field. The API server then drops a null before it fills in defaults and runs rules;
/// with it a null would count as a value in `has(…)`, and as an error here where the field has a default.
fn without_nulls(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            remove_nullable(schema);
        }
    }
    definition
}

/// Without a status an object is current for kstatus, and so for Flux and whoever waits with it, before anybody has looked at it.
fn awaiting_a_look(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let schemas = definition.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    let properties = schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()?.properties.as_mut());
    for status in properties.filter_map(|properties| properties.get_mut("status")) {
        status.default = Some(JSON(json!({ "observedGeneration": -1 })));
    }
    definition
}

fn remove_nullable(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(remove_nullable);
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => remove_nullable(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(remove_nullable),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(entry)) = &mut schema.additional_properties {
        remove_nullable(entry);
    }
}
