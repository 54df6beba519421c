//! The bucket: objects by key, with the conditional writes that the contract builds on. It works with any S3 server.

mod client;
mod error;
mod listing;
mod object;
mod probe;

pub use client::Bucket;
pub use error::{Attempt, BucketError};
pub use object::{Body, Creation, ETag, Object, ObjectHead, ObjectStream, ObjectSummary, Swap};
