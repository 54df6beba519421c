//! A receiver that takes what it is sent, and one that fails in every way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vedette_testing::eventually;

/// What it does with a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behaviour {
    /// Answers with this status line and these headers.
    Answer(&'static str, &'static str),
    /// Answers with this status line to what has this text in it, and takes the rest.
    AnswerTo(&'static str, &'static str),
    /// Closes the connection.
    Close,
    /// Says nothing.
    Silent,
    /// Begins to take it, and closes the connection in the middle of its answer.
    BreakOff,
    /// Takes it, and has no end of words.
    Endless,
}

pub(crate) const TAKEN: Behaviour = Behaviour::Answer("204 No Content", "");

/// What it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Each message of a webhook once: one whose answer was not heard is sent again.
pub(crate) fn distinct(requests: &[Request]) -> Vec<Request> {
    let mut seen = BTreeSet::new();
    requests.iter().filter(|request| seen.insert(request.json()["id"].to_string())).cloned().collect()
}

#[derive(Clone)]
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    script: Arc<Mutex<VecDeque<Behaviour>>>,
}

impl StandIn {
    /// Behaves as the script says, one request after the other; the last is for ever.
    pub(crate) async fn start(script: &[Behaviour]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(script.iter().copied().collect()));
        let started = Self { address, requests: Arc::default(), script };
        let serving = started.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let serving = serving.clone();
                tokio::spawn(async move { drop(serving.serve(stream).await) });
            }
        });
        started
    }

    /// From now on it behaves so for ever. Returns how many requests met what it did before.
    pub(crate) fn behave(&self, behaviour: Behaviour) -> usize {
        let mut script = self.script.lock().unwrap();
        *script = [behaviour].into();
        self.requests.lock().unwrap().len()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// All that it was sent, once that are so many.
    pub(crate) async fn received(&self, count: usize) -> Vec<Request> {
        eventually(&format!("{count} requests"), async || self.requests().len() >= count).await;
        self.requests()
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let request = read(&mut stream).await?;
        let behaviour = {
            let mut script = self.script.lock().unwrap();
            self.requests.lock().unwrap().push(request.clone());
            if script.len() > 1 { script.pop_front().unwrap() } else { script[0] }
        };
        let behaviour = match behaviour {
            Behaviour::AnswerTo(text, status) if request.body.contains(text) => Behaviour::Answer(status, ""),
            Behaviour::AnswerTo(..) => TAKEN,
            other => other,
        };
        match behaviour {
            Behaviour::Answer(status, headers) => {
                let answer = format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await
            }
            Behaviour::Close | Behaviour::AnswerTo(..) => Ok(()),
            Behaviour::Silent => std::future::pending().await,
            Behaviour::BreakOff => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf").await,
            Behaviour::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n").await?;
                loop {
                    stream.write_all(&[b'x'; 1024]).await?;
                }
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Request> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines();
        let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let headers: BTreeMap<_, _> = lines.filter_map(header).collect();
        if body.len() >= headers["content-length"].parse().unwrap() {
            return Ok(Request { path, headers, body: body.to_owned() });
        }
    }
}
