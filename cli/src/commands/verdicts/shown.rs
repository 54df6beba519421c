//! Verdicts as a console tells and writes them.

use vedette_contract::console::{MOST_VERDICTS, VerdictSent, WrittenVerdict, WrittenVerdictsView};
use vedette_contract::verdict::{Verdict, VerdictKey};
use vedette_registry::verdicts::{KeptVerdict, Verdicts};

use super::VerdictsError;
use crate::commands::pipeline::{PipelineError, Shown};

/// Those of the pipeline that a console keeps, and what it may lack.
///
/// # Errors
/// When the console does not answer, or tells of one that is none.
pub(super) async fn verdicts(shown: &Shown) -> Result<(Verdicts, Option<String>), VerdictsError> {
    let view: WrittenVerdictsView =
        shown.console.get("/verdicts/written", &shown.asked(None)).await.map_err(PipelineError::from)?;
    let all: Vec<KeptVerdict> = view.verdicts.into_iter().map(kept).collect::<Result<_, _>>()?;
    let is_full = all.len() >= MOST_VERDICTS;
    let lacks = is_full.then(|| format!("the console keeps the newest {MOST_VERDICTS} verdicts; the bucket has all"));
    Ok((Verdicts { all, ..Verdicts::default() }, lacks))
}

/// Has a console write one.
///
/// # Errors
/// When the console does not take it.
pub(super) async fn give(shown: &Shown, sent: &VerdictSent) -> Result<KeptVerdict, VerdictsError> {
    kept(shown.console.post("/verdicts", sent).await.map_err(PipelineError::from)?)
}

/// A verdict as the bucket has it.
fn kept(written: WrittenVerdict) -> Result<KeptVerdict, VerdictsError> {
    let WrittenVerdict { id, site, sha256, json } = written;
    Ok(KeptVerdict { key: VerdictKey { site, id }, sha256, verdict: Verdict::read(json.as_bytes())? })
}
