//! What people wrote, and who may write.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use jiff::Timestamp;
use vedette_contract::arguments::{BUCKET_REGION, BucketArguments};
use vedette_contract::console::{AccessView, PassedView, SilencesView};
use vedette_contract::silence::SilenceState;
use vedette_registry::silences::Silences;

use super::Served;
use super::json::{Answer, Json, off_the_runtime};
use super::parameters::{Asked, Nothing, SilenceFilter, SilencesAsked};
use super::problem::Problem;
use super::writers::{Refusal, Writer};
use crate::owner::PipelineName;
use crate::view::silence_view;

pub(super) async fn access(
    State(served): State<Served>,
    Asked(Nothing {}): Asked<Nothing>,
    Asking(who): Asking,
) -> Answer<AccessView> {
    let (may_write, by, why_not) = match who {
        Ok(Writer::Named(name)) => (true, Some(name), None),
        Ok(Writer::Token) => (true, None, None),
        Err(mend) => (false, None, Some(mend.to_owned())),
    };
    let (site, place) = (served.site.clone(), served.place.to_vec());
    Ok(Json(AccessView { may_write, by, takes_token: served.writers.takes_token(), why_not, site, place }))
}

/// Who asks, or why nothing would be taken of it.
pub(super) struct Asking(Result<Writer, &'static str>);

impl FromRequestParts<Served> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, served: &Served) -> Result<Self, Problem> {
        Ok(Self(served.writers.sender(parts).await.map_err(Refusal::mend)))
    }
}

/// Options of a command that finds this bucket.
pub(crate) fn place(bucket: &BucketArguments) -> Vec<String> {
    let BucketArguments { bucket_endpoint, bucket: name, bucket_prefix, bucket_region, .. } = bucket;
    let of_region = || format!("https://s3.{bucket_region}.amazonaws.com");
    let mut words = vec![
        "--bucket".to_owned(),
        bucket_endpoint.clone().unwrap_or_else(of_region),
        "--bucket-name".to_owned(),
        name.clone(),
    ];
    if let Some(prefix) = bucket_prefix {
        words.extend(["--bucket-prefix".to_owned(), prefix.to_string()]);
    }
    if bucket_region != BUCKET_REGION {
        words.extend(["--bucket-region".to_owned(), bucket_region.clone()]);
    }
    words
}

pub(super) async fn silences(State(served): State<Served>, Asked(asked): Asked<SilencesAsked>) -> Answer<SilencesView> {
    let (filter, limit, now) = (asked.filter()?, asked.limit()?, served.desk.now());
    let kept: Vec<(PipelineName, Arc<Silences>)> = {
        let state = served.store.state();
        let of_filter = state.people.iter().filter(|(pipeline, _)| filter.is_of(pipeline));
        of_filter.map(|(pipeline, people)| (pipeline.clone(), Arc::clone(&people.silences))).collect()
    };
    off_the_runtime(move || listed(&kept, &filter, limit, now)).await
}

fn listed(
    kept: &[(PipelineName, Arc<Silences>)],
    filter: &SilenceFilter,
    limit: usize,
    now: Timestamp,
) -> SilencesView {
    let all = kept.iter().flat_map(|(pipeline, of_pipeline)| of_pipeline.all.iter().map(move |kept| (pipeline, kept)));
    let mut found: Vec<_> = all
        .map(|(pipeline, kept)| (kept.silence.state(now), pipeline, kept))
        .filter(|(state, _, kept)| filter.matches(&kept.key.site, *state))
        .collect();
    found.sort_by(|(state, _, one), (of_other, _, other)| (*state, &other.key.id).cmp(&(*of_other, &one.key.id)));
    let passed = kept.iter().flat_map(|(_, of_pipeline)| &of_pipeline.passed).take(limit);
    SilencesView {
        matching: found.len(),
        in_force: found.iter().filter(|(state, ..)| *state == SilenceState::InForce).count(),
        passed: passed.map(|passed| PassedView { key: passed.key.clone(), why: passed.why.clone() }).collect(),
        silences: found.iter().take(limit).map(|(_, pipeline, kept)| silence_view(pipeline, kept, now)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use vedette_contract::arguments::ConsoleArguments;

    use super::*;

    fn said(more: &[&str]) -> String {
        let words = ["vedette-console", "--bootstrap-servers=k:1", "--pod-name=c", "--bucket=b", "--site=east"];
        place(&ConsoleArguments::try_parse_from([&words[..], more].concat()).unwrap().bucket).join(" ")
    }

    #[test]
    fn a_command_finds_the_bucket_that_the_console_has() {
        assert_eq!(said(&["--bucket-endpoint=http://s3:8333"]), "--bucket http://s3:8333 --bucket-name b");
        assert_eq!(
            said(&["--bucket-region=eu-central-1", "--bucket-prefix=teams/fraud"]),
            "--bucket https://s3.eu-central-1.amazonaws.com --bucket-name b --bucket-prefix teams/fraud --bucket-region eu-central-1"
        );
    }
}
