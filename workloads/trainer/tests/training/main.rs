//! Whole trainings against a bucket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod learning;
mod publishing;
mod support;
