//! A table that records are joined with: its keys, and of each the values of a few columns. It is read whole or refused, and
//! held as bytes: no row and no cell is an allocation of its own.

mod csv;
mod error;
mod json_lines;
mod settings;
mod store;

use std::io::Read;

use vedette_contract::lookup::TableFormat;

pub use self::error::TableError;
pub use self::settings::TableSettings;
pub use self::store::{LookupTable, Row};

use self::store::Builder;
use crate::content;

impl LookupTable {
    /// Reads a table: plain, gzip or zstd; with or without a byte order mark. A key that stands again with the same values
    /// counts once.
    ///
    /// # Errors
    /// When any row of it cannot be read or has no key, or a key stands there with other values: half a table is none.
    pub fn load(content: impl Read, settings: &TableSettings) -> Result<Self, TableError> {
        let text = content::open(content, None).map_err(TableError::Open)?;
        let mut builder = Builder::new(settings.columns.len());
        match settings.format {
            TableFormat::Csv => csv::read(text, settings, &mut builder)?,
            TableFormat::JsonLines => json_lines::read(text, settings, &mut builder)?,
        }
        builder.finish()
    }
}

#[cfg(test)]
mod tests;
