//! Whole trainings against a real S3 server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bucket;
mod learning;
mod publishing;
mod support;
