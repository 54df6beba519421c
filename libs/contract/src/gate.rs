//! The gate of a training: what it looks at beside the quality on the holdout, and what it made of a model.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::Name;

/// Whether the gate scores the newest records of every site before a model becomes current.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[value(rename_all = "PascalCase")]
pub enum NewestRecords {
    /// It does. A model that would flood a site with alerts, or that finds hardly any of its features there, stays a candidate.
    #[default]
    Check,
    /// It does not.
    Ignore,
}

impl NewestRecords {
    /// Its name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "Check",
            Self::Ignore => "Ignore",
        }
    }
}

impl fmt::Display for NewestRecords {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What the gate made of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// Why the model did not become current by itself, a clause each; none where it passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// What somebody should know although it did not keep the model back, a clause each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// How it does on the newest records, site by site; none where they were not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newest: Vec<NewestOfSite>,
}

/// How a model does on the newest records of a site, at the alert budget of its metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewestOfSite {
    /// The site.
    pub site: Name,
    /// Records that were scored.
    pub records: u64,
    /// Those that would alert.
    pub alerts: u64,
    /// Those that would alert by the model that it was to replace; none where there was none that could be loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts_before: Option<u64>,
    /// Share of the values that the features want and these records do not have, 0 to 1.
    pub missing: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_a_choice_reads_back() {
        for choice in NewestRecords::value_variants() {
            assert_eq!(NewestRecords::from_str(&choice.to_string(), false), Ok(*choice));
        }
    }
}
