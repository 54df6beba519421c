//! What people wrote, and who may write.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use jiff::Timestamp;
use vedette_contract::arguments::BucketArguments;
use vedette_contract::console::{AccessView, PassedView, SilencesView};
use vedette_contract::silence::SilenceState;

use super::Served;
use super::json::{Answer, Json};
use super::parameters::{Asked, Nothing, SilencesAsked};
use super::problem::Problem;
use super::writers::{Refusal, Writer};
use crate::view::silence_view;

/// The region of buckets where none is named, to the command line too.
const REGION: &str = "us-east-1";

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
    if bucket_region != REGION {
        words.extend(["--bucket-region".to_owned(), bucket_region.clone()]);
    }
    words
}

pub(super) async fn silences(State(served): State<Served>, Asked(asked): Asked<SilencesAsked>) -> Answer<SilencesView> {
    let (filter, limit, now) = (asked.filter()?, asked.limit()?, Timestamp::now());
    let (mut silences, mut passed) = (Vec::new(), Vec::new());
    {
        let state = served.store.state();
        for (pipeline, people) in state.people.iter().filter(|(pipeline, _)| filter.is_of(pipeline)) {
            let views = people.silences.all.iter().map(|kept| silence_view(pipeline, kept, now));
            silences.extend(views.filter(|silence| filter.matches(silence)));
            let told = people.silences.passed.iter();
            passed.extend(told.map(|passed| PassedView { key: passed.key.clone(), why: passed.why.clone() }));
        }
    }
    silences.sort_by(|one, other| (one.state, &other.id).cmp(&(other.state, &one.id)));
    let in_force = silences.iter().filter(|silence| silence.state == SilenceState::InForce).count();
    let matching = silences.len();
    silences.truncate(limit);
    passed.truncate(limit);
    Ok(Json(SilencesView { silences, matching, in_force, passed }))
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
