//! `vedette` through a console: the same commands on the bucket and on the console that reads it answer the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cluster;
mod site;

use std::path::Path;

use serde_json::{Value, json};
use vedette_testing::free_address;
use vedette_testing::pages::words;

use self::site::{INCIDENT, Site, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_console_answers_as_the_bucket_does() {
    let site = Site::new().await;
    for words in [
        &["alerts", "list"][..],
        &["alerts", "list", "--limit", "7"],
        &["alerts", "list", "--site", "west", "--severity", "critical"],
        &["alerts", "list", "--site", "west", "--site", "east", "--limit", "9"],
        &["incidents", "list"],
        &["incidents", "list", "--open", "--site", "east"],
        &["incidents", "show", INCIDENT],
        &["silences", "list", "--all"],
        &["verdicts", "list"],
        &["verdicts", "list", "--all"],
        &["status"],
        &["status", "--pipeline", "flows"],
        &["models", "list"],
        &["models", "list", "--training", "flows"],
    ] {
        for format in ["json", "wide", "plain"] {
            let words = [words, &["-o", format]].concat();
            let (told, read) = (site.through_console(&words).await, site.in_bucket(&words).await);
            assert!(read.status.success(), "{words:?}: {}", String::from_utf8_lossy(&read.stderr));
            assert!(told.status.success(), "{words:?}: {}", String::from_utf8_lossy(&told.stderr));
            assert_eq!(String::from_utf8(told.stdout), String::from_utf8(read.stdout), "{words:?}");
        }
    }
    let newest = json(&site.in_bucket(&["alerts", "list", "-o", "json"]).await);
    let middle = newest["alerts"][20]["detected_utc"].as_str().unwrap();
    for end in ["--until", "--from"] {
        let words = ["alerts", "list", end, middle, "-o", "json"];
        assert_eq!(json(&site.through_console(&words).await), json(&site.in_bucket(&words).await), "{words:?}");
    }
    let show = ["alerts", "show", "west-007", "-o", "json"];
    let (told, mut read) = (json(&site.through_console(&show).await), json(&site.in_bucket(&show).await));
    read["archived_in"] = Value::Null;
    assert_eq!(told, read);
}

#[tokio::test(flavor = "multi_thread")]
async fn silences_are_written_by_a_console_of_who_has_its_token() {
    let site = Site::new().await;
    let add = ["silences", "add", "--match", "site == 'east'", "--for", "2h", "--why", "a test", "-o", "plain"];
    let refused = site.refusal(&add).await;
    assert!(
        refused.contains("the console takes nothing of you") && refused.contains("--console-token-file"),
        "{refused}"
    );

    let added = site.with_token(&add).await;
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let id = String::from_utf8(added.stdout).unwrap().trim().to_owned();
    let list = ["silences", "list", "--all", "-o", "json"];
    let read = json(&site.in_bucket(&list).await);
    assert_eq!(
        (&read["silences"][0]["id"], &read["silences"][0]["by"], &read["silences"][0]["site"]),
        (&json!(id), &json!("ada"), &json!("east"))
    );
    assert_eq!(json(&site.through_console(&list).await), read);

    for (words, said) in [
        (&["silences", "add", "--match", "service == 1", "--for", "2h", "--why", "a"][..], "example.service"),
        (&["silences", "end", "20261123T084210Z-00000000"], id.as_str()),
        (&["silences", "end", &id, "--site", "west"], "this is the console of site east"),
    ] {
        let output = site.with_token(words).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains(said), "{words:?}: {error}");
    }
    let end = ["silences", "end", &id, "-o", "json"];
    assert_eq!(json(&site.with_token(&end).await)["outcome"], "ended");
    assert_eq!(json(&site.with_token(&end).await)["outcome"], "over");
    assert_eq!(json(&site.in_bucket(&["silences", "list", "-o", "json"]).await)["silences"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_console_does_not_tell_is_said_with_the_mend() {
    let site = Site::new().await;
    for (words, said) in [
        (&["archive", "ls"][..], "give the bucket with --bucket"),
        (&["models", "diff", "previous", "current"], "give the bucket with --bucket"),
        (&["models", "list", "--training", "flow"], "has no models of training flow; those that have are flows"),
        (&["models", "show"], "give the bucket with --bucket"),
        (&["status", "--pipeline", "flow"], "has no pipeline flow; the nearest are flows"),
        (&["verdicts", "list", "--pipeline", "flow"], "has no pipeline flow; the nearest are flows"),
        (&["alerts", "list", "--follow"], "give the bucket with --bucket"),
        (&["alerts", "list", "--pipeline", "flow"], "has no pipeline flow; the nearest are flows"),
        (&["alerts", "list", "--site", "est"], "has no site est; the nearest are east, west"),
        (
            &["alerts", "show", "east-99"],
            "is kept by the console, which keeps the newest; the bucket has all; the nearest are east-0",
        ),
        (&["incidents", "show", "0"], INCIDENT),
    ] {
        let error = site.refusal(words).await;
        assert!(error.contains(said), "{words:?}: {error}");
    }
    let away = format!("http://{}", free_address());
    let elsewhere = format!("http://{}", site.bucket.address());
    for (address, said) in [(&away, "no console answers at"), (&elsewhere, "is no console of this version")] {
        let output = site.run(&["alerts", "list", "-n", "team", "--console", address]).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains(said) && error.lines().count() == 1, "{error}");
    }
    for wrong in [
        &["alerts", "list", "--console", "localhost"][..],
        &["alerts", "list", "--console", "http://a", "--data-dir", "b"],
    ] {
        assert_eq!(site.run(wrong).await.status.code(), Some(2), "{wrong:?}");
    }
    let missing = Path::new("no-such-token").display().to_string();
    let error = site.refusal(&["silences", "list", "--console-token-file", &missing]).await;
    assert!(error.contains("cannot read the token in no-such-token"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_are_written_by_a_console_of_who_has_its_token() {
    let site = Site::new().await;
    let add = ["verdicts", "add", "--alert", "west-007", "--verdict", "expected", "--why", "a test", "-o", "json"];
    let refused = site.refusal(&add).await;
    assert!(
        refused.contains("the console takes nothing of you") && refused.contains("--console-token-file"),
        "{refused}"
    );

    let of_incident =
        ["verdicts", "add", "--incident", INCIDENT, "--verdict", "anomaly", "--why", "a test", "-o", "json"];
    for words in [add, of_incident] {
        let given = json(&site.with_token(&words).await);
        assert_eq!((&given["site"], &given["by"]), (&json!("east"), &json!("ada")), "{words:?}");
        let list = ["verdicts", "list", "--all", "-o", "json"];
        let read = json(&site.in_bucket(&list).await);
        let listed = read["verdicts"].as_array().unwrap().iter().find(|verdict| verdict["id"] == given["id"]);
        let mut listed = listed.unwrap().clone();
        assert_eq!(listed.as_object_mut().unwrap().remove("state"), Some(json!("stands")));
        assert_eq!(listed, given, "{words:?}");
        assert_eq!(json(&site.through_console(&list).await), read, "{words:?}");
    }
    let standing = json(&site.through_console(&["verdicts", "list", "-o", "json"]).await);
    assert_eq!(
        standing["verdicts"].as_array().map(Vec::len),
        Some(2),
        "the later one of the alert took the place: {standing}"
    );

    let judge = ["verdicts", "add", "--verdict", "expected", "--why", "a test"];
    for (words, said) in [
        (&["--alert", "west-99"][..], "no alert west-99 is kept by the console"),
        (&["--alert", "west-007", "--alert-site", "est"], "has no site est; the nearest are east, west"),
        (&["--incident", "0"], INCIDENT),
        (&["--alert", "west-007", "--site", "west"], "this is the console of site east"),
    ] {
        let output = site.with_token(&[&judge[..], words].concat()).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(1) && error.contains(said) && error.lines().count() == 1,
            "{words:?}: {error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_writes_in_a_bucket_says_of_which_site_it_is() {
    let site = Site::new().await;
    for words in [
        &["silences", "add", "--match", "true", "--for", "2h", "--why", "a test"][..],
        &["silences", "end", "20261123T084210Z-00000000"],
        &["verdicts", "add", "--alert", "west-007", "--verdict", "expected", "--why", "a test"],
    ] {
        let output = site.in_bucket(words).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains("--site"), "{words:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_help_that_are_of_a_console_run() {
    let site = Site::new().await;
    let add = ["silences", "add", "--match", "true", "--for", "2h", "--why", "a test", "-o", "plain"];
    let silence = String::from_utf8(site.with_token(&add).await.stdout).unwrap();
    let token = site.token_file();
    let here = |word: String| match word.as_str() {
        "http://127.0.0.1:8090" => site.address.clone(),
        "token" => token.clone(),
        "demo" => "team".to_owned(),
        "kdd" => "flows".to_owned(),
        "7c9e6679-7425-40de-944b-e07fc1f90ae7" => "west-007".to_owned(),
        "e10ccd88-6b1b-5425-8e1e-5a86f19dd1c5" => INCIDENT.to_owned(),
        "20261123T084210Z-0a1b2c3d" => silence.trim().to_owned(),
        _ => word,
    };
    for command in [
        ["alerts", "show"],
        ["incidents", "list"],
        ["incidents", "show"],
        ["silences", "add"],
        ["silences", "list"],
        ["silences", "end"],
        ["verdicts", "add"],
        ["verdicts", "list"],
        ["models", "list"],
        ["status", "--help"],
    ] {
        let help = String::from_utf8(site.run(&[&command[..], &["--help"]].concat()).await.stdout).unwrap();
        let (_, examples) = help.rsplit_once("Examples:\n").unwrap();
        let example = examples.lines().find(|example| example.contains(" --console ")).unwrap();
        let words: Vec<String> = words(example).into_iter().skip(1).map(here).collect();
        let output = site.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty(), "{example} prints nothing");
    }
}
