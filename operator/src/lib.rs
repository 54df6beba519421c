//! The operator. Its core is pure: what a manifest means, what runs because of it, which model is rolled, when a training
//! starts, and what a status says. Around it a shell, `controller`, talks to the API server and the bucket.

pub mod bucket_view;
pub mod build;
pub mod connect;
pub mod controller;
mod error;
pub mod field_error;
pub mod job_state;
pub mod manifest;
pub mod permissions;
pub mod roll;
pub mod rollout;
pub mod run_result;
pub mod schedule;
pub mod schema;
pub mod settings;
pub mod site;
pub mod site_status;
pub mod status;
pub mod validate;
mod yaml;

pub use controller::run;
pub use error::OperatorError;
pub use field_error::FieldError;
