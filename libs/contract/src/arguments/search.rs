//! The part of the trainer's command line that is about a search for hyper-parameters.

use clap::Args;

use crate::search::{SearchAlgorithm, SearchMetric, SearchParameter};

/// A search for hyper-parameters.
#[derive(Debug, Clone, Args)]
pub struct SearchArguments {
    /// Searches for hyper-parameters: makes trials of every combination, or of combinations at random; none where omitted
    #[arg(long, value_enum)]
    pub search: Option<SearchAlgorithm>,

    /// So many combinations are tried at most
    #[arg(long, default_value_t = 24, requires = "search")]
    pub max_trials: u64,

    /// Trials that are made at a time; each uses all CPUs where its learner can
    #[arg(long, default_value_t = 1, requires = "search")]
    pub parallel_trials: u32,

    /// By what trials are compared; by Auprc where omitted and a label is given, by Stability where none is
    #[arg(long, value_enum, requires = "search")]
    pub search_metric: Option<SearchMetric>,

    /// What a hyper-parameter may be, NAME=VALUE,… or NAME=MIN..MAX[/STEP]; may be repeated
    #[arg(long = "search-parameter", requires = "search")]
    pub parameters: Vec<SearchParameter>,
}
