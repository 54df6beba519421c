//! A Kafka broker and an S3 bucket in this process, for `vedette local` and for tests.

pub mod broker;
pub mod bucket;
