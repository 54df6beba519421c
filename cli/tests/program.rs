//! `vedette` as shells, scripts and whoever presses Ctrl-C have it: how it ends, what it says where, and what the environment does to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vedette_testing::{Ended, Running};

fn vedette(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
    command.args(words).env("USER", "ada").env("COLUMNS", "1000").env_remove("RUST_LOG");
    command
}

/// A data directory of a pipeline that has archived nothing.
fn empty() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let sites = directory.path().join("vedette/demo/kdd/sites");
    std::fs::create_dir_all(&sites).unwrap();
    std::fs::write(sites.join("local.json"), "{}").unwrap();
    directory
}

/// One that has asked a bucket for something, which does not answer for as long as the connection is kept.
async fn waiting(words: &[&str]) -> (Running, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let mut command = vedette(&[words, &["--bucket", &endpoint, "-n", "demo"]].concat());
    command.env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "key");
    let running = Running::start(command);
    let (mut asked, _) = listener.accept().await.unwrap();
    asked.read_exact(&mut [0; 3]).await.unwrap();
    (running, asked)
}

#[tokio::test]
async fn ctrl_c_ends_what_reads_with_a_failure() {
    for words in [
        &["alerts", "list"][..],
        &["models", "show"],
        &["models", "replay"],
        &["archive", "cat"],
        &["archive", "verify"],
    ] {
        let (running, _asked) = waiting(words).await;
        let Ended { status, printed, said } = running.interrupt().await;
        assert_eq!((status.code(), printed), (Some(1), Vec::new()), "{words:?}");
        assert_eq!(said, ["error: stopped before everything was read"], "{words:?}");
    }
}

#[tokio::test]
async fn ctrl_c_twice_does_not_wait_for_what_writes() {
    let words = ["silences", "add", "--site", "east", "--match", "true", "--for", "2h", "--why", "a test"];
    let (mut running, _asked) = waiting(&words).await;
    running.press().await;
    let said = running.complaint().await;
    assert!(said.contains("Ctrl-C once more does not wait for it"), "{said}");
    let Ended { status, printed, said } = running.interrupt().await;
    assert_eq!((status.code(), printed, said), (Some(130), Vec::new(), Vec::new()));
}

#[test]
fn an_error_that_nobody_reads_is_one_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let place = directory.path().display().to_string();
    let status = vedette(&["status", "--data-dir", &place]).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn logs_have_no_colours() {
    let directory = empty();
    let place = directory.path().display().to_string();
    let words = ["silences", "list", "--data-dir", &place, "-n", "demo"];
    let output = vedette(&words).env("RUST_LOG", "debug").env_remove("NO_COLOR").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("DEBUG"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn an_archive_that_has_nothing_yet_is_no_error_and_no_proxy_is_asked_for_a_directory() {
    let directory = empty();
    let place = directory.path().display().to_string();
    for (words, expected) in [
        (&["alerts", "list"][..], ""),
        (&["incidents", "list"], ""),
        (&["archive", "ls"], ""),
        (&["archive", "cat"], ""),
        (&["archive", "verify"], "0 objects, 0 records, 0 bytes, 0 deltas of open objects, 0 findings\n"),
    ] {
        let mut command = vedette(&[words, &["--data-dir", &place, "-n", "demo"]].concat());
        for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env(proxy, "http://127.0.0.1:1");
        }
        let output = command.env("no_proxy", "").env("NO_PROXY", "").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{words:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{words:?}");
    }
}

#[test]
fn a_time_of_nowhere_is_not_taken_for_the_midnight_of_its_day() {
    for words in [
        ["alerts", "list", "--until", "2026-11-21 08:29:00"],
        ["alerts", "list", "--from", "2026-11-21T08:29:00"],
        ["models", "replay", "--from", "2026-11-21T08:29"],
        ["archive", "cat", "--day", "2026-11-21T08:29:00-05:00"],
    ] {
        let output = vedette(&[&words[..], &["--data-dir", "x"]].concat()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains("write 2026-11-20"), "{words:?}: {said}");
    }
}

/// Answers questions as a console does whose clock is a hundred years ahead.
async fn answer(listener: TcpListener) {
    let ready = json!({
        "namespace": "demo", "pipeline": "kdd", "site": "east", "ready": true, "training": null, "model_version": null,
        "heard_utc": null, "silent_since_utc": null, "detectors": 0, "records": 0, "alerts": 0, "lag_records": 0,
        "lag_seconds": 0.0, "lost_records": 0, "dead_letters": 0, "threshold": null, "alert_budget_per_million": null,
        "unready": [],
    });
    let now: Timestamp = "2126-11-23T12:00:00Z".parse().unwrap();
    let overview = json!({ "now_utc": now, "bucket": { "trouble": null }, "sites": [ready] });
    let silence = json!({
        "id": "21261123T084210Z-0a1b2c3d", "namespace": "demo", "pipeline": "kdd", "site": "east", "state": "in force",
        "match": "true", "from_utc": "2126-11-23T11:00:00Z", "until_utc": "2126-11-23T18:00:00Z", "by": "ada",
        "why": "a test", "exclude_from_training": false,
    });
    let silences = json!({ "silences": [silence], "matching": 1, "in_force": 1, "passed": [] });
    loop {
        let (mut asked, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(asked.read_u8().await.unwrap());
        }
        let is_overview = request.starts_with(b"GET /api/v1/overview ");
        let body = if is_overview { &overview } else { &silences }.to_string();
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ";
        asked.write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_silence_stands_by_the_clock_of_the_console() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let console = format!("http://{}", listener.local_addr().unwrap());
    let answering = tokio::spawn(answer(listener));
    let words = ["silences", "list", "--console", &console, "-n", "demo", "-o", "json"];
    let mut command = vedette(&words);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    answering.abort();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed["silences"][0]["state"], "in force", "{listed}");
}
