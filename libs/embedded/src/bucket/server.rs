//! Accepts HTTP connections for the embedded bucket until shutdown.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::service::S3Service;
use socket2::SockRef;
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
            // A process that is being started has a copy of the socket until it runs its program, and a copy listens, too.
            if let Err(error) = SockRef::from(&listener).shutdown(Shutdown::Both) {
                tracing::debug!(%error, "the bucket's socket could not be shut");
            }
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

#[cfg(test)]
mod tests {
    use s3s::service::S3ServiceBuilder;
    use s3s_fs::FileSystem;

    use super::*;

    #[tokio::test]
    async fn nobody_listens_any_more_although_a_process_that_is_being_started_has_the_socket() {
        let directory = tempfile::tempdir().unwrap();
        let service = S3ServiceBuilder::new(FileSystem::new(directory.path()).unwrap()).build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap().into_std().unwrap();
        let inherited = listener.try_clone().unwrap();
        let server = Server::of(TcpListener::from_std(listener).unwrap(), service, TaskTracker::new()).unwrap();
        drop(TcpStream::connect(server.address()).await.unwrap());
        server.stop().await;
        assert!(TcpStream::connect(server.address()).await.is_err());
        TcpListener::bind(server.address()).await.unwrap();
        drop(inherited);
    }
}
