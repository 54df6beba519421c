use super::*;
use std::collections::BTreeMap;
use std::error::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const REFUSED: &str = "<ErrorResponse><Error><Message>not authorized</Message></Error></ErrorResponse>";
const XML: &str = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
    <AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>key+/=</SecretAccessKey><SessionToken>token==</SessionToken>
    <Expiration>2026-11-28T13:00:00Z</Expiration>
    </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
const JSON: &str =
    r#"{"AccessKeyId":"ASIA1","SecretAccessKey":"key+/=","Token":"token==","Expiration":"2026-11-28T13:00:00Z"}"#;

/// Answers one request, and returns what it was.
async fn answer(listener: TcpListener, status: &str, body: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = String::new();
    let complete = |request: &str| {
        let (head, body) = request.split_once("\r\n\r\n")?;
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        (body.len() >= length.map_or(0, |length| length.parse().unwrap())).then_some(())
    };
    while complete(&request).is_none() {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        request.push_str(std::str::from_utf8(&part[..read]).unwrap());
    }
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
    request
}

fn identity(variables: &[(&str, &str)]) -> OwnIdentity {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let variable = |name: &str| variables.get(name).map(ToString::to_string);
    OwnIdentity::of(variable, "eu-central-1", None, Duration::from_secs(5))
}

async fn asked(kind: &str, status: &str, body: &str) -> (String, Result<Credentials, CredentialsError>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1", listener.local_addr().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "web&token\n").unwrap();
    let file = file.to_str().unwrap();
    let identity = match kind {
        "web" => identity(&[
            (WEB_TOKEN_FILE, file),
            ("AWS_ENDPOINT_URL_STS", &endpoint),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
        ]),
        _ => identity(&[(CONTAINER_URI, &endpoint), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)]),
    };
    tokio::join!(answer(listener, status, body), identity.key())
}

fn is_the_key(key: &Credentials) {
    assert_eq!((key.access_key_id(), key.secret_access_key()), ("ASIA1", "key+/="));
    assert_eq!(key.session_token(), Some("token=="));
    let until: Timestamp = "2026-11-28T13:00:00Z".parse().unwrap();
    assert_eq!(key.expiry(), Some(until.into()));
}

#[tokio::test]
async fn a_token_is_exchanged_for_a_key_that_ends() {
    let (request, key) = asked("web", "200 OK", XML).await;
    is_the_key(&key.unwrap());
    assert!(request.starts_with("POST /v1 HTTP/1.1\r\n"), "{request}");
    let body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr\
        &RoleSessionName=vedette&WebIdentityToken=web%26token";
    assert!(request.ends_with(body), "{request}");
    let (request, key) = asked("agent", "200 OK", JSON).await;
    is_the_key(&key.unwrap());
    assert!(request.to_ascii_lowercase().contains("authorization: web&token\r\n"), "{request}");
}

#[tokio::test]
async fn a_refusal_is_told_from_a_failure_and_a_pod_without_an_identity_is_told_so() {
    let cause = |error: CredentialsError| error.source().unwrap().to_string();
    let (_, refused) = asked("web", "403 Forbidden", REFUSED).await;
    assert!(cause(refused.unwrap_err()).ends_with("403: not authorized"));
    let (_, failed) = asked("web", "503 Slow Down", "").await;
    assert!(cause(failed.unwrap_err()).ends_with("failed with 503"));
    let (_, nothing) = asked("agent", "200 OK", "{}").await;
    assert!(cause(nothing.unwrap_err()).ends_with("has no key in it"));
    assert!(cause(identity(&[]).key().await.unwrap_err()).contains("bucket.credentialsSecret"));
}
