//! What people do in the bucket: they add and end silences, and give verdicts. Each is told in the log with who did it.

use axum::extract::{Path, State};
use jiff::Timestamp;
use vedette_contract::Name;
use vedette_contract::console::{EndSent, EndedView, SilenceSent, SilenceView};
use vedette_contract::silence::SilenceId;
use vedette_contract::verdict::{JudgedAlert, JudgedIncident, VerdictFields};
use vedette_registry::RegistryError;
use vedette_registry::silences::KeptSilence;
use vedette_service::error_chain;

use super::Served;
use super::acting::Acting;
use super::bodies::{VerdictSent, wanted};
use super::json::{Answer, Json};
use super::kept::{kept_alert, kept_incident};
use super::problem::Problem;
use crate::act::{ActError, End};
use crate::alert::Alert;
use crate::owner::PipelineName;
use crate::view::{VerdictView, silence_view};

pub(super) async fn add_silence(
    State(served): State<Served>,
    Acting { writer, sent }: Acting<SilenceSent>,
) -> Answer<SilenceView> {
    let by = writer.name(sent.by.clone())?;
    let asked = PipelineName { namespace: sent.namespace.clone(), pipeline: sent.pipeline.clone() };
    let pipeline = shown(&served, asked)?;
    let added = served.desk.add_silence(&pipeline, wanted(sent, by)).await.map_err(|error| refused(&served, error))?;
    served.metrics.actions.inc();
    let (id, by) = (added.key.id.as_str(), added.silence.by());
    tracing::info!(id, by, namespace = %pipeline.namespace, pipeline = %pipeline.pipeline, "a silence was added");
    let view = silence_view(&pipeline, &added, Timestamp::now());
    served.store.put_silence(&pipeline, added);
    Ok(Json(view))
}

pub(super) async fn end_silence(
    State(served): State<Served>,
    Path(id): Path<String>,
    Acting { writer, sent }: Acting<EndSent>,
) -> Answer<EndedView> {
    let EndSent { namespace, pipeline, by } = sent;
    let by = in_the_log(writer.name(by)?);
    let pipeline = shown(&served, PipelineName { namespace, pipeline })?;
    let id =
        id.parse::<SilenceId>().map_err(|error| Problem::parameter("the id of the silence", &error.to_string()))?;
    let end = served.desk.end_silence(&pipeline, id.clone()).await.map_err(|error| refused(&served, error))?;
    let (kept, is_deleted) = match end {
        End::Over(kept) => {
            served.store.put_silence(&pipeline, kept.clone());
            (kept, false)
        }
        End::Deleted(kept) => {
            served.store.drop_silence(&pipeline, &kept);
            (kept, true)
        }
        End::Missing => return Err(missing(&served, &pipeline, &id)),
    };
    served.metrics.actions.inc();
    tracing::info!(id = id.as_str(), by = by.as_str(), namespace = %pipeline.namespace, pipeline = %pipeline.pipeline, "a silence was ended");
    Ok(Json(EndedView { silence: silence_view(&pipeline, &kept, Timestamp::now()), is_deleted }))
}

pub(super) async fn give_verdict(
    State(served): State<Served>,
    Acting { writer, sent }: Acting<VerdictSent>,
) -> Answer<VerdictView> {
    let VerdictSent { alert, incident, verdict, why, by } = sent;
    let by = writer.name(by)?;
    let fields = VerdictFields { finding: Some(verdict), by, why: Some(why), ..VerdictFields::default() };
    let (pipeline, fields) = match (alert, incident) {
        (Some(id), None) => {
            let alert = kept_alert(&served, &id)?;
            (alert.owner.pipeline_name(), VerdictFields { alert: Some(judged(&alert)?), ..fields })
        }
        (None, Some(id)) => {
            let incident = kept_incident(&served, &id)?;
            (PipelineName::of(&incident), VerdictFields { incident: Some(JudgedIncident::of(&incident)), ..fields })
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(Problem::parameter("what was sent", "say the id of an alert or of an incident, one of them"));
        }
    };
    let given = served.desk.give_verdict(&pipeline, fields).await.map_err(|error| refused(&served, error))?;
    served.metrics.actions.inc();
    let (id, by, verdict) = (given.key.id.as_str(), given.verdict.by(), verdict.as_str());
    tracing::info!(id, by, verdict, namespace = %pipeline.namespace, pipeline = %pipeline.pipeline, "a verdict was given");
    let view = VerdictView::of(&given);
    served.store.put_verdict(&pipeline, given);
    Ok(Json(view))
}

/// The alert, as the archive has it.
fn judged(alert: &Alert) -> Result<JudgedAlert, Problem> {
    let uuid = alert.uuid.clone().ok_or_else(|| {
        Problem::conflict("the record of this alert has no uuid by which a verdict can name it: judge its incident")
    })?;
    if alert.simulated {
        return Err(Problem::invalid(JudgedAlert::simulated(&uuid).whole()));
    }
    Ok(JudgedAlert {
        uuid,
        site: alert.owner.site.clone(),
        detected_utc: alert.detected,
        model_version: alert.model_version.as_ref().and_then(|version| version.parse().ok()),
    })
}

/// Who does what is told in the log alone, as a line.
pub(super) fn in_the_log(by: Option<String>) -> String {
    by.unwrap_or_default().chars().filter(|letter| !letter.is_control()).take(100).collect()
}

/// Nothing is written where nothing is shown.
pub(super) fn shown(served: &Served, pipeline: PipelineName) -> Result<PipelineName, Problem> {
    if served.store.state().shows(&pipeline) {
        return Ok(pipeline);
    }
    let PipelineName { namespace, pipeline } = pipeline;
    Err(Problem::not_found(format!(
        "no site tells of a pipeline {namespace}/{pipeline}: overview has those that are shown"
    )))
}

/// It may be of another site, which alone writes it.
fn missing(served: &Served, pipeline: &PipelineName, id: &SilenceId) -> Problem {
    let writer: Option<Name> = {
        let state = served.store.state();
        let all = state.people.get(pipeline).map(|people| people.silences.all.as_slice()).unwrap_or_default();
        let is_other = |kept: &&KeptSilence| kept.key.id == *id && kept.key.site != served.site;
        all.iter().find(is_other).map(|kept| kept.key.site.clone())
    };
    match writer {
        Some(site) => Problem::conflict(format!(
            "silence {id} is of site {site}, which alone writes it, and this is the console of site {}: end it at the console of {site}",
            served.site
        )),
        None => Problem::not_found(format!("site {} has no silence {id}", served.site)),
    }
}

fn refused(served: &Served, error: ActError) -> Problem {
    served.metrics.refused_actions.inc();
    match error {
        ActError::Written(error) => Problem::invalid(error.whole()),
        ActError::Registry(error @ RegistryError::Contention { .. }) => {
            Problem::conflict(format!("{}; ask again", error_chain(&error)))
        }
        ActError::Registry(error) => {
            tracing::warn!(
                reason = error.reason(),
                error = error_chain(&error),
                "what somebody wrote was not taken by the bucket"
            );
            Problem::unavailable(format!(
                "the bucket does not take it, so nothing was written: {}",
                error_chain(&error)
            ))
        }
    }
}
