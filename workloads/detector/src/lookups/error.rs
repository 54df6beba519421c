//! Why a lookup cannot work, which is known before anything is read.

use thiserror::Error;
use vedette_contract::Name;

/// Why a lookup was refused.
#[derive(Debug, Error)]
pub enum LookupError {
    /// A field that it adds is one of ours.
    #[error("lookup {lookup}: the field {field} is reserved; give the lookup a prefix")]
    Reserved { lookup: Name, field: String },
    /// A field that it adds is added by another, too.
    #[error("lookup {lookup}: the field {field} is added twice; give the lookup another prefix")]
    Duplicate { lookup: Name, field: String },
    /// It needs what no record has.
    #[error("lookup {lookup}: the detector adds {field:?}, so no record has it when it is looked up")]
    AddedField { lookup: Name, field: String },
    /// Where its table is was not said.
    #[error("lookup {lookup}: the file of its table was not given")]
    NoFile { lookup: Name },
}
