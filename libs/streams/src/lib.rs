//! Kafka and bucket clients behind small types. They know names, keys and settings, and nothing of what the bytes mean.

#[cfg(feature = "bucket")]
pub mod bucket;
#[cfg(feature = "http")]
mod certificates;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
