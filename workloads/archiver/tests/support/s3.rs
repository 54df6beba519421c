//! An S3 server in a directory, which can go away and come back at the same address.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use vedette_contract::arguments::BucketArguments;
use vedette_streams::bucket::Bucket;

/// The server; it stops when it is dropped.
pub struct S3 {
    directory: PathBuf,
    pub address: SocketAddr,
    server: Option<tokio_util::task::AbortOnDropHandle<()>>,
}

impl S3 {
    /// Starts it with an empty bucket.
    pub async fn start(directory: &Path) -> Self {
        let any = "127.0.0.1:0".parse().unwrap();
        let mut server = Self { directory: directory.to_owned(), address: any, server: None };
        server.come_back();
        server.bucket().ensure_exists().await.unwrap();
        server
    }

    /// Breaks all connections and refuses new ones.
    pub async fn go_away(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            assert!(server.await.unwrap_err().is_cancelled());
        }
    }

    /// Serves again, at the address it had.
    pub fn come_back(&mut self) {
        let mut service = S3ServiceBuilder::new(FileSystem::new(&self.directory).unwrap());
        service.set_auth(SimpleAuth::from_single("test-access", "test-secret"));
        let service = service.build();
        let listener = listen(self.address);
        self.address = listener.local_addr().unwrap();
        self.server = Some(tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone()));
            }
        })));
    }

    pub fn arguments(&self) -> BucketArguments {
        BucketArguments {
            bucket_endpoint: Some(format!("http://{}", self.address)),
            bucket: "records".to_owned(),
            bucket_region: "us-east-1".to_owned(),
            access_key_id: "test-access".to_owned(),
            secret_access_key: "test-secret".to_owned(),
        }
    }

    pub fn bucket(&self) -> Bucket {
        Bucket::new(&self.arguments())
    }
}

fn listen(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    // Connections of the server that went away must not keep the address.
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(64).unwrap()
}
