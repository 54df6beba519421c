//! Whole trainings against a bucket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod gate;
mod learning;
mod publishing;
mod searching;
mod support;
