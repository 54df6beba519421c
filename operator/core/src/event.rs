//! What happened to an object, said once. Each platform tells it in its own words: as an event of an API server, or as a line.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::reason::{
    self, BucketReason, BudgetReason, FeaturesReason, Outcome, Reason, ReceiversReason, StabilityReason, StreamReason,
};
use crate::roll::RollEvent;
use crate::run_result::Ended;
use crate::schedule::{Run, StartReason};
use crate::status::{
    BUCKET_REACHABLE, BUDGET_HELD, FEATURES_PRESENT, READY, RECEIVERS_USABLE, SCORES_STABLE, STREAM_COMPLETE, find,
};

/// The conditions of which it is told that they flip.
const TOLD: [&str; 7] =
    [READY, BUCKET_REACHABLE, STREAM_COMPLETE, FEATURES_PRESENT, SCORES_STABLE, BUDGET_HELD, RECEIVERS_USABLE];

/// Something that happened to an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The model roll went on.
    Roll(RollEvent),
    /// A run of a training was started.
    RunStarted {
        /// The run.
        run: Run,
        reason: StartReason,
    },
    /// A run of a training ended.
    RunEnded(Ended),
    /// A condition flipped.
    Flipped(Condition),
}

impl Event {
    /// Whether somebody should look.
    pub fn is_warning(&self) -> bool {
        match self {
            Self::Roll(RollEvent::RolledBack { .. }) => true,
            Self::Roll(RollEvent::Started { .. } | RollEvent::Activated(_) | RollEvent::Retried(_)) => false,
            Self::RunStarted { run: _, reason } => *reason == StartReason::Retry,
            Self::RunEnded(ended) => ended.outcome != Outcome::Published,
            Self::Flipped(condition) => condition.status != "True",
        }
    }

    /// One word in CamelCase.
    pub fn reason(&self) -> String {
        match self {
            Self::Roll(event) => event.reason().to_owned(),
            Self::RunStarted { .. } => "RunStarted".to_owned(),
            Self::RunEnded(ended) => format!("Run{}", ended.result.outcome),
            Self::Flipped(condition) if condition.status == "True" => condition.type_.clone(),
            Self::Flipped(condition) => condition.reason.clone(),
        }
    }

    /// What is to be told.
    pub fn message(&self) -> String {
        match self {
            Self::Roll(event) => event.to_string(),
            Self::RunStarted { run, reason } => {
                format!("Job {} starts: {}; {} records are archived", run.job, reason.as_str(), run.records)
            }
            Self::RunEnded(ended) => format!("Job {}: {}", ended.result.job, ended.result.message),
            Self::Flipped(condition) => condition.message.clone(),
        }
    }
}

/// Conditions that flipped. What does not hold from the beginning is news only where it will stay so.
pub(crate) fn flipped(before: &[Condition], after: &[Condition]) -> Vec<Event> {
    let flipped = TOLD.into_iter().filter_map(|kind| {
        let now = find(after, kind)?;
        let is_lasting = reason::is_lasting(&now.reason);
        let is_news = match find(before, kind) {
            // What everybody expects is no news, nor is it that nobody tells any more.
            Some(last) if is_silence(&last.reason) && now.status == "True" => false,
            Some(_) if is_silence(&now.reason) => false,
            Some(last) => {
                last.status != now.status || (now.status == "False" && is_lasting && last.reason != now.reason)
            }
            None => is_lasting || is_told_by_processes(&now.reason),
        };
        is_news.then(|| Event::Flipped(now.clone()))
    });
    flipped.collect()
}

/// Whether a reason says what processes alone find: that records are not as they were learned, or that a receiver cannot be told.
fn is_told_by_processes(reason: &str) -> bool {
    let told = [
        FeaturesReason::FieldsMissing.as_str(),
        StabilityReason::ScoresShifted.as_str(),
        BudgetReason::Exceeded.as_str(),
        ReceiversReason::ReceiverSecretMissing.as_str(),
        ReceiversReason::ReceiverSecretWrong.as_str(),
    ];
    told.contains(&reason)
}

/// Whether a reason says that nobody has told yet.
fn is_silence(reason: &str) -> bool {
    [BucketReason::NotAsked.as_str(), StreamReason::NotTold.as_str()].contains(&reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job_state::JobState;
    use crate::reason::{PodsReason, ReadyReason, TopicsReason};
    use crate::run_result;
    use crate::status::{Conditions, Finding};
    use jiff::Timestamp;

    fn ready(finding: Finding) -> Vec<Condition> {
        Conditions::from(&[], None, Timestamp::UNIX_EPOCH).with(READY, finding).into_vec()
    }

    fn fails(reason: impl Reason) -> Vec<Condition> {
        ready(Finding::fails(reason, ""))
    }

    fn reasons(before: &[Condition], after: &[Condition]) -> Vec<String> {
        flipped(before, after).iter().map(Event::reason).collect()
    }

    #[test]
    fn what_somebody_should_look_at_is_a_warning() {
        let version = || "20261123T084210Z-1a2b3c4d".parse().unwrap();
        let run =
            |finished_at| Run { job: "t-1".to_owned(), started_at: Timestamp::UNIX_EPOCH, finished_at, records: 7 };
        let started = |reason| Event::RunStarted { run: run(None), reason };
        let ended = |outcome: Outcome| {
            let lost = run_result::ended(&run(None), &JobState::Absent, None, Timestamp::UNIX_EPOCH).unwrap();
            Event::RunEnded(Ended { outcome, ..lost })
        };
        let flipped = |status: &str| {
            let mut condition = ready(Finding::holds(ReadyReason::Running, "")).remove(0);
            status.clone_into(&mut condition.status);
            Event::Flipped(condition)
        };
        let rolled_back = RollEvent::RolledBack { bad: version(), good: None, cause: String::new() };
        for (event, expected) in [
            (Event::Roll(RollEvent::Started { from: None, to: version() }), false),
            (Event::Roll(RollEvent::Activated(version())), false),
            (Event::Roll(rolled_back), true),
            (Event::Roll(RollEvent::Retried(vec![version()])), false),
            (started(StartReason::FirstData), false),
            (started(StartReason::NewRecords), false),
            (started(StartReason::Schedule), false),
            (started(StartReason::Request), false),
            (started(StartReason::Retry), true),
            (ended(Outcome::Published), false),
            (ended(Outcome::GateRefused), true),
            (ended(Outcome::NotEnoughData), true),
            (ended(Outcome::Failed), true),
            (flipped("True"), false),
            (flipped("False"), true),
            (flipped("Unknown"), true),
        ] {
            assert_eq!(event.is_warning(), expected, "{event:?}");
        }
    }

    #[test]
    fn only_transitions_are_told() {
        let up = ready(Finding::holds(ReadyReason::Running, ""));
        let (down, wrong) = (fails(PodsReason::PodsNotReady), fails(ReadyReason::Invalid));
        assert_eq!(reasons(&[], &down), [""; 0]);
        assert_eq!(reasons(&[], &wrong), ["Invalid"]);
        assert_eq!(reasons(&down, &up), ["Ready"]);
        assert_eq!(reasons(&up, &down), ["PodsNotReady"]);
        assert_eq!(reasons(&down, &fails(TopicsReason::TopicJobRunning)), [""; 0]);
        assert_eq!(reasons(&down, &wrong), ["Invalid"]);
        assert_eq!(reasons(&wrong, &wrong), [""; 0]);
    }

    #[test]
    fn what_pods_tell_is_news_where_nobody_expects_it() {
        let with = |kind, finding| Conditions::from(&[], None, Timestamp::UNIX_EPOCH).with(kind, finding).into_vec();
        let silent = with(STREAM_COMPLETE, Finding::unknown(StreamReason::NotTold, ""));
        let complete = with(STREAM_COMPLETE, Finding::holds(StreamReason::Complete, ""));
        let lost = with(STREAM_COMPLETE, Finding::fails(StreamReason::RecordsLost, ""));
        for (before, after) in [(&silent, &complete), (&complete, &silent), (&lost, &silent), (&lost, &lost)] {
            assert_eq!(reasons(before, after), [""; 0]);
        }
        assert_eq!(
            (reasons(&silent, &lost), reasons(&complete, &lost)),
            (vec!["RecordsLost".into()], vec!["RecordsLost".into()])
        );
        assert_eq!(reasons(&lost, &complete), ["StreamComplete"]);
        let lacking = with(FEATURES_PRESENT, Finding::fails(FeaturesReason::FieldsMissing, ""));
        assert_eq!((reasons(&[], &lacking), reasons(&lacking, &[])), (vec!["FieldsMissing".to_owned()], vec![]));
        let missing = with(RECEIVERS_USABLE, Finding::fails(ReceiversReason::ReceiverSecretMissing, ""));
        assert_eq!(reasons(&[], &missing), ["ReceiverSecretMissing"]);
        let usable = with(RECEIVERS_USABLE, Finding::holds(ReceiversReason::Usable, ""));
        assert_eq!((reasons(&[], &usable), reasons(&missing, &usable)), (vec![], vec!["ReceiversUsable".to_owned()]));
    }
}
