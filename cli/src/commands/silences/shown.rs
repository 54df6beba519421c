//! Silences as a console tells them.

use vedette_contract::console::{MOST_SILENCES, PassedView, SilenceView, SilencesView};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::silence::{Silence, SilenceFields, SilenceKey};
use vedette_registry::PassedObject;
use vedette_registry::silences::{KeptSilence, Silences};
use vedette_service::error_chain;

use super::SilencesError;
use crate::commands::pipeline::{PipelineError, Shown};

/// Those of the pipeline, and how many more there are.
///
/// # Errors
/// When the console does not answer.
pub(super) async fn silences(shown: &Shown) -> Result<(Silences, usize), SilencesError> {
    let limit = ("limit", Some(MOST_SILENCES.to_string()));
    let asked: Vec<_> = shown.asked(None).into_iter().chain([limit]).collect();
    let view: SilencesView = shown.console.get("/silences", &asked).await.map_err(PipelineError::from)?;
    let more = view.matching.saturating_sub(view.silences.len());
    let mut passed: Vec<_> = view.passed.into_iter().map(|PassedView { key, why }| PassedObject { key, why }).collect();
    let mut all = Vec::new();
    let keys = PipelineKeys::new(&shown.namespace, &shown.pipeline);
    for silence in view.silences {
        let key = SilenceKey { site: silence.site.clone(), id: silence.id.clone() };
        match kept(silence) {
            Ok(kept) => all.push(kept),
            // A console of another version may have others.
            Err(error) => passed.push(PassedObject { key: keys.silence(&key), why: error_chain(&error) }),
        }
    }
    Ok((Silences { all, passed }, more))
}

/// A silence as the bucket has it.
///
/// # Errors
/// When it is none.
pub(super) fn kept(view: SilenceView) -> Result<KeptSilence, SilencesError> {
    let SilenceView { id, namespace: _, pipeline: _, site, state: _, matches, .. } = view;
    let fields = SilenceFields {
        matches: Some(matches),
        from: Some(view.from_utc),
        until: Some(view.until_utc),
        by: Some(view.by),
        why: Some(view.why),
        exclude_from_training: view.exclude_from_training,
    };
    Ok(KeptSilence { key: SilenceKey { site, id }, silence: Silence::try_from(fields)? })
}
