//! Whole trainings against a real S3 server.

mod bucket;
mod learning;
mod publishing;
mod support;
