//! Accepts HTTP connections for the embedded bucket until shutdown.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::service::S3Service;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Listens, and serves in the background.
pub(super) async fn spawn(
    listen: SocketAddr,
    service: S3Service,
    shutdown: CancellationToken,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { shutdown.run_until_cancelled(accept(&listener, &service, &shutdown)).await });
    Ok(address)
}

async fn accept(listener: &TcpListener, service: &S3Service, shutdown: &CancellationToken) {
    loop {
        match listener.accept().await.and_then(|(stream, _)| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => {
                let (service, shutdown) = (service.clone(), shutdown.clone());
                tokio::spawn(async move { shutdown.run_until_cancelled(serve(stream, service)).await });
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
