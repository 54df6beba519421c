//! The steps of a training in their order: reads, learns, evaluates, gates, publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use vedette_archive::{Selection, Source, list_sources};
use vedette_contract::ModelVersion;
use vedette_contract::archive::Stream;
use vedette_contract::arguments::TrainerArguments;
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_contract::model::{FeatureSpecification, ModelMetadata, REPORT_FILE, TrainingOutcome, TrainingResult};
use vedette_contract::search::SearchReport;
use vedette_forest::artifact::{ArtifactError, ArtifactFiles, pack};
use vedette_forest::features::Encoder;
use vedette_forest::with_usual;
use vedette_records::Label;
use vedette_registry::publish::{Publication, keep_candidate, publish};
use vedette_registry::retention::{Retention, prune};
use vedette_registry::{pointer, results, versions};
use vedette_service::{Shutdown, error_chain};
use vedette_streams::bucket::Bucket;

use crate::collect::{Sample, Sampler, Split};
use crate::distribution::distributions;
use crate::error::TrainerError;
use crate::field::LeftOut;
use crate::infer::{ChosenFeatures, given_features};
use crate::judge::judge;
use crate::judged::Judged;
use crate::learn::{LearnSettings, Learned, is_too_little_data, learn};
use crate::memory;
use crate::novelty::refuse_all_new;
use crate::page::page;
use crate::picture::Picture;
use crate::read::{Reading, read_all, survey};
use crate::report;
use crate::schema::{Kind, Schema};
use crate::search::{SearchSettings, search};
use crate::silenced::Silenced;

/// Of the records of an archive one in so many may be lost to damage.
const LOST: u64 = 100;

/// Runs one training to its end. That the gate refuses, or that there is too little data, is a result and not an error.
///
/// # Errors
/// Whatever keeps the training from a result. Nothing is current then that was not before.
pub fn run(arguments: TrainerArguments, shutdown: Shutdown) -> BoxFuture<'static, Result<(), TrainerError>> {
    until_shutdown(arguments, shutdown).boxed()
}

async fn until_shutdown(arguments: TrainerArguments, shutdown: Shutdown) -> Result<(), TrainerError> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Err(TrainerError::Interrupted),
        result = train(&arguments, &shutdown) => result,
    }
}

async fn train(arguments: &TrainerArguments, shutdown: &Shutdown) -> Result<(), TrainerError> {
    check(arguments)?;
    let (settings, search) = (LearnSettings::new(arguments)?, SearchSettings::new(arguments)?);
    let learning = Learning { settings, search, shutdown: shutdown.clone() };
    let given = given_features(arguments)?;
    let bucket = Bucket::new(&arguments.bucket);
    let training = Training {
        arguments,
        silenced: Silenced::read(&bucket, &arguments.owner).await?,
        bucket,
        models: ModelKeys::new(&arguments.owner.namespace, &arguments.training),
        started: Timestamp::now(),
    };
    if training.is_done().await? {
        return Ok(());
    }
    training.bucket.probe_conditional_writes(&training.models.prefix()).await?;
    let sources = training.list().await?;
    let Some(schema) = training.choose_features(given, &sources).await? else {
        // Of what is not read for good it is not counted what a silence leaves out.
        let objects = sources.iter().map(|source| source.object.to_string()).collect();
        let reading = Reading { objects, silences: training.silenced.told(), ..Reading::default() };
        return training.not_enough_data(&reading, 0).await;
    };
    let (schema, left_out) = schema;
    let collected = training.collect(schema, sources, shutdown).await?;
    check_damage(&collected.reading)?;
    let distinct = collected.sampler.distinct(&collected.reading.tally);
    if distinct < arguments.min_records {
        return training.not_enough_data(&collected.reading, distinct).await;
    }
    check_label(&collected)?;
    let (records, reading) = (collected.reading.tally.records, collected.reading.clone());
    let trained = match training.learn(collected, left_out, learning).await {
        Err(error) if is_too_little_data(&error) => return training.not_enough_data(&reading, records).await,
        trained => trained?,
    };
    let trained = training.judge(trained).await?;
    if trained.metadata.gate.refused.is_empty() {
        training.publish(trained).await
    } else {
        training.keep_candidate(trained).await
    }
}

/// One training: its arguments, its bucket and its keys.
struct Training<'a> {
    arguments: &'a TrainerArguments,
    bucket: Bucket,
    /// What no model learns from.
    silenced: Arc<Silenced>,
    models: ModelKeys,
    started: Timestamp,
}

/// What was read and sampled.
struct Collected {
    sampler: Sampler,
    schema: Arc<Schema>,
    reading: Reading,
}

/// What was learned, ready to be published.
struct Trained {
    artifact: ArtifactFiles,
    metadata: ModelMetadata,
    features: FeatureSpecification,
    picture: Picture,
}

fn check(arguments: &TrainerArguments) -> Result<(), TrainerError> {
    let TrainerArguments { holdout_share, alert_budget_per_million, max_records, keep, .. } = arguments;
    let refused = |what: String| Err(TrainerError::Arguments(what));
    if !(0.0..1.0).contains(holdout_share) {
        return refused(format!("--holdout-share {holdout_share} is not at least 0 and less than 1"));
    }
    if !(0.0..=1e6).contains(alert_budget_per_million) {
        return refused(format!("--alert-budget-per-million {alert_budget_per_million} is not between 0 and 1000000"));
    }
    if *max_records == 0 || *keep == 0 {
        return refused("--max-records and --keep are at least 1".to_owned());
    }
    Ok(())
}

/// Refuses an archive of which more than one record in so many is lost: what is left may not be what was.
fn check_damage(reading: &Reading) -> Result<(), TrainerError> {
    let Reading { objects: _, sites: _, damaged, lost, silences: _, tally } = reading;
    // Records of both the stream and the reference window count once.
    let passed = tally.outside_lookback + tally.silenced + tally.simulated + tally.unreadable;
    let read = tally.records.max(tally.reference) + passed;
    let is_too_much = *lost > (read + lost) / LOST;
    if is_too_much { Err(TrainerError::Damaged { damaged: *damaged, lost: *lost, read }) } else { Ok(()) }
}

/// Refuses a label of which no value is normal, by which every record would be an anomaly.
fn check_label(collected: &Collected) -> Result<(), TrainerError> {
    let label = collected.schema.fields.label.as_ref().zip(collected.reading.tally.labels.never_normal());
    let Some(((label, _), seen)) = label else { return Ok(()) };
    let (field, normal) = (label.field().to_owned(), label.normal().join(", "));
    Err(TrainerError::LabelNeverNormal { field, normal, seen })
}

impl Training<'_> {
    /// Whether an earlier run of this Job published. One that ended between the pointer and the result left no result.
    async fn is_done(&self) -> Result<bool, TrainerError> {
        let job = self.arguments.job.as_str();
        if let Some(result) = results::load(&self.bucket, &self.models, job).await?
            && result.outcome == TrainingOutcome::Published
        {
            tracing::info!(
                job,
                version = result.version.as_ref().map(ModelVersion::as_str),
                "this Job published already"
            );
            return Ok(true);
        }
        match pointer::load(&self.bucket, &self.models).await? {
            Some(stored) if stored.pointer.published_by == job => {
                self.recover_result(&stored.pointer.version).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The key of a version's report, if it has one.
    fn report(&self, version: &ModelVersion, metadata: &ModelMetadata) -> Option<String> {
        metadata.report.as_ref().map(|file| self.models.file(version, file))
    }

    async fn recover_result(&self, version: &ModelVersion) -> Result<(), TrainerError> {
        let metadata = versions::metadata(&self.bucket, &self.models, version).await?;
        let message = format!("version {version} is current, published by an earlier run of this Job");
        let result = TrainingResult {
            version: Some(version.clone()),
            metrics: metadata.as_ref().map(|metadata| metadata.metrics.clone()),
            baseline: metadata.as_ref().and_then(|metadata| metadata.baseline.clone()),
            search: metadata.as_ref().and_then(|metadata| metadata.search.as_ref()).map(SearchReport::summary),
            report: metadata.as_ref().and_then(|metadata| self.report(version, metadata)),
            ..self.result(TrainingOutcome::Published, metadata.map_or(0, |metadata| metadata.records), message)
        };
        self.finish(&result).await
    }

    fn not_before(&self) -> Result<Option<Timestamp>, TrainerError> {
        let Some(seconds) = self.arguments.lookback_seconds else {
            return Ok(None);
        };
        let lookback = SignedDuration::try_from(Duration::from_secs(seconds)).ok();
        let not_before = lookback.and_then(|lookback| self.started.checked_sub(lookback).ok());
        not_before.map(Some).ok_or_else(|| TrainerError::Arguments(format!("--lookback-seconds {seconds} is too long")))
    }

    /// The first time of which anything is read.
    fn listed_from(&self) -> Result<Option<Timestamp>, TrainerError> {
        let reference = self.arguments.reference_window.map(|window| window.from());
        let not_before = self.not_before()?;
        Ok(not_before.map(|not_before| reference.map_or(not_before, |from| from.min(not_before))))
    }

    async fn list(&self) -> Result<Vec<Source>, TrainerError> {
        let owner = &self.arguments.owner;
        let keys = PipelineKeys::new(&owner.namespace, &owner.pipeline);
        let selection = Selection {
            stream: Stream::EnrichedData,
            sites: &self.arguments.data_sites,
            not_before: self.listed_from()?,
        };
        let sources = list_sources(&self.bucket, &keys, selection).await?;
        let open = sources.iter().filter(|source| source.is_open()).count();
        let stored_bytes: u64 = sources.iter().map(|source| source.bytes).sum();
        tracing::info!(objects = sources.len(), open, stored_bytes, "the archive was listed");
        Ok(sources)
    }

    /// The schema to read by; `None` when there is nothing to choose features from.
    async fn choose_features(
        &self,
        given: Option<Vec<(String, Kind)>>,
        sources: &[Source],
    ) -> Result<Option<(Schema, BTreeMap<String, LeftOut>)>, TrainerError> {
        let TrainerArguments { deduplicate_by, label_field, normal_labels, reference_window, .. } = self.arguments;
        let survey = survey(&self.bucket, sources, *reference_window, &self.silenced).await?;
        let ChosenFeatures { columns, left_out } = match given {
            Some(columns) => ChosenFeatures { columns, ..ChosenFeatures::default() },
            None if survey.records() == 0 => return Ok(None),
            None => survey.features(label_field.as_deref())?,
        };
        report::log_features(&columns, &left_out);
        let label = label_field.as_deref().map(|field| Label::new(field, normal_labels));
        let schema = Schema::new(columns, deduplicate_by, label, self.not_before()?);
        let schema = schema.with_reference(*reference_window).with_growing(survey.growing());
        Ok(Some((schema, left_out)))
    }

    async fn collect(
        &self,
        schema: Schema,
        sources: Vec<Source>,
        shutdown: &Shutdown,
    ) -> Result<Collected, TrainerError> {
        let size = usize::try_from(self.arguments.max_records).unwrap_or(usize::MAX);
        let schema = Arc::new(schema);
        let sampler = Arc::new(Mutex::new(Sampler::new(&schema, size, self.arguments.seed)));
        let reading = read_all(&self.bucket, sources, &schema, &sampler, &self.silenced, shutdown).await?;
        let empty = Sampler::new(&schema, 0, self.arguments.seed);
        let sampler = std::mem::replace(&mut *sampler.lock().unwrap_or_else(PoisonError::into_inner), empty);
        report::log_reading(&reading, &sampler);
        Ok(Collected { sampler, schema, reading })
    }

    async fn learn(
        &self,
        collected: Collected,
        left_out: BTreeMap<String, LeftOut>,
        learning: Learning,
    ) -> Result<Trained, TrainerError> {
        let Collected { sampler, schema, reading } = collected;
        let unusable = sampler.unusable(&schema);
        if !unusable.is_empty() {
            let columns = unusable.into_iter().map(|(name, kind)| match kind {
                Kind::Numeric => format!("{name} (numeric)"),
                Kind::Categorical => format!("{name} (categorical)"),
            });
            return Err(TrainerError::UnknownFeatures { columns: columns.collect() });
        }
        let judged = Judged::read(&self.bucket, &self.arguments.owner).await;
        let parallel_trials = learning.search.as_ref().map_or(0, |search| search.parallel_trials);
        let needed_bytes = memory::check(sampler.held(), schema.columns.len(), parallel_trials, memory::limit())?;
        tracing::info!(needed_bytes, "learning takes about so much memory");
        let (duplicates, sampled) = (sampler.duplicates(), sampler.len() as u64);
        let texts = schema.texts(&reading.tally.texts);
        let holdout_share = self.arguments.holdout_share;
        let growing = schema.growing.clone();
        let work = move || learn_from(sampler.finish(&schema, holdout_share), &growing, &learning);
        let (artifact, features, learned) = tokio::task::spawn_blocking(work).await??;
        let picture = learned.picture.clone();
        let counts = (duplicates, sampled);
        let metadata = report::metadata(self.arguments, reading, learned, (&left_out, texts), counts, judged);
        Ok(Trained { artifact, metadata, features, picture })
    }

    /// Has the gate look at the model: what it says is in the metadata, and so in the report.
    async fn judge(&self, trained: Trained) -> Result<Trained, TrainerError> {
        let Trained { mut artifact, metadata, features, picture } = trained;
        let gate = judge(&self.bucket, self.arguments, &artifact, &metadata, &self.silenced).await?;
        let metadata = ModelMetadata { gate, ..metadata };
        // It is a file of the version, and not of those that its hash is over.
        artifact.files.insert(REPORT_FILE.to_owned(), page(&metadata, &features, &picture).into_bytes());
        Ok(Trained { artifact, metadata, features, picture })
    }

    async fn publish(&self, trained: Trained) -> Result<(), TrainerError> {
        let Trained { artifact, metadata, .. } = trained;
        let now = Timestamp::now();
        let publication = publish(&self.bucket, &self.models, artifact, &metadata, now).await?;
        let (version, message) = match &publication {
            Publication::Current { pointer, previous: _ } => {
                (&pointer.version, format!("version {} is current: {}", pointer.version, report::summary(&metadata)))
            }
            Publication::ByTheSameJob { pointer } => {
                return self.recover_result(&pointer.version).await;
            }
            Publication::Superseded { pointer: newer, version } => (
                &newer.version,
                format!(
                    "version {} of Job {} is newer than {version} of this one and stays current",
                    newer.version, newer.published_by
                ),
            ),
        };
        let result = TrainingResult {
            version: Some(version.clone()),
            report: self.report(version, &metadata),
            metrics: Some(metadata.metrics),
            baseline: metadata.baseline,
            search: metadata.search.as_ref().map(SearchReport::summary),
            ..self.result(TrainingOutcome::Published, metadata.records, message)
        };
        self.finish(&result).await?;
        if let Publication::Current { .. } = &publication {
            self.prune(now, None).await;
        }
        Ok(())
    }

    /// That old versions stay does no harm, so it does not fail a training whose model is stored.
    async fn prune(&self, now: Timestamp, made: Option<&ModelVersion>) {
        let TrainerArguments { owner, training, keep, .. } = self.arguments;
        match prune(&self.bucket, &owner.namespace, training, Retention { keep: *keep, now, made }).await {
            Ok(deleted) => {
                for version in deleted {
                    tracing::info!(%version, "an old model version was deleted");
                }
            }
            Err(error) => tracing::warn!(error = error_chain(&error), "old model versions could not be deleted"),
        }
    }

    async fn keep_candidate(&self, trained: Trained) -> Result<(), TrainerError> {
        let Trained { artifact, metadata, .. } = trained;
        let now = Timestamp::now();
        let version = keep_candidate(&self.bucket, &self.models, artifact, &metadata, now).await?;
        let message = report::candidate(self.arguments, &version, &metadata.gate);
        let result = TrainingResult {
            report: self.report(&version, &metadata),
            version: Some(version.clone()),
            search: metadata.search.as_ref().map(SearchReport::summary),
            metrics: Some(metadata.metrics),
            baseline: metadata.baseline,
            ..self.result(TrainingOutcome::GateRefused, metadata.records, message)
        };
        self.finish(&result).await?;
        self.prune(now, Some(&version)).await;
        Ok(())
    }

    async fn not_enough_data(&self, reading: &Reading, distinct: u64) -> Result<(), TrainerError> {
        let message = report::not_enough_data(reading, distinct, self.arguments);
        let outcome = TrainingOutcome::NotEnoughData;
        self.finish(&self.result(outcome, reading.tally.records, message)).await
    }

    fn result(&self, outcome: TrainingOutcome, records: u64, message: String) -> TrainingResult {
        report::result(self.arguments.job.as_str(), outcome, records, message)
    }

    async fn finish(&self, result: &TrainingResult) -> Result<(), TrainerError> {
        results::write(&self.bucket, &self.models, result).await?;
        report::log(result);
        Ok(())
    }
}

/// How to learn.
struct Learning {
    settings: LearnSettings,
    /// Finds the hyper-parameters first.
    search: Option<SearchSettings>,
    shutdown: Shutdown,
}

fn learn_from(
    sample: Sample,
    growing: &BTreeSet<String>,
    learning: &Learning,
) -> Result<(ArtifactFiles, FeatureSpecification, Learned), TrainerError> {
    let features = sample.specification.clone();
    let encoder = Encoder::new(&features).map_err(ArtifactError::from)?;
    let once = sample.once();
    let Split { training, holdout, rest } = sample.split(&encoder);
    refuse_all_new(&features, &training, &once, growing)?;
    tracing::info!(training = training.matrix.rows(), holdout = holdout.matrix.rows(), "learning");
    let Learning { settings, search: wanted, shutdown } = learning;
    let found = wanted.as_ref().map(|wanted| search(wanted, settings, &features, &training, shutdown)).transpose()?;
    let settings = LearnSettings { learner: found.as_ref().map_or(settings.learner, |(best, _)| *best), ..*settings };
    let mut learned = learn(&features, &training, &holdout, rest.as_ref(), &settings)?;
    learned.search = found.map(|(_, report)| report);
    let model = (&learned.forest, &learned.calibration);
    let others = &rest.as_ref().unwrap_or(&training).matrix;
    learned.distributions = Some(distributions(&features.columns, model, &holdout.matrix, others)?);
    let features = FeatureSpecification { columns: with_usual(&features.columns, &training.matrix), ..features };
    let artifact = pack(&learned.forest, &features, &learned.calibration)?;
    Ok((artifact, features, learned))
}
