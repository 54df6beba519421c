//! What librdkafka's Rust crate does not ask of a broker, by Kafka's own protocol.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A request in its last version without tagged fields.
const ELECT_LEADERS: (i16, i16) = (43, 1);
const ALTER_CLIENT_QUOTAS: (i16, i16) = (49, 0);
const PREFERRED: u8 = 0;
const PATIENCE: Duration = Duration::from_secs(10);
const QUOTAS: [&str; 2] = ["producer_byte_rate", "consumer_byte_rate"];

/// Gives every partition back to the replica that stands first.
///
/// # Errors
/// When the broker does not answer.
pub(crate) fn elect_preferred_leaders(broker: SocketAddr) -> io::Result<()> {
    let mut request = header(ELECT_LEADERS);
    request.push(PREFERRED);
    // Of all topics.
    request.extend((-1_i32).to_be_bytes());
    request.extend(10_000_i32.to_be_bytes());
    ask(broker, &request).map(|_| ())
}

/// So many bytes a second for every client that has no other quota; as many as it likes where it is none.
///
/// # Errors
/// When the broker does not answer, or refuses.
pub(crate) fn throttle(broker: SocketAddr, bytes_a_second: Option<u32>) -> io::Result<()> {
    let mut request = header(ALTER_CLIENT_QUOTAS);
    request.extend(1_i32.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    text(&mut request, "client-id");
    // The default of all.
    request.extend((-1_i16).to_be_bytes());
    request.extend(2_i32.to_be_bytes());
    for quota in QUOTAS {
        text(&mut request, quota);
        request.extend(f64::from(bytes_a_second.unwrap_or(0)).to_be_bytes());
        request.push(u8::from(bytes_a_second.is_none()));
    }
    request.push(0);
    // After correlation id, throttle time and the number of entries: a code.
    let answer = ask(broker, &request)?;
    if answer.get(12..14) == Some(&[0, 0]) { Ok(()) } else { Err(io::Error::other(format!("it answers {answer:?}"))) }
}

fn header((key, version): (i16, i16)) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(key.to_be_bytes());
    header.extend(version.to_be_bytes());
    header.extend(0_i32.to_be_bytes());
    text(&mut header, "vedette-e2e");
    header
}

fn ask(broker: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&broker, PATIENCE)?;
    stream.set_read_timeout(Some(2 * PATIENCE))?;
    stream.write_all(&i32::try_from(request.len()).unwrap().to_be_bytes())?;
    stream.write_all(request)?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn text(request: &mut Vec<u8>, text: &str) {
    request.extend(i16::try_from(text.len()).unwrap().to_be_bytes());
    request.extend(text.as_bytes());
}
