//! The probes and metrics of a process, over HTTP: `/livez`, `/readyz`, `/metrics`.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{self, Registry, Unit};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::{error, info};
use vedette_contract::metrics::Metric;

use crate::{Readiness, Reason, Shutdown};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why the probes and metrics are not served.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for probes and metrics")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl Reason for ServiceError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "ListenFailed",
        }
    }
}

/// The running server of probes and metrics.
#[derive(Debug)]
pub struct ServiceServer {
    /// Where it listens; the port is the real one also when port 0 was asked for.
    pub address: SocketAddr,
    /// Ends after shutdown.
    pub handle: JoinHandle<()>,
}

/// A registry that has the version of this build, by this metric of the inventory.
pub fn registry(build: &Metric) -> Registry {
    let mut registry = Registry::default();
    register(&mut registry, build, Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    registry
}

/// Has a registry serve what the inventory says of a metric, with these values.
pub fn register(registry: &mut Registry, metric: &Metric, values: impl registry::Metric) {
    match metric.parts() {
        (name, None) => registry.register(name, metric.help, values),
        (name, Some("seconds")) => registry.register_with_unit(name, metric.help, Unit::Seconds, values),
        (name, Some(unit)) => registry.register_with_unit(name, metric.help, Unit::Other(unit.to_owned()), values),
    }
}

/// Listens; at every IPv4 address where every address (`[::]`) is asked for and the machine has no IPv6.
///
/// # Errors
/// When the address cannot be bound.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    bind(address, TcpListener::bind::<SocketAddr>).await
}

async fn bind<T, F>(address: SocketAddr, mut open: impl FnMut(SocketAddr) -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    match open(address).await {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && has_no_family(&error) => {
            open((Ipv4Addr::UNSPECIFIED, address.port()).into()).await
        }
        outcome => outcome,
    }
}

/// What Linux answers where IPv6 is not compiled in, and where it is turned off.
fn has_no_family(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.raw_os_error() == Some(EAFNOSUPPORT) || error.kind() == io::ErrorKind::AddrNotAvailable
}

struct Served {
    readiness: Readiness,
    registry: Registry,
}

/// Serves `/livez` (200), `/readyz` (200, or 503 with the reasons as JSON) and `/metrics` (text in the `OpenMetrics` format) until
/// shutdown. Returns once the address is bound.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(
    address: SocketAddr,
    readiness: Readiness,
    registry: Registry,
    shutdown: Shutdown,
) -> Result<ServiceServer, ServiceError> {
    let refused = |source| ServiceError::Listen { address, source };
    let listener = listen(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(Served { readiness, registry }));
    info!(%address, "serving probes and metrics");
    Ok(ServiceServer { address, handle: tokio::spawn(answer(listener, router, shutdown)) })
}

fn answer(listener: TcpListener, router: Router, shutdown: Shutdown) -> BoxFuture<'static, ()> {
    let server = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).into_future();
    server
        .map(|outcome| {
            if let Err(cause) = outcome {
                error!(error = %cause, "probes and metrics are no longer served");
            }
        })
        .boxed()
}

async fn readyz(State(served): State<Arc<Served>>) -> Response {
    let reasons = served.readiness.reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let reasons: serde_json::Map<_, _> =
        reasons.into_iter().map(|(condition, reason)| (condition.to_owned(), reason.into())).collect();
    let body = serde_json::json!({ "ready": reasons.is_empty(), "reasons": reasons });
    (status, [(CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

async fn metrics(State(served): State<Arc<Served>>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &served.registry) {
        Ok(()) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(cause) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot encode the metrics: {cause}\n")).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_contract::metrics::MetricKind;

    const BUILD: Metric =
        Metric { name: "vedette_test_build_info", kind: MetricKind::Info, help: "Version", labels: &["version"] };
    const RECORDS: Metric =
        Metric { name: "vedette_test_records_total", kind: MetricKind::Counter, help: "Records seen", labels: &[] };

    #[tokio::test]
    async fn every_address_is_every_ipv4_address_where_there_is_no_ipv6() {
        let asked = |listen: &str, refusal: io::Error| {
            let listen: SocketAddr = listen.parse().unwrap();
            let refusal = std::cell::RefCell::new(Some(refusal));
            async move {
                let open = |address: SocketAddr| {
                    let answer = refusal.borrow_mut().take().map_or(Ok(address), Err);
                    async move { answer }
                };
                bind(listen, open).await.map(|address| address.to_string()).map_err(|error| error.kind())
            }
        };
        let unsupported = || io::Error::from_raw_os_error(97);
        assert_eq!(asked("[::]:80", unsupported()).await.as_deref(), Ok("0.0.0.0:80"));
        assert_eq!(asked("[::]:80", io::ErrorKind::AddrNotAvailable.into()).await.as_deref(), Ok("0.0.0.0:80"));
        assert_eq!(asked("[::]:80", io::ErrorKind::AddrInUse.into()).await, Err(io::ErrorKind::AddrInUse));
        assert_eq!(
            asked("[::1]:80", io::ErrorKind::AddrNotAvailable.into()).await,
            Err(io::ErrorKind::AddrNotAvailable)
        );
    }

    #[tokio::test]
    async fn both_families_are_served_at_every_address() {
        let listener = listen("[::]:0".parse().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok());
        if listener.local_addr().unwrap().is_ipv6() {
            assert!(tokio::net::TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.is_ok());
        }
    }
    use prometheus_client::metrics::counter::Counter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    async fn request(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn start(readiness: &Readiness, registry: Registry) -> (ServiceServer, Shutdown) {
        let shutdown = Shutdown::new();
        let any_port = "127.0.0.1:0".parse().unwrap();
        let server = serve(any_port, readiness.clone(), registry, shutdown.clone()).await.unwrap();
        (server, shutdown)
    }

    #[tokio::test]
    async fn readiness_follows_the_conditions() {
        let readiness = Readiness::new(&["broker"]);
        let (server, _shutdown) = start(&readiness, registry(&BUILD)).await;
        assert!(request(server.address, "/livez").await.starts_with("HTTP/1.1 200 "));
        let answer = request(server.address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.ends_with("{\"ready\":false,\"reasons\":{\"broker\":\"starting\"}}\n"), "{answer}");
        readiness.hold("broker");
        let answer = request(server.address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(request(server.address, "/").await.starts_with("HTTP/1.1 404 "));
    }

    #[tokio::test]
    async fn metrics_are_openmetrics_text() {
        let mut registry = registry(&BUILD);
        let records: Counter = Counter::default();
        register(&mut registry, &RECORDS, records.clone());
        let (server, _shutdown) = start(&Readiness::new(&[]), registry).await;
        records.inc_by(3);
        let answer = request(server.address, "/metrics").await;
        assert!(answer.contains(&format!("content-type: {OPENMETRICS}\r\n")), "{answer}");
        assert!(answer.contains("\nvedette_test_records_total 3\n"), "{answer}");
        assert!(answer.contains("\nvedette_test_build_info{version=\""), "{answer}");
        assert!(answer.ends_with("# EOF\n"), "{answer}");
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let (server, _shutdown) = start(&Readiness::new(&[]), registry(&BUILD)).await;
        let refusal = serve(server.address, Readiness::new(&[]), registry(&BUILD), Shutdown::new()).await.unwrap_err();
        assert!(refusal.to_string().contains(&server.address.to_string()), "{refusal}");
    }

    #[tokio::test]
    async fn shutdown_ends_the_server() {
        let (server, shutdown) = start(&Readiness::new(&[]), registry(&BUILD)).await;
        shutdown.cancel();
        tokio::time::timeout(std::time::Duration::from_secs(240), server.handle).await.unwrap().unwrap();
        assert!(TcpStream::connect(server.address).await.is_err());
    }
}
