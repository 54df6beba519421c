//! Reads manifests the way the API server would, with nothing dropped in silence: a field that does not exist is an error.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vedette_contract::Name;
use vedette_crds::{AnomalyPipeline, ModelTraining};

use crate::FieldError;
use crate::field_error::{FieldErrors, MISSING, quoted, title};
use crate::outputs::{Output, outputs, writes_to};
use crate::schema::{self, Report};
use crate::site::SiteFile;
use crate::validate::{ValidatedPipeline, ValidatedTraining, validate_pipeline, validate_training};
use crate::yaml;

const API_VERSION: &str = "vedette.io/v1alpha1";

/// One object of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub enum Manifest {
    /// A pipeline.
    AnomalyPipeline(Box<AnomalyPipeline>),
    /// A training.
    ModelTraining(Box<ModelTraining>),
}

/// One object of a manifest in which nothing is wrong.
#[derive(Debug, Clone)]
pub enum ValidatedManifest {
    /// A pipeline.
    Pipeline(Box<ValidatedPipeline>),
    /// A training.
    Training(Box<ValidatedTraining>),
}

/// What could be read of a text, and what was wrong with the rest.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The objects, each with a namespace; what could not be read of one is left out of it.
    pub manifests: Vec<Manifest>,
    /// What could not be read.
    pub errors: Vec<FieldError>,
}

/// Reads the objects of a YAML text. An object without a namespace gets this one.
pub fn parse(text: &str, default_namespace: &Name) -> Parsed {
    let mut parsed = Parsed::default();
    let mut seen = BTreeSet::new();
    for (index, document) in yaml::documents(text).into_iter().enumerate() {
        let position = format!("document {}", index + 1);
        match document {
            Ok(document) => {
                let (manifest, errors) = parse_object(&position, document, default_namespace);
                parsed.errors.extend(errors);
                let Some(manifest) = manifest else { continue };
                if !seen.insert(manifest.title()) {
                    let mut errors = FieldErrors::of(manifest.title());
                    errors.push("metadata.name", position, "stands in this text twice; give it another name");
                    parsed.errors.extend(errors.into_errors());
                }
                parsed.manifests.push(manifest);
            }
            Err(error) => {
                let mut errors = FieldErrors::of(position);
                errors.push("(document)", "not YAML", error);
                parsed.errors.extend(errors.into_errors());
            }
        }
    }
    parsed
}

/// Reads and validates the objects of a YAML text.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn load(text: &str, default_namespace: &Name, site: &SiteFile) -> Result<Vec<ValidatedManifest>, Vec<FieldError>> {
    parse(text, default_namespace).validate(site)
}

impl Parsed {
    /// Validates every object, and all of them together.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, object by object, with what could not be read.
    pub fn validate(self, site: &SiteFile) -> Result<Vec<ValidatedManifest>, Vec<FieldError>> {
        let Self { manifests, errors: mut unread } = self;
        if manifests.is_empty() && unread.is_empty() {
            let mut empty = FieldErrors::of("manifest");
            empty.push("(document)", MISSING, "write at least one AnomalyPipeline or ModelTraining");
            return Err(empty.into_errors());
        }
        let (mut validated, mut pipelines, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for manifest in &manifests {
            let title = manifest.title();
            let here: Vec<FieldError> = unread.extract_if(.., |error| error.object == title).collect();
            match manifest.validate(site) {
                Ok(valid) => {
                    validated.push(valid);
                    pipelines.extend(manifest.pipeline());
                }
                // What could not be read is not missing too.
                Err(found) => {
                    errors.extend(found.into_iter().filter(|found| here.iter().all(|error| error.path != found.path)));
                }
            }
            errors.extend(here);
        }
        errors.extend(unread);
        errors.extend(shared_topics(&pipelines));
        if errors.is_empty() { Ok(validated) } else { Err(errors) }
    }
}

impl Manifest {
    /// Kind, namespace and name, as errors show them.
    pub fn title(&self) -> String {
        let (kind, metadata) = match self {
            Self::AnomalyPipeline(object) => ("AnomalyPipeline", &object.metadata),
            Self::ModelTraining(object) => ("ModelTraining", &object.metadata),
        };
        title(kind, metadata.namespace.as_deref(), metadata.name.as_deref())
    }

    fn pipeline(&self) -> Option<&AnomalyPipeline> {
        match self {
            Self::AnomalyPipeline(pipeline) => Some(pipeline),
            Self::ModelTraining(_) => None,
        }
    }

    /// Validates the object.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn validate(&self, site: &SiteFile) -> Result<ValidatedManifest, Vec<FieldError>> {
        match self {
            Self::AnomalyPipeline(pipeline) => {
                validate_pipeline(pipeline, site).map(|valid| ValidatedManifest::Pipeline(Box::new(valid)))
            }
            Self::ModelTraining(training) => {
                validate_training(training).map(|valid| ValidatedManifest::Training(Box::new(valid)))
            }
        }
    }
}

fn parse_object(position: &str, mut document: Value, default_namespace: &Name) -> (Option<Manifest>, Vec<FieldError>) {
    let kind = document["kind"].as_str().unwrap_or_default().to_owned();
    let name = document["metadata"]["name"].as_str().map(str::to_owned);
    let namespace = document["metadata"]["namespace"].as_str().unwrap_or(default_namespace.as_str()).to_owned();
    let mut errors = FieldErrors::of(match &name {
        Some(name) => title(&kind, Some(&namespace), Some(name)),
        None => position.to_owned(),
    });
    if document["apiVersion"] != API_VERSION {
        errors.push("apiVersion", &document["apiVersion"], format!("must be {API_VERSION}"));
    }
    if name.is_none() {
        errors.push("metadata.name", &document["metadata"]["name"], "is required");
    }
    let schema = match kind.as_str() {
        "AnomalyPipeline" => &*schema::PIPELINE,
        "ModelTraining" => &*schema::TRAINING,
        _ => {
            errors.push("kind", &document["kind"], "must be AnomalyPipeline or ModelTraining");
            return (None, errors.into_errors());
        }
    };
    if let Value::Object(fields) = &mut document {
        // Status is the operator's; the API server drops it here too.
        fields.remove("status");
        fields.insert("apiVersion".to_owned(), json!(API_VERSION));
    }
    let usable = schema.check(&mut document, Report::Shapes, &mut errors);
    if !usable || name.is_none() {
        return (None, errors.into_errors());
    }
    document["metadata"]["namespace"] = json!(namespace);
    let manifest = if kind == "AnomalyPipeline" {
        serde_json::from_value(document).map(|object| Manifest::AnomalyPipeline(Box::new(object)))
    } else {
        serde_json::from_value(document).map(|object| Manifest::ModelTraining(Box::new(object)))
    };
    let manifest = errors.check("(document)", "not readable", manifest);
    (manifest, errors.into_errors())
}

/// Pipelines that would write to the same topic of the one Kafka of this site: the later of two is wrong.
fn shared_topics(pipelines: &[&AnomalyPipeline]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (position, pipeline) in pipelines.iter().enumerate() {
        for Output { field, topic } in outputs(pipeline) {
            if let Some(owner) = pipelines[..position].iter().find(|earlier| writes_to(earlier, topic)) {
                let mut error = FieldErrors::of(pipeline_title(pipeline));
                let hint = format!("{} writes to this topic; choose another", pipeline_title(owner));
                error.push(format!("spec.{field}.name"), quoted(topic), hint);
                errors.extend(error.into_errors());
            }
        }
    }
    errors
}

fn pipeline_title(pipeline: &AnomalyPipeline) -> String {
    title("AnomalyPipeline", pipeline.metadata.namespace.as_deref(), pipeline.metadata.name.as_deref())
}
