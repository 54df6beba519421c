//! The bucket: objects by key, with the conditional writes that the contract builds on. It works with any S3 server.

mod client;
mod credentials;
mod error;
mod identity;
mod json;
mod listing;
mod object;
mod parse;
mod plain;
mod probe;

pub use client::{Answered, Bucket, BucketPlace, Encryption};
pub use credentials::{BucketAccess, CredentialFiles, CredentialsMissing};
pub use error::{Attempt, BucketError};
pub use json::JsonError;
pub use object::{Body, Changed, Creation, ETag, Object, ObjectHead, ObjectStream, ObjectSummary, Swap};
pub use parse::Pieces;
