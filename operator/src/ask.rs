//! Asks an operator whether it is ready, as the chart's test does: its image holds no other program that could.

use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// How long an operator that begins may take.
pub const PATIENCE: Duration = Duration::from_secs(60);
const ATTEMPT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);
/// No answer is longer.
const LONGEST_ANSWER: u64 = 64 << 10;

/// Why an operator is not taken for ready.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody answers.
    #[error("cannot ask {address} whether it is ready")]
    Unreachable {
        address: String,
        #[source]
        source: io::Error,
    },
    /// It says so itself.
    #[error("{address} is not ready: {answer}")]
    NotReady { address: String, answer: String },
}

impl AskError {
    /// A word for logs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "OperatorUnreachable",
            Self::NotReady { .. } => "OperatorNotReady",
        }
    }
}

/// Returns as soon as the operator at `host:port` is ready.
///
/// # Errors
/// What it was told last, when that takes too long.
pub async fn until_ready(address: &str, patience: Duration) -> Result<(), AskError> {
    let deadline = Instant::now() + patience;
    loop {
        match ask(address).await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn ask(address: &str) -> Result<(), AskError> {
    let too_late = || Err(io::Error::from(io::ErrorKind::TimedOut));
    let answer = timeout(ATTEMPT, answer(address)).await.unwrap_or_else(|_| too_late());
    let answer = answer.map_err(|source| AskError::Unreachable { address: address.to_owned(), source })?;
    let status = answer.split_whitespace().nth(1);
    if status == Some("200") { Ok(()) } else { Err(AskError::NotReady { address: address.to_owned(), answer }) }
}

/// The whole answer, head and body.
async fn answer(address: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Serves each of these answers once, then closes what comes.
    async fn serve(answers: &'static [&'static str]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let length = stream.read(&mut request).await.unwrap();
                assert!(request[..length].starts_with(b"GET /readyz HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        address
    }

    const NOT_YET: &str = "HTTP/1.1 503 Service Unavailable\r\n\r\nkubernetes: starting\n";

    #[tokio::test]
    async fn an_operator_that_begins_is_waited_for() {
        let address = serve(&[NOT_YET, "HTTP/1.1 200 OK\r\n\r\nready\n"]).await;
        until_ready(&address, PATIENCE).await.unwrap();
    }

    #[tokio::test]
    async fn what_it_says_is_said_when_it_takes_too_long() {
        let address = serve(&[NOT_YET]).await;
        let error = until_ready(&address, Duration::ZERO).await.unwrap_err();
        assert!(error.to_string().contains("kubernetes: starting"), "{error}");
        let error = until_ready(&address, Duration::ZERO).await.unwrap_err();
        assert_eq!(error.reason(), "OperatorUnreachable");
    }
}
