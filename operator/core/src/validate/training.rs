//! Validation of a `ModelTraining`.

use std::time::Duration;

use vedette_contract::search::{SearchSpace, SpaceFault};
use vedette_contract::{Name, ReferenceWindow, fields as record};
use vedette_crds::{self as crds, Algorithm, Gate, Label, ModelTraining, Parameters, Search};

use super::tags::Tags;
use super::{check_schema, fields, identity, label, mounts, pods, unsigned};
use crate::FieldError;
use crate::field_error::{FieldErrors, quoted, title};
use crate::schedule::{Schedule, ScheduleSettings};
use crate::schema;
use crate::site::SiteFile;

/// A training in which nothing is wrong.
#[derive(Debug, Clone)]
pub struct ValidatedTraining {
    /// Namespace of the object and of its Jobs.
    pub namespace: Name,
    pub name: Name,
    /// Its UID, for owner references; none where there is no API server.
    pub uid: Option<String>,
    /// Where it runs.
    pub site: Name,
    /// When it runs.
    pub schedule: ScheduleSettings,
    /// What is learned from.
    pub data: ValidatedData,
    /// Which fields are learned from.
    pub features: ValidatedFeatures,
    /// The learner.
    pub algorithm: Algorithm,
    /// Its hyper-parameters; the algorithm's default where absent.
    pub parameters: Parameters,
    /// The search for them, where there is one.
    pub search: Option<Search>,
    /// Seed of everything random.
    pub seed: u64,
    /// Share of the sample that is set aside.
    pub holdout_share: f64,
    /// Alert budget at which quality is reported, records per million.
    pub alert_budget_per_million: f64,
    /// Folds by which quality without labels is measured.
    pub folds: u32,
    /// What a model must reach.
    pub gate: Gate,
    /// How many versions stay.
    pub keep: u32,
    /// The Job.
    pub job: ValidatedJob,
    /// What is written on its children.
    pub tags: Tags,
    /// Settings of its pods.
    pub pod: crds::PodSettings,
}

impl ValidatedTraining {
    /// Whether it runs at this site.
    pub fn runs_at(&self, site: &SiteFile) -> bool {
        self.site == site.site.name
    }
}

/// What is learned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedData {
    pub pipeline: Name,
    /// The sites; all where empty.
    pub sites: Vec<Name>,
    /// How old a record may be.
    pub lookback: Option<Duration>,
    /// The period whose records are learned from; all where absent.
    pub reference_window: Option<ReferenceWindow>,
    /// Size of the sample.
    pub max_records: u64,
    /// Field that identifies a record.
    pub deduplicate_by: String,
}

/// Which fields are learned from; found in the data where neither list is given.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatedFeatures {
    /// Numeric fields.
    pub numeric: Vec<String>,
    /// Categorical fields.
    pub categorical: Vec<String>,
    /// The label.
    pub label: Option<Label>,
}

/// The Job of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatedJob {
    /// How long it may take, seconds.
    pub active_deadline_seconds: i64,
    /// How often a failed pod is tried again.
    pub backoff_limit: i32,
    /// How long it is kept, seconds.
    pub ttl_seconds_after_finished: i32,
}

/// Validates a training.
///
/// # Errors
/// Everything that is wrong with it.
pub fn validate_training(training: &ModelTraining) -> Result<ValidatedTraining, Vec<FieldError>> {
    let metadata = &training.metadata;
    let title = title("ModelTraining", metadata.namespace.as_deref(), metadata.name.as_deref());
    let mut errors = FieldErrors::of(title);
    check_schema(&schema::TRAINING, training, &mut errors);
    let validated = assemble(training, &mut errors);
    errors.finish(validated)
}

fn assemble(training: &ModelTraining, errors: &mut FieldErrors) -> Option<ValidatedTraining> {
    let crds::ModelTrainingSpec {
        site,
        schedule,
        time_zone,
        trigger,
        suspend,
        data,
        features,
        algorithm,
        parameters,
        search,
        seed,
        validation: crds::Validation { holdout_share, alert_budget_per_million, folds },
        publish: crds::Publish { gate, keep },
        job,
        labels,
        annotations,
        pod,
    } = &training.spec;
    let identity = identity(&training.metadata, errors);
    let site = fields::name("spec.site", site, errors);
    let schedule = self::schedule(schedule.as_deref(), time_zone, trigger, *suspend, errors);
    let data = self::data(data, errors);
    let features = self::features(features, errors);
    check_search(*algorithm, parameters, search.as_ref(), errors);
    let seed = unsigned("spec.seed", *seed, errors);
    let folds = unsigned("spec.validation.folds", i64::from(*folds), errors);
    let keep = unsigned("spec.publish.keep", i64::from(*keep), errors);
    let tags = Tags::check("spec", labels, annotations, errors);
    pods::check("spec.pod", pod, errors);
    mounts::check_volumes("spec.pod", pod, errors);
    let pod = crds::PodSettings { resources: pod.resources.with(&job.resources), ..pod.clone() };
    let job = self::job(job, errors);
    let (namespace, name) = identity?;
    Some(ValidatedTraining {
        namespace,
        name,
        uid: training.metadata.uid.clone(),
        site: site?,
        schedule: schedule?,
        data: data?,
        features,
        algorithm: *algorithm,
        parameters: *parameters,
        search: search.clone(),
        seed: seed?,
        holdout_share: *holdout_share,
        alert_budget_per_million: *alert_budget_per_million,
        folds: folds?,
        gate: gate.clone(),
        keep: keep?,
        job,
        tags,
        pod,
    })
}

fn schedule(
    expression: Option<&str>,
    time_zone: &str,
    trigger: &crds::Trigger,
    suspend: bool,
    errors: &mut FieldErrors,
) -> Option<ScheduleSettings> {
    let crds::Trigger { min_records, new_records } = trigger;
    // The expression is tried in UTC first, so that each of the two fields has its own error.
    let in_utc = expression
        .map(|expression| errors.check("spec.schedule", quoted(expression), Schedule::parse(expression, "UTC")));
    let in_zone = Schedule::parse("0 0 * * *", time_zone)
        .map_err(|_| "is not a time zone; use a name of the IANA data base, such as Europe/Berlin");
    let zone = errors.check("spec.timeZone", quoted(time_zone), in_zone);
    let schedule = match (expression, in_utc) {
        (Some(expression), Some(Some(_))) if zone.is_some() => {
            errors.check("spec.schedule", quoted(expression), Schedule::parse(expression, time_zone)).map(Some)
        }
        (Some(_), _) => None,
        (None, _) => Some(None),
    };
    let minimum_records = unsigned("spec.trigger.minRecords", *min_records, errors);
    let new_records = match new_records {
        Some(records) => unsigned("spec.trigger.newRecords", *records, errors).map(Some),
        None => Some(None),
    };
    Some(ScheduleSettings {
        schedule: schedule?,
        minimum_records: minimum_records?,
        new_records: new_records?,
        suspend,
    })
}

fn data(data: &crds::DataSource, errors: &mut FieldErrors) -> Option<ValidatedData> {
    const TEN_YEARS: u64 = 10 * 366 * 24 * 3600;
    let crds::DataSource { pipeline, sites, lookback, reference_window, max_records, deduplicate_by } = data;
    let pipeline = fields::name("spec.data.pipeline", pipeline, errors);
    let sites: Vec<Option<Name>> = sites
        .iter()
        .enumerate()
        .map(|(index, site)| fields::name(&format!("spec.data.sites[{index}]"), site, errors))
        .collect();
    let lookback = match lookback {
        Some(lookback) => fields::duration("spec.data.lookback", lookback, (1, TEN_YEARS), errors).map(Some),
        None => Some(None),
    };
    let reference_window = match reference_window {
        Some(crds::ReferenceWindow { from, to }) => {
            let window = ReferenceWindow::new(from.0, to.0);
            errors.check("spec.data.referenceWindow", format!("{}/{}", from.0, to.0), window).map(Some)
        }
        None => Some(None),
    };
    let max_records = unsigned("spec.data.maxRecords", *max_records, errors);
    Some(ValidatedData {
        pipeline: pipeline?,
        sites: sites.into_iter().collect::<Option<_>>()?,
        lookback: lookback?,
        reference_window: reference_window?,
        max_records: max_records?,
        deduplicate_by: deduplicate_by.clone(),
    })
}

/// What a schema cannot say of a space: whether it is empty, infinite, or larger than the search.
fn check_search(algorithm: Algorithm, fixed: &Parameters, search: Option<&Search>, errors: &mut FieldErrors) {
    let Some(Search { algorithm: search, max_trials, parallel_trials: _, metric: _, parameters }) = search else {
        return;
    };
    let max_trials = u64::try_from(*max_trials).unwrap_or_default();
    // A learner without parameters has a rule of its own.
    let faults = SearchSpace::new(algorithm, fixed, parameters, (*search, max_trials)).err().unwrap_or_default();
    for SpaceFault { path, value, hint } in faults {
        let path = format!("spec.search.{path}");
        if !errors.has(&path) && !errors.has("spec.search") {
            errors.push(path, value, hint);
        }
    }
}

fn features(features: &crds::Features, errors: &mut FieldErrors) -> ValidatedFeatures {
    let crds::Features { numeric, categorical, label } = features;
    let label = self::label("spec.features.label", label.as_ref(), errors);
    for (list, names) in [("numeric", numeric), ("categorical", categorical)] {
        for (index, name) in names.iter().enumerate() {
            let path = format!("spec.features.{list}[{index}]");
            if record::is_reserved(name) {
                errors.push(&path, quoted(name), "is a field of Vedette's own, and never a feature");
            }
            if label.as_ref().is_some_and(|label| label.field == *name) {
                errors.push(&path, quoted(name), "is the label, and never a feature");
            }
            if list == "categorical" && numeric.contains(name) {
                errors.push(&path, quoted(name), "is numeric too; keep one of the two");
            }
        }
    }
    ValidatedFeatures { numeric: numeric.clone(), categorical: categorical.clone(), label }
}

fn job(job: &crds::JobSettings, errors: &mut FieldErrors) -> ValidatedJob {
    let crds::JobSettings { resources, active_deadline_seconds, backoff_limit, ttl_seconds_after_finished } = job;
    fields::resources("spec.job.resources", resources, errors);
    ValidatedJob {
        active_deadline_seconds: *active_deadline_seconds,
        backoff_limit: *backoff_limit,
        ttl_seconds_after_finished: *ttl_seconds_after_finished,
    }
}
