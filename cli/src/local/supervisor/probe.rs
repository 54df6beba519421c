//! httpGet probes, as the kubelet does them, except that readiness is looked for more often until it is there.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::manifest::ProbePlan;

/// The longest pause between two looks at a process that is not ready yet.
const STARTING_PERIOD: Duration = Duration::from_millis(200);
/// So much of a refusal is kept as the reason.
const REASON_BYTES: usize = 2_000;

/// Reports each change of readiness, for ever. Without a probe a process is ready at once.
pub(super) async fn watch_readiness(
    probe: Option<&ProbePlan>,
    address: SocketAddr,
    mut report: impl FnMut(Result<(), String>),
) {
    let Some(probe) = probe else {
        report(Ok(()));
        return std::future::pending().await;
    };
    sleep(probe.initial_delay.min(STARTING_PERIOD)).await;
    let (mut ready, mut failures) = (false, 0_u32);
    loop {
        match get(probe, address).await {
            Ok(()) => {
                if !ready {
                    report(Ok(()));
                }
                (ready, failures) = (true, 0);
            }
            Err(reason) => {
                failures += 1;
                if !ready || failures >= probe.failure_threshold {
                    report(Err(reason));
                    ready = false;
                }
            }
        }
        sleep(if ready { probe.period } else { probe.period.min(STARTING_PERIOD) }).await;
    }
}

/// Ends with the reason once the process counts as stuck.
pub(super) async fn watch_liveness(probe: Option<&ProbePlan>, address: SocketAddr) -> String {
    let Some(probe) = probe else {
        return std::future::pending().await;
    };
    sleep(probe.initial_delay).await;
    let mut failures = 0_u32;
    loop {
        sleep(probe.period).await;
        match get(probe, address).await {
            Ok(()) => failures = 0,
            Err(reason) => {
                failures += 1;
                if failures >= probe.failure_threshold {
                    return reason;
                }
            }
        }
    }
}

async fn get(probe: &ProbePlan, address: SocketAddr) -> Result<(), String> {
    match timeout(probe.timeout, request(&probe.path, address)).await {
        Ok(result) => result,
        Err(_) => Err(format!("{} did not answer within {:?}", probe.path, probe.timeout)),
    }
}

async fn request(path: &str, address: SocketAddr) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{path}: {error}");
    let stream = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let request = Request::get(path)
        .header(header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let status = response.status();
        // As in Kubernetes, a redirection is a success.
        if status.is_success() || status.is_redirection() {
            return Ok(());
        }
        let body =
            Limited::new(response.into_body(), REASON_BYTES).collect().await.map(http_body_util::Collected::to_bytes);
        let text = body.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        Err(format!("{path} answered {}: {}", status.as_u16(), text.trim()))
    };
    tokio::pin!(exchange);
    // A server may close the connection before its answer was looked at.
    tokio::select! {
        result = &mut exchange => result,
        _ = connection => exchange.await,
    }
}
