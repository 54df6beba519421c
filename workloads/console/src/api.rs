//! The page and the API behind it, over HTTP: what may be asked, how often, and how it is answered. It only reads.

mod answers;
mod limits;
mod openapi;
mod page;
mod parameters;
mod problem;
mod router;
mod stream;

use std::sync::Arc;

use vedette_contract::Name;

use crate::metrics::Metrics;
use crate::store::Store;

pub(crate) use openapi::document;
pub(crate) use router::router;

/// What answers are made of.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) store: Arc<Store>,
    pub(crate) metrics: Metrics,
    /// The site whose Kafka is read.
    pub(crate) site: Name,
    /// Tells this process from the one before, whose numbers of changes mean nothing here.
    pub(crate) run: String,
    /// Ends the streams.
    pub(crate) shutdown: vedette_service::Shutdown,
}
