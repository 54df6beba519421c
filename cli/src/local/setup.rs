//! What is decided before anything starts: the manifests, the data set, the site.

use std::collections::BTreeMap;
use std::path::Path;

use vedette_contract::arguments::DatasetArguments;
use vedette_contract::{Name, ObjectName};
use vedette_core::manifest::{self, Manifest, ValidatedManifest};
use vedette_core::site::{self, ImagePullPolicy, Images, SiteFile};
use vedette_core::validate::{ValidatedPipeline, ValidatedTraining};
use vedette_crds::{Dataset, Label, ObjectDataset};

use super::dataset;
use super::error::LocalError;
use super::options::LocalOptions;

/// Secret of the bucket's credentials, in every namespace of a local run.
pub(super) const BUCKET_SECRET: &str = "bucket-credentials";
/// Secret of the token by which people write on the console's page, under [`TOKEN_KEY`].
pub(super) const CONSOLE_SECRET: &str = "console-token";
/// Its key.
pub(super) const TOKEN_KEY: &str = "token";

/// One pipeline and its trainings, in which nothing is wrong.
pub(super) struct Plan {
    pub pipeline: ValidatedPipeline,
    /// Its trainings.
    pub trainings: Vec<ValidatedTraining>,
}

/// Reads and validates the manifests, every error at once; `--dataset` takes the place of the generator's own.
///
/// # Errors
/// When a file cannot be read or anything in it is wrong.
pub(super) fn plan(options: &LocalOptions, default_namespace: &Name) -> Result<Plan, LocalError> {
    let key = options.dataset.as_deref().map(dataset_name).transpose()?;
    // Validation asks the site only for its name and its defaults, so the servers need not run yet.
    let site = site_file(options, "localhost:0", None);
    let (mut manifests, mut errors) = (Vec::new(), Vec::new());
    for path in &options.filenames {
        let text = std::fs::read_to_string(path).map_err(|source| LocalError::File { path: path.clone(), source })?;
        let parsed = manifest::parse(&text, default_namespace);
        manifests.extend(parsed.manifests);
        errors.extend(parsed.errors);
    }
    if let Some(key) = &key {
        if options.label_field.is_some() || options.unlabelled {
            replace_label(&mut manifests, told_label(options).as_ref());
        }
        let label = training_label(&manifests);
        replace_dataset(&mut manifests, key, label)?;
    }
    let (mut pipelines, mut trainings) = (Vec::new(), Vec::new());
    for manifest in &manifests {
        match manifest.validate(&site) {
            Ok(ValidatedManifest::Pipeline(pipeline)) => pipelines.push(*pipeline),
            Ok(ValidatedManifest::Training(training)) => trainings.push(*training),
            Err(more) => errors.extend(more),
        }
    }
    if !errors.is_empty() {
        return Err(LocalError::Manifests(errors));
    }
    let count = pipelines.len();
    let Some(mut pipeline) = pipelines.pop().filter(|_| count == 1) else {
        return Err(LocalError::Pipelines { count });
    };
    let generator = pipeline.generator.as_mut().map(|generator| &mut generator.dataset);
    match generator {
        Some(vedette_core::validate::Dataset::Object { format, .. }) if key.is_some() => {
            dataset::over(format, &options.format);
        }
        Some(_) | None if options.format != DatasetArguments::default() => {
            return Err(LocalError::FormatWithoutDataset);
        }
        Some(_) | None => {}
    }
    for training in &trainings {
        if training.data.pipeline != pipeline.name || training.namespace != pipeline.namespace {
            return Err(LocalError::OtherPipeline {
                training: training.name.to_string(),
                pipeline: training.data.pipeline.to_string(),
                runs: pipeline.name.to_string(),
            });
        }
    }
    Ok(Plan { pipeline, trainings })
}

/// The site that this machine plays.
pub(super) fn site_file(options: &LocalOptions, bootstrap_servers: &str, endpoint: Option<String>) -> SiteFile {
    let kafka = kafka(options.broker.as_deref(), bootstrap_servers);
    let bucket = site::Bucket {
        prefix: options.bucket_prefix.clone(),
        ..bucket(&options.bucket_name, &options.bucket_region, endpoint)
    };
    site_with(options.site.clone(), kafka, bucket)
}

/// The broker that was named, or else the embedded one.
pub(super) fn kafka(named: Option<&str>, bootstrap_servers: &str) -> site::Kafka {
    let embedded = named.is_none();
    let mut properties = BTreeMap::new();
    if embedded {
        // The embedded broker answers a fetch with the whole rest of a partition, whatever limit it is given.
        properties.insert("receive.message.max.bytes".to_owned(), "2147483647".to_owned());
    }
    site::Kafka {
        bootstrap_servers: bootstrap_servers.to_owned(),
        properties,
        credentials_secret: None,
        credentials_keys: site::KafkaKeys::default(),
        username: None,
        sasl_mechanism: None,
        oauth: None,
        tls: None,
        replication_factor: embedded.then_some(1),
    }
}

/// The bucket of this name, all of it.
pub(super) fn bucket(name: &str, region: &str, endpoint: Option<String>) -> site::Bucket {
    site::Bucket {
        endpoint,
        name: name.to_owned(),
        prefix: None,
        path_style: true,
        region: region.to_owned(),
        credentials_secret: Some(bucket_secret()),
        credentials_keys: site::BucketKeys::default(),
        ca: None,
        encryption: None,
    }
}

/// A site of this machine.
pub(super) fn site_with(name: Name, kafka: site::Kafka, bucket: site::Bucket) -> SiteFile {
    let image = |name: &str| format!("vedette-{name}");
    SiteFile {
        site: site::Site { name },
        kafka,
        bucket,
        images: Images {
            topics: image("topics"),
            generator: image("generator"),
            detector: image("detector"),
            archiver: image("archiver"),
            notifier: Some(image("notifier")),
            trainer: image("trainer"),
            // There are no nodes to choose from.
            architectures: Vec::new(),
        },
        image_pull_policy: ImagePullPolicy::Never,
        image_pull_secrets: Vec::new(),
        watch_namespaces: Vec::new(),
        watch_namespace_selector: None,
        pods: site::Pods::default(),
    }
}

#[allow(clippy::expect_used)]
fn bucket_secret() -> ObjectName {
    BUCKET_SECRET.parse().expect("a test proves that the constant is a name")
}

fn dataset_name(path: &Path) -> Result<String, LocalError> {
    let metadata = std::fs::metadata(path).map_err(|source| LocalError::File { path: path.to_owned(), source })?;
    if !metadata.is_file() {
        let source = std::io::Error::other("not a file");
        return Err(LocalError::File { path: path.to_owned(), source });
    }
    if metadata.len() == 0 {
        return Err(LocalError::EmptyDataset { path: path.to_owned() });
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.starts_with('.') || !name.bytes().all(usable) {
        return Err(LocalError::DatasetName { name });
    }
    Ok(name)
}

/// The label of the data set as the command line says it.
fn told_label(options: &LocalOptions) -> Option<Label> {
    let normal = options.normal_labels.clone();
    options.label_field.clone().map(|field| Label { field, normal })
}

/// What is told of the label goes over what the manifests say.
fn replace_label(manifests: &mut [Manifest], label: Option<&Label>) {
    for manifest in manifests {
        match manifest {
            Manifest::ModelTraining(training) => training.spec.features.label = label.cloned(),
            Manifest::AnomalyPipeline(pipeline) => {
                let dataset = pipeline.spec.generator.as_mut().and_then(|generator| generator.dataset.as_mut());
                if let Some(Dataset::Object(object)) = dataset {
                    object.label = label.cloned();
                }
            }
        }
    }
}

/// The label that a training reports by tells of the data set's label, too.
fn training_label(manifests: &[Manifest]) -> Option<Label> {
    manifests.iter().find_map(|manifest| match manifest {
        Manifest::ModelTraining(training) => training.spec.features.label.clone(),
        Manifest::AnomalyPipeline(_) => None,
    })
}

fn replace_dataset(manifests: &mut [Manifest], key: &str, training_label: Option<Label>) -> Result<(), LocalError> {
    let mut replaced = false;
    for manifest in manifests {
        let Manifest::AnomalyPipeline(pipeline) = manifest else {
            continue;
        };
        let Some(generator) = pipeline.spec.generator.as_mut() else {
            continue;
        };
        let mut object = match generator.dataset() {
            Dataset::Object(object) => object,
            Dataset::Simulator(_) => ObjectDataset::of(key),
        };
        key.clone_into(&mut object.key);
        object.label = object.label.or_else(|| training_label.clone());
        generator.dataset = Some(Dataset::Object(object));
        replaced = true;
    }
    if replaced { Ok(()) } else { Err(LocalError::DatasetWithoutGenerator) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> LocalOptions {
        LocalOptions::parsed([&["local"], arguments].concat()).unwrap()
    }

    fn namespace() -> Name {
        "default".parse().unwrap()
    }

    #[test]
    fn the_secrets_name_is_a_name() {
        assert_eq!(bucket_secret().as_str(), BUCKET_SECRET);
    }

    #[test]
    fn the_demo_is_one_pipeline_and_one_training() {
        let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/demo.yaml");
        let plan = plan(&options(&["-f", demo]), &namespace()).unwrap();
        assert_eq!(plan.trainings.len(), 1);
        assert_eq!(plan.trainings[0].site.as_str(), "local");
    }

    #[test]
    fn a_dataset_takes_the_place_of_the_simulator_and_keeps_the_label() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("flows.csv");
        std::fs::write(&file, "a,label\n1,normal.\n").unwrap();
        let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/demo.yaml");
        let plan = plan(&options(&["-f", demo, "--dataset", &file.display().to_string()]), &namespace()).unwrap();
        let dataset = plan.pipeline.generator.unwrap().dataset;
        match dataset {
            vedette_core::validate::Dataset::Object { key, label, .. } => {
                assert_eq!(key, "demo/kdd/datasets/flows.csv");
                assert_eq!(label.unwrap().field, "label");
            }
            vedette_core::validate::Dataset::Simulator => panic!("still the simulator"),
        }
    }

    #[test]
    fn the_label_of_a_dataset_is_told_on_the_command_line_or_else_known_or_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("flows.csv");
        std::fs::write(&file, "a,Class\n1,BENIGN\n2,DoS\n").unwrap();
        let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/demo.yaml");
        let file = file.display().to_string();
        let looked_at = |more: &[&str]| {
            let options = options(&[&["-f", demo, "--dataset", &file], more].concat());
            let plan = plan(&options, &namespace()).unwrap();
            let label = plan.trainings[0].features.label.clone().map(|label| (label.field, label.normal));
            (dataset::look_at(&options, &plan.pipeline), label)
        };
        let refused = |more: &[&str], words: &[&str]| {
            let error = vedette_service::error_chain(&looked_at(more).0.unwrap_err());
            words.iter().for_each(|word| assert!(error.contains(word), "{word} in {error}"));
        };
        refused(&[], &["columns are a, Class", "LABEL=column NORMAL=value"]);
        refused(&["--label-field=Class", "--normal-label=ok"], &["\"BENIGN\", \"DoS\"", "LABEL=column NORMAL=value"]);
        let (read, label) = looked_at(&["--label-field=Class", "--normal-label=benign", "--normal-label=0"]);
        assert_eq!(label, Some(("Class".to_owned(), vec!["benign".to_owned(), "0".to_owned()])));
        assert!(read.is_ok());
        let (read, label) = looked_at(&["--unlabelled"]);
        assert!(read.is_ok() && label.is_none());
        for wrong in ["--label-field=Class", "--normal-label=benign", "--unlabelled --label-field=a --normal-label=b"] {
            let line = ["local", "-f", demo, "--dataset", &file].into_iter().chain(wrong.split(' '));
            assert!(LocalOptions::parsed(line).is_err(), "{wrong}");
        }
    }

    #[test]
    fn how_a_dataset_is_written_is_told_on_the_command_line_only_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("flows.csv");
        std::fs::write(&file, "a;b\n1,5;2\nx\n").unwrap();
        let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/demo.yaml");
        let manifest = directory.path().join("pipeline.yaml");
        std::fs::write(&manifest, std::fs::read_to_string(demo).unwrap().split("---").next().unwrap()).unwrap();
        let manifest = manifest.display().to_string();
        let with = |more: &[&str]| options(&[&["-f", &manifest], more].concat());
        let comma = "--dataset-decimal-mark=Comma";
        assert!(matches!(plan(&with(&[comma]), &namespace()), Err(LocalError::FormatWithoutDataset)));

        let file = file.display().to_string();
        let looked_at = |more: &[&str]| {
            let options = with(&[&["--dataset", &file], more].concat());
            dataset::look_at(&options, &plan(&options, &namespace()).unwrap().pipeline)
        };
        let error = vedette_service::error_chain(&looked_at(&[]).unwrap_err());
        assert!(error.contains("flows.csv: line 2") && error.contains("decimalMark"), "{error}");
        let summary = serde_json::to_value(looked_at(&[comma]).unwrap().unwrap()).unwrap();
        let example = "it has 1 fields, and there are 2 columns";
        let left_out = serde_json::json!({"field_count": {"rows": 1, "first_line": 3, "example": example}});
        assert_eq!(summary, serde_json::json!({"rows": 1, "left_out": left_out}));
    }

    #[test]
    fn two_pipelines_and_a_training_of_another_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let one = write(
            "one.yaml",
            "apiVersion: vedette.io/v1alpha1\nkind: AnomalyPipeline\nmetadata: {name: a}\nspec: {}\n",
        );
        let two = write(
            "two.yaml",
            "apiVersion: vedette.io/v1alpha1\nkind: AnomalyPipeline\nmetadata: {name: b}\nspec: {}\n",
        );
        let training = write(
            "t.yaml",
            "apiVersion: vedette.io/v1alpha1\nkind: ModelTraining\nmetadata: {name: t}\nspec: {site: local, data: {pipeline: c}, trigger: {minRecords: 5}}\n",
        );
        assert!(matches!(
            plan(&options(&["-f", &one, "-f", &two]), &namespace()),
            Err(LocalError::Pipelines { count: 2 })
        ));
        assert!(matches!(
            plan(&options(&["-f", &one, "-f", &training]), &namespace()),
            Err(LocalError::OtherPipeline { .. })
        ));
    }
}
