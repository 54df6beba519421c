//! What people do in the bucket: they add and end silences, and give verdicts. Each is told in the log with who did it.

use axum::extract::{Path, State};
use vedette_contract::console::{EndSent, EndedView, SilenceSent, SilenceView, VerdictSent};
use vedette_contract::silence::SilenceId;
use vedette_contract::verdict::{JudgedAlert, JudgedIncident, VerdictFields};
use vedette_contract::{Name, author};
use vedette_registry::RegistryError;
use vedette_registry::silences::{Ended, KeptSilence};
use vedette_service::error_chain;

use super::Served;
use super::acting::Acting;
use super::bodies::wanted;
use super::json::{Answer, Json};
use super::kept::{kept_alert, kept_incident, verdict_json};
use super::problem::Problem;
use crate::act::ActError;
use crate::alert::Alert;
use crate::owner::PipelineName;
use crate::view::{GivenView, VerdictView, silence_view};

pub(super) async fn add_silence(
    State(served): State<Served>,
    Acting { writer, sent }: Acting<SilenceSent>,
) -> Answer<SilenceView> {
    let by = writer.name(sent.by.clone())?;
    let asked = PipelineName { namespace: sent.namespace.clone(), pipeline: sent.pipeline.clone() };
    let pipeline = shown(&served, asked)?;
    let wanted = wanted(sent, by)?;
    to_its_end(async move {
        let added = served.desk.add_silence(&pipeline, wanted).await.map_err(refused)?;
        served.metrics.actions.inc();
        let (id, by) = (added.key.id.as_str(), added.silence.by());
        tracing::info!(id, by, namespace = %pipeline.namespace, pipeline = %pipeline.pipeline, "a silence was added");
        let view = silence_view(&pipeline, &added, served.desk.now());
        served.store.put_silence(&pipeline, added);
        Ok(Json(view))
    })
    .await
}

pub(super) async fn end_silence(
    State(served): State<Served>,
    Path(id): Path<String>,
    Acting { writer, sent }: Acting<EndSent>,
) -> Answer<EndedView> {
    let EndSent { namespace, pipeline, by } = sent;
    // It stands in the log alone.
    let by = author(writer.name(by)?).map_err(|error| Problem::invalid(error.whole()))?;
    let pipeline = shown(&served, PipelineName { namespace, pipeline })?;
    let id =
        id.parse::<SilenceId>().map_err(|error| Problem::parameter("the id of the silence", &error.to_string()))?;
    to_its_end(end(served, pipeline, id, by)).await
}

async fn end(served: Served, pipeline: PipelineName, id: SilenceId, by: String) -> Answer<EndedView> {
    let key = served.desk.key(id);
    let ended = served.desk.end_silence(&pipeline, &key).await.map_err(refused)?;
    let (silence, is_deleted, is_done) = match ended {
        Ended::Now(silence) => (silence, false, true),
        // Whoever comes after another has ended nothing.
        Ended::Before(silence) => (silence, false, false),
        Ended::Deleted(silence) => (silence, true, true),
        Ended::Missing => return Err(missing(&served, &pipeline, &key.id)),
    };
    if is_done {
        served.metrics.actions.inc();
        let (id, by) = (key.id.as_str(), by.as_str());
        tracing::info!(id, by, namespace = %pipeline.namespace, pipeline = %pipeline.pipeline, "a silence was ended");
    }
    let kept = KeptSilence { key, silence };
    let silence = silence_view(&pipeline, &kept, served.desk.now());
    if is_deleted {
        served.store.drop_silence(&pipeline, &kept);
    } else {
        served.store.put_silence(&pipeline, kept);
    }
    Ok(Json(EndedView { silence, is_deleted }))
}

pub(super) async fn give_verdict(
    State(served): State<Served>,
    Acting { writer, sent }: Acting<VerdictSent>,
) -> Answer<GivenView> {
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
    let pipeline = shown(&served, pipeline)?;
    to_its_end(async move {
        let given = served.desk.give_verdict(&pipeline, fields).await.map_err(refused)?;
        served.metrics.actions.inc();
        let (id, by, verdict) = (given.key.id.as_str(), given.verdict.by(), verdict.as_str());
        tracing::info!(id, by, verdict, namespace = %pipeline.namespace, pipeline = %pipeline.pipeline, "a verdict was given");
        let (verdict, sha256, json) = (VerdictView::of(&given), given.sha256.clone(), verdict_json(&given));
        served.store.put_verdict(&pipeline, given);
        Ok(Json(GivenView { verdict, sha256, json: json? }))
    })
    .await
}

/// What is written is told of, also where whoever asked for it is gone by then.
pub(super) async fn to_its_end<T: Send + 'static>(
    acting: impl Future<Output = Answer<T>> + Send + 'static,
) -> Answer<T> {
    tokio::spawn(acting).await.unwrap_or_else(|error| {
        tracing::error!(%error, "what somebody wanted written came to no end");
        Err(Problem::failed())
    })
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

/// Nothing is written where nothing is shown.
pub(super) fn shown(served: &Served, pipeline: PipelineName) -> Result<PipelineName, Problem> {
    let state = served.store.state();
    if state.shows(&pipeline) {
        return Ok(pipeline);
    }
    if state.bucket.answered_utc.is_none() {
        return Err(Problem::unavailable(
            "the console has not read the bucket yet, so it does not know which pipelines there are: ask again in a moment",
        ));
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

fn refused(error: ActError) -> Problem {
    let error = match error {
        ActError::Written(error) => return Problem::invalid(error.whole()),
        ActError::Registry(error @ RegistryError::Contention { .. }) => {
            return Problem::conflict(format!("{}; ask again", error_chain(&error)));
        }
        ActError::Registry(error) => error,
    };
    let why = error_chain(&error);
    tracing::warn!(reason = error.reason(), error = why, "what somebody wrote was not taken by the bucket");
    // The answer may be what was lost, and not the request.
    Problem::unavailable(if matches!(&error, RegistryError::Bucket(error) if error.is_retriable()) {
        format!(
            "the bucket does not answer, so whether it was written is not known: look before you send it again: {why}"
        )
    } else {
        format!("the bucket does not take it, so nothing was written: {why}")
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Notify, oneshot};
    use vedette_streams::bucket::{Attempt, BucketError};

    use super::*;

    #[tokio::test]
    async fn what_is_begun_is_done_also_where_whoever_asked_is_gone() {
        let (answer, (done, told)) = (Arc::new(Notify::new()), oneshot::channel());
        let of_the_bucket = Arc::clone(&answer);
        let mut acting = Box::pin(to_its_end(async move {
            of_the_bucket.notified().await;
            done.send(()).unwrap();
            Ok(Json(()))
        }));
        assert!(futures::poll!(&mut acting).is_pending());
        drop(acting);
        answer.notify_one();
        told.await.unwrap();
    }

    #[test]
    fn that_nothing_was_written_is_said_only_where_that_is_known() {
        let attempt = Attempt { operation: "put", key: "a".to_owned(), place: "b".into() };
        let said = |error: BucketError| serde_json::to_string(&refused(ActError::Registry(error.into()))).unwrap();
        let refused = said(BucketError::Denied { attempt: attempt.clone(), code: "AccessDenied".to_owned() });
        assert!(refused.contains("nothing was written"), "{refused}");
        let lost = said(BucketError::Timeout { attempt, source: "lost".into() });
        assert!(lost.contains("is not known") && !lost.contains("nothing was written"), "{lost}");
    }
}
