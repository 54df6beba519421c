//! One run of a training on the data directory of local runs, without the rest of its pipeline: the Job that a cluster would get, as a
//! process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use vedette_contract::Name;
use vedette_contract::arguments::BUCKET_REGION;
use vedette_core::manifest::{self, Manifest};
use vedette_core::validate::{ValidatedTraining, validate_training};
use vedette_crds::{ModelTraining, TrainingResult};
use vedette_embedded::bucket::EmbeddedBucket;
use vedette_service::Shutdown;

use super::reconcile::LocalTraining;
use super::setup::{BUCKET_SECRET, bucket, kafka, site_with};
use super::supervisor::{Sources, Supervisor, SupervisorEvent, SupervisorOptions};
use super::{LocalError, POLL, default_namespace, now};
use crate::bucket_key::BucketKey;
use crate::output::Console;
use crate::place::{BUCKET_NAME, Opened, PlaceOptions};

/// Which training is to run, and on what.
#[derive(Debug)]
pub(crate) struct WantedRun<'a> {
    pub(crate) filenames: &'a [PathBuf],
    /// Namespace of objects that name none; `default` where omitted.
    pub(crate) namespace: Option<&'a Name>,
    /// May be left out where the files have one.
    pub(crate) training: Option<&'a Name>,
    pub(crate) data_dir: &'a Path,
    /// Where the trainer is; beside this program where omitted.
    pub(crate) bin_dir: Option<&'a Path>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Trained {
    pub(crate) namespace: Name,
    pub(crate) training: Name,
    pub(crate) result: TrainingResult,
}

/// Runs it to its end.
///
/// # Errors
/// When the manifests, the data directory or the trainer are not as they should be, or no run begins. That a run published nothing is none.
pub(crate) async fn train(wanted: &WantedRun<'_>, shutdown: &Shutdown) -> Result<Trained, LocalError> {
    let training = chosen(wanted)?;
    let Opened { bucket: client, server } = PlaceOptions::directory(wanted.data_dir.to_owned()).open().await?;
    let endpoint = server.as_ref().map(EmbeddedBucket::endpoint);
    let key = server.as_ref().map(|server| BucketKey::from(server.credentials().clone()));
    let mut place = bucket(BUCKET_NAME, BUCKET_REGION, endpoint);
    let mut secrets = BTreeMap::new();
    if let Some((credentials, keys)) = key.map(BucketKey::into_secret) {
        place.credentials_keys = keys;
        secrets.insert(BUCKET_SECRET.to_owned(), credentials);
    }
    // Nothing of a training asks a broker.
    let site = site_with(training.site.clone(), kafka(None, "localhost:0"), place);

    let console = Arc::new(Console::new(true));
    let for_events = Arc::clone(&console);
    let supervisor = Supervisor::start(
        SupervisorOptions { binary_directory: wanted.bin_dir.map(Path::to_owned) },
        Sources { secrets, config_maps: BTreeMap::new() },
        Box::new(|_| Box::pin(async {})),
        Box::new(move |event: SupervisorEvent| for_events.say(&event.to_string())),
    )?;
    let (namespace, name) = (training.namespace.clone(), training.name.clone());
    let request = Timestamp::now().to_string();
    let mut running = LocalTraining::new(training, site, client, &supervisor, &console, now()).asked(request);
    let result = followed(&mut running, &name, shutdown).await;
    // Also after a failure nothing may be left running.
    supervisor.stop_all().await;
    // What the trainer had begun to write when it was ended is written.
    if let Some(server) = server {
        server.stop().await;
    }
    Ok(Trained { namespace, training: name, result: result? })
}

async fn followed(
    running: &mut LocalTraining<'_>,
    training: &Name,
    shutdown: &Shutdown,
) -> Result<TrainingResult, LocalError> {
    loop {
        running.step(now()).await?;
        if let Some(result) = running.result() {
            return Ok(result.clone());
        }
        if let Some(why) = running.rests() {
            return Err(LocalError::NoRun { training: training.clone(), why: why.to_owned() });
        }
        tokio::select! {
            () = shutdown.cancelled() => return Err(LocalError::RunStopped { training: training.clone() }),
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// The training of the manifests that is meant, in which nothing is wrong.
fn chosen(wanted: &WantedRun<'_>) -> Result<ValidatedTraining, LocalError> {
    let namespace = wanted.namespace.cloned().unwrap_or_else(default_namespace);
    let (mut trainings, mut errors) = (Vec::new(), Vec::new());
    for path in wanted.filenames {
        let text = std::fs::read_to_string(path).map_err(|source| LocalError::File { path: path.clone(), source })?;
        let parsed = manifest::parse(&text, &namespace);
        errors.extend(parsed.errors);
        trainings.extend(parsed.manifests.into_iter().filter_map(|manifest| match manifest {
            Manifest::ModelTraining(training) => Some(*training),
            Manifest::AnomalyPipeline(_) => None,
        }));
    }
    if !errors.is_empty() {
        return Err(LocalError::Manifests(errors));
    }
    let name = |training: &ModelTraining| training.metadata.name.clone().unwrap_or_default();
    let names: Vec<String> = trainings.iter().map(name).collect();
    trainings.retain(|training| wanted.training.is_none_or(|meant| name(training) == meant.as_str()));
    match trainings.as_slice() {
        [training] => validate_training(training).map_err(LocalError::Manifests),
        _ => Err(LocalError::WhichTraining { names }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_training_of_the_files_that_is_meant_is_run() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trainings.yaml");
        let namespace = "team".parse().unwrap();
        let run = |text: &str, training: Option<&str>| {
            std::fs::write(&path, text).unwrap();
            let training: Option<Name> = training.map(|name| name.parse().unwrap());
            let filenames = [path.clone()];
            let (training, data_dir, bin_dir) = (training.as_ref(), directory.path(), None);
            let wanted = WantedRun { filenames: &filenames, namespace: Some(&namespace), training, data_dir, bin_dir };
            chosen(&wanted).map(|training| format!("{}/{}", training.namespace, training.name))
        };
        let training = |name: &str, spec: &str| {
            format!(
                "apiVersion: vedette.io/v1alpha1\nkind: ModelTraining\nmetadata: {{name: {name}}}\nspec: {{site: east, data: {{pipeline: p}}{spec}}}\n"
            )
        };
        let two = format!("{}---\n{}", training("a", ""), training("b", ""));
        assert_eq!(run(&training("a", ""), None).unwrap(), "team/a");
        assert_eq!(run(&two, Some("b")).unwrap(), "team/b");
        for (text, meant) in [(&two, None), (&two, Some("c"))] {
            let error = run(text, meant).unwrap_err().to_string();
            assert!(error.contains("a, b"), "{error}");
        }
        let pipeline = "apiVersion: vedette.io/v1alpha1\nkind: AnomalyPipeline\nmetadata: {name: p}\nspec: {}\n";
        assert!(run(pipeline, None).unwrap_err().to_string().contains("no ModelTraining"));
        let error = run(&training("a", ", schedule: never"), None).unwrap_err().to_string();
        assert!(error.contains("schedule"), "{error}");
    }
}
