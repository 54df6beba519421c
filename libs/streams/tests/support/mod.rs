//! A real S3 server in a temporary directory, and servers that misbehave in one way each.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vedette_contract::arguments::BucketArguments;
use vedette_streams::bucket::Bucket;

pub const ACCESS_KEY: &str = "test-access";
pub const SECRET_KEY: &str = "test-secret";
/// Where another S3 server is that is tested with; it knows these keys.
const SERVER_ENV: &str = "VEDETTE_S3";

pub fn arguments(address: SocketAddr) -> BucketArguments {
    BucketArguments {
        bucket_endpoint: Some(format!("http://{address}")),
        bucket: "records".to_owned(),
        bucket_region: "us-east-1".to_owned(),
        access_key_id: ACCESS_KEY.to_owned(),
        secret_access_key: SECRET_KEY.to_owned(),
    }
}

/// A bucket that does not exist yet: in the directory, or of the server that the environment names.
pub async fn bucket_arguments(directory: &Path) -> BucketArguments {
    static BUCKETS: AtomicU32 = AtomicU32::new(0);
    match std::env::var(SERVER_ENV) {
        Ok(address) => BucketArguments {
            bucket: format!("records-{}", BUCKETS.fetch_add(1, Ordering::Relaxed)),
            ..arguments(address.parse().unwrap())
        },
        Err(_) => arguments(serve_s3(directory).await),
    }
}

/// A client that gives up soon.
pub fn impatient(address: SocketAddr) -> Bucket {
    Bucket::with_timeouts(&arguments(address), Duration::from_millis(500), Duration::from_millis(300))
}

/// Serves the directory as S3 until the test's runtime ends.
pub async fn serve_s3(directory: &Path) -> SocketAddr {
    let mut service = S3ServiceBuilder::new(FileSystem::new(directory).unwrap());
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(connection);
        }
    });
    address
}

/// What a misbehaving server does with a request.
#[derive(Clone)]
pub enum Behaviour {
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

pub async fn misbehave(behaviour: Behaviour) -> SocketAddr {
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
