//! An authorization server that gives one user tokens, by the client-credentials grant.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vedette_e2e::local::repository;

use crate::broker::certificates;

/// Tokens live so much longer than they say: their ends are whole seconds, and librdkafka looks each second.
const SPARE_SECONDS: u32 = 6;

/// Runs until the tests end.
pub(crate) struct TokenEndpoint {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    user: String,
    authorization: String,
    life_seconds: u32,
    given: usize,
}

impl TokenEndpoint {
    /// Knows the user by this secret; its tokens live so long.
    pub(crate) fn serve(user: &str, secret: &str, life_seconds: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let authorization = authorization(user, secret);
        let state = Arc::new(Mutex::new(State { user: user.to_owned(), authorization, life_seconds, given: 0 }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || listener.incoming().for_each(|stream| answer(stream.unwrap(), &shared)));
        Self { address, state }
    }

    /// From now on it knows the user by this one.
    pub(crate) fn know(&self, secret: &str) {
        let mut state = self.state.lock().unwrap();
        state.authorization = authorization(&state.user, secret);
    }

    /// How many tokens it gave.
    pub(crate) fn given(&self) -> usize {
        self.state.lock().unwrap().given
    }

    /// How long the broker takes a token.
    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_secs((self.state.lock().unwrap().life_seconds + SPARE_SECONDS).into())
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let mut request = String::new();
    let mut some = [0; 4096];
    while !request.contains("grant_type=client_credentials") {
        let length = stream.read(&mut some).unwrap();
        assert!(length > 0, "no request: {request}");
        request.push_str(std::str::from_utf8(&some[..length]).unwrap());
    }
    let mut state = state.lock().unwrap();
    let (status, body) = if request.contains(&state.authorization) {
        state.given += 1;
        let token = token(&state.user, state.life_seconds + SPARE_SECONDS);
        (200, format!(r#"{{"access_token":"{token}","expires_in":{}}}"#, state.life_seconds))
    } else {
        (401, r#"{"error":"invalid_client","error_description":"no such client"}"#.to_owned())
    };
    let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
}

fn token(user: &str, life_seconds: u32) -> String {
    let mut command = Command::new(repository().join("e2e/scripts/token.sh"));
    let made = command
        .arg(certificates().join("token.key"))
        .args(["kafka", user, &life_seconds.to_string()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap()
}

fn authorization(user: &str, secret: &str) -> String {
    let mut openssl = Command::new("openssl");
    let mut child =
        openssl.args(["base64", "-A"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("openssl is there");
    child.stdin.take().unwrap().write_all(format!("{user}:{secret}").as_bytes()).unwrap();
    format!("Basic {}", String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
}
