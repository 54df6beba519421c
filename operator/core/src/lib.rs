//! The operator's decisions, pure: what a manifest means, what runs because of it, which model is rolled, when a training
//! starts, and what a status says. No client, clock, randomness or runtime: whoever calls brings what it saw.

pub mod autoscaler;
mod bucket_view;
pub mod desired;
pub mod event;
mod field_error;
pub mod health;
pub mod job_state;
pub mod job_step;
mod last_words;
mod lost_node;
pub mod manifest;
pub mod outputs;
pub mod ownership;
pub mod pipeline;
pub mod platform;
pub mod pod_refusal;
pub mod reason;
mod receivers;
pub mod refusal;
mod resync;
pub mod roll;
pub mod rollout;
pub mod run_result;
pub mod schedule;
mod schema;
pub mod site;
pub mod site_status;
mod stability;
pub mod status;
mod suspension;
pub mod training;
pub mod validate;
mod variables;
mod waits;
pub mod workload;
mod yaml;

pub use field_error::FieldError;
pub use last_words::last_words;
