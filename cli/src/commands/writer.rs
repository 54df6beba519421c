//! In whose name a console writes something for this program, and whether it does.

use thiserror::Error;
use vedette_contract::Name;
use vedette_contract::console::AccessView;

use super::people::user;
use super::pipeline::{PipelineError, Shown};

/// In whose name something is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Writer {
    /// Who does it.
    pub(super) by: String,
    /// What is to be sent of that: nothing where the console knows it.
    pub(super) sent: Option<String>,
}

/// Why a console writes nothing for whoever asks.
#[derive(Debug, Error)]
pub enum WriterError {
    /// It does not answer.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// It takes nothing.
    #[error("the console takes nothing of you: {why}{mend}")]
    NotTaken { why: String, mend: &'static str },
    /// It is that of another site.
    #[error(
        "this is the console of site {here}, which writes what is written there: leave --site out, or name the console of site {meant}"
    )]
    OtherConsole { here: Name, meant: Name },
    /// Nobody can be named.
    #[error("neither USER nor LOGNAME says who you are: say it with --by")]
    Nobody,
}

impl WriterError {
    /// Whether all may be well later.
    pub(super) fn is_away(&self) -> bool {
        match self {
            Self::Pipeline(error) => error.is_away(),
            Self::NotTaken { .. } | Self::OtherConsole { .. } | Self::Nobody => false,
        }
    }
}

/// Who writes, where the console takes it of this program and is that of the site that is named.
///
/// # Errors
/// When it takes nothing, is of another site, or nobody can be named.
pub(super) async fn writer(shown: &Shown, site: Option<&Name>, named: Option<&String>) -> Result<Writer, WriterError> {
    let access: AccessView = shown.console.get("/access", &[]).await.map_err(PipelineError::from)?;
    named_by(access, site, named)
}

fn named_by(access: AccessView, site: Option<&Name>, named: Option<&String>) -> Result<Writer, WriterError> {
    let AccessView { may_write, by, takes_token, why_not, site: here, place: _ } = access;
    if !may_write {
        let why = why_not.unwrap_or_default();
        let mend = if takes_token { "; --console-token-file gives it" } else { "" };
        return Err(WriterError::NotTaken { why, mend });
    }
    if let Some(meant) = site.filter(|site| **site != here) {
        return Err(WriterError::OtherConsole { here, meant: meant.clone() });
    }
    match (named, by) {
        // Nobody acts for another: the console says so.
        (Some(named), _) => Ok(Writer { by: named.clone(), sent: Some(named.clone()) }),
        (None, Some(by)) => Ok(Writer { by, sent: None }),
        (None, None) => {
            let by = user().ok_or(WriterError::Nobody)?;
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
