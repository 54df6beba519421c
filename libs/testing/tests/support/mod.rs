//! A bucket that does not exist yet, and servers that misbehave in one way each.

pub(crate) mod tls;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vedette_contract::arguments::BucketArguments;
use vedette_streams::bucket::Bucket;
use vedette_testing::TestBucket;
use vedette_testing::bucket::arguments;

pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// Where another S3 server is that is tested with; it knows the same keys.
const SERVER_ENV: &str = "VEDETTE_S3";

/// The embedded server, or none where the environment names one.
pub(crate) struct Server {
    embedded: Option<TestBucket>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let embedded = match std::env::var(SERVER_ENV) {
            Ok(_) => None,
            Err(_) => Some(TestBucket::serve().await),
        };
        Self { embedded }
    }

    /// Of a bucket that does not exist yet.
    pub(crate) fn arguments(&self) -> BucketArguments {
        static BUCKETS: AtomicU32 = AtomicU32::new(0);
        let arguments = match &self.embedded {
            Some(bucket) => bucket.arguments(),
            None => arguments(std::env::var(SERVER_ENV).unwrap().parse().unwrap()),
        };
        BucketArguments { bucket: format!("records-{}", BUCKETS.fetch_add(1, Ordering::Relaxed)), ..arguments }
    }
}

/// A client that has time, also on a busy machine: what it meets is what the server does.
pub(crate) fn patient(address: SocketAddr) -> Bucket {
    Bucket::with_timeouts(&arguments(address), PATIENCE, PATIENCE)
}

/// A client that gives up soon.
pub(crate) fn impatient(address: SocketAddr) -> Bucket {
    Bucket::with_timeouts(&arguments(address), PATIENCE, Duration::from_secs(2))
}

/// What a misbehaving server does with a request.
#[derive(Clone)]
pub(crate) enum Behaviour {
    /// Answers with these status lines in turn, the last one for ever; the body is an S3 error of this code, and empty
    /// where the status is a success.
    Answer(&'static [&'static str], &'static str),
    /// Answers with a page for people.
    WebPage,
    /// Closes the connection.
    Close,
    /// Reads and says nothing.
    Silent,
    /// Begins an answer and closes the connection in the middle of the content.
    BreakOff,
}

pub(crate) async fn misbehave(behaviour: Behaviour) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        for turn in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 64 * 1024];
            match behaviour {
                Behaviour::Answer(statuses, code) => {
                    let status = statuses[turn.min(statuses.len() - 1)];
                    let body = if status.starts_with('2') {
                        String::new()
                    } else {
                        format!("<Error><Code>{code}</Code><Message>no</Message></Error>")
                    };
                    let _ = stream.read(&mut request).await.unwrap();
                    stream.write_all(answer(status, &body).as_bytes()).await.unwrap();
                }
                Behaviour::WebPage => {
                    let _ = stream.read(&mut request).await.unwrap();
                    let page = "<html><body>Welcome</body></html>";
                    stream.write_all(answer("200 OK", page).as_bytes()).await.unwrap();
                }
                Behaviour::Close => {}
                Behaviour::Silent => held.push(stream),
                Behaviour::BreakOff => {
                    let _ = stream.read(&mut request).await.unwrap();
                    let head = "HTTP/1.1 200 OK\r\netag: \"tag\"\r\ncontent-length: 1000\r\n\r\nhalf";
                    stream.write_all(head.as_bytes()).await.unwrap();
                }
            }
        }
    });
    address
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\netag: \"tag\"\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}
