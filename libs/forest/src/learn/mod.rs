//! From rows to a forest: one file a learner, and what learners share.

mod bins;
mod bootstrap;
mod dependence;
mod ensemble;
mod error;
mod fit;
mod isolation;
mod limits;
mod parameters;
mod quantiles;
mod random;
mod random_forest;
mod seed_forest;
mod sentinels;
mod shared;
mod synthetic;
mod tails;
mod unsupervised;
mod usual;

pub use error::FitError;
pub use fit::fit;
pub use parameters::{IsolationParameters, Learner, RandomForestParameters, SeedParameters, UnsupervisedParameters};
pub(crate) use random::random_for;
pub(crate) use sentinels::sentinels;
pub(crate) use shared::Shared;
pub use usual::with_usual;
