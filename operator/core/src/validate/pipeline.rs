//! Validation of an `AnomalyPipeline`.

use std::time::Duration;

use vedette_contract::arguments::{
    DatasetArguments, DecimalMark, GeneratorMode, ProcessingGuarantee, Separator, TextEncoding,
};
use vedette_contract::keys::{NamespaceKeys, PipelineKeys};
use vedette_crds::{self as crds, AnomalyPipeline};

use super::alerting::alerting;
use super::incidents::incidents;
use super::tags::Tags;
use super::topics::topics as validated_topics;
use super::validated_pipeline::{
    ComponentPods, Dataset, Scale, ValidatedArchiver, ValidatedDetector, ValidatedGenerator, ValidatedModel,
    ValidatedPipeline,
};
use super::{
    calculated_fields, check_schema, fields, identity, label, lookups, mounts, pods, renamed_fields, unsigned,
};
use crate::FieldError;
use crate::field_error::{FieldErrors, MISSING, quoted, title};
use crate::roll::VersionPolicy;
use crate::schema;
use crate::site::SiteFile;

const KIBIBYTE: u64 = 1024;
const GIBIBYTE: u64 = 1 << 30;

/// Validates a pipeline for a site.
///
/// # Errors
/// Everything that is wrong with it.
pub fn validate_pipeline(pipeline: &AnomalyPipeline, site: &SiteFile) -> Result<ValidatedPipeline, Vec<FieldError>> {
    let metadata = &pipeline.metadata;
    let title = title("AnomalyPipeline", metadata.namespace.as_deref(), metadata.name.as_deref());
    let mut errors = FieldErrors::of(title);
    check_schema(&schema::PIPELINE, pipeline, &mut errors);
    let validated = assemble(pipeline, site, &mut errors);
    errors.finish(validated)
}

fn assemble(pipeline: &AnomalyPipeline, site: &SiteFile, errors: &mut FieldErrors) -> Option<ValidatedPipeline> {
    let crds::AnomalyPipelineSpec {
        suspend,
        topics,
        generator,
        detector,
        archiver,
        incidents,
        model,
        labels,
        annotations,
        pod: _,
    } = &pipeline.spec;
    let identity = identity(&pipeline.metadata, errors);
    let (topics, incidents_topic) = validated_topics(topics, incidents.as_ref(), site, errors);
    let keys = identity.as_ref().map(|(namespace, name)| PipelineKeys::new(namespace, name));
    let generator = match generator {
        Some(generator) => self::generator(generator, keys.as_ref(), errors).map(Some),
        None => Some(None),
    };
    let namespace_keys = identity.as_ref().map(|(namespace, _)| NamespaceKeys::new(namespace));
    let detector = self::detector(detector, namespace_keys.as_ref(), errors);
    let archiver = self::archiver(archiver, errors);
    let incidents = match incidents {
        Some(incidents) => self::incidents(incidents, incidents_topic, site, errors).map(Some),
        None => Some(None),
    };
    let model = self::model(model, errors);
    let tags = Tags::check("spec", labels, annotations, errors);
    let pods = pods(&pipeline.spec, errors);
    let (namespace, name) = identity?;
    Some(ValidatedPipeline {
        namespace,
        name,
        uid: pipeline.metadata.uid.clone(),
        suspend: *suspend,
        topics: topics?,
        generator: generator?,
        detector: detector?,
        archiver: archiver?,
        incidents: incidents?,
        model: model?,
        tags,
        pods,
    })
}

/// The settings of each component's pods: its own over those of all, and its `resources` over both.
fn pods(spec: &crds::AnomalyPipelineSpec, errors: &mut FieldErrors) -> ComponentPods {
    let none = crds::PodSettings::default();
    let generator = spec.generator.as_ref().and_then(|generator| generator.pod.as_ref());
    let incidents = spec.incidents.as_ref();
    let components = [
        ("spec.topics.pod", spec.topics.pod.as_ref()),
        ("spec.generator.pod", generator),
        ("spec.detector.pod", spec.detector.pod.as_ref()),
        ("spec.archiver.pod", spec.archiver.pod.as_ref()),
        ("spec.incidents.pod", incidents.and_then(|incidents| incidents.pod.as_ref())),
    ];
    pods::check("spec.pod", &spec.pod, errors);
    let is_there = |path: &str| match path {
        "spec.generator.pod" => spec.generator.is_some(),
        "spec.incidents.pod" => incidents.is_some(),
        _ => true,
    };
    let there = components.iter().filter(|(path, _)| is_there(path));
    check_volumes(&spec.pod, there.copied(), errors);
    let [topics, generator, detector, archiver, notifier] = components.map(|(path, own)| {
        own.iter().for_each(|own| pods::check(path, own, errors));
        spec.pod.with(own.unwrap_or(&none))
    });
    let with = |pod: crds::PodSettings, resources: &crds::Resources| {
        let resources = pod.resources.with(resources);
        crds::PodSettings { resources, ..pod }
    };
    ComponentPods {
        topics,
        generator,
        detector: with(detector, &spec.detector.resources),
        archiver: with(archiver, &spec.archiver.resources),
        notifier: with(notifier, incidents.map_or(&crds::Resources::default(), |incidents| &incidents.resources)),
    }
}

/// Every mount of every component has its volume.
fn check_volumes<'a>(
    all: &crds::PodSettings,
    components: impl Iterator<Item = (&'a str, Option<&'a crds::PodSettings>)>,
    errors: &mut FieldErrors,
) {
    let says_any = |(_, own): &(&str, Option<&crds::PodSettings>)| own.is_some_and(mounts::says_any);
    let (over, as_all): (Vec<_>, Vec<_>) = components.partition(says_any);
    if !as_all.is_empty() {
        mounts::check_volumes("spec.pod", all, errors);
    }
    for (path, own) in over {
        own.iter().for_each(|own| mounts::check_component_volumes(all, path, own, errors));
    }
}

fn generator(
    generator: &crds::Generator,
    keys: Option<&PipelineKeys>,
    errors: &mut FieldErrors,
) -> Option<ValidatedGenerator> {
    let crds::Generator { replicas, records_per_second, mode, anomaly_fraction, dataset: _, seed, pod: _ } = generator;
    let seed = unsigned("spec.generator.seed", *seed, errors);
    let dataset = match &generator.dataset() {
        crds::Dataset::Simulator(crds::Simulator {}) => Some(Dataset::Simulator),
        crds::Dataset::Object(object) => {
            let crds::ObjectDataset { key, label, separator: _, decimal_mark: _, encoding: _, columns: _ } = object;
            let label = self::label("spec.generator.dataset.object.label", label.as_ref(), errors);
            let path = "spec.generator.dataset.object.key";
            let plain = |part: &str| {
                !part.is_empty()
                    && !part.starts_with('.')
                    && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
            };
            if !key.split('/').all(plain) {
                errors.push(
                    path,
                    quoted(key),
                    "use a file name below datasets/, of letters, digits, '.', '_', '-' and '/'",
                );
            }
            keys.map(|keys| Dataset::Object { key: keys.dataset(key), label, format: dataset_format(object) })
        }
    }?;
    Some(ValidatedGenerator {
        replicas: *replicas,
        records_per_second: *records_per_second,
        mode: match mode {
            crds::GeneratorMode::Random => GeneratorMode::Random,
            crds::GeneratorMode::Sequential => GeneratorMode::Sequential,
        },
        anomaly_fraction: *anomaly_fraction,
        dataset,
        seed: seed?,
    })
}

fn dataset_format(object: &crds::ObjectDataset) -> DatasetArguments {
    let crds::ObjectDataset { key: _, label: _, separator, decimal_mark, encoding, columns } = object;
    DatasetArguments {
        separator: separator.map(|separator| match separator {
            crds::Separator::Comma => Separator::Comma,
            crds::Separator::Semicolon => Separator::Semicolon,
            crds::Separator::Tab => Separator::Tab,
            crds::Separator::Pipe => Separator::Pipe,
        }),
        decimal_mark: decimal_mark.map(|mark| match mark {
            crds::DecimalMark::Point => DecimalMark::Point,
            crds::DecimalMark::Comma => DecimalMark::Comma,
        }),
        encoding: encoding.map(|encoding| match encoding {
            crds::TextEncoding::Utf8 => TextEncoding::Utf8,
            crds::TextEncoding::Utf16Le => TextEncoding::Utf16Le,
            crds::TextEncoding::Utf16Be => TextEncoding::Utf16Be,
            crds::TextEncoding::Windows1252 => TextEncoding::Windows1252,
        }),
        columns: columns.clone(),
    }
}

fn detector(
    detector: &crds::Detector,
    keys: Option<&NamespaceKeys>,
    errors: &mut FieldErrors,
) -> Option<ValidatedDetector> {
    let crds::Detector {
        replicas,
        autoscaling,
        processing_guarantee,
        renamed_fields: _,
        lookups: _,
        calculated_fields: _,
        alerting: _,
        reasons,
        disruption_budget,
        rolling_update,
        resources,
        pod: _,
    } = detector;
    let lookups = lookups::lookups(detector, keys, errors);
    let calculated_fields = calculated_fields::calculated_fields(detector, errors);
    let alerting = alerting(&detector.alerting());
    let reasons = unsigned("spec.detector.reasons", i64::from(*reasons), errors);
    fields::resources("spec.detector.resources", resources, errors);
    Some(ValidatedDetector {
        scale: match autoscaling {
            None => Scale::Fixed(*replicas),
            Some(crds::Autoscaling { min_replicas, max_replicas, target_cpu_utilization_percentage, behavior }) => {
                Scale::Automatic {
                    min_replicas: *min_replicas,
                    max_replicas: *max_replicas,
                    target_cpu_percentage: *target_cpu_utilization_percentage,
                    behavior: behavior.clone(),
                }
            }
        },
        processing_guarantee: match processing_guarantee {
            crds::ProcessingGuarantee::ExactlyOnce => ProcessingGuarantee::ExactlyOnce,
            crds::ProcessingGuarantee::AtLeastOnce => ProcessingGuarantee::AtLeastOnce,
        },
        renamed_fields: renamed_fields::renamed_fields(detector, errors),
        lookups: lookups?,
        calculated_fields,
        alerting: alerting?,
        reasons: reasons?,
        max_unavailable: max_unavailable(disruption_budget),
        rolling_update: *rolling_update,
    })
}

/// None where there is no budget.
fn max_unavailable(budget: &crds::DisruptionBudget) -> Option<i32> {
    let crds::DisruptionBudget { enabled, max_unavailable } = budget;
    enabled.then_some(*max_unavailable)
}

fn archiver(archiver: &crds::Archiver, errors: &mut FieldErrors) -> Option<ValidatedArchiver> {
    let crds::Archiver { replicas, rolling, disruption_budget, rolling_update, resources, pod: _ } = archiver;
    let crds::Rolling { max_bytes, max_age } = rolling;
    let path = "spec.archiver.rolling";
    // One PUT carries at most 5 GiB, and a day closes an object in any case.
    let max_bytes = fields::bytes(&format!("{path}.maxBytes"), max_bytes, (KIBIBYTE, 4 * GIBIBYTE), errors);
    let max_age = fields::duration(&format!("{path}.maxAge"), max_age, (1, 24 * 3600), errors);
    fields::resources("spec.archiver.resources", resources, errors);
    Some(ValidatedArchiver {
        replicas: *replicas,
        rolling_max_bytes: max_bytes?,
        rolling_max_age: max_age?,
        max_unavailable: max_unavailable(disruption_budget),
        rolling_update: *rolling_update,
    })
}

fn model(model: &crds::ModelSelection, errors: &mut FieldErrors) -> Option<ValidatedModel> {
    let crds::ModelSelection { training, version_policy, version, missing_model_policy, progress_deadline_seconds } =
        model;
    let training = match training {
        Some(training) => fields::name("spec.model.training", training, errors).map(Some),
        None => Some(None),
    };
    let version = match version {
        Some(version) => fields::model_version("spec.model.version", version, errors).map(Some),
        None => Some(None),
    };
    let policy = match (version_policy, version?) {
        (crds::VersionPolicy::Latest, _) => VersionPolicy::Latest,
        (crds::VersionPolicy::Pinned, Some(version)) => VersionPolicy::Pinned(version),
        (crds::VersionPolicy::Pinned, None) => {
            return errors.check("spec.model.version", MISSING, Err("is required by versionPolicy Pinned"));
        }
    };
    let seconds = unsigned("spec.model.progressDeadlineSeconds", i64::from(*progress_deadline_seconds), errors);
    Some(ValidatedModel {
        training: training?,
        policy,
        missing_model_policy: *missing_model_policy,
        progress_deadline: Duration::from_secs(seconds?),
    })
}
