//! The client itself: one request per method, with its errors made ours.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Config, Credentials, IdentityCache, Region, RequestChecksumCalculation,
    ResponseChecksumValidation,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use vedette_contract::arguments::{BucketAddressing, BucketArguments, EncryptionAlgorithm};
use vedette_contract::keys::KeyPrefix;

use crate::bucket::credentials::BucketAccess;
use crate::bucket::error::Attempt;
use crate::bucket::identity::OwnIdentity;
use crate::bucket::plain;
use crate::bucket::{Body, BucketError, Changed, Creation, ETag, Object, ObjectHead, ObjectStream, Swap};
use crate::http::{Http, HttpSettings, ServerClock};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
const ATTEMPTS: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LARGEST_BACKOFF: Duration = Duration::from_secs(2);
/// An upload may be this slow, bytes per second, before its time is over.
const SLOWEST_UPLOAD: u64 = 512 * 1024;
/// How often a create is tried that collides with another writer of the same key.
const CREATE_ATTEMPTS: u32 = 4;

/// How long before its end a key of the pod's own identity is replaced.
const BEFORE_EXPIRY: Duration = Duration::from_secs(300);
const IDENTITY_TIMEOUT: Duration = Duration::from_secs(15);

/// Where a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPlace {
    /// S3 endpoint; the region's own where there is none.
    pub endpoint: Option<String>,
    pub name: String,
    /// What stands before all keys; nothing where omitted.
    pub prefix: Option<KeyPrefix>,
    /// Where its name stands in URLs.
    pub addressing: BucketAddressing,
    /// S3 region.
    pub region: String,
    /// How what is written is encrypted there; as the bucket has it where omitted.
    pub encryption: Option<Encryption>,
}

impl BucketPlace {
    /// The place that these arguments name.
    pub fn of(arguments: &BucketArguments) -> Self {
        let BucketArguments {
            bucket_endpoint: endpoint,
            bucket: name,
            bucket_prefix: prefix,
            bucket_addressing: addressing,
            bucket_region: region,
            bucket_ca_file: _,
            bucket_encryption,
            bucket_kms_key_id: kms_key_id,
            access_key_id: _,
            secret_access_key: _,
            session_token: _,
        } = arguments.clone();
        let encryption = bucket_encryption.map(|algorithm| Encryption { algorithm, kms_key_id });
        Self { endpoint, name, prefix, addressing, region, encryption }
    }
}

/// How a bucket encrypts what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// With what kind of key.
    pub algorithm: EncryptionAlgorithm,
    /// Which key of a key management service; the bucket's own where omitted.
    pub kms_key_id: Option<String>,
}

/// One bucket, as one user. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
    /// Added to keys that go out, removed from those that a listing has: nobody else knows of it.
    pub(super) prefix: Option<KeyPrefix>,
    /// The bucket and its endpoint, for messages.
    pub(super) place: Arc<str>,
    encryption: Option<Encryption>,
    attempt_timeout: Duration,
    clock: ServerClock,
}

impl Bucket {
    /// The bucket that these arguments name; nothing is asked of it yet.
    pub fn new(arguments: &BucketArguments) -> Self {
        Self::with_timeouts(arguments, CONNECT_TIMEOUT, ATTEMPT_TIMEOUT)
    }

    /// As [`Self::new`], with other limits to how long connecting and one attempt of a request may take (an upload from
    /// a file has more, by its length). A request is attempted three times.
    pub fn with_timeouts(arguments: &BucketArguments, connect: Duration, attempt: Duration) -> Self {
        let BucketArguments { bucket_ca_file, access_key_id, secret_access_key, session_token, .. } = arguments.clone();
        let place = BucketPlace::of(arguments);
        let config = match access_key_id.zip(secret_access_key) {
            Some((id, key)) => {
                let token = session_token.map(|token| token.reveal().to_owned());
                Config::builder().credentials_provider(Credentials::new(id, key.reveal(), token, None, "arguments"))
            }
            None => with_own_identity(&place, bucket_ca_file.clone(), connect),
        };
        Self::build(place, config, bucket_ca_file, connect, attempt)
    }

    /// As [`Self::with_timeouts`], with credentials that are read for each request, or are the pod's own.
    pub fn with_access(place: BucketPlace, access: BucketAccess, connect: Duration, attempt: Duration) -> Self {
        let BucketAccess { credentials, ca_file } = access;
        let config = match credentials {
            Some(files) => Config::builder().credentials_provider(files).identity_cache(IdentityCache::no_cache()),
            None => with_own_identity(&place, ca_file.clone(), connect),
        };
        Self::build(place, config, ca_file, connect, attempt)
    }

    fn build(
        place: BucketPlace,
        config: Builder,
        ca_file: Option<PathBuf>,
        connect: Duration,
        attempt: Duration,
    ) -> Self {
        let BucketPlace { endpoint, name, prefix, addressing, region, encryption } = place;
        let timeouts = TimeoutConfig::builder().connect_timeout(connect).operation_attempt_timeout(attempt).build();
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(FIRST_BACKOFF)
            .with_max_backoff(LARGEST_BACKOFF);
        let http = Http::new(HttpSettings::of(endpoint.as_deref().unwrap_or_default(), ca_file, connect));
        let clock = http.clock();
        // Checksums beyond what S3 requires are unknown to many S3 servers.
        let mut config = config
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .force_path_style(addressing == BucketAddressing::Path)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .http_client(http.client())
            .timeout_config(timeouts)
            .retry_config(retries);
        if let Some(endpoint) = &endpoint {
            plain::warn_once(endpoint);
            config = config.endpoint_url(endpoint);
        }
        let endpoint = endpoint.unwrap_or_else(|| format!("Amazon S3 {region}"));
        Self {
            client: Client::from_conf(config.build()),
            place: format!("bucket {name} at {endpoint}").into(),
            name,
            prefix,
            encryption,
            attempt_timeout: attempt,
            clock,
        }
    }

    /// What time it is by the clock of the server, which says when objects were written; by ours until it has answered.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn attempt(&self, operation: &'static str, key: &str) -> Attempt {
        Attempt { operation, key: self.whole(key), place: Arc::clone(&self.place) }
    }

    /// The key as the server has it.
    pub(super) fn whole(&self, key: &str) -> String {
        self.prefix.as_ref().map_or_else(|| key.to_owned(), |prefix| prefix.whole(key))
    }

    /// Of a key as the server has it, the one that we know.
    pub(super) fn ours(&self, whole: String) -> Option<String> {
        match &self.prefix {
            None => Some(whole),
            Some(prefix) => prefix.strip(&whole).map(str::to_owned),
        }
    }

    /// Creates the bucket if it is missing. For development: in production a bucket has an owner.
    pub fn ensure_exists(&self) -> Answered<'_, ()> {
        async move {
            match self.client.create_bucket().bucket(&self.name).send().await {
                Ok(_) => Ok(()),
                Err(error) if matches!(error.code(), Some("BucketAlreadyOwnedByYou" | "BucketAlreadyExists")) => Ok(()),
                Err(error) => Err(BucketError::of_request(self.attempt("create", ""), error)),
            }
        }
        .boxed()
    }

    /// An object with its bytes; `None` when there is none.
    pub fn get<'a>(&'a self, key: &'a str) -> Answered<'a, Option<Object>> {
        async move {
            let Some(stream) = self.get_stream(key).await? else {
                return Ok(None);
            };
            let ObjectStream { head: ObjectHead { etag, metadata, length: _ }, content, attempt } = stream;
            let content = content.collect().await.map_err(|cause| BucketError::of_content(attempt, cause))?;
            Ok(Some(Object { bytes: content.into_bytes(), etag, metadata }))
        }
        .boxed()
    }

    /// An object whose content is read piece by piece; `None` when there is none.
    pub fn get_stream<'a>(&'a self, key: &'a str) -> Answered<'a, Option<ObjectStream>> {
        async move {
            match self.get_changed(key, None).await? {
                Changed::Object(stream) => Ok(Some(*stream)),
                Changed::Missing | Changed::Unchanged => Ok(None),
            }
        }
        .boxed()
    }

    /// As [`Self::get_stream`], where the object is not the one that was seen (`If-None-Match`).
    pub fn get_changed<'a>(&'a self, key: &'a str, seen: Option<&'a ETag>) -> Answered<'a, Changed> {
        async move {
            let request = self.client.get_object().bucket(&self.name).key(self.whole(key));
            let answer = match request.set_if_none_match(seen.map(|tag| tag.0.clone())).send().await {
                Ok(answer) => answer,
                Err(error) if error.code() == Some("NoSuchKey") => return Ok(Changed::Missing),
                Err(error) if status(&error) == Some(304) => return Ok(Changed::Unchanged),
                Err(error) => return Err(BucketError::of_request(self.attempt("get", key), error)),
            };
            let attempt = self.attempt("get", key);
            let head = head(&attempt, answer.e_tag, answer.metadata, answer.content_length)?;
            // Some servers answer with the object all the same.
            Ok(match seen {
                Some(tag) if *tag == head.etag => Changed::Unchanged,
                Some(_) | None => Changed::Object(Box::new(ObjectStream { head, content: answer.body, attempt })),
            })
        }
        .boxed()
    }

    /// An object without its bytes; `None` when there is none, or no such bucket: the answer does not tell which.
    pub fn head<'a>(&'a self, key: &'a str) -> Answered<'a, Option<ObjectHead>> {
        async move {
            match self.client.head_object().bucket(&self.name).key(self.whole(key)).send().await {
                Ok(answer) => {
                    head(&self.attempt("head", key), answer.e_tag, answer.metadata, answer.content_length).map(Some)
                }
                Err(error) if status(&error) == Some(404) => Ok(None),
                Err(error) => Err(BucketError::of_request(self.attempt("head", key), error)),
            }
        }
        .boxed()
    }

    /// Writes an object, whatever was there.
    pub fn put<'a>(&'a self, key: &'a str, body: Bytes) -> Answered<'a, ()> {
        async move {
            match self.put_object(key).body(body.into()).send().await {
                Ok(_) => Ok(()),
                Err(error) => Err(BucketError::of_request(self.attempt("put", key), error)),
            }
        }
        .boxed()
    }

    /// Writes an object that must not exist yet (`If-None-Match: *`).
    pub fn create<'a>(
        &'a self,
        key: &'a str,
        body: Body,
        metadata: &'a BTreeMap<String, String>,
    ) -> Answered<'a, Creation> {
        async move {
            let metadata: HashMap<String, String> = metadata.clone().into_iter().collect();
            for attempt in 1..=CREATE_ATTEMPTS {
                let answer = self.create_once(key, &body, metadata.clone()).await?;
                match answer {
                    Ok(_) => return Ok(Creation::Created),
                    Err(error) if status(&error) == Some(412) => return Ok(Creation::AlreadyExists),
                    // Another conditional write of this key is under way; it may yet fail, so this decides nothing.
                    Err(error) if status(&error) == Some(409) => tokio::time::sleep(FIRST_BACKOFF * attempt).await,
                    Err(error) => return Err(BucketError::of_request(self.attempt("create", key), error)),
                }
            }
            Err(BucketError::Contended { attempt: self.attempt("create", key) })
        }
        .boxed()
    }

    async fn create_once(
        &self,
        key: &str,
        body: &Body,
        metadata: HashMap<String, String>,
    ) -> Result<PutAnswer, BucketError> {
        let request = self.put_object(key).if_none_match("*").set_metadata(Some(metadata));
        Ok(match body {
            Body::Bytes(bytes) => request.body(bytes.clone().into()).send().await,
            Body::File(path) => {
                let (stream, length) = self.open(key, path).await?;
                let time = self.attempt_timeout + Duration::from_secs(length / SLOWEST_UPLOAD);
                let timeouts = TimeoutConfig::builder().operation_attempt_timeout(time).build();
                let limits = Builder::new().timeout_config(timeouts);
                request.body(stream).customize().config_override(limits).send().await
            }
        })
    }

    async fn open(&self, key: &str, path: &Path) -> Result<(ByteStream, u64), BucketError> {
        let unreadable =
            |source| BucketError::LocalFile { attempt: self.attempt("create", key), path: path.to_owned(), source };
        // Opened here although the client opens it again: its own error would not tell a missing file from a bad request.
        let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
        let length = file.metadata().await.map_err(unreadable)?.len();
        let stream = ByteStream::from_path(path).await.map_err(|cause| unreadable(std::io::Error::other(cause)))?;
        Ok((stream, length))
    }

    /// Replaces an object if its tag is `expected`, or creates it if there must be none yet. An answer that was lost
    /// makes no conflict: an object that already holds exactly this content counts as swapped.
    pub fn swap<'a>(&'a self, key: &'a str, body: Bytes, expected: Option<&'a ETag>) -> Answered<'a, Swap> {
        async move {
            let request = self.put_object(key).body(body.clone().into());
            let request = match expected {
                Some(ETag(tag)) => request.if_match(tag),
                None => request.if_none_match("*"),
            };
            match request.send().await {
                Ok(PutObjectOutput { e_tag: Some(tag), .. }) => Ok(Swap::Swapped(ETag(tag))),
                Ok(_) => Err(without_tag(self.attempt("swap", key))),
                Err(error) if is_conflict(&error) => match self.get(key).await? {
                    Some(Object { bytes, etag, .. }) if bytes == body => Ok(Swap::Swapped(etag)),
                    _ => Ok(Swap::Conflict),
                },
                Err(error) => Err(BucketError::of_request(self.attempt("swap", key), error)),
            }
        }
        .boxed()
    }

    /// Deletes an object; one that is missing is deleted already.
    pub fn delete<'a>(&'a self, key: &'a str) -> Answered<'a, ()> {
        async move {
            match self.client.delete_object().bucket(&self.name).key(self.whole(key)).send().await {
                Ok(_) => Ok(()),
                Err(error) if error.code() == Some("NoSuchKey") => Ok(()),
                Err(error) => Err(BucketError::of_request(self.attempt("delete", key), error)),
            }
        }
        .boxed()
    }

    fn put_object(&self, key: &str) -> PutObjectFluentBuilder {
        let request = self.client.put_object().bucket(&self.name).key(self.whole(key));
        match &self.encryption {
            None => request,
            Some(Encryption { algorithm, kms_key_id }) => {
                request.server_side_encryption(algorithm.as_str().into()).set_ssekms_key_id(kms_key_id.clone())
            }
        }
    }
}

/// What a bucket answers. Boxed, because a future is compiled wherever one that holds it is polled, and the client of S3 would be
/// compiled again for each program and each test.
pub type Answered<'a, T> = BoxFuture<'a, Result<T, BucketError>>;

type PutAnswer = Result<PutObjectOutput, SdkError<PutObjectError, HttpResponse>>;

/// A key that ends is replaced well before that.
fn with_own_identity(place: &BucketPlace, ca_file: Option<PathBuf>, connect: Duration) -> Builder {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let identity = OwnIdentity::of(variable, &place.region, ca_file, connect);
    let cache = IdentityCache::lazy().buffer_time(BEFORE_EXPIRY).load_timeout(IDENTITY_TIMEOUT).build();
    Config::builder().credentials_provider(identity).identity_cache(cache)
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

/// 412, 409 (another conditional write is under way), or 404 for an object that was to be replaced and is gone.
fn is_conflict(error: &SdkError<PutObjectError, HttpResponse>) -> bool {
    matches!(status(error), Some(409 | 412)) || error.code() == Some("NoSuchKey")
}

fn head(
    attempt: &Attempt,
    etag: Option<String>,
    metadata: Option<HashMap<String, String>>,
    length: Option<i64>,
) -> Result<ObjectHead, BucketError> {
    let Some(tag) = etag else {
        return Err(without_tag(attempt.clone()));
    };
    let metadata = metadata.unwrap_or_default().into_iter().map(|(key, value)| (key.to_ascii_lowercase(), value));
    let length = length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
    Ok(ObjectHead { etag: ETag(tag), metadata: metadata.collect(), length })
}

fn without_tag(attempt: Attempt) -> BucketError {
    BucketError::InvalidResponse { attempt, source: "it has no ETag".into() }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::presigning::PresigningConfig;

    use super::*;

    async fn url_of(addressing: BucketAddressing) -> String {
        let bucket = Bucket::new(&BucketArguments {
            bucket_endpoint: Some("https://s3.example.org".to_owned()),
            bucket: "records".to_owned(),
            bucket_addressing: addressing,
            bucket_region: "us-east-1".to_owned(),
            access_key_id: Some("id".to_owned()),
            secret_access_key: Some("key".into()),
            ..BucketArguments::default()
        });
        let hour = PresigningConfig::expires_in(Duration::from_secs(3600)).unwrap();
        let request = bucket.client.get_object().bucket(&bucket.name).key("a/b").presigned(hour).await.unwrap();
        request.uri().split('?').next().unwrap().to_owned()
    }

    #[tokio::test]
    async fn the_name_of_a_bucket_stands_where_its_server_wants_it() {
        assert_eq!(url_of(BucketAddressing::Path).await, "https://s3.example.org/records/a/b");
        assert_eq!(url_of(BucketAddressing::VirtualHost).await, "https://records.s3.example.org/a/b");
    }
}
