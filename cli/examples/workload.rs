//! A stand-in for a workload in the tests of the supervisor: serves probes, ends and misbehaves as the files of the
//! directory CONTROL say. A file may be meant for one VERSION only, such as `unready-v2`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, io};

fn main() -> io::Result<ExitCode> {
    let control = PathBuf::from(env::var("CONTROL").map_err(io::Error::other)?);
    let pod = env::var("POD_NAME").map_err(io::Error::other)?;
    write_dump(&control, &pod)?;
    if is_told(&control, "crash") {
        eprintln!(r#"{{"level":"ERROR","message":"failed","reason":"WrongHash","blame":"model","error":"no good"}}"#);
        return Ok(ExitCode::from(3));
    }
    if is_told(&control, "succeed") {
        return Ok(ExitCode::SUCCESS);
    }
    let listener = TcpListener::bind(env::var("LISTEN_ADDRESS").map_err(io::Error::other)?)?;
    let (for_server, for_end) = (control.clone(), control.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A probe that went away is no concern of ours.
            let _ = answer(&stream, &for_server);
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        // Only now may a test send the signal.
        fs::write(control.join(format!("listening-{pod}")), "")?;
        loop {
            terminate.recv().await;
            if !is_told(&for_end, "stubborn") {
                fs::write(control.join(format!("ended-{pod}")), "")?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    })
}

fn is_told(control: &Path, what: &str) -> bool {
    let version = env::var("VERSION").unwrap_or_default();
    control.join(what).exists() || control.join(format!("{what}-{version}")).exists()
}

fn answer(stream: &TcpStream, control: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut line = String::new();
    let mut reader = BufReader::new(stream);
    reader.read_line(&mut line)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let refused = if line.contains("/livez") { is_told(control, "stuck") } else { is_told(control, "unready") };
    let (status, body) = if refused { ("503 Service Unavailable", "no model") } else { ("200 OK", "") };
    let mut writer = stream;
    write!(writer, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// Arguments, environment and what the volume holds, for the tests to read.
fn write_dump(control: &Path, pod: &str) -> io::Result<()> {
    let args: Vec<_> = env::args().skip(1).collect();
    let mut starts = 0;
    if let Some(volume) = args.iter().find_map(|argument| argument.strip_prefix("--volume=")) {
        let counter = Path::new(volume).join("starts");
        starts = fs::read_to_string(&counter).ok().and_then(|text| text.parse().ok()).unwrap_or(0) + 1;
        fs::write(counter, starts.to_string())?;
    }
    let settings = args.iter().find_map(|argument| argument.strip_prefix("--settings="));
    let dump = serde_json::json!({
        "args": args,
        "env": env::vars().collect::<BTreeMap<_, _>>(),
        "starts": starts,
        "settings": settings.map(|path| fs::read_to_string(Path::new(path).join("key"))).transpose()?,
        "pid": std::process::id(),
    });
    let path = control.join(format!("dump-{pod}"));
    fs::write(path.with_extension("new"), dump.to_string())?;
    fs::rename(path.with_extension("new"), path)
}
