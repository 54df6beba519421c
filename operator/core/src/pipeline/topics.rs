//! What is known of a pipeline's topics, and what has to be done about them.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use vedette_contract::topic::{PARTITIONS, REPLICATION_FACTOR, TopicReport, TopicSpecification};
use vedette_crds::TopicsStatus;

use super::{PipelineSeen, TopicsStep};
use crate::job_state::JobState;
use crate::validate::{ValidatedPipeline, ValidatedTopics};

/// How long what is stated of the topics is believed to be so, on an average, and how far a pipeline may be from it: many of
/// them were begun at once.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(6);
const SPREAD: f64 = 0.1;
/// The same where records cannot pass. A Job that completed is there for an hour, or until somebody deletes it.
const LOOK_AGAIN_SOON: SignedDuration = SignedDuration::from_mins(5);

/// The topics, by the last Job that completed.
#[derive(Debug, Clone)]
pub(super) struct TopicsFound {
    /// Its name; none where none ever did.
    pub(super) completed_job: Option<String>,
    pub(super) report: TopicReport,
    /// When it completed.
    pub(super) looked_at: Option<Timestamp>,
}

impl TopicsFound {
    pub(super) fn new(wanted_job: Option<&String>, before: Option<&TopicsStatus>, seen: &PipelineSeen) -> Self {
        let completes_now = seen.topics_job == JobState::Complete;
        let completed_job = match before {
            _ if completes_now => wanted_job.cloned(),
            before => before.map(|topics| topics.completed_job.clone()),
        };
        let remembered = before.filter(|topics| Some(&topics.completed_job) == completed_job.as_ref());
        let report_before = || {
            remembered.map(|TopicsStatus { differs, blocks, completed_job: _, looked_at: _ }| TopicReport {
                differs: differs.clone(),
                blocks: blocks.clone(),
            })
        };
        let report_now = seen.topic_report.clone().filter(|_| completes_now);
        let looked_at_now = seen.topics_looked_at.filter(|_| completes_now);
        Self {
            report: report_now.or_else(report_before).unwrap_or_default(),
            looked_at: looked_at_now.or_else(|| remembered?.looked_at.as_ref().map(|time| time.0)),
            completed_job,
        }
    }

    pub(super) fn step(&self, wanted_job: Option<&String>, object: &ValidatedPipeline, now: Timestamp) -> TopicsStep {
        match &self.completed_job {
            None => TopicsStep::First,
            Some(_) if self.completed_job.as_ref() == wanted_job && !self.is_due(object, now) => TopicsStep::Done,
            Some(_) => TopicsStep::Again,
        }
    }

    /// Whether the topics may be otherwise by now than they were found, and that would matter.
    fn is_due(&self, object: &ValidatedPipeline, now: Timestamp) -> bool {
        let TopicReport { differs, blocks } = &self.report;
        let pause = if blocks.is_empty() { pause(object) } else { LOOK_AGAIN_SOON };
        let matters = !blocks.is_empty() || !differs.is_empty() || specifications(object).any(states_anything);
        matters && self.looked_at.is_none_or(|then| now.duration_since(then) >= pause)
    }
}

fn specifications(object: &ValidatedPipeline) -> impl Iterator<Item = &TopicSpecification> {
    let ValidatedTopics { sensor_messages, enriched_data, alerts, dead_letters, max_output_message_bytes: _ } =
        &object.topics;
    let incidents = object.incidents.as_ref().map(|incidents| &incidents.topic);
    [sensor_messages, enriched_data, alerts, dead_letters].into_iter().chain(incidents)
}

fn states_anything(topic: &TopicSpecification) -> bool {
    let states_replicas = topic.replication_factor.is_some() && topic.states(REPLICATION_FACTOR);
    topic.states(PARTITIONS) || states_replicas || topic.configuration.keys().any(|key| topic.states(key))
}

/// Always the same of one pipeline.
fn pause(object: &ValidatedPipeline) -> SignedDuration {
    let hash = Sha256::digest(format!("{}/{}", object.namespace, object.name));
    let place = f64::from(hash[0]) / f64::from(u8::MAX);
    LOOK_AGAIN.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * place)
}
