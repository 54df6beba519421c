//! A server in front of another, whose connections can be cut.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// None is taken.
    Closed,
    /// Each breaks after so many bytes to the server.
    Cuts(u32),
}

/// Runs until the test ends.
pub(crate) struct Proxy {
    way: watch::Sender<Way>,
}

impl Proxy {
    /// Listens at one address for a server at another.
    pub(crate) async fn start(listen: SocketAddr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(listen).await.unwrap();
        let (way, seen) = watch::channel(Way::Open);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(client, server, seen.clone()));
            }
        });
        Self { way }
    }

    /// Breaks every connection; new ones go this way.
    pub(crate) fn cut(&self, way: Way) {
        self.way.send_replace(way);
    }
}

/// That either side breaks off is what this is for.
async fn pass(mut client: TcpStream, server: SocketAddr, mut seen: watch::Receiver<Way>) {
    let way = *seen.borrow_and_update();
    if way == Way::Closed {
        return;
    }
    let Ok(mut upstream) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    let passing = async {
        let Way::Cuts(bytes) = way else { return copy_bidirectional(&mut client, &mut upstream).await.map(|_| ()) };
        let ((mut from, mut to), (mut back_from, mut back_to)) = (client.split(), upstream.split());
        let mut some = (&mut from).take(bytes.into());
        tokio::select! {
            sent = copy(&mut some, &mut back_to) => sent.map(|_| ()),
            answered = copy(&mut back_from, &mut to) => answered.map(|_| ()),
        }
    };
    tokio::select! {
        _ = passing => {}
        _ = seen.changed() => {}
    }
}
