//! The page and the API behind it, over HTTP: what may be asked and done, by whom and how often, and how it is answered.

mod acting;
mod actions;
mod answers;
mod bodies;
mod hosts;
mod json;
mod kept;
mod limits;
mod openapi;
mod origin;
mod page;
mod parameters;
mod people;
mod problem;
mod reports;
mod router;
mod simulations;
mod stream;
mod writers;
mod written;

use std::sync::Arc;

use vedette_contract::Name;

use crate::act::Desk;
use crate::metrics::Metrics;
use crate::read::{OnDemand, Sampler};
use crate::simulate::Simulator;
use crate::store::Store;

pub(crate) use hosts::Hosts;
pub(crate) use openapi::document;
pub(crate) use people::place;
pub(crate) use router::router;
pub(crate) use writers::Writers;

/// What answers are made of.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) store: Arc<Store>,
    pub(crate) metrics: Metrics,
    /// Who may write.
    pub(crate) writers: Arc<Writers>,
    /// Under which hosts the page is asked for.
    pub(crate) hosts: Arc<Hosts>,
    /// Where what they write goes.
    pub(crate) desk: Desk,
    /// What sends records that people make up; none where the site does not allow that.
    pub(crate) simulator: Option<Simulator>,
    /// What is read only when somebody asks for it.
    pub(crate) on_demand: Arc<OnDemand>,
    pub(crate) sampler: Sampler,
    /// Options by which a command finds the bucket.
    pub(crate) place: Arc<[String]>,
    /// The site whose Kafka is read, and that writes what people write here.
    pub(crate) site: Name,
    /// Tells this process from the one before, whose numbers of changes mean nothing here.
    pub(crate) run: String,
    /// Ends the streams.
    pub(crate) shutdown: vedette_service::Shutdown,
}
