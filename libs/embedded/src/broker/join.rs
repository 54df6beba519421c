//! Mends a wait of noida-db's group coordinator. A `JoinGroup` there looks every 20 ms whether its round is complete; where
//! the leader completes the round, gives partitions up and joins the next round within that time, the waiting member has
//! missed its round, is not counted in the next one, and everybody waits for the rebalance time-out of five minutes.
//! Joining again on behalf of a member that still waits counts it in, and changes nothing where it is counted already.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use bytes::BytesMut;
use kafka_protocol::messages::JoinGroupRequest;
use kafka_protocol::protocol::Decodable;
use noida::kafka::engine::Engine;

use super::frame::split_header;
use super::groups::describe;

/// Longer than the members of a group need to hear of a rebalance that goes well.
const FIRST_PATIENCE: Duration = Duration::from_millis(150);
const LAST_PATIENCE: Duration = Duration::from_secs(1);
/// The only state in which joining again changes nothing.
const GATHERING: &str = "PreparingRebalance";

/// Joins again and again until it is dropped, when the first `JoinGroup` has its answer.
pub(super) struct Rejoining {
    _answered: mpsc::Sender<()>,
}

/// For the time that this `JoinGroup` waits for its answer; none where there is nothing to join again.
pub(super) fn rejoin_while_waiting(frame: &BytesMut, engine: &Engine) -> Option<Rejoining> {
    let mut frame = frame.clone();
    let header = split_header(&mut frame)?;
    let version = header.request_api_version;
    let request = JoinGroupRequest::decode(&mut frame, version).ok()?;
    // A member without an id gets one with this request, and another one with the next.
    if request.member_id.is_empty() {
        return None;
    }
    let client_id = header.client_id.map(|client_id| client_id.to_string()).unwrap_or_default();
    let (sender, answered) = mpsc::channel();
    let engine = engine.clone();
    std::thread::spawn(move || {
        let mut patience = FIRST_PATIENCE;
        while answered.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            let groups = describe(&engine, vec![request.group_id.clone()]);
            if groups.iter().any(|group| group.group_state.as_str() == GATHERING) {
                let (engine, request, client_id) = (engine.clone(), request.clone(), client_id.clone());
                // It waits for the round, too.
                std::thread::spawn(move || engine.handle_join_group_from(&request, version, &client_id, ""));
            }
            patience = (patience * 2).min(LAST_PATIENCE);
        }
    });
    Some(Rejoining { _answered: sender })
}
