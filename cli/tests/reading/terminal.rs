//! What lasts, on a terminal that is the standard error of the program: how far it is stands there, and nowhere else.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::data::{Data, object};

/// How the line begins, which is written over again and again, and what takes it away.
const BEGIN: &str = "\r\u{1b}[?7l";
const EMPTY: &str = "\r\u{1b}[K";

/// What a program that failed printed, and what it said on a terminal; of one whose standard output is there, too, all that it said.
fn on_a_terminal(mut command: Command, prints_there: bool) -> (String, String) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let path = ptsname(&controller, Vec::<u8>::new()).unwrap();
    let terminal = open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let printed = if prints_there { Stdio::from(terminal.try_clone().unwrap()) } else { Stdio::piped() };
    let child = command.stdin(Stdio::null()).stdout(printed).stderr(terminal).spawn().unwrap();
    // Nobody but the program has it now, so that it ends with it.
    drop(command);
    let reading = std::thread::spawn(move || {
        let (mut controller, mut said, mut piece) = (File::from(controller), Vec::new(), [0; 4_096]);
        while let Ok(read) = controller.read(&mut piece)
            && read > 0
        {
            said.extend_from_slice(&piece[..read]);
        }
        String::from_utf8(said).unwrap()
    });
    let output = child.wait_with_output().unwrap();
    let said = reading.join().unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    (String::from_utf8(output.stdout).unwrap(), said)
}

fn command(data: &Data, verb: &str, terminal: &str) -> Command {
    let words = ["archive", verb, "--stream", "alerts", "--data-dir", "./data", "-n", "demo"];
    let mut command = data.command(&words);
    command.env("TERM", terminal);
    command
}

#[tokio::test]
async fn whoever_verifies_sees_how_far_it_is() {
    let data = Data::new().await;
    let (printed, said) = on_a_terminal(command(&data, "verify", "xterm"), false);
    assert!(printed.ends_with(" findings\n") && !printed.contains('\u{1b}'), "{printed:?}");
    assert!(said.starts_with(&format!("{BEGIN}1 archive objects, ")), "{said:?}");
    assert!(said.contains(&format!("{EMPTY}error: the archive is not whole")), "{said:?}");
    let (_, dumb) = on_a_terminal(command(&data, "verify", "dumb"), false);
    assert!(dumb.starts_with("error: ") && !dumb.contains('\u{1b}'), "{dumb:?}");
    let piped = String::from_utf8(command(&data, "verify", "xterm").output().unwrap().stderr).unwrap();
    assert!(piped.starts_with("error: ") && !piped.contains('\u{1b}'), "{piped:?}");
}

#[tokio::test]
async fn whoever_writes_records_to_a_file_sees_how_far_it_is_and_what_is_wrong_on_lines_of_its_own() {
    let data = Data::new().await;
    let (printed, said) = on_a_terminal(command(&data, "cat", "xterm"), false);
    assert_eq!(printed.lines().count(), 180);
    assert!(said.starts_with(&format!("{BEGIN}1 archive objects, now of 2026-11-19")), "{said:?}");
    let damaged = object("alerts", "2026-11-19", "east", 0);
    assert!(said.contains(&format!("{EMPTY}warning: {damaged} is damaged and left out")), "{said:?}");
    let (_, records) = on_a_terminal(command(&data, "cat", "xterm"), true);
    assert!(records.contains("east-000129") && !records.contains('\u{1b}'), "{records:?}");
}
