//! What `vedette` reads from a bucket as it is run: alerts, incidents, sites and the archive.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod data;
mod terminal;
mod verdicts;
mod watch;

use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use self::data::{CLOSED, Data, HOSTILE, OPEN, object, uuid};

const COMMANDS: [&[&str]; 9] = [
    &["alerts", "list"],
    &["alerts", "show"],
    &["incidents", "list"],
    &["incidents", "show"],
    &["archive", "ls"],
    &["archive", "cat"],
    &["status"],
    &["verdicts", "add"],
    &["verdicts", "list"],
];

fn has_control_characters(text: &str) -> bool {
    text.chars()
        .any(|character| (character.is_control() && character != '\n' && character != '\t') || character == '\u{202e}')
}

fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split('\t').collect()).collect()
}

#[tokio::test]
async fn the_help_of_each_command_ends_with_two_examples_that_run() {
    let mut data = Data::new().await;
    for command in COMMANDS {
        let help = String::from_utf8(data.run(&[command, &["--help"]].concat()).stdout).unwrap();
        let (_, examples) = help.rsplit_once("Examples:\n").unwrap();
        let examples: Vec<&str> = examples.trim_end().lines().map(str::trim).collect();
        assert_eq!(examples.len(), 2, "{command:?}: {examples:?}");
        for example in examples {
            // Those through a console are run by the test that has one, e2e/tests/console_client.
            if example.contains(" --console ") {
                continue;
            }
            let words: Vec<&str> = example.split_whitespace().skip(1).collect();
            let output = data.example(&words).await;
            assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(!output.stdout.is_empty(), "{example} prints nothing");
        }
    }
}

#[tokio::test]
async fn the_examples_of_verify_find_what_is_damaged() {
    let mut data = Data::new().await;
    let help = String::from_utf8(data.run(&["archive", "verify", "--help"]).stdout).unwrap();
    let (_, examples) = help.rsplit_once("Examples:\n").unwrap();
    let examples: Vec<&str> = examples.trim_end().lines().map(str::trim).collect();
    assert_eq!(examples.len(), 2, "{examples:?}");
    for example in examples {
        let words: Vec<&str> = example.split_whitespace().skip(1).collect();
        let output = data.example(&words).await;
        let found = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{example}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(found.contains(&object("alerts", "2026-11-19", "east", 0)), "{example}: {found}");
    }
}

#[tokio::test]
async fn verify_says_the_same_in_every_form_and_steers_no_terminal() {
    let data = Data::new().await;
    let stranger = "demo/kdd/alerts/2026-11-21/east/odd\u{9b}1m\u{202e}";
    std::fs::write(data.served.data_directory().join("vedette").join(stranger), "x").unwrap();
    let said = |form: &[&str]| {
        let output = data.run(&[&["archive", "verify", "--data-dir", "./data", "-n", "demo"], form].concat());
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{form:?}: {said}");
        assert!(!has_control_characters(&said), "{form:?}: {said:?}");
        said
    };
    let [table, wide, plain, json, yaml] =
        ["table", "wide", "plain", "json", "yaml"].map(|format| said(&["--output", format]));
    assert_eq!((said(&["--json"]), said(&[]), &wide), (json.clone(), plain.clone(), &table));
    let [json, yaml]: [Value; 2] = [serde_json::from_str(&json).unwrap(), serde_yaml::from_str(&yaml).unwrap()];
    assert_eq!(yaml, json);
    let findings = json["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["key"] == stranger), "{json}");
    let (rows, sum) = plain.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(rows.lines().map(|row| row.split('\t').count()).collect::<Vec<_>>(), vec![3; findings.len()]);
    assert!(rows.contains("odd\\u{9b}1m\\u{202e}\tForeignKey\t"), "{rows}");
    assert!(sum.ends_with(&format!(" {} findings", findings.len())), "{sum}");
    assert!(table.starts_with("KEY ") && table.trim_end().ends_with(&format!("\n\n{sum}")), "{table}");
}

#[tokio::test]
async fn as_a_plugin_of_kubectl_it_is_the_same_program() {
    let data = Data::new().await;
    let directory = tempfile::tempdir().unwrap();
    let plugin = directory.path().join("kubectl-vedette");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_vedette"), &plugin).unwrap();
    let place = data.served.data_directory().display().to_string();
    let words = ["alerts", "list", "--data-dir", &place, "-n", "demo"];
    let output = Command::new(plugin).args(words).env_remove("RUST_LOG").output().unwrap();
    let listed = data.says(&["alerts", "list"]);
    assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap()), (Some(0), listed));
}

#[tokio::test]
async fn alerts_of_all_sites_are_listed_newest_first_and_no_more_is_read_than_it_takes() {
    let data = Data::new().await;
    let plain = data.says(&["alerts", "list", "--limit", "25"]);
    let uuids: Vec<&str> = rows(&plain).iter().map(|row| row[5]).collect();
    // The open tail of west ends at 109, half a minute after those of east.
    let both = (106..110).rev().flat_map(|number| [uuid("west", number), uuid("east", number)]);
    let expected: Vec<String> = (110..130).rev().map(|number| uuid("east", number)).chain(both).take(25).collect();
    assert_eq!(uuids, expected);
    let first = rows(&plain)[0].join(" ");
    assert!(first.starts_with("2026-11-21 08:29:00 east medium 0.999500 bytes, odd"), "{first}");
    // The day before is read as far as it takes, and the damaged object of the day before that is named.
    let output = data.run(&["alerts", "list", "--limit", "500", "--data-dir", "./data", "-n", "demo", "-o", "json"]);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((listed["alerts"].as_array().unwrap().len(), output.status.success()), (180, true));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with(&format!("warning: {}", object("alerts", "2026-11-19", "east", 0))), "{said}");
    let table = data.says(&["alerts", "list", "--limit", "1", "--output", "table"]);
    assert!(table.ends_with("\nolder ones: --until 2026-11-21T08:29:00.000001Z\n"), "{table}");
}

#[tokio::test]
async fn alerts_are_listed_by_site_time_and_severity() {
    let data = Data::new().await;
    let listed = |words: &[&str]| -> Vec<String> {
        let json = data.json(&[&["alerts", "list"], words].concat());
        json["alerts"].as_array().unwrap().iter().map(|alert| alert["uuid"].as_str().unwrap().to_owned()).collect()
    };
    let critical = listed(&["--severity", "Critical", "--site", "west", "--limit", "3"]);
    assert_eq!(critical, [100, 30, 20].map(|number| uuid("west", number)));
    let span = listed(&["--from", "2026-11-20T08:10:00Z", "--until", "2026-11-20T08:11:00Z"]);
    assert_eq!(span, [uuid("west", 10), uuid("east", 10)]);
    assert!(listed(&["--until", "2026-11-20"]).is_empty());
    assert_eq!(listed(&["--until", "2026-11-20T08:00:01Z"]), [uuid("east", 0)]);
}

#[tokio::test]
async fn an_alert_is_shown_with_what_is_usual_and_its_record() {
    let data = Data::new().await;
    for format in ["table", "plain", "json"] {
        let shown = data.says(&["alerts", "show", &uuid("west", 3), "--output", format]);
        assert!(!has_control_characters(&shown), "{format}: {shown:?}");
    }
    let table = data.says(&["alerts", "show", &uuid("west", 3), "--output", "table"]);
    for said in
        ["0.999500 (threshold 0.999000)", "because of:", "0 to 9.5", "never seen", "the record:", r"odd\u{1b}[2J"]
    {
        assert!(table.contains(said), "{said}: {table}");
    }
    let json = data.json(&["alerts", "show", &uuid("west", 109)]);
    assert_eq!((&json["site"], &json["record"]["service"]), (&json!("west"), &json!(HOSTILE)));
    let tail = format!("{}.tmp/{:020}", object("alerts", "2026-11-21", "west", 40), 45);
    assert_eq!((&json["archived_in"], &json["severity"]), (&json!(tail), &json!("medium")));
}

#[tokio::test]
async fn incidents_stand_as_their_last_change_says() {
    let data = Data::new().await;
    let plain = data.says(&["incidents", "list"]);
    let rows = rows(&plain);
    let told: Vec<[&str; 4]> = rows.iter().map(|row| [row[7], row[3], row[5], row[6]]).collect();
    assert_eq!(told, [[OPEN, "open", "20", "bytes"], [CLOSED, "closed", "30", "bytes"]]);
    let open = data.json(&["incidents", "list", "--open"]);
    assert_eq!((open["incidents"].as_array().unwrap().len(), &open["incidents"][0]["id"]), (1, &json!(OPEN)));
    for format in ["table", "plain", "json"] {
        let shown = data.says(&["incidents", "show", CLOSED, "--output", format]);
        assert!(!has_control_characters(&shown), "{format}: {shown:?}");
    }
    let table = data.says(&["incidents", "show", CLOSED, "--output", "table"]);
    for said in
        ["2026-11-21 01:12:00 UTC", "offset 159 of partition 0 of topic alerts", "21.00", "the example:", "east-000109"]
    {
        assert!(table.contains(said), "{said}: {table}");
    }
}

#[tokio::test]
async fn objects_are_listed_with_what_their_writers_say() {
    let data = Data::new().await;
    let plain = data.says(&["archive", "ls", "--stream", "alerts"]);
    let told: Vec<String> =
        rows(&plain).iter().map(|row| [row[0], row[1], row[5], row[6], row[7], row[9]].join(" ")).collect();
    let expected = [
        "2026-11-19 east 0 - - closed",
        "2026-11-20 east 50 150 100 closed",
        "2026-11-20 west 0 40 40 closed",
        "2026-11-21 east 150 180 30 closed",
        "2026-11-21 west 40 50 10 open",
    ];
    assert_eq!(told, expected);
    let day = data.json(&["archive", "ls", "--day", "2026-11-21", "--site", "east"]);
    let streams: Vec<&str> = day.as_array().unwrap().iter().map(|row| row["stream"].as_str().unwrap()).collect();
    assert_eq!(streams, ["enriched_data", "alerts", "incidents"]);
}

#[tokio::test]
async fn records_are_written_as_they_were_archived_and_damaged_objects_left_out() {
    let data = Data::new().await;
    let records = data.says(&["archive", "cat", "--day", "2026-11-21"]);
    let first: Value = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    assert_eq!((records.lines().count(), &first["service"]), (40, &json!(HOSTILE)));
    let tail = data.says(&["archive", "cat", "--stream", "alerts", "--site", "west", "--day", "2026-11-21"]);
    assert_eq!(tail.lines().count(), 10);
    let all = data.run(&["archive", "cat", "--stream", "alerts", "--data-dir", "./data", "-n", "demo"]);
    let said = String::from_utf8(all.stderr).unwrap();
    assert_eq!((all.status.code(), String::from_utf8(all.stdout).unwrap().lines().count()), (Some(1), 180));
    assert!(said.contains(&format!("warning: {} is damaged and left out", object("alerts", "2026-11-19", "east", 0))));
    assert!(said.contains("error: 1 archive objects are left out"), "{said}");
}

#[tokio::test]
async fn every_form_of_an_answer_says_the_same_and_steers_no_terminal() {
    let data = Data::new().await;
    let (alert, verdict) = (uuid("west", 3), ["verdicts", "add", "--verdict", "expected", "--by", "ada", "--alert"]);
    data.says(&[&verdict[..], &[alert.as_str(), "--why", "turned\u{202e}"]].concat());
    for (words, further) in [
        (&["alerts", "list", "--limit", "3"][..], "MODEL"),
        (&["alerts", "show", &alert], ""),
        (&["incidents", "list"], "HIGHEST SCORE"),
        (&["incidents", "show", CLOSED], ""),
        (&["archive", "ls"], "KEY"),
        (&["status"], "DEAD LETTERS"),
        (&["verdicts", "list"], "DETECTED AT"),
    ] {
        let [table, wide, plain, json, yaml] = ["table", "wide", "plain", "json", "yaml"].map(|format| {
            let said = data.says(&[words, &["--output", format]].concat());
            assert!(!has_control_characters(&said), "{words:?} {format}: {said:?}");
            said
        });
        let [json, yaml]: [Value; 2] = [serde_json::from_str(&json).unwrap(), serde_yaml::from_str(&yaml).unwrap()];
        assert_eq!(yaml, json, "{words:?}");
        assert_eq!((table == wide, wide.contains(further)), (further.is_empty(), true), "{words:?}: {wide}");
        assert!(further.is_empty() || !table.contains(further), "{words:?}: {table}");
        assert!(plain.contains('\t') && !plain.contains("  "), "{words:?}: {plain}");
    }
}

#[tokio::test]
async fn a_reader_that_went_away_is_no_error() {
    let mut data = Data::new().await;
    data.served.come_back().await;
    let many: Vec<Value> = (0..20_000).map(|number| json!({ "uuid": number, "bytes": "x".repeat(100) })).collect();
    data.archive("enriched_data", "2026-11-22", "east", 20, &many).await;
    data.served.go_away().await;
    let mut command = data.command(&["archive", "cat", "--day", "2026-11-22", "--data-dir", "./data", "-n", "demo"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 10]).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[tokio::test]
async fn sites_stand_on_a_line_each_and_a_silent_one_says_since_when() {
    let data = Data::new().await;
    let plain = data.says(&["status"]);
    let rows = rows(&plain);
    let [east, west] = rows.as_slice() else { panic!("{plain}") };
    assert_eq!(east[..7], ["kdd", "east", "ready", "20261119T080000Z-00000000", "130000", "130", "7"]);
    assert_eq!((east[8], west[2], west[4]), (r"alerts of detector-0: odd\u{1b}[2J\u{9b}1m\u{202e}", "silent", "-"));
    assert!(west[8].starts_with("silent since ") && west[8].contains(west[7]), "{plain}");
    let json = data.json(&["status", "--pipeline", "kdd"]);
    assert_eq!((&json[0]["silent_since_utc"], &json[0]["lag_records"]), (&Value::Null, &json!(7)));
}

#[tokio::test]
async fn what_is_not_there_is_said_beside_what_is() {
    let data = Data::new().await;
    let namespace = data.failure(&["status"]);
    assert!(namespace.contains("namespace default has no pipelines; namespaces that have are demo"), "{namespace}");
    for (words, said) in [
        (&["alerts", "list", "--pipeline", "kd"][..], "namespace demo has no pipeline kd; the nearest are kdd"),
        (&["alerts", "list", "--site", "est"], "pipeline kdd has no site est; the nearest are east, west"),
        (&["archive", "ls", "--site", "wets"], "has no site wets; the nearest are west, east"),
        (&["archive", "cat", "--site", "wets"], "has no site wets"),
        (&["archive", "verify", "--pipeline", "kd"], "namespace demo has no pipeline kd; the nearest are kdd"),
        (&["alerts", "show", "east-00012"], "no alert east-00012 is archived; the nearest are east-00012"),
        (&["alerts", "show", HOSTILE], r"no alert odd\u{1b}[2J"),
        (
            &["incidents", "show", "00000000-0000-5000-8000-00000000000"],
            "the nearest are 00000000-0000-5000-8000-0000000000",
        ),
        (&["alerts", "list", "--from", "2026-11-21", "--until", "2026-11-20"], "is not before --until"),
    ] {
        let error = data.failure(&[words, &["-n", "demo"]].concat());
        assert!(error.contains(said) && !has_control_characters(&error), "{words:?}: {error}");
    }
    let severity = data.run(&["alerts", "list", "--data-dir", "./data", "--severity", "bad"]);
    assert_eq!(severity.status.code(), Some(2));
}

#[tokio::test]
async fn a_shell_completes_commands() {
    let data = Data::new().await;
    for shell in ["bash", "zsh", "fish"] {
        let output = data.run(&["completion", shell]);
        assert!(output.status.success() && String::from_utf8(output.stdout).unwrap().contains("incidents"), "{shell}");
    }
    assert_eq!(data.run(&["completion", "tcsh"]).status.code(), Some(2));
}
