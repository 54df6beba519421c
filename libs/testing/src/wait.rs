//! What tests ask of a process that runs, and how they wait for what it does.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// So long nothing takes that goes well, on a machine with better to do.
const PATIENCE: Duration = Duration::from_secs(240);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Who has not answered by then never will: what took the port may be a Kafka broker, to which a request by HTTP is the beginning of
/// a long one. Many ask once only, which a busy machine is to have time for.
const ANSWER: Duration = Duration::from_secs(60);

/// Waits for a condition, within patience.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What a process answers, status line and body; empty while it does not listen, or says nothing.
pub async fn http_get(address: SocketAddr, path: &str) -> String {
    let answer = tokio::time::timeout(ANSWER, asked(address, path)).await;
    answer.ok().and_then(Result::ok).unwrap_or_default()
}

async fn asked(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
