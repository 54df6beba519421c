//! The generator: a Deployment that goes on for ever, or a Job that walks the data set once.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use vedette_contract::Name;
use vedette_contract::arguments::{DatasetArguments, DecimalMark, GeneratorMode, Separator, TextEncoding};
use vedette_contract::topic::MAX_MESSAGE_BYTES;
use vedette_crds::RollingUpdate;

use super::PipelineContext;
use super::arguments::{Arguments, service_environment};
use super::connection::{all_files, bucket_environment, kafka_environment};
use super::labels::Component;
use super::names;
use super::pod::{JobLimits, Process, deployment, job, template};
use crate::validate::{Dataset, ValidatedGenerator, ValidatedTopics};

/// What runs a generator.
#[derive(Debug, Clone, PartialEq)]
pub enum GeneratorChild {
    /// Mode Random.
    Deployment(Box<Deployment>),
    /// Mode Sequential. Its name carries a hash of the generator's own settings, so that others begin another pass, and
    /// another way to reach Kafka or the bucket does not; it is suspended with the pipeline.
    Job(Box<Job>),
}

/// The Job's name, which carries a hash of the generator's own settings; none where a Deployment runs it.
pub(super) fn job_name(owner: &Name, topics: &ValidatedTopics, generator: &ValidatedGenerator) -> Option<String> {
    match generator.mode {
        GeneratorMode::Random => None,
        GeneratorMode::Sequential => Some(hashed_name(owner, &own_arguments(topics, generator))),
    }
}

fn hashed_name(owner: &Name, own: &[String]) -> String {
    names::job(owner, Component::Generator, own)
}

/// What is asked of it, whatever Kafka and bucket it reaches.
fn own_arguments(topics: &ValidatedTopics, generator: &ValidatedGenerator) -> Vec<String> {
    let ValidatedGenerator { replicas, records_per_second, mode, anomaly_fraction, dataset, seed } = generator;
    let own = Arguments::default()
        .option("topic", &topics.sensor_messages.name)
        .option("records-per-second", records_per_second / f64::from((*replicas).max(1)))
        .option("mode", mode_word(*mode))
        .options("anomaly-fraction", anomaly_fraction);
    let own = match dataset {
        Dataset::Simulator => own,
        Dataset::Object { key, label, format } => dataset_format(own.option("dataset-object", key), format)
            .options("label-field", label.iter().map(|label| &label.field))
            .options("normal-label", label.iter().flat_map(|label| &label.normal)),
    };
    own.option("seed", seed).into_vec()
}

fn dataset_format(own: Arguments, format: &DatasetArguments) -> Arguments {
    let DatasetArguments { separator, decimal_mark, encoding, columns } = format;
    own.options("dataset-separator", separator.map(Separator::as_str))
        .options("dataset-decimal-mark", decimal_mark.map(DecimalMark::as_str))
        .options("dataset-encoding", encoding.map(TextEncoding::as_str))
        .options("dataset-column", columns)
}

/// `added` are the fields that the detector adds: they belong to no settings of the generator, so that others of them
/// do not begin another pass; nor does what the topic accepts.
pub(super) fn child(
    context: &PipelineContext<'_>,
    generator: &ValidatedGenerator,
    added: Vec<String>,
) -> GeneratorChild {
    let PipelineContext { owner, site, topics, pods, pod, suspend } = context;
    let own = own_arguments(topics, generator);
    let name = hashed_name(owner.name, &own);
    let accepted = topics.sensor_messages.configuration.get(MAX_MESSAGE_BYTES);
    let mut arguments =
        Arguments::default().kafka(&site.kafka).bucket(&site.bucket).options("max-message-bytes", accepted).into_vec();
    arguments.extend(own);
    let reads_file = matches!(generator.dataset, Dataset::Object { .. });
    let added = added.into_iter().filter(|_| reads_file);
    arguments.extend(Arguments::default().options("calculated-name", added).into_vec());
    let mut environment = service_environment();
    environment.extend(kafka_environment(&site.kafka));
    environment.extend(bucket_environment(&site.bucket));
    let process = Process {
        component: Component::Generator,
        settings: &pods.generator,
        image: &site.images.generator,
        arguments,
        environment,
        files: all_files(site),
        directory: None,
        serves: true,
        grace_seconds: 30,
    };
    let template = template(owner, pod, process);
    match generator.mode {
        GeneratorMode::Random => GeneratorChild::Deployment(Box::new(deployment(
            owner,
            Component::Generator,
            Some(context.replicas(generator.replicas)),
            None,
            RollingUpdate::default(),
            template,
        ))),
        GeneratorMode::Sequential => {
            let limits = JobLimits {
                backoff_limit: 3,
                active_deadline_seconds: None,
                // An operator that was away for long must still find that it completed, or it would start over.
                ttl_seconds_after_finished: None,
                suspend: *suspend,
            };
            GeneratorChild::Job(Box::new(job(owner, Component::Generator, name, limits, template)))
        }
    }
}

fn mode_word(mode: GeneratorMode) -> &'static str {
    match mode {
        GeneratorMode::Random => "Random",
        GeneratorMode::Sequential => "Sequential",
    }
}
