//! When a training runs, as a pure decision: schedule, triggers and a run on demand, with time as an input.

use cronexpr::{Crontab, FallbackTimezoneOption, MakeTimestamp, ParseOptions};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::reason::Outcome;

const FIRST_RETRY: SignedDuration = SignedDuration::from_mins(1);
const LAST_RETRY: SignedDuration = SignedDuration::from_hours(6);

/// A cron expression of five fields in a time zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    crontab: Crontab,
    /// The five fields and the time zone.
    text: String,
}

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
        let text = format!("{expression} {time_zone}");
        let crontab = cronexpr::parse_crontab_with(&text, options).map_err(|error| ScheduleError(error.to_string()))?;
        Ok(Self { crontab, text })
    }

    /// The first time after this one; none if there never is one.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.crontab.find_next(MakeTimestamp(after)).ok().map(|zoned| zoned.timestamp())
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
    /// The schedule that is in effect; none without one, and while it is suspended.
    pub in_effect: Option<InEffect>,
    /// The last run.
    pub last_run: Option<Run>,
    /// The value of the run annotation that was last acted upon.
    pub last_request: Option<String>,
    /// Runs in a row that failed or found too few records, since the spec was changed last.
    #[serde(default)]
    pub failures: u32,
}

/// A schedule, and since when its times count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InEffect {
    /// The cron expression and its time zone.
    pub schedule: String,
    pub since: Timestamp,
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
    /// Records in the archive; none while the progress cannot be read.
    pub records: Option<u64>,
    /// Value of the annotation that asks for a run.
    pub request: Option<&'a str>,
    /// How the last run ended, where that is known.
    pub last: Option<Outcome>,
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
    /// The last run found too few records.
    LackedRecords,
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
            Self::LackedRecords => "the last run found too few records",
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

/// Remembers that the last run ended; one that came to nothing is tried again after a pause.
pub(crate) fn finished(state: &ScheduleState, came_to_nothing: bool, now: Timestamp) -> ScheduleState {
    let mut next = state.clone();
    if let Some(run) = next.last_run.as_mut().filter(|run| run.finished_at.is_none()) {
        run.finished_at = Some(now);
        next.failures = if came_to_nothing { next.failures.saturating_add(1) } else { 0 };
    }
    next
}

/// Remembers the schedule that is in effect from now on. Of one that is another than before, or was suspended, only the times
/// after the change count.
pub(crate) fn follow(state: &mut ScheduleState, schedule: Option<&Schedule>, since: Timestamp) {
    let wanted = schedule.map(|schedule| schedule.text.as_str());
    if state.in_effect.as_ref().map(|known| known.schedule.as_str()) != wanted {
        state.in_effect = wanted.map(|schedule| InEffect { schedule: schedule.to_owned(), since });
    }
}

/// Decides whether to start a run. At most one runs at a time; scheduled times that were missed count once.
pub(crate) fn decide(
    training: &str,
    settings: &ScheduleSettings,
    state: &ScheduleState,
    observed: &Observed<'_>,
) -> Decision {
    if state.last_run.as_ref().is_some_and(|run| run.finished_at.is_none()) {
        return Decision::Running;
    }
    if settings.suspend {
        return Decision::Suspended;
    }
    let due = settings.schedule.as_ref().map(|schedule| due(schedule, state, observed.now));
    match why(settings, state, observed, due.as_ref()) {
        Next::Run(reason) => start(training, settings, state, observed, (reason, due)),
        Next::Wait(wait) => wait,
    }
}

/// What comes next.
enum Next {
    /// A run, and why.
    Run(StartReason),
    Wait(Decision),
}

/// Why a run is due, or else what is waited for.
fn why(settings: &ScheduleSettings, state: &ScheduleState, observed: &Observed<'_>, due: Option<&Due>) -> Next {
    if observed.request.is_some_and(|request| state.last_request.as_deref() != Some(request)) {
        return Next::Run(StartReason::Request);
    }
    match (&state.last_run, observed.last, due) {
        (Some(run), Some(Outcome::Failed), _) => failed(run, settings, state, observed.now),
        (_, _, Some(Due::Now(_))) => Next::Run(StartReason::Schedule),
        (Some(run), Some(Outcome::NotEnoughData), _) => lacked_records(run, state, observed, due),
        (Some(run), _, _) => match settings.new_records {
            Some(new) => new_records(run, new, observed, due),
            None => Next::Wait(due.map_or(Decision::Done, Due::wait)),
        },
        (None, _, None) => Next::Run(StartReason::FirstData),
        (None, _, Some(due)) => Next::Wait(due.wait()),
    }
}

/// A pause keeps only from trying again too soon, not from the next time of the schedule. Times that passed while it ran do not
/// count: a run that takes longer than to the next time would never pause.
fn failed(run: &Run, settings: &ScheduleSettings, state: &ScheduleState, now: Timestamp) -> Next {
    let again = tried_again_at(run, state);
    let scheduled = settings.schedule.as_ref().and_then(|schedule| {
        let ended = run.finished_at.unwrap_or(run.started_at);
        schedule.next_after(times_count_since(state).map_or(ended, |since| since.max(ended)))
    });
    match scheduled {
        Some(time) if time <= now => Next::Run(StartReason::Schedule),
        _ if again <= now => Next::Run(StartReason::Retry),
        Some(time) => Next::Wait(Decision::WaitingUntil(again.min(time))),
        None => Next::Wait(Decision::WaitingUntil(again)),
    }
}

/// Time itself may bring what was lacking, as objects of other sites come later than their counts; or many more records do.
fn lacked_records(run: &Run, state: &ScheduleState, observed: &Observed<'_>, due: Option<&Due>) -> Next {
    let at = tried_again_at(run, state);
    let many_more = run.records.saturating_add((run.records / 10).max(1));
    let is_rested = after(run.finished_at.unwrap_or(run.started_at), FIRST_RETRY) <= observed.now;
    let has_many_more = observed.records.is_some_and(|records| records >= many_more);
    if at <= observed.now || (is_rested && has_many_more) {
        return Next::Run(StartReason::LackedRecords);
    }
    Next::Wait(Decision::WaitingUntil(match due {
        Some(Due::At(time) | Due::Now(time)) => at.min(*time),
        Some(Due::Never) | None => at,
    }))
}

fn new_records(run: &Run, new: u64, observed: &Observed<'_>, due: Option<&Due>) -> Next {
    let needed = run.records.saturating_add(new);
    match (observed.records, due) {
        (Some(records), _) if records >= needed => Next::Run(StartReason::NewRecords),
        (_, Some(Due::At(time) | Due::Now(time))) => Next::Wait(Decision::WaitingUntil(*time)),
        (records, Some(Due::Never) | None) => Next::Wait(Decision::WaitingForData { records, needed }),
    }
}

fn start(
    training: &str,
    settings: &ScheduleSettings,
    state: &ScheduleState,
    observed: &Observed<'_>,
    (reason, due): (StartReason, Option<Due>),
) -> Decision {
    let needed = if reason == StartReason::Request { 1 } else { settings.minimum_records.max(1) };
    let Some(records) = observed.records.filter(|records| *records >= needed) else {
        return Decision::WaitingForData { records: observed.records, needed };
    };
    // A Job is named by its second.
    if let Some(last) = state.last_run.as_ref().filter(|run| run.started_at.as_second() >= observed.now.as_second()) {
        return Decision::WaitingUntil(after(last.started_at, SignedDuration::from_secs(1)));
    }
    let run = Run { job: job_name(training, observed.now), started_at: observed.now, finished_at: None, records };
    let last_schedule_time = match due {
        Some(Due::Now(time)) => Some(time),
        Some(Due::At(_) | Due::Never) | None => state.last_schedule_time,
    };
    let last_request = observed.request.map(str::to_owned).or_else(|| state.last_request.clone());
    let state = ScheduleState { last_schedule_time, last_run: Some(run), last_request, ..state.clone() };
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

fn due(schedule: &Schedule, state: &ScheduleState, now: Timestamp) -> Due {
    match schedule.next_after(times_count_since(state).unwrap_or(now)) {
        // The time is remembered as now, so that a site that was down for a week does not catch up run by run.
        Some(time) if time <= now => Due::Now(now),
        Some(time) => Due::At(time),
        None => Due::Never,
    }
}

/// The times of the schedule after this one count; none where no schedule is in effect.
fn times_count_since(state: &ScheduleState) -> Option<Timestamp> {
    let since = state.in_effect.as_ref()?.since;
    Some(state.last_schedule_time.map_or(since, |last| last.max(since)))
}

/// When a run that came to nothing is tried again: at once where the spec was changed since.
fn tried_again_at(run: &Run, state: &ScheduleState) -> Timestamp {
    let ended = run.finished_at.unwrap_or(run.started_at);
    match state.failures.checked_sub(1) {
        None => ended,
        Some(exponent) => after(ended, FIRST_RETRY.saturating_mul(1 << exponent.min(16)).min(LAST_RETRY)),
    }
}

fn after(time: Timestamp, pause: SignedDuration) -> Timestamp {
    time.saturating_add(pause).unwrap_or(time)
}

#[cfg(test)]
mod tests;
