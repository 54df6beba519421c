//! The operator core: what a manifest means, what runs because of it, which model is rolled and when a training starts.
//! Pure and synchronous; no client, clock or randomness.

pub mod build;
pub mod field_error;
pub mod manifest;
pub mod roll;
pub mod schedule;
pub mod schema;
pub mod site;
pub mod validate;
mod yaml;

pub use field_error::FieldError;
