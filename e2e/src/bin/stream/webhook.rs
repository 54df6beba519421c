//! A webhook that takes all that it is told, and remembers when it was told of which alert.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;
use vedette_e2e::RunError;

/// No message is longer, bytes.
const LARGEST_BODY: u64 = 1 << 20;

/// See the module. It serves as long as this process.
pub(crate) struct Webhook {
    address: SocketAddr,
    told: Told,
}

/// By the alert's uuid.
type Told = Arc<Mutex<HashMap<String, Instant>>>;

impl Webhook {
    pub(crate) fn start() -> Result<Self, RunError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(RunError::Process)?;
        let address = listener.local_addr().map_err(RunError::Process)?;
        let this = Self { address, told: Told::default() };
        let told = Arc::clone(&this.told);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let told = Arc::clone(&told);
                std::thread::spawn(move || {
                    if let Err(error) = serve(stream, &told) {
                        eprintln!("the webhook was not told: {error}");
                    }
                });
            }
        });
        Ok(this)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// When it was told of the incident whose example is this alert; none where it was not.
    pub(crate) fn told_at(&self, uuid: &str) -> Option<Instant> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).get(uuid).copied()
    }
}

/// Takes one message after the other until the connection ends.
fn serve(mut stream: TcpStream, told: &Told) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(length) = head(&mut reader)? {
        let mut body = Vec::new();
        reader.by_ref().take(length).read_to_end(&mut body)?;
        let now = Instant::now();
        let message: Value = serde_json::from_slice(&body)?;
        if let Some(uuid) = message.pointer("/data/incident/example/alert/uuid").and_then(Value::as_str) {
            told.lock().unwrap_or_else(PoisonError::into_inner).entry(uuid.to_owned()).or_insert(now);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
    Ok(())
}

/// Reads what stands before a message: how many bytes it has; none where the connection has ended.
fn head(reader: &mut BufReader<TcpStream>) -> io::Result<Option<u64>> {
    let (mut length, mut line) = (None::<u64>, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().ok(),
            None if line.trim_end().is_empty() => break,
            Some(_) | None => {}
        }
    }
    let length = length.filter(|length| *length <= LARGEST_BODY);
    length.map(Some).ok_or_else(|| io::Error::other("a message does not say how long it is, or is too long"))
}
