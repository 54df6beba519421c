//! How the objects of a training are written: JSON that people read too.

use bytes::Bytes;
use serde::Serialize;

use crate::RegistryError;

pub(crate) fn pretty(value: &impl Serialize) -> Result<Bytes, RegistryError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(RegistryError::Json)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}
