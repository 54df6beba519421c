//! What it costs to consume and to compress: librdkafka with the archiver's settings, and zstd.

use std::collections::HashMap;
use std::io::{Sink, Write, sink};
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use vedette_archive::COMPRESSION_LEVEL;
use vedette_e2e::RunError;
use vedette_streams::kafka::Isolation;
use vedette_streams::kafka::place::at_offset;
use zstd::stream::write::Encoder;

use crate::bed::{self, failed};

/// The word that makes this program one.
pub(crate) const COMPRESSOR: &str = "bare-compressor";
/// Uncompressed bytes after which a frame ends and is committed, as of an archiver's object.
pub(crate) const OBJECT_BYTES: usize = 8 << 20;
const WAIT: Duration = Duration::from_millis(50);

/// Compresses a topic into nothing, until it is killed. Its arguments are its group and the topic.
pub(crate) fn compress(arguments: &[String]) -> Result<(), RunError> {
    let [group, input] = arguments else {
        return Err(failed(format!("usage: stream {COMPRESSOR} GROUP INPUT")));
    };
    let consumer =
        bed::kafka(group).patient_consumer(group, Isolation::ReadCommitted).create::<BaseConsumer>().map_err(failed)?;
    consumer.subscribe(&[input]).map_err(failed)?;
    let mut frames: HashMap<i32, (Encoder<'_, Sink>, usize)> = HashMap::new();
    loop {
        let Some(message) = consumer.poll(WAIT) else { continue };
        let message = message.map_err(failed)?;
        let (partition, record) = (message.partition(), message.payload().unwrap_or_default());
        let (mut frame, bytes) = match frames.remove(&partition) {
            Some(open) => open,
            None => (Encoder::new(sink(), COMPRESSION_LEVEL).map_err(RunError::Process)?, 0),
        };
        frame.write_all(record).and_then(|()| frame.write_all(b"\n")).map_err(RunError::Process)?;
        if bytes + record.len() < OBJECT_BYTES {
            frames.insert(partition, (frame, bytes + record.len() + 1));
            continue;
        }
        frame.finish().map_err(RunError::Process)?;
        let end = at_offset(input, partition, message.offset() + 1).map_err(failed)?;
        consumer.commit(&end, CommitMode::Sync).map_err(failed)?;
    }
}
