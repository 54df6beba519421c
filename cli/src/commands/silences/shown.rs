//! Silences as a console tells and writes them.

use vedette_contract::Name;
use vedette_contract::console::{AccessView, MOST_SILENCES, PassedView, SilenceView, SilencesView};
use vedette_contract::silence::{Silence, SilenceFields, SilenceKey};
use vedette_registry::PassedObject;
use vedette_registry::silences::{KeptSilence, Silences};

use super::SilencesError;
use crate::commands::people::user;
use crate::commands::pipeline::{PipelineError, Shown};

/// Those of the pipeline, and how many more there are.
///
/// # Errors
/// When the console does not answer, or tells of one that is none.
pub(super) async fn silences(shown: &Shown) -> Result<(Silences, usize), SilencesError> {
    let limit = ("limit", Some(MOST_SILENCES.to_string()));
    let asked: Vec<_> = shown.asked(None).into_iter().chain([limit]).collect();
    let view: SilencesView = shown.console.get("/silences", &asked).await.map_err(PipelineError::from)?;
    let more = view.matching.saturating_sub(view.silences.len());
    let all = view.silences.into_iter().map(kept).collect::<Result<_, _>>()?;
    let passed = view.passed.into_iter().map(|PassedView { key, why }| PassedObject { key, why }).collect();
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

/// In whose name something is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Writer {
    /// Who does it.
    pub(super) by: String,
    /// What is to be sent of that: nothing where the console knows it.
    pub(super) sent: Option<String>,
}

/// Who writes, where the console takes it of this program and is that of the site that is named.
///
/// # Errors
/// When it takes nothing, is of another site, or nobody can be named.
pub(super) async fn writer(
    shown: &Shown,
    site: Option<&Name>,
    named: Option<&String>,
) -> Result<Writer, SilencesError> {
    let access: AccessView = shown.console.get("/access", &[]).await.map_err(PipelineError::from)?;
    named_by(access, site, named)
}

fn named_by(access: AccessView, site: Option<&Name>, named: Option<&String>) -> Result<Writer, SilencesError> {
    let AccessView { may_write, by, takes_token, why_not, site: here, place: _ } = access;
    if !may_write {
        let why = why_not.unwrap_or_default();
        return Err(SilencesError::NotTaken {
            why,
            mend: if takes_token { "; --console-token-file gives it" } else { "" },
        });
    }
    if let Some(meant) = site.filter(|site| **site != here) {
        return Err(SilencesError::OtherConsole { here, meant: meant.clone() });
    }
    match (named, by) {
        // Nobody acts for another: the console says so.
        (Some(named), _) => Ok(Writer { by: named.clone(), sent: Some(named.clone()) }),
        (None, Some(by)) => Ok(Writer { by, sent: None }),
        (None, None) => {
            let by = user().ok_or(SilencesError::Nobody)?;
            Ok(Writer { by: by.clone(), sent: Some(by) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(may_write: bool, by: Option<&str>) -> AccessView {
        AccessView {
            may_write,
            by: by.map(str::to_owned),
            takes_token: true,
            why_not: (!may_write).then(|| "say the token".to_owned()),
            site: "east".parse().unwrap(),
            place: Vec::new(),
        }
    }

    #[test]
    fn who_is_signed_in_needs_no_name_and_who_may_not_write_is_told_why() {
        let east: Name = "east".parse().unwrap();
        let grace = "grace".to_owned();
        let signed_in = named_by(access(true, Some("ada")), None, None).unwrap();
        assert_eq!(signed_in, Writer { by: "ada".to_owned(), sent: None });
        let told = named_by(access(true, None), Some(&east), Some(&grace)).unwrap();
        assert_eq!(told, Writer { by: grace.clone(), sent: Some(grace) });
        let refused = named_by(access(false, None), None, None).unwrap_err().to_string();
        assert!(refused.contains("say the token; --console-token-file gives it"), "{refused}");
        let west = "west".parse().unwrap();
        let other = named_by(access(true, Some("ada")), Some(&west), None).unwrap_err().to_string();
        assert!(other.contains("console of site east") && other.contains("site west"), "{other}");
    }
}
