//! One thread per client connection: fetches are answered here, every other request goes to noida-db's own connection
//! handler over a socket pair, so that its wire format is not written a second time.

use std::io::{self, BufReader, BufWriter};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use kafka_protocol::messages::ApiKey;
use noida::kafka::codec::{read_frame, write_frame};
use noida::kafka::connection::handle_connection;

use super::{OpenConnection, Shared, fetch, frame, join, lock};

/// Accepts until the broker stops.
pub(super) fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_stopping() {
            return;
        }
        let opened = stream.and_then(|stream| open(stream, shared));
        if let Err(error) = opened {
            // Out of file descriptors or memory: both pass, and a pause keeps this from spinning until then.
            tracing::warn!(%error, "a Kafka connection could not be opened");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn open(stream: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let id = shared.next_connection.fetch_add(1, Ordering::Relaxed);
    lock(&shared.connections).insert(id, OpenConnection { stream: stream.try_clone()?, client_id: None });
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        if let Err(error) = serve(&stream, id, &shared) {
            tracing::debug!(%error, "a Kafka connection ended");
        }
        lock(&shared.connections).remove(&id);
        lock(&shared.fetches).forget_connection(id);
        shared.log.changed();
    });
    Ok(())
}

fn serve(client: &TcpStream, id: u64, shared: &Arc<Shared>) -> io::Result<()> {
    let (ours, theirs) = UnixStream::pair()?;
    let engine = shared.engine.clone();
    std::thread::spawn(move || handle_connection(TcpStream::from(OwnedFd::from(theirs)), engine));
    let (mut from_client, mut to_client) = (BufReader::new(client), BufWriter::new(client));
    let (mut from_engine, mut to_engine) = (BufReader::new(&ours), BufWriter::new(&ours));
    let (mut named, mut client_id) = (false, None);
    while let Some(request) = read_frame(&mut from_client)? {
        if !named {
            client_id = name(&request, id, shared);
            named = true;
        }
        let response = match frame::api_key(&request) {
            Some(ApiKey::Fetch) => fetch::answer(request, id, shared)?,
            Some(ApiKey::ListOffsets) if let Some(refusal) = lock(&shared.leaderless).refusal(&request) => refusal,
            Some(ApiKey::FindCoordinator)
                if let Some(gone) = lock(&shared.coordinators).lost(client_id.as_deref(), &request) =>
            {
                gone
            }
            Some(key) if let Some(refusal) = refused(client_id.as_deref(), key, &request, shared) => refusal,
            key => {
                let _rejoining = match key {
                    Some(ApiKey::JoinGroup) => join::rejoin_while_waiting(&request, &shared.engine),
                    _ => None,
                };
                if let (Some(ApiKey::Produce), Some(client_id)) = (key, &client_id) {
                    shared.holds.wait(client_id);
                    shared.rates.wait(client_id, request.len());
                }
                write_frame(&mut to_engine, &request)?;
                let Some(response) = read_frame(&mut from_engine)? else {
                    return Ok(());
                };
                if key.is_some_and(writes) {
                    shared.log.changed();
                }
                match key {
                    Some(ApiKey::Metadata) => lock(&shared.leaderless).told(&request, response),
                    _ => response,
                }
            }
        };
        write_frame(&mut to_client, &response)?;
    }
    Ok(())
}

fn refused(client_id: Option<&str>, key: ApiKey, request: &BytesMut, shared: &Shared) -> Option<BytesMut> {
    match key {
        ApiKey::OffsetFetch | ApiKey::InitProducerId | ApiKey::Produce => {
            lock(&shared.refusals).take(client_id?, key, request)
        }
        _ => None,
    }
}

/// Whether a request of this kind can make something visible to a waiting fetch.
fn writes(key: ApiKey) -> bool {
    matches!(key, ApiKey::Produce | ApiKey::EndTxn | ApiKey::InitProducerId | ApiKey::DeleteTopics)
}

fn name(request: &BytesMut, id: u64, shared: &Shared) -> Option<String> {
    let client_id = frame::split_header(&mut request.clone())?.client_id?.to_string();
    if let Some(connection) = lock(&shared.connections).get_mut(&id) {
        connection.client_id = Some(client_id.clone());
    }
    Some(client_id)
}
