//! Reads the bucket again and again: which pipelines there are, how their sites stand, and what was archived of alerts and
//! incidents since the last look. How often is bounded by the requests of an hour. A little is read only when somebody asks for it (`demand`).

mod archive;
mod demand;
mod mirror;
mod pace;
mod people;
mod poll;
mod reader;
mod sampling;
mod sites;
mod trainings;

pub(crate) use archive::take_record;
pub(crate) use demand::{DemandError, OnDemand};
pub(crate) use poll::{PollSettings, poll};
pub(crate) use reader::Reader;
pub(crate) use sampling::{SampleOf, Sampler};
