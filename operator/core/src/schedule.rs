//! When a training runs, as a pure decision: schedule, triggers and a run on demand, with time as an input.

use cronexpr::{Crontab, FallbackTimezoneOption, MakeTimestamp, ParseOptions};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

const FIRST_RETRY: SignedDuration = SignedDuration::from_mins(1);
const LAST_RETRY: SignedDuration = SignedDuration::from_hours(6);

/// A cron expression of five fields in a time zone.
#[derive(Debug, Clone)]
pub struct Schedule(Crontab);

/// A schedule that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ScheduleError(String);

impl Schedule {
    /// Reads five cron fields (minute, hour, day of month, month, day of week); the time zone is an IANA name.
    ///
    /// # Errors
    /// When either cannot be read.
    pub fn parse(expression: &str, time_zone: &str) -> Result<Self, ScheduleError> {
        let expression = of_macro(expression.trim());
        if expression.split_whitespace().count() != 5 {
            return Err(ScheduleError(
                "a schedule has five fields: minute, hour, day of month, month, day of week; the time zone has a field of its own"
                    .to_owned(),
            ));
        }
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        cronexpr::parse_crontab_with(&format!("{expression} {time_zone}"), options)
            .map(Self)
            .map_err(|error| ScheduleError(error.to_string()))
    }

    /// The first time after this one; none if there never is one.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.0.find_next(MakeTimestamp(after)).ok().map(|zoned| zoned.timestamp())
    }
}

/// The five fields of a word that CronJobs know.
fn of_macro(expression: &str) -> &str {
    match expression {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        fields => fields,
    }
}

/// What starts a run.
#[derive(Debug, Clone)]
pub struct ScheduleSettings {
    /// Runs at these times; without it, once there is enough data.
    pub schedule: Option<Schedule>,
    /// No run before so many records are archived.
    pub minimum_records: u64,
    /// Runs again after so many new records.
    pub new_records: Option<u64>,
    /// No run at all.
    pub suspend: bool,
}

/// What is remembered between two decisions; part of a training's status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleState {
    /// The scheduled time that was last acted upon.
    pub last_schedule_time: Option<Timestamp>,
    /// The last run.
    pub last_run: Option<Run>,
    /// The value of the run annotation that was last acted upon.
    pub last_request: Option<String>,
    /// Runs that failed since the last that did not.
    #[serde(default)]
    pub failures: u32,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub job: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended; none while it runs.
    pub finished_at: Option<Timestamp>,
    /// Records in the archive when it was started.
    pub records: u64,
}

/// Everything that a decision looks at.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// When the training was created.
    pub created_at: Timestamp,
    /// Records in the archive; none while the progress cannot be read.
    pub records: Option<u64>,
    /// Value of the annotation that asks for a run.
    pub request: Option<&'a str>,
    /// The spec was changed since the last decision: what failed may be mended.
    pub is_changed: bool,
    /// The last run found too few records to learn from.
    pub lacked_records: bool,
    pub now: Timestamp,
}

/// Why a run starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartReason {
    /// The first time that there is enough data.
    FirstData,
    /// Enough new records since the last run.
    NewRecords,
    /// The schedule.
    Schedule,
    /// Somebody asked.
    Request,
    /// The last run failed.
    Retry,
}

impl StartReason {
    /// Why, in words that follow the name of the run.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstData => "enough records for the first time",
            Self::NewRecords => "enough new records",
            Self::Schedule => "its schedule",
            Self::Request => "somebody asked for it",
            Self::Retry => "the last run failed",
        }
    }
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing, it is suspended.
    Suspended,
    /// Nothing, a run is under way.
    Running,
    /// Wait for so many records.
    WaitingForData {
        /// Records in the archive; none while the progress cannot be read.
        records: Option<u64>,
        /// Records that it takes.
        needed: u64,
    },
    /// Wait for this time.
    WaitingUntil(Timestamp),
    /// Nothing more will come by itself.
    Done,
    /// Start the Job of [`job_name`], and remember this state.
    Start {
        reason: StartReason,
        /// What to remember.
        state: ScheduleState,
    },
}

/// Name of the Job that is started at this time: `<training>-<unix time>`.
pub fn job_name(training: &str, started_at: Timestamp) -> String {
    format!("{training}-{}", started_at.as_second())
}

/// The time at which a Job of this name was started; none if it is not the name of one of the training's Jobs.
pub(crate) fn started_at(training: &str, job: &str) -> Option<Timestamp> {
    let seconds = job.strip_prefix(training)?.strip_prefix('-')?.parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

/// Remembers that the last run ended.
pub(crate) fn finished(state: &ScheduleState, failed: bool, now: Timestamp) -> ScheduleState {
    let mut next = state.clone();
    if let Some(run) = next.last_run.as_mut().filter(|run| run.finished_at.is_none()) {
        run.finished_at = Some(now);
        next.failures = if failed { next.failures.saturating_add(1) } else { 0 };
    }
    next
}

/// Decides whether to start a run. At most one runs at a time; scheduled times that were missed count once.
pub(crate) fn decide(
    training: &str,
    settings: &ScheduleSettings,
    state: &ScheduleState,
    observed: &Observed<'_>,
) -> Decision {
    let ScheduleSettings { schedule, minimum_records, new_records, suspend } = settings;
    if state.last_run.as_ref().is_some_and(|run| run.finished_at.is_none()) {
        return Decision::Running;
    }
    if *suspend {
        return Decision::Suspended;
    }
    let requested = observed.request.filter(|request| state.last_request.as_deref() != Some(request));
    let due = schedule.as_ref().map(|schedule| due(schedule, state, observed));
    let retry = retry_at(state);
    let reason = match (requested, &due, retry) {
        (Some(_), _, _) => StartReason::Request,
        (None, _, Some(at)) if at <= observed.now || observed.is_changed => StartReason::Retry,
        (None, _, Some(at)) => return Decision::WaitingUntil(at),
        (None, Some(Due::Now(_)), None) => StartReason::Schedule,
        (None, due, None) => match (&state.last_run, new_records) {
            (None, _) if due.is_none() => StartReason::FirstData,
            (Some(run), None) if due.is_none() && observed.lacked_records => {
                // Some more than there were, so that not each record is another attempt.
                let needed = run.records.saturating_add((minimum_records / 10).max(1));
                if observed.records.is_none_or(|records| records < needed) {
                    return waiting(None, observed.records, needed);
                }
                StartReason::NewRecords
            }
            (Some(run), Some(new)) => {
                let needed = run.records.saturating_add(*new);
                if observed.records.is_none_or(|records| records < needed) {
                    return waiting(due.as_ref(), observed.records, needed);
                }
                StartReason::NewRecords
            }
            _ => return due.as_ref().map_or(Decision::Done, Due::wait),
        },
    };
    let needed = if reason == StartReason::Request { 1 } else { (*minimum_records).max(1) };
    let Some(records) = observed.records.filter(|records| *records >= needed) else {
        return Decision::WaitingForData { records: observed.records, needed };
    };
    // A Job is named by its second.
    if let Some(last) = state.last_run.as_ref().filter(|run| run.started_at.as_second() >= observed.now.as_second()) {
        let next = last.started_at.saturating_add(SignedDuration::from_secs(1)).unwrap_or(last.started_at);
        return Decision::WaitingUntil(next);
    }
    let run = Run { job: job_name(training, observed.now), started_at: observed.now, finished_at: None, records };
    let last_schedule_time = match due {
        Some(Due::Now(time)) => Some(time),
        Some(Due::At(_) | Due::Never) | None => state.last_schedule_time,
    };
    let last_request = observed.request.map(str::to_owned).or_else(|| state.last_request.clone());
    let state = ScheduleState { last_schedule_time, last_run: Some(run), last_request, failures: state.failures };
    Decision::Start { reason, state }
}

enum Due {
    Now(Timestamp),
    At(Timestamp),
    Never,
}

impl Due {
    fn wait(&self) -> Decision {
        match self {
            Self::Now(time) | Self::At(time) => Decision::WaitingUntil(*time),
            Self::Never => Decision::Done,
        }
    }
}

fn waiting(due: Option<&Due>, records: Option<u64>, needed: u64) -> Decision {
    match due {
        Some(Due::At(time) | Due::Now(time)) => Decision::WaitingUntil(*time),
        Some(Due::Never) | None => Decision::WaitingForData { records, needed },
    }
}

fn due(schedule: &Schedule, state: &ScheduleState, observed: &Observed<'_>) -> Due {
    match schedule.next_after(state.last_schedule_time.unwrap_or(observed.created_at)) {
        // The time is remembered as now, so that a site that was down for a week does not catch up run by run.
        Some(time) if time <= observed.now => Due::Now(observed.now),
        Some(time) => Due::At(time),
        None => Due::Never,
    }
}

fn retry_at(state: &ScheduleState) -> Option<Timestamp> {
    let finished_at = state.last_run.as_ref()?.finished_at?;
    let exponent = state.failures.checked_sub(1)?.min(16);
    let pause = FIRST_RETRY.saturating_mul(1 << exponent).min(LAST_RETRY);
    Some(finished_at.saturating_add(pause).unwrap_or(finished_at))
}

#[cfg(test)]
mod tests;
