//! What a real broker's session and transaction time-outs do, at the moment when the supervisor sees a process die.

use std::time::{Duration, Instant};

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{
    InitProducerIdRequest, LeaveGroupRequest, ListGroupsRequest, ListTransactionsRequest, ProducerId, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use noida::kafka::engine::Engine;

use super::Shared;
use super::groups::describe;

/// Version of `LeaveGroup` that names several members.
const LEAVE_GROUP_VERSION: i16 = 3;
/// What a dead process sent before it died is processed within this time.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);
const DRAIN_PAUSE: Duration = Duration::from_millis(10);

/// Ends every membership and transaction of this client. A membership keeps a `JoinGroup` of the dead client waiting, and
/// what waits can join or write after it, so this is repeated until its last connection has ended.
pub(super) async fn evict(shared: &Shared, client_id: &str) {
    let deadline = Instant::now() + DRAIN_LIMIT;
    loop {
        let drained = !shared.has_connection_of(client_id);
        leave_groups(&shared.engine, client_id);
        abort_transaction(&shared.engine, client_id);
        shared.log.changed();
        if drained {
            return;
        }
        if Instant::now() >= deadline {
            tracing::warn!(client_id, "a dead process still has a connection to the embedded Kafka");
            return;
        }
        tokio::time::sleep(DRAIN_PAUSE).await;
    }
}

fn leave_groups(engine: &Engine, client_id: &str) {
    let listed = engine.handle_list_groups(&ListGroupsRequest::default(), 0);
    let groups = listed.groups.into_iter().map(|group| group.group_id).collect();
    for group in describe(engine, groups) {
        let members: Vec<_> = group
            .members
            .into_iter()
            .filter(|member| member.client_id.as_str() == client_id)
            .map(|member| MemberIdentity::default().with_member_id(member.member_id))
            .collect();
        if !members.is_empty() {
            let request = LeaveGroupRequest::default().with_group_id(group.group_id).with_members(members);
            engine.handle_leave_group(&request, LEAVE_GROUP_VERSION);
        }
    }
}

fn abort_transaction(engine: &Engine, transactional_id: &str) {
    let known = engine.handle_list_transactions(&ListTransactionsRequest::default().with_duration_filter(-1), 0);
    if !known.transaction_states.iter().any(|state| state.transactional_id.as_str() == transactional_id) {
        return;
    }
    // A new producer of the same id aborts what the old one left open and fences what it still has on its way.
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(StrBytes::from_string(transactional_id.to_owned()))))
        .with_transaction_timeout_ms(10_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    engine.handle_init_producer_id(&request, 0);
}
