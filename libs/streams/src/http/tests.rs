use super::*;
use std::error::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(5);

async fn failure(http: &Http) -> String {
    let request = HttpRequest::get("https://127.0.0.1:1/").unwrap();
    let error = http.call(request).await.unwrap_err();
    error.source().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn certificates_are_read_for_each_request_and_what_is_none_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.crt");
    let http = Http::new(HttpSettings::of("https://s3", Some(file.clone()), PATIENCE));
    assert!(failure(&http).await.contains("cannot read"));
    for other in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&file, other).unwrap();
        let said = failure(&http).await;
        assert!(said.contains("has no PEM certificate") && said.contains("ca.crt"), "{other}: {said}");
    }
}

#[test]
fn no_proxy_is_asked_for_what_this_machine_serves() {
    let proxies = |url: &str| HttpSettings::of(url, None, PATIENCE).proxies;
    for own in [
        "http://127.0.0.1:40123",
        "http://127.8.9.1/a",
        "https://localhost:8090/tools",
        "http://[::1]:8333",
        "http://LOCALHOST",
    ] {
        assert!(proxies(own).is_disabled(), "{own}");
    }
    for other in [
        "",
        "http://s3.example.org",
        "http://localhost.example.org",
        "http://10.0.0.1:8333",
        "http://[fe80::1]",
        "https://a/localhost",
    ] {
        assert!(proxies(other).is_from_env(), "{other}");
    }
}

#[tokio::test]
async fn requests_go_by_the_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxies = ProxyConfig::http(format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let settings = HttpSettings { proxies, ..HttpSettings::of("http://s3.example.org", None, PATIENCE) };
    let answer = tokio::spawn(async move {
        let request = HttpRequest::get("http://s3.example.org/key").unwrap();
        Http::new(settings).call(request).await.unwrap().status().as_u16()
    });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut line = [0; 34];
    stream.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"GET http://s3.example.org/key HTTP");
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert_eq!(answer.await.unwrap(), 204);
}
