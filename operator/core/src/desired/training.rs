//! The Job of one training run.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ServiceAccount;
use vedette_contract::gate::NewestRecords;
use vedette_crds::Gate;

use super::access::service_account;
use super::arguments::Arguments;
use super::connection::{bucket_environment, bucket_files};
use super::labels::Component;
use super::names;
use super::pod::{JobLimits, Owner, PodContext, Process, job, template};
use crate::site::SiteFile;
use crate::validate::{ValidatedData, ValidatedFeatures, ValidatedJob, ValidatedTraining};

/// Fewer records are not learned from, unless `trigger.minRecords` asks for fewer.
const LEAST_RECORDS: u64 = 100;

/// Builds the service account of a training's pods, where the training names none.
pub fn build_training_service_account(training: &ValidatedTraining) -> Option<ServiceAccount> {
    let ValidatedTraining { namespace, name, uid, tags, pod, .. } = training;
    let owner = Owner { kind: "ModelTraining", namespace, name, uid: uid.as_deref(), tags };
    pod.service_account_name.is_none().then(|| service_account(&owner, names::training_service_account(name)))
}

/// Builds the Job of a run; its name is that of [`crate::schedule::job_name`].
pub fn build_training_job(training: &ValidatedTraining, site: &SiteFile, job_name: &str) -> Job {
    let ValidatedTraining {
        namespace,
        name,
        uid,
        // Where it runs is decided elsewhere.
        site: _,
        schedule,
        data: ValidatedData { pipeline, sites, lookback, reference_window, max_records, deduplicate_by },
        features: ValidatedFeatures { numeric, categorical, label },
        algorithm,
        parameters,
        search,
        seed,
        holdout_share,
        alert_budget_per_million,
        folds,
        gate: Gate { newest_records, minimum_auroc, minimum_recall },
        keep,
        tags,
        pod,
        job: ValidatedJob { active_deadline_seconds, backoff_limit, ttl_seconds_after_finished },
    } = training;
    let owner = Owner { kind: "ModelTraining", namespace, name, uid: uid.as_deref(), tags };
    let arguments = Arguments::default()
        .bucket(&site.bucket)
        .pipeline(namespace, pipeline, &site.site.name)
        .option("training", name)
        .option("job", job_name)
        .options("data-site", sites)
        .options("lookback-seconds", lookback.map(|lookback| lookback.as_secs()))
        .options("reference-window", reference_window)
        .option("max-records", max_records)
        .option("min-records", schedule.minimum_records.min(LEAST_RECORDS))
        .option("deduplicate-by", deduplicate_by)
        .options("numeric-feature", numeric)
        .options("categorical-feature", categorical)
        .options("label-field", label.iter().map(|label| &label.field))
        .options("normal-label", label.iter().flat_map(|label| &label.normal))
        .option("algorithm", algorithm.as_str())
        .parameters(parameters)
        .search(search.as_ref())
        .option("seed", seed)
        .option("holdout-share", holdout_share)
        .option("alert-budget-per-million", alert_budget_per_million)
        .option("folds", folds)
        .options("minimum-auroc", minimum_auroc)
        .options("minimum-recall", minimum_recall)
        // The default is left out, so that Jobs stay as they are.
        .options("gate-newest-records", Some(newest_records).filter(|choice| **choice != NewestRecords::default()))
        .option("keep", keep)
        .into_vec();
    let process = Process {
        component: Component::Trainer,
        image: &site.images.trainer,
        arguments,
        environment: bucket_environment(&site.bucket),
        settings: pod,
        files: bucket_files(&site.bucket),
        directory: None,
        serves: false,
        grace_seconds: 30,
    };
    let limits = JobLimits {
        backoff_limit: *backoff_limit,
        active_deadline_seconds: Some(*active_deadline_seconds),
        ttl_seconds_after_finished: Some(*ttl_seconds_after_finished),
        suspend: false,
    };
    let context = PodContext { site, service_account: names::training_service_account(name), secrets_hash: None };
    let template = template(&owner, &context, process);
    job(&owner, Component::Trainer, job_name.to_owned(), limits, template)
}
