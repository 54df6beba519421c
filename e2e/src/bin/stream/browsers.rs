//! Browsers as a console knows them: what one asks once, and the stream of what is new that each keeps open.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// A console that says nothing for so long is not there: it says every 15 s that it is.
const SILENCE: Duration = Duration::from_secs(30);

/// Asks once.
pub(crate) fn ask(console: SocketAddr, path: &str) -> io::Result<Value> {
    let mut stream = connect(console)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(serde_json::from_str(body)?)
}

/// One that listens.
pub(crate) struct Browser(BufReader<TcpStream>);

/// What it is told.
#[derive(Deserialize)]
struct Changes {
    alerts: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    detected_utc: Timestamp,
}

impl Browser {
    /// Listens from now on.
    pub(crate) fn open(console: SocketAddr) -> io::Result<Self> {
        let mut stream = connect(console)?;
        stream.write_all(b"GET /api/v1/changes HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        let mut this = Self(BufReader::new(stream));
        // The first is told at once, of nothing.
        while this.changes()?.is_none() {}
        Ok(this)
    }

    /// How long after it was detected it is told of each alert, seconds, until these are so many or the time is over.
    pub(crate) fn listen(mut self, alerts: usize, until: Instant) -> io::Result<Vec<f64>> {
        let mut late = HashMap::new();
        while late.len() < alerts && Instant::now() < until {
            let Some(changes) = self.changes()? else { continue };
            let now = Timestamp::now();
            for Row { id, detected_utc } in changes.alerts {
                late.entry(id).or_insert_with(|| now.duration_since(detected_utc).as_secs_f64());
            }
        }
        Ok(late.into_values().collect())
    }

    /// Those of the next line; none where it has none.
    fn changes(&mut self) -> io::Result<Option<Changes>> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(data) = line.strip_prefix("data: ") else { return Ok(None) };
        Ok(Some(serde_json::from_str(data)?))
    }
}

fn connect(console: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(console)?;
    stream.set_read_timeout(Some(SILENCE))?;
    Ok(stream)
}
