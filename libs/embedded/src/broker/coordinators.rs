//! Coordinators of groups that nobody reaches, as one whose broker is gone, for as long as somebody wants it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::BytesMut;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::{Decodable, StrBytes};

use super::frame::{self, split_header};
use super::{Shared, lock};

/// The kind of coordinator that a group has.
const OF_GROUP: i8 = 0;
/// A broker that is none, and where nobody listens.
const NO_BROKER: (i32, &str, i32) = (99, "127.0.0.1", 1);

/// While it lives, the groups of a client seem to have a coordinator that is gone.
pub struct LostCoordinator {
    shared: Arc<Shared>,
    client_id: String,
}

/// How often clients asked whose groups seem to have such a one, by `client.id`.
#[derive(Default)]
pub(super) struct Coordinators(HashMap<String, usize>);

impl LostCoordinator {
    pub(super) fn new(shared: Arc<Shared>, client_id: &str) -> Self {
        lock(&shared.coordinators).0.insert(client_id.to_owned(), 0);
        Self { shared, client_id: client_id.to_owned() }
    }

    /// How often it was asked for.
    pub fn asked(&self) -> usize {
        lock(&self.shared.coordinators).0.get(&self.client_id).copied().unwrap_or(0)
    }
}

impl Drop for LostCoordinator {
    fn drop(&mut self) {
        lock(&self.shared.coordinators).0.remove(&self.client_id);
    }
}

impl Coordinators {
    /// The answer to who asks for the coordinator of a group that is gone.
    pub(super) fn lost(&mut self, client_id: Option<&str>, request: &BytesMut) -> Option<BytesMut> {
        let count = self.0.get_mut(client_id?)?;
        let mut request = request.clone();
        let header = split_header(&mut request)?;
        let asked = FindCoordinatorRequest::decode(&mut request, header.request_api_version).ok()?;
        if asked.key_type != OF_GROUP {
            return None;
        }
        *count += 1;
        let (node, host, port) = NO_BROKER;
        let gone = FindCoordinatorResponse::default()
            .with_node_id(BrokerId(node))
            .with_host(StrBytes::from_static_str(host))
            .with_port(port);
        frame::response(&header, &gone)
    }
}
