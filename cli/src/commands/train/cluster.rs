//! A run of a training that a cluster has, asked for by the annotation that its operator watches.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use vedette_contract::Name;
use vedette_core::desired::labels::RUN_REQUEST;
use vedette_crds::{ModelTraining, TrainingResult};

use super::run::{AskedRun, Rest, Stands, rest};
use super::{TrainError, TrainOptions};
use crate::commands::near::Nearest;
use crate::kubectl::{Kubectl, KubectlError};
use crate::output::{Progress, escaped, say, warn};

/// The kind, as no other API group has it.
const KIND: &str = "modeltrainings.vedette.io";
/// How often its status is looked at.
const INTERVAL: Duration = Duration::from_secs(2);
/// A cluster that does not answer for so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A training that was asked for a run.
pub(super) struct Asked {
    pub(super) namespace: String,
    pub(super) training: String,
    /// What asks for it: the value of the annotation.
    pub(super) request: String,
}

/// Asks for a run.
///
/// # Errors
/// When there is no such training, it would not run, or the cluster refuses.
pub(super) async fn ask(options: &TrainOptions) -> Result<Asked, TrainError> {
    let kubectl = kubectl(options);
    let training = match &options.training {
        Some(training) => training.to_string(),
        None => only(kubectl).await?,
    };
    let Some(object) = get(kubectl, &training).await? else {
        return Err(unknown(training, &names(kubectl).await?));
    };
    if let Some(rest) = rest(&object) {
        return Err(rests(training, rest));
    }
    let request = Timestamp::now().to_string();
    let annotation = format!("{RUN_REQUEST}={request}");
    kubectl.run("ask for a run", &["annotate", KIND, &training, &annotation, "--overwrite"]).await?;
    Ok(Asked { namespace: object.metadata.namespace.unwrap_or_default(), training, request })
}

/// Waits until the run has ended.
///
/// # Errors
/// When it does not end in time, does not begin, or the cluster does not answer.
pub(super) async fn follow(options: &TrainOptions, asked: &Asked) -> Result<TrainingResult, TrainError> {
    let (kubectl, training) = (kubectl(options), &asked.training);
    let (mut run, mut progress) = (AskedRun::default(), Progress::new());
    let began = Instant::now();
    let mut answered = began;
    let mut is_away = false;
    loop {
        let told = match get(kubectl, training).await {
            Ok(None) => return Err(TrainError::Gone { training: training.clone() }),
            Ok(Some(object)) => {
                answered = Instant::now();
                if std::mem::take(&mut is_away) {
                    say("the cluster answers again");
                }
                match run.stands(&object) {
                    Stands::UnderWay(told) => told,
                    Stands::Ended(result) => return Ok(*result),
                    Stands::Rests(rest) => return Err(rests(training.clone(), rest)),
                    Stands::Forgotten { job } => return Err(TrainError::Forgotten { job }),
                }
            }
            Err(TrainError::Kubectl(error @ KubectlError::Refused { .. })) if answered.elapsed() < PATIENCE => {
                if !std::mem::replace(&mut is_away, true) {
                    warn(&format!("{error}; the cluster is asked again"));
                }
                "the cluster does not answer".to_owned()
            }
            Err(error) => return Err(error),
        };
        if options.timeout.is_some_and(|timeout| began.elapsed() >= timeout.unsigned_abs()) {
            return Err(TrainError::NotInTime { training: training.clone(), seconds: began.elapsed().as_secs(), told });
        }
        progress.tell(|| format!("{:4} s  {}", began.elapsed().as_secs(), escaped(&told)));
        tokio::time::sleep(INTERVAL).await;
    }
}

fn kubectl(options: &TrainOptions) -> Kubectl<'_> {
    Kubectl { context: options.context.as_deref(), namespace: options.namespace.as_ref().map(Name::as_str) }
}

/// The training as the cluster has it; none where it has none of this name.
async fn get(kubectl: Kubectl<'_>, training: &str) -> Result<Option<ModelTraining>, TrainError> {
    let words = ["get", KIND, training, "--ignore-not-found", "--output=json"];
    let json = kubectl.run("look at the training", &words).await?;
    if json.trim_ascii().is_empty() {
        return Ok(None);
    }
    let strange = |source| TrainError::Strange { training: training.to_owned(), source };
    serde_json::from_slice(&json).map(Some).map_err(strange)
}

/// The names of all trainings of the namespace.
async fn names(kubectl: Kubectl<'_>) -> Result<Vec<String>, TrainError> {
    let names =
        kubectl.run("list the trainings", &["get", KIND, "--output=jsonpath={.items[*].metadata.name}"]).await?;
    Ok(String::from_utf8_lossy(&names).split_whitespace().map(str::to_owned).collect())
}

async fn only(kubectl: Kubectl<'_>) -> Result<String, TrainError> {
    let mut known = names(kubectl).await?;
    match (known.pop(), known.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(TrainError::NoTrainings),
        (Some(last), false) => {
            known.push(last);
            Err(TrainError::Several { known })
        }
    }
}

fn unknown(training: String, known: &[String]) -> TrainError {
    if known.is_empty() {
        return TrainError::NoTrainings;
    }
    let mut nearest = Nearest::to(training.as_str());
    known.iter().for_each(|name| nearest.meet(name));
    TrainError::Unknown { training, near: nearest.names() }
}

fn rests(training: String, rest: Rest) -> TrainError {
    match rest {
        Rest::Suspended => TrainError::Suspended { training },
        Rest::Elsewhere { site } => TrainError::Elsewhere { training, site },
    }
}
