use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

use super::*;

/// Answers one request each with these, and tells what was asked.
fn endpoint(answers: Vec<(u16, &'static str)>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, requests) = channel();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            while !request.contains("grant_type=") {
                let mut some = [0; 4096];
                let length = stream.read(&mut some).unwrap();
                request.push_str(std::str::from_utf8(&some[..length]).unwrap());
            }
            let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
            asked.send(request).unwrap();
        }
    });
    (address, requests)
}

fn source(address: SocketAddr) -> TokenSource {
    let arguments = OauthArguments {
        token_endpoint: format!("http://{address}/token"),
        scope: Some("kafka write".to_owned()),
        audience: Some("broker".to_owned()),
        ca_file: None,
    };
    TokenSource::new(arguments, "client:1".to_owned(), "hidden".into())
}

#[test]
fn a_token_is_asked_for_once_and_used_by_every_client() {
    let (address, requests) =
        endpoint(vec![(200, r#"{"access_token":"abc","expires_in":86400,"token_type":"Bearer"}"#)]);
    let source = source(address);
    let before = Timestamp::now().as_millisecond();
    for _ in 0..2 {
        let OAuthToken { token, principal_name, lifetime_ms } = source.token().unwrap();
        assert_eq!((token.as_str(), principal_name.as_str()), ("abc", "client:1"));
        assert!((before + 86_400_000..before + 86_640_000).contains(&lifetime_ms), "{lifetime_ms}");
    }
    let request = requests.recv().unwrap();
    let form = "grant_type=client_credentials&scope=kafka%20write&audience=broker";
    let basic = format!("authorization: Basic {}", base64::encode("client%3A1:hidden"));
    assert!(request.starts_with("POST /token ") && request.ends_with(form) && request.contains(&basic), "{request}");
    assert!(!format!("{source:?}").contains("hidden") && !format!("{source:?}").contains("abc"));
}

#[test]
fn a_token_that_has_lived_too_long_is_replaced() {
    let short = r#"{"access_token":"old","expires_in":0}"#;
    let (address, _requests) = endpoint(vec![(200, short), (200, r#"{"access_token":"new","expires_in":60}"#)]);
    let source = source(address);
    assert_eq!(["old", "new"].map(|_| source.token().unwrap().token), ["old", "new"]);
}

/// Lengthens the life of the last answer, which is to last this long by itself: a busy machine may take longer to ask again.
fn keep_for_long(source: &TokenSource, until: Instant) {
    let mut last = source.last.lock().unwrap();
    let answer = last.as_mut().unwrap();
    assert!(answer.fresh_until >= until);
    answer.fresh_until += Duration::from_secs(3_600);
}

#[test]
fn what_the_endpoint_does_not_give_is_named_with_what_to_mend() {
    let refused = r#"{"error":"invalid_client","error_description":"wrong secret","secret":"hidden"}"#;
    for (status, body, reason, words) in [
        (401, refused, "TokenRefused", "status 401 (invalid_client: wrong secret); check client id and secret"),
        (403, "<html>hidden</html>", "TokenRefused", "status 403 (no word of why)"),
        (503, "hidden", "TokenEndpointUnreachable", "status 503"),
        (200, r#"{"access_token":"hidden"}"#, "TokenRefused", "no access_token with expires_in"),
    ] {
        let (address, _requests) = endpoint(vec![(status, body)]);
        let source = source(address);
        let asked = Instant::now();
        let first = source.token().err().unwrap();
        keep_for_long(&source, asked + REFUSAL_LASTS);
        // The second is the same answer: nobody answers any more.
        for error in [first, source.token().err().unwrap()] {
            let text = error.to_string();
            assert!(text.contains(&address.to_string()) && text.contains(words) && !text.contains("hidden"), "{text}");
            assert_eq!(error.reason(), reason);
        }
    }
}

#[tokio::test]
async fn an_endpoint_that_is_away_is_named_and_asking_it_works_inside_a_runtime() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let error = source(address).token().err().unwrap();
    assert_eq!(error.reason(), "TokenEndpointUnreachable");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    // Nobody else is given a port that is bound, and as nobody listens there, who connects is refused.
    drop(socket);
}
