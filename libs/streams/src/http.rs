//! HTTP for the bucket, for who gives out tokens and for whoever else is asked or told something: by the proxies of the environment,
//! and with an authority of the site's own, whose certificates are read anew when they change.

mod clock;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_http_client::{Connector, HttpClientError};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::byte_stream::error::Error as ByteStreamError;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

pub use self::clock::ServerClock;
use crate::certificates;

const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
const BEGINNING_BYTES: usize = 4 * 1024;

/// How connections are made.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Whether it is TLS; plain HTTP needs no certificates, and an image from scratch may have none.
    pub(crate) tls: bool,
    /// Certificates that are trusted beside the public ones; of several files where its name begins with `*`.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) proxies: ProxyConfig,
    pub(crate) connect_timeout: Duration,
}

impl HttpSettings {
    /// Settings for this URL, by the proxies that the environment names; what this machine serves no proxy reaches.
    pub fn of(url: &str, ca_file: Option<PathBuf>, connect_timeout: Duration) -> Self {
        let proxies = if is_of_this_machine(url) { ProxyConfig::disabled() } else { ProxyConfig::from_env() };
        Self { tls: !url.starts_with("http://"), ca_file, proxies, connect_timeout }
    }

    /// Settings for what this machine serves without TLS.
    pub fn of_this_machine(connect_timeout: Duration) -> Self {
        Self { tls: false, ca_file: None, proxies: ProxyConfig::disabled(), connect_timeout }
    }
}

/// Whether the host of a URL is this machine, by name or by an address of its loopback: to a proxy that is the proxy's own, and what goes
/// there goes by no network.
pub(crate) fn is_of_this_machine(url: &str) -> bool {
    let host = host(url).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

/// Without scheme, user, port and path.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let server = authority.rsplit_once('@').map_or(authority, |(_, server)| server);
    match server.strip_prefix('[').and_then(|address| address.split_once(']')) {
        Some((address, _)) => address,
        None => server.split(':').next().unwrap_or_default(),
    }
}

/// Connections by these settings; clones share them.
#[derive(Debug, Clone)]
pub struct Http {
    settings: HttpSettings,
    /// What the file held, and the connections that trust it.
    current: Arc<Mutex<Option<Trusting>>>,
    clock: ServerClock,
}

type Trusting = (Option<Vec<u8>>, SharedHttpConnector);

/// Why an authority cannot be trusted.
#[derive(Debug, Error)]
pub(crate) enum AuthorityError {
    /// The file is not there.
    #[error("cannot read the certificates of the authority in {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The file has something else.
    #[error("{} has no PEM certificate of an authority in it, or one that is broken", path.display())]
    NoCertificate { path: PathBuf },
    /// The client refuses them.
    #[error("the HTTP client refuses its settings")]
    Client(#[source] HttpClientError),
}

impl Http {
    /// Connections that are made when they are needed.
    pub fn new(settings: HttpSettings) -> Self {
        Self { settings, current: Arc::default(), clock: ServerClock::default() }
    }

    /// That of the server.
    pub fn clock(&self) -> ServerClock {
        self.clock.clone()
    }

    /// For a client of the AWS SDK; the time-outs are those of these settings.
    pub(crate) fn client(self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self);
        http_client_fn(move |_, _| connector.clone())
    }

    /// The file is in memory, as a mounted Secret is, so nothing is waited for.
    fn connector(&self) -> Result<SharedHttpConnector, AuthorityError> {
        let certificates = self.settings.ca_file.as_deref().map(read).transpose()?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, connector)) = current.as_ref().filter(|(of, _)| *of == certificates) {
            return Ok(connector.clone());
        }
        let connector = connect(&self.settings, certificates.as_deref())?;
        *current = Some((certificates, connector.clone()));
        Ok(connector)
    }
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum FetchError {
    #[error("the request cannot be made of {url}")]
    Request { url: String },
    #[error("the request failed")]
    Connection(#[source] ConnectorError),
    #[error("there was no answer within {} s", FETCH_TIMEOUT.as_secs())]
    Timeout,
    #[error("the answer broke off")]
    Answer(#[source] ByteStreamError),
}

/// What a server says to what it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// How long it wants to be left alone, where it says that in seconds.
    pub retry_after: Option<Duration>,
    /// Its text, or the beginning of that.
    pub text: String,
}

/// Whether a request can be made of this URL.
pub fn is_url(url: &str) -> bool {
    HttpRequest::get(url).is_ok()
}

/// Whether a file, or several, has certificates of authorities that can be trusted, and nothing but those.
///
/// # Errors
/// When it cannot be read.
pub fn has_authorities(path: &Path) -> io::Result<bool> {
    match read(path) {
        Ok(_) => Ok(true),
        Err(AuthorityError::Unreadable { path: _, source }) => Err(source),
        Err(AuthorityError::NoCertificate { .. } | AuthorityError::Client(_)) => Ok(false),
    }
}

/// Status and text of what this URL answers.
pub(crate) async fn get(http: &Http, url: &str, authorization: Option<&str>) -> Result<(u16, String), FetchError> {
    let request = HttpRequest::get(url).map_err(|_| FetchError::Request { url: url.to_owned() })?;
    fetch(http, request, authorization).await
}

/// The same for a form that is sent there.
pub(crate) async fn post_form(
    http: &Http,
    url: &str,
    form: &str,
    authorization: Option<&str>,
) -> Result<(u16, String), FetchError> {
    let invalid = || FetchError::Request { url: url.to_owned() };
    let mut request = HttpRequest::new(SdkBody::from(form));
    request.set_method("POST").map_err(|_| invalid())?;
    request.set_uri(url).map_err(|_| invalid())?;
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded");
    request.headers_mut().insert("content-length", form.len().to_string());
    fetch(http, request, authorization).await
}

/// What this URL answers to these bytes. Redirections are not followed.
///
/// # Errors
/// When there is no answer.
pub async fn post(http: &Http, url: &str, headers: &[(&str, String)], body: Vec<u8>) -> Result<Answer, FetchError> {
    ask(http, url, headers, Some(body), BEGINNING_BYTES).await
}

/// What this URL answers, of which so many bytes are read: to a GET, or to a POST of what is sent. Redirections are not followed.
///
/// # Errors
/// When there is no answer.
pub async fn ask(
    http: &Http,
    url: &str,
    headers: &[(&str, String)],
    sent: Option<Vec<u8>>,
    most_bytes: usize,
) -> Result<Answer, FetchError> {
    let invalid = || FetchError::Request { url: url.to_owned() };
    let (method, length) = sent.as_ref().map_or(("GET", None), |body| ("POST", Some(body.len())));
    let mut request = HttpRequest::new(sent.map_or_else(SdkBody::empty, SdkBody::from));
    request.set_method(method).map_err(|_| invalid())?;
    request.set_uri(url).map_err(|_| invalid())?;
    if let Some(length) = length {
        request.headers_mut().insert("content-length", length.to_string());
    }
    for (name, value) in headers {
        request.headers_mut().try_insert((*name).to_owned(), value.clone()).map_err(|_| invalid())?;
    }
    let exchange = async {
        let answer = http.call(request).await.map_err(FetchError::Connection)?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get("retry-after").and_then(|seconds| seconds.parse().ok());
        let text = beginning(ByteStream::new(answer.into_body()), most_bytes).await?;
        Ok(Answer { status, retry_after: retry_after.map(Duration::from_secs), text })
    };
    tokio::time::timeout(FETCH_TIMEOUT, exchange).await.unwrap_or(Err(FetchError::Timeout))
}

/// As much of an answer as somebody may want to read; it may have no end.
async fn beginning(mut body: ByteStream, most_bytes: usize) -> Result<String, FetchError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await.transpose().map_err(FetchError::Answer)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > most_bytes {
            bytes.truncate(most_bytes);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn fetch(
    http: &Http,
    mut request: HttpRequest,
    authorization: Option<&str>,
) -> Result<(u16, String), FetchError> {
    if let Some(authorization) = authorization {
        request.headers_mut().insert("authorization", authorization.to_owned());
    }
    let exchange = async {
        let answer = http.call(request).await.map_err(FetchError::Connection)?;
        let status = answer.status().as_u16();
        let text = ByteStream::new(answer.into_body()).collect().await.map_err(FetchError::Answer)?;
        Ok::<_, FetchError>((status, String::from_utf8_lossy(&text.into_bytes()).into_owned()))
    };
    tokio::time::timeout(FETCH_TIMEOUT, exchange).await.unwrap_or(Err(FetchError::Timeout))
}

/// Fields as a form has them, and as they stand behind the question mark of a URL.
pub fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
    pairs.join("&")
}

pub(crate) fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.connector() {
            Ok(connector) => {
                let (answer, clock) = (connector.call(request), self.clock.clone());
                HttpConnectorFuture::new(async move { answer.await.inspect(|answer| clock.note(answer)) })
            }
            Err(error) => HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        }
    }
}

fn connect(settings: &HttpSettings, certificates: Option<&[u8]>) -> Result<SharedHttpConnector, AuthorityError> {
    let HttpSettings { tls, ca_file: _, proxies, connect_timeout } = settings;
    let timeouts = HttpConnectorSettings::builder().connect_timeout(*connect_timeout).build();
    let builder = Connector::builder().connector_settings(timeouts).proxy_config(proxies.clone());
    let builder = builder.sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new());
    if !tls {
        return Ok(SharedHttpConnector::new(builder.build_http()));
    }
    let trusted = certificates.map_or_else(TrustStore::default, |pem| TrustStore::default().with_pem_certificate(pem));
    let context = TlsContext::builder().with_trust_store(trusted).build().map_err(AuthorityError::Client)?;
    let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    Ok(SharedHttpConnector::new(builder.tls_provider(provider).tls_context(context).build()))
}

/// The certificates of a file, or of several, each of which can be trusted: the HTTP client takes that for granted.
fn read(path: &Path) -> Result<Vec<u8>, AuthorityError> {
    let unreadable = |source| AuthorityError::Unreadable { path: path.to_owned(), source };
    let text = certificates::read(path).map_err(unreadable)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let mut trusted = RootCertStore::empty();
    let valid =
        certificates.is_ok_and(|found| !found.is_empty() && found.into_iter().all(|der| trusted.add(der).is_ok()));
    if valid { Ok(text) } else { Err(AuthorityError::NoCertificate { path: path.to_owned() }) }
}

#[cfg(test)]
mod tests;
