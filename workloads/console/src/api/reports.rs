//! The reports of model versions, as they lie in the bucket. Whoever writes there may be anybody, so a browser shows a report as a page of
//! nobody: no script runs in it, nothing is loaded, and what the console's page knows is out of its reach.

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::REPORT_FILE;
use vedette_contract::{ModelVersion, Name};

use super::Served;
use super::parameters::{Asked, Nothing};
use super::problem::Problem;
use crate::owner::PipelineName;

/// Of an origin that no other page has (`sandbox`), without scripts, and with the styles that stand in it.
const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

pub(super) async fn report(
    State(served): State<Served>,
    Path((namespace, training, version)): Path<(String, String, String)>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Problem> {
    let key = key(&served, &namespace, &training, &version).ok_or_else(|| none("no such version is known"))?;
    let report = served.on_demand.report(&key).await?;
    let report = report.ok_or_else(|| none("the version is there, and its report is not"))?;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        // A browser shows nothing that has both a sandbox and a group of its own.
        (HeaderName::from_static("cross-origin-opener-policy"), "unsafe-none"),
    ];
    Ok((headers, report).into_response())
}

/// Where the report of a version lies, where the version is one that is shown.
fn key(served: &Served, namespace: &str, training: &str, version: &str) -> Option<String> {
    let (namespace, training): (Name, Name) = (namespace.parse().ok()?, training.parse().ok()?);
    let version: ModelVersion = version.parse().ok()?;
    let name = PipelineName { namespace: namespace.clone(), pipeline: training.clone() };
    let state = served.store.state();
    let is_shown = state.trainings.get(&name)?.view.versions.iter().any(|known| known.version == version);
    is_shown.then(|| ModelKeys::new(&namespace, &training).file(&version, REPORT_FILE))
}

fn none(why: &str) -> Problem {
    Problem::not_found(format!(
        "there is no such report: {why}. Old versions are deleted, and builds before this one wrote no report; api/v1/trainings says which \
         versions have one (has_report)"
    ))
}
