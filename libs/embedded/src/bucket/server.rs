//! Accepts HTTP connections for the embedded bucket until shutdown.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::service::S3Service;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves in the background; it stops when it is dropped.
pub(super) struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// Listens; when this returns, clients may connect. It stops once these tasks have ended, to which it adds its own.
    pub(super) async fn start(listen: SocketAddr, service: S3Service, tasks: TaskTracker) -> io::Result<Self> {
        Self::of(TcpListener::bind(listen).await?, service, tasks)
    }

    // Not async: what an async function holds is compiled again for each program that awaits it.
    fn of(listener: TcpListener, service: S3Service, tasks: TaskTracker) -> io::Result<Self> {
        let shutdown = CancellationToken::new();
        let server = Self { address: listener.local_addr()?, shutdown: shutdown.clone(), tasks: tasks.clone() };
        server.tasks.spawn(async move {
            shutdown.run_until_cancelled(accept(&listener, &service, &shutdown, &tasks)).await;
        });
        Ok(server)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// When this returns, nobody listens any more, all connections are closed, and what was being written is.
    pub(super) async fn stop(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn accept(listener: &TcpListener, service: &S3Service, shutdown: &CancellationToken, tasks: &TaskTracker) {
    loop {
        match listener.accept().await.and_then(|(stream, _)| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => {
                let (service, shutdown) = (service.clone(), shutdown.clone());
                tasks.spawn(async move { shutdown.run_until_cancelled(serve(stream, service)).await });
            }
            Err(error) => {
                // Out of file descriptors or memory: both pass, and a pause keeps this from spinning until then.
                tracing::warn!(%error, "a bucket connection could not be opened");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, service: S3Service) {
    let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a bucket connection ended");
    }
}
