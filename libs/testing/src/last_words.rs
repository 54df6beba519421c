//! The log of a process that failed, and what is to be told of it on every platform.

/// As a container's message has its end, and as a process writes it.
pub const FAILED_LOG: &str = r#"{"level":"ERROR","message":"Kafka did not take a record","error":"an earlier trouble"}
{"level":"INFO","message":"started"}
{"level":"ERROR","message":"failed","reason":"NoSuchBucket","error":"there is no such bucket"}
"#;

/// Why it ended.
pub const FAILED_BECAUSE: &str = "NoSuchBucket: there is no such bucket";
