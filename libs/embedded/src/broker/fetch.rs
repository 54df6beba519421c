//! Fetches as a Kafka broker answers them: they wait for records up to `fetch.wait.max.ms`, a response stays within
//! bounds, and an aborted transaction is only reported to a reader that has not passed its end.
//! The engine alone returns at once, returns the whole rest of a partition, and reports aborted transactions for ever,
//! which makes librdkafka drop everything that the same producer commits afterwards.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{FetchRequest, FetchResponse, TopicName};
use kafka_protocol::protocol::Decodable;
use noida::kafka::engine::Engine;

use super::frame::{self, split_header};
use super::{Shared, lock};

/// Records of one partition in a response; more than a client asks for, as each fetch makes the engine copy the rest.
const PARTITION_LIMIT: usize = 8 << 20;
/// Records of a response: half of librdkafka's default `receive.message.max.bytes`.
const RESPONSE_LIMIT: usize = 48 << 20;
/// Longest wait, whatever the client asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What fetches leave behind.
#[derive(Default)]
pub(super) struct FetchState {
    /// Where each reader was when.
    positions: HashMap<Reader, (i64, Instant)>,
    /// Offset of the marker that ended an aborted transaction.
    markers: HashMap<Aborted, i64>,
}

#[derive(PartialEq, Eq, Hash)]
struct Reader {
    connection: u64,
    client_id: String,
    topic: TopicName,
    partition: i32,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Aborted {
    topic: TopicName,
    partition: i32,
    producer_id: i64,
    first_offset: i64,
}

impl FetchState {
    /// The smallest offset from which anyone else than these clients fetched this partition since the given time.
    pub(super) fn smallest_position(
        &self,
        topic: &str,
        partition: i32,
        since: Instant,
        not_of: &HashSet<String>,
    ) -> Option<i64> {
        let counts = |reader: &Reader, at: Instant| {
            reader.topic.as_str() == topic
                && reader.partition == partition
                && at >= since
                && !not_of.contains(&reader.client_id)
        };
        self.positions.iter().filter(|(reader, (_, at))| counts(reader, *at)).map(|(_, (offset, _))| *offset).min()
    }

    /// Forgets a reader that is gone.
    pub(super) fn forget_connection(&mut self, connection: u64) {
        self.positions.retain(|reader, _| reader.connection != connection);
    }

    /// Forgets the markers of records that are gone.
    pub(super) fn forget_before(&mut self, topic: &str, partition: i32, offset: i64) {
        self.markers.retain(|aborted, marker| {
            aborted.topic.as_str() != topic || aborted.partition != partition || *marker >= offset
        });
    }
}

/// The response to a fetch request, both without their length.
pub(super) fn answer(mut request: BytesMut, connection: u64, shared: &Shared) -> io::Result<BytesMut> {
    let header = split_header(&mut request).ok_or_else(|| malformed("no header"))?;
    let version = header.request_api_version;
    let request = FetchRequest::decode(&mut request, version).map_err(malformed)?;
    note_positions(&request, connection, header.client_id.as_deref().unwrap_or_default(), shared);
    let response = wait_for_records(&request, version, shared);
    frame::response(&header, &response).ok_or_else(|| malformed("no such version"))
}

fn malformed(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed Kafka fetch: {error}"))
}

fn note_positions(request: &FetchRequest, connection: u64, client_id: &str, shared: &Shared) {
    let now = Instant::now();
    let mut state = lock(&shared.fetches);
    for topic in &request.topics {
        for partition in &topic.partitions {
            let reader = Reader {
                connection,
                client_id: client_id.to_owned(),
                topic: topic.topic.clone(),
                partition: partition.partition,
            };
            state.positions.insert(reader, (partition.fetch_offset, now));
        }
    }
}

fn wait_for_records(request: &FetchRequest, version: i16, shared: &Shared) -> FetchResponse {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(LONGEST_WAIT);
    let deadline = Instant::now() + wait;
    loop {
        let count = shared.log.count();
        let mut response = shared.engine.handle_fetch(request, version);
        let worth_sending = response.responses.iter().flat_map(|topic| &topic.partitions).any(|partition| {
            partition.error_code != 0 || partition.records.as_ref().is_some_and(|records| !records.is_empty())
        });
        if worth_sending || shared.is_stopping() || !shared.log.wait_beyond(count, deadline) {
            finish(&mut response, request, shared);
            return response;
        }
    }
}

fn finish(response: &mut FetchResponse, request: &FetchRequest, shared: &Shared) {
    let mut left = RESPONSE_LIMIT;
    for (topic, asked_topic) in response.responses.iter_mut().zip(&request.topics) {
        for (partition, asked) in topic.partitions.iter_mut().zip(&asked_topic.partitions) {
            report_only_unfinished_aborts(partition, asked_topic, asked, shared);
            if let Some(records) = &mut partition.records {
                let length = whole_batches(records, left.min(PARTITION_LIMIT));
                records.truncate(length);
                left = left.saturating_sub(length);
            }
        }
    }
}

/// Length of the whole batches within the limit, at least one so that a reader moves on.
fn whole_batches(records: &Bytes, limit: usize) -> usize {
    let mut length = 0;
    for batch in Batches(records) {
        if length > 0 && length + batch.len() > limit {
            break;
        }
        length += batch.len();
    }
    length
}

fn report_only_unfinished_aborts(
    partition: &mut PartitionData,
    topic: &FetchTopic,
    asked: &FetchPartition,
    shared: &Shared,
) {
    let Some(aborted) = &mut partition.aborted_transactions else {
        return;
    };
    aborted.retain(|transaction| {
        let key = Aborted {
            topic: topic.topic.clone(),
            partition: asked.partition,
            producer_id: transaction.producer_id.0,
            first_offset: transaction.first_offset,
        };
        transaction.first_offset >= asked.fetch_offset || marker_offset(&key, shared) >= asked.fetch_offset
    });
}

fn marker_offset(aborted: &Aborted, shared: &Shared) -> i64 {
    if let Some(offset) = lock(&shared.fetches).markers.get(aborted) {
        return *offset;
    }
    match find_marker(aborted, &shared.engine) {
        Marker::At(offset) => {
            lock(&shared.fetches).markers.insert(aborted.clone(), offset);
            offset
        }
        // The keeper was here since this response was made, and it leaves what any reader still has before it.
        Marker::Dropped => i64::MIN,
        // Without its marker the transaction counts as unfinished, as it would in a log that is not yet read to its end.
        Marker::Unwritten => i64::MAX,
    }
}

/// What ended an aborted transaction.
enum Marker {
    /// It stands at this offset.
    At(i64),
    /// The log begins after the transaction's first record.
    Dropped,
    Unwritten,
}

fn find_marker(aborted: &Aborted, engine: &Engine) -> Marker {
    let partition = FetchPartition::default().with_partition(aborted.partition).with_fetch_offset(aborted.first_offset);
    let topic = FetchTopic::default().with_topic(aborted.topic.clone()).with_partitions(vec![partition]);
    let response = engine.handle_fetch(&FetchRequest::default().with_topics(vec![topic]), 12);
    let Some(partition) = response.responses.first().and_then(|topic| topic.partitions.first()) else {
        return Marker::Unwritten;
    };
    if partition.error_code == ResponseError::OffsetOutOfRange.code() {
        return Marker::Dropped;
    }
    Batches(partition.records.as_deref().unwrap_or_default())
        .filter(|batch| is_control(batch) && producer_id(batch) == Some(aborted.producer_id))
        .find_map(|batch| field(batch, 0).map(i64::from_be_bytes))
        .map_or(Marker::Unwritten, Marker::At)
}

/// The record batches (format v2) of a fetched partition.
struct Batches<'a>(&'a [u8]);

impl<'a> Iterator for Batches<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        // The length at byte 8 counts what follows it.
        let length = usize::try_from(i32::from_be_bytes(field(self.0, 8)?)).ok()?.checked_add(12)?;
        let (batch, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(batch)
    }
}

fn is_control(batch: &[u8]) -> bool {
    field(batch, 21).map(i16::from_be_bytes).is_some_and(|attributes| attributes & 0x20 != 0)
}

fn producer_id(batch: &[u8]) -> Option<i64> {
    field(batch, 43).map(i64::from_be_bytes)
}

fn field<const N: usize>(batch: &[u8], position: usize) -> Option<[u8; N]> {
    batch.get(position..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use kafka_protocol::indexmap::IndexMap;
    use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
    use kafka_protocol::messages::create_topics_request::CreatableTopic;
    use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
    use kafka_protocol::messages::{
        AddPartitionsToTxnRequest, ApiKey, CreateTopicsRequest, EndTxnRequest, ProduceRequest, ProducerId,
        RequestHeader, TransactionalId,
    };
    use kafka_protocol::protocol::{Encodable, StrBytes, encode_request_header_into_buffer};
    use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

    use super::*;
    use crate::broker::keeper;

    fn batch(payload: usize) -> Vec<u8> {
        let mut bytes = vec![0; 12 + payload];
        bytes[8..12].copy_from_slice(&i32::try_from(payload).unwrap().to_be_bytes());
        bytes
    }

    #[test]
    fn a_response_holds_whole_batches_and_at_least_one() {
        let records = Bytes::from([batch(88), batch(88), batch(88)].concat());
        assert_eq!(whole_batches(&records, 250), 200);
        assert_eq!(whole_batches(&records, 300), 300);
        assert_eq!(whole_batches(&records, 10), 100);
        assert_eq!(whole_batches(&Bytes::new(), 10), 0);
    }

    #[test]
    fn a_cut_batch_ends_the_walk() {
        let mut records = [batch(88), batch(88)].concat();
        records.truncate(150);
        assert_eq!(Batches(&records).count(), 1);
        assert_eq!(Batches(&[0xff; 40]).count(), 0);
    }

    fn frame(max_wait_ms: i32) -> BytesMut {
        let partition = FetchPartition::default().with_fetch_offset(0).with_partition_max_bytes(1);
        let topic = FetchTopic::default()
            .with_topic(TopicName(StrBytes::from_static_str("t")))
            .with_partitions(vec![partition]);
        let request = FetchRequest::default().with_max_wait_ms(max_wait_ms).with_topics(vec![topic]);
        let header = RequestHeader::default()
            .with_request_api_key(ApiKey::Fetch as i16)
            .with_request_api_version(11)
            .with_correlation_id(7);
        let mut frame = BytesMut::new();
        encode_request_header_into_buffer(&mut frame, &header).unwrap();
        request.encode(&mut frame, 11).unwrap();
        frame
    }

    fn with_topic() -> Shared {
        let shared = Shared::new("127.0.0.1:9092".parse().unwrap());
        let topic = CreatableTopic::default()
            .with_name(TopicName(StrBytes::from_static_str("t")))
            .with_num_partitions(1)
            .with_replication_factor(1);
        let response = shared.engine.handle_create_topics(&CreateTopicsRequest::default().with_topics(vec![topic]), 4);
        assert_eq!(response.topics[0].error_code, 0);
        shared
    }

    #[test]
    fn a_fetch_of_nothing_waits_as_long_as_it_says() {
        let (shared, started) = (with_topic(), Instant::now());
        let response = answer(frame(150), 0, &shared).unwrap();
        assert!(started.elapsed() >= Duration::from_millis(150));
        assert_eq!(response[..4], 7_i32.to_be_bytes(), "it answers this request");
    }

    #[test]
    fn a_write_and_the_end_of_the_broker_end_the_wait() {
        let (shared, started) = (with_topic(), Instant::now());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                shared.stopping.store(true, std::sync::atomic::Ordering::SeqCst);
                shared.log.changed();
            });
            answer(frame(20_000), 0, &shared).unwrap();
        });
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    /// A record of a transaction that ends so. Offsets: the record, then the mark of its end.
    fn transaction(engine: &Engine, sequence: i32, committed: bool) {
        let record = Record {
            transactional: true,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: 0,
            producer_id: 1,
            producer_epoch: 0,
            timestamp_type: TimestampType::Creation,
            offset: 0,
            sequence,
            timestamp: 0,
            key: None,
            value: Some(Bytes::from_static(b"{}")),
            headers: IndexMap::default(),
        };
        let mut batch = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut batch, [&record], &options).unwrap();
        let (id, topic) = (TransactionalId(StrBytes::from_static_str("p")), TopicName(StrBytes::from_static_str("t")));
        let partitions = AddPartitionsToTxnTopic::default().with_name(topic.clone()).with_partitions(vec![0]);
        let added = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(id.clone())
            .with_v3_and_below_producer_id(ProducerId(1))
            .with_v3_and_below_topics(vec![partitions]);
        engine.handle_add_partitions_to_txn(&added, 3);
        let partition = PartitionProduceData::default().with_records(Some(batch.freeze()));
        let data = TopicProduceData::default().with_name(topic).with_partition_data(vec![partition]);
        let produced = engine.handle_produce(&ProduceRequest::default().with_topic_data(vec![data]), 9);
        assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
        let end = EndTxnRequest::default()
            .with_transactional_id(id)
            .with_producer_id(ProducerId(1))
            .with_committed(committed);
        assert_eq!(engine.handle_end_txn(&end, 3).error_code, 0);
    }

    /// What was made just before what it says of an aborted transaction was deleted: a client would drop all that the producer
    /// committed after it.
    #[test]
    fn a_response_that_deletion_overtook_hides_no_later_transaction() {
        let shared = with_topic();
        transaction(&shared.engine, 0, false);
        transaction(&shared.engine, 1, true);
        let partition = FetchPartition::default().with_fetch_offset(2).with_partition_max_bytes(1);
        let topic = FetchTopic::default()
            .with_topic(TopicName(StrBytes::from_static_str("t")))
            .with_partitions(vec![partition]);
        let request = FetchRequest::default().with_isolation_level(1).with_topics(vec![topic]);
        let mut response = shared.engine.handle_fetch(&request, 11);
        let aborted = |response: &FetchResponse| {
            response.responses[0].partitions[0].aborted_transactions.as_ref().map_or(0, Vec::len)
        };
        assert_eq!(aborted(&response), 1, "the engine tells it for ever");
        keeper::delete_before(&shared.engine, "t", 0, 2);
        finish(&mut response, &request, &shared);
        assert_eq!(aborted(&response), 0);
        assert!(response.responses[0].partitions[0].records.as_ref().is_some_and(|records| !records.is_empty()));
    }

    #[test]
    fn a_malformed_fetch_is_an_error() {
        assert!(answer(BytesMut::from(&[0, 1][..]), 0, &with_topic()).is_err());
        assert!(answer(BytesMut::from(&[0, 1, 0, 11, 0, 0, 0, 1, 0, 9][..]), 0, &with_topic()).is_err());
    }
}
