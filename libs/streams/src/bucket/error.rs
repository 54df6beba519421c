//! Errors of the bucket, told apart by what they ask of whoever meets them.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStreamError;
use thiserror::Error;

use crate::bucket::credentials::CredentialsMissing;

/// The cause of an error, as its client gave it.
pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// What was attempted when an error came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Get, put, list and so on.
    pub operation: &'static str,
    /// Key or prefix.
    pub key: String,
    /// The bucket and its endpoint, for messages.
    pub place: Arc<str>,
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, key, place } = self;
        if key.is_empty() {
            write!(formatter, "{operation} {place}")
        } else {
            write!(formatter, "{operation} {key} in {place}")
        }
    }
}

/// What went wrong between us and the bucket.
#[derive(Debug, Error)]
pub enum BucketError {
    /// No server answers, or the connection broke.
    #[error("cannot {attempt}: the server cannot be reached; check the endpoint and that it runs")]
    Unreachable {
        attempt: Attempt,
        #[source]
        source: Cause,
    },
    /// The server did not answer in time.
    #[error("cannot {attempt}: the server does not answer in time")]
    Timeout {
        attempt: Attempt,
        #[source]
        source: Cause,
    },
    /// The credentials are in files that are not there.
    #[error("cannot {attempt}: there are no credentials; create the Secret that has them, or correct it")]
    NoCredentials {
        attempt: Attempt,
        #[source]
        source: CredentialsMissing,
    },
    /// The credentials are wrong or do not allow it.
    #[error("cannot {attempt}: access denied ({code}); check the access key, its secret and its permissions")]
    Denied {
        attempt: Attempt,
        /// S3 error code, or the HTTP status where there is none.
        code: String,
    },
    /// The bucket is not there.
    #[error("cannot {attempt}: there is no such bucket; create it, or check its name")]
    NoSuchBucket { attempt: Attempt },
    /// The server failed or is overloaded.
    #[error("cannot {attempt}: the server failed with {status} ({code})")]
    Server {
        attempt: Attempt,
        /// HTTP status: 429, 500 and above, or a success whose content is an error.
        status: u16,
        /// S3 error code, or the HTTP status where there is none.
        code: String,
    },
    /// The server refuses the request as such.
    #[error("cannot {attempt}: the server refuses it with {status} ({code}); check the endpoint and the region")]
    Refused {
        attempt: Attempt,
        /// HTTP status.
        status: u16,
        /// S3 error code, or the HTTP status where there is none.
        code: String,
    },
    /// Somebody else was writing the same key each time it was tried.
    #[error("cannot {attempt}: others kept writing the same key")]
    Contended { attempt: Attempt },
    /// The server takes conditional writes and ignores their condition.
    #[error(
        "{place} ignores If-None-Match, so objects could be overwritten; use an S3 server that supports conditional writes"
    )]
    ConditionalWritesIgnored {
        /// The bucket and its endpoint.
        place: Arc<str>,
    },
    /// The answer is not one of an S3 server.
    #[error("cannot {attempt}: the answer is not one of an S3 server; check the endpoint")]
    InvalidResponse {
        attempt: Attempt,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// The request could not be made from the settings.
    #[error("cannot {attempt}: the client refuses its settings; check the endpoint and the region")]
    Settings {
        attempt: Attempt,
        #[source]
        source: Cause,
    },
    /// The file to upload cannot be read.
    #[error("cannot {attempt}: cannot read {}", path.display())]
    LocalFile {
        attempt: Attempt,
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl BucketError {
    /// All that [`Self::reason`] says: what counts failures has a series of each from the start.
    pub const REASONS: [&str; 12] = [
        "AccessDenied",
        "BucketKeyContended",
        "BucketRequestRefused",
        "BucketServerError",
        "BucketTimeout",
        "BucketUnreachable",
        "ConditionalWritesIgnored",
        "InvalidBucketResponse",
        "InvalidBucketSettings",
        "LocalFileUnreadable",
        "NoCredentials",
        "NoSuchBucket",
    ];

    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "BucketUnreachable",
            Self::Timeout { .. } => "BucketTimeout",
            Self::NoCredentials { .. } => "NoCredentials",
            Self::Denied { .. } => "AccessDenied",
            Self::NoSuchBucket { .. } => "NoSuchBucket",
            Self::Server { .. } => "BucketServerError",
            Self::Refused { .. } => "BucketRequestRefused",
            Self::Contended { .. } => "BucketKeyContended",
            Self::ConditionalWritesIgnored { .. } => "ConditionalWritesIgnored",
            Self::InvalidResponse { .. } => "InvalidBucketResponse",
            Self::Settings { .. } => "InvalidBucketSettings",
            Self::LocalFile { .. } => "LocalFileUnreadable",
        }
    }

    /// Whether the same may succeed later without anybody changing the settings.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Server { .. } | Self::Contended { .. } => true,
            Self::NoCredentials { .. }
            | Self::Denied { .. }
            | Self::NoSuchBucket { .. }
            | Self::Refused { .. }
            | Self::ConditionalWritesIgnored { .. }
            | Self::InvalidResponse { .. }
            | Self::Settings { .. }
            | Self::LocalFile { .. } => false,
        }
    }

    /// What the client's error means where the operation gives it no meaning of its own.
    pub(super) fn of_request<E>(attempt: Attempt, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        if let Some(source) = credentials_missing(&error) {
            return Self::NoCredentials { attempt, source };
        }
        match error {
            SdkError::ServiceError(ref answer) => {
                let status = answer.raw().status().as_u16();
                match answer.err().code() {
                    None if answer.raw().status().is_success() => {
                        Self::InvalidResponse { attempt, source: error.into() }
                    }
                    code => Self::of_answer(attempt, status, code),
                }
            }
            SdkError::TimeoutError(_) => Self::Timeout { attempt, source: error.into() },
            SdkError::DispatchFailure(ref failure) if failure.is_timeout() => {
                Self::Timeout { attempt, source: error.into() }
            }
            SdkError::DispatchFailure(ref failure) if failure.is_user() => {
                Self::Settings { attempt, source: error.into() }
            }
            SdkError::DispatchFailure(_) => Self::Unreachable { attempt, source: error.into() },
            SdkError::ConstructionFailure(_) => Self::Settings { attempt, source: error.into() },
            _ => Self::InvalidResponse { attempt, source: error.into() },
        }
    }

    fn of_answer(attempt: Attempt, status: u16, code: Option<&str>) -> Self {
        let code = code.map_or_else(|| status.to_string(), str::to_owned);
        match (status, code.as_str()) {
            (_, "NoSuchBucket") => Self::NoSuchBucket { attempt },
            (401 | 403, _) => Self::Denied { attempt, code },
            // S3 may fail after it began a successful answer.
            (200..=299 | 429 | 500.., _) => Self::Server { attempt, status, code },
            _ => Self::Refused { attempt, status, code },
        }
    }

    /// What a failure while the content of an object was read means.
    pub(super) fn of_content(attempt: Attempt, cause: ByteStreamError) -> Self {
        let cause: Cause = cause.into();
        Self::Unreachable { attempt, source: cause }
    }
}

/// The client wraps what the credentials say in errors of its own.
fn credentials_missing(error: &(dyn Error + 'static)) -> Option<CredentialsMissing> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<CredentialsMissing>() {
            return Some(found.clone());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_listed() {
        let attempt = || Attempt { operation: "get", key: "k".to_owned(), place: "bucket b".into() };
        let source = || -> Cause { io::Error::other("broken").into() };
        let (status, code) = (500, || "X".to_owned());
        let missing =
            CredentialsMissing::Unreadable { path: PathBuf::new(), source: io::Error::other("broken").into() };
        let all = [
            BucketError::Unreachable { attempt: attempt(), source: source() },
            BucketError::Timeout { attempt: attempt(), source: source() },
            BucketError::NoCredentials { attempt: attempt(), source: missing },
            BucketError::Denied { attempt: attempt(), code: code() },
            BucketError::NoSuchBucket { attempt: attempt() },
            BucketError::Server { attempt: attempt(), status, code: code() },
            BucketError::Refused { attempt: attempt(), status, code: code() },
            BucketError::Contended { attempt: attempt() },
            BucketError::ConditionalWritesIgnored { place: "bucket b".into() },
            BucketError::InvalidResponse { attempt: attempt(), source: source() },
            BucketError::Settings { attempt: attempt(), source: source() },
            BucketError::LocalFile { attempt: attempt(), path: PathBuf::new(), source: io::Error::other("broken") },
        ];
        let mut reasons = all.each_ref().map(BucketError::reason);
        reasons.sort_unstable();
        assert_eq!(reasons, BucketError::REASONS);
    }
}
