//! People write on the page: silences and verdicts, who may and who may not.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::verdict::{Finding, Judged};
use vedette_registry::silences::{SilenceReader, Silences};
use vedette_registry::verdicts;
use vedette_testing::{TestBucket, eventually, http_get};

use crate::support::{self, Console, Events, alert, site_status};
use crate::surroundings;

const TOKEN: &str = "a-token-of-a-test-0123456789";

fn keys() -> PipelineKeys {
    PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap())
}

/// A file with the token; it goes with the test.
pub(crate) struct TokenFile(PathBuf);

impl TokenFile {
    pub(crate) fn write(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vedette-console-{test}-{}", std::process::id()));
        std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
        Self(path)
    }

    pub(crate) fn option(&self) -> String {
        format!("--write-token-file={}", self.0.display())
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The status of an answer, and what it says.
pub(crate) async fn post(console: &Console, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
    let json = [("content-type", "application/json")];
    let answer = console.send("POST", path, &[&json[..], headers].concat(), &body.to_string()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
}

pub(crate) fn by_token() -> [(&'static str, &'static str); 1] {
    [("authorization", "Bearer a-token-of-a-test-0123456789")]
}

fn silence(matches: &str) -> Value {
    let until = Timestamp::now() + SignedDuration::from_hours(1);
    json!({ "namespace": "team", "pipeline": "flows", "match": matches, "until": until, "why": "a test" })
}

pub(crate) fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

async fn in_the_bucket(bucket: &TestBucket) -> Silences {
    SilenceReader::default().read(&bucket.bucket, &keys()).await.unwrap()
}

/// A console of east that shows a pipeline.
pub(crate) async fn showing(bucket: &TestBucket, broker: &vedette_testing::TestBroker, more: &[&str]) -> Console {
    bucket.put_json("team/flows/sites/east.json", &site_status("east", Timestamp::now())).await;
    let console = Console::start(bucket, broker, more).await;
    eventually("the pipeline is shown", async || {
        !console.json("/api/v1/overview").await["sites"].as_array().unwrap().is_empty()
    })
    .await;
    console
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_is_added_seen_by_all_and_ended() {
    let (bucket, broker) = surroundings().await;
    let token = TokenFile::write("silence");
    let console = showing(&bucket, &broker, &[&token.option()]).await;
    let mut events = Events::listen(console.page, None).await;
    events.next().await;
    let body = with(silence("site == 'east' && example.service == 'ssh'"), "by", " ada ");
    let (status, added) = post(&console, "/api/v1/silences", &by_token(), &body).await;
    assert_eq!((status, &added["state"], &added["by"]), (200, &"in force".into(), &"ada".into()), "{added}");
    let id = added["id"].as_str().unwrap().to_owned();
    let kept = in_the_bucket(&bucket).await.all.remove(0);
    assert_eq!((kept.key.id.as_str(), kept.key.site.as_str(), kept.silence.by()), (id.as_str(), "east", "ada"));
    assert_eq!(kept.silence.matches(), "site == 'east' && example.service == 'ssh'");
    while events.next().await.data["people"] != true {}
    let listed = console.json("/api/v1/silences?pipeline=flows").await;
    assert_eq!((&listed["in_force"], &listed["silences"][0]["id"]), (&1.into(), &id.as_str().into()), "{listed}");

    let end = json!({ "namespace": "team", "pipeline": "flows", "by": "ada" });
    let nameless = json!({ "namespace": "team", "pipeline": "flows" });
    let (status, said) = post(&console, &format!("/api/v1/silences/{id}/end"), &by_token(), &nameless).await;
    assert_eq!(status, 422, "who ended it stands in the log: {said}");
    let (status, ended) = post(&console, &format!("/api/v1/silences/{id}/end"), &by_token(), &end).await;
    assert_eq!((status, &ended["silence"]["state"], &ended["is_deleted"]), (200, &"over".into(), &false.into()));
    assert!(in_the_bucket(&bucket).await.all[0].silence.until() <= Timestamp::now() + SignedDuration::from_secs(2));
    assert_eq!(console.json("/api/v1/silences?state=in%20force").await["matching"], 0);
    assert_eq!(console.json("/api/v1/silences?state=over").await["matching"], 1);

    let later = with(silence("true"), "from", (Timestamp::now() + SignedDuration::from_mins(30)).to_string());
    let (_, later) = post(&console, "/api/v1/silences", &by_token(), &with(later, "by", "ada")).await;
    assert_eq!(later["state"], "to come", "{later}");
    let path = format!("/api/v1/silences/{}/end", later["id"].as_str().unwrap());
    assert_eq!(post(&console, &path, &by_token(), &end).await.1["is_deleted"], true);
    assert_eq!(post(&console, &path, &by_token(), &end).await.0, 404, "it is gone");
    let again = post(&console, &format!("/api/v1/silences/{id}/end"), &by_token(), &end).await.1;
    assert_eq!(again["silence"]["state"], "over", "{again}");
    let metrics = http_get(console.probes, "/metrics").await;
    for counted in ["vedette_console_actions_total 4\n", "vedette_console_refused_actions_total 2\n"] {
        assert!(metrics.contains(counted), "{counted} in {metrics}");
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_one_by_the_clock_of_the_bucket() {
    let (bucket, broker) = surroundings().await;
    let token = TokenFile::write("hour");
    let console = showing(&bucket, &broker, &[&token.option()]).await;
    let lasting = |seconds: Value| {
        let mut body = with(silence("true"), "by", "ada");
        body.as_object_mut().unwrap().remove("until");
        with(body, "lasting_seconds", seconds)
    };
    let (status, added) = post(&console, "/api/v1/silences", &by_token(), &lasting(3600.into())).await;
    assert_eq!(status, 200, "{added}");
    let kept = in_the_bucket(&bucket).await.all.remove(0).silence;
    // It has begun for all, a second before it was asked for.
    assert_eq!(kept.until().duration_since(kept.from()), SignedDuration::from_secs(3601));
    for wrong in [lasting(Value::Null), with(silence("true"), "lasting_seconds", 3600)] {
        let (status, said) = post(&console, "/api/v1/silences", &by_token(), &with(wrong, "by", "ada")).await;
        assert_eq!(status, 422, "{said}");
        assert!(said["detail"].as_str().unwrap().contains("one of them"), "{said}");
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_asked_for_under_hosts_that_lead_nobody_astray() {
    let (bucket, broker) = surroundings().await;
    let token = TokenFile::write("host");
    let console = showing(&bucket, &broker, &[&token.option(), "--page-host=vedette.corp"]).await;
    for (host, status) in
        [("evil.example:8090", 421), ("127.0.0.1:8090", 200), ("vedette.corp", 200), ("vedette.corp.evil.example", 421)]
    {
        for path in ["/", "/api/v1/overview"] {
            let answer = console.ask("GET", path, &[("host", host)]).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
            assert!(status == 200 || answer.contains("--page-host"), "{answer}");
        }
    }
    let body = with(silence("true"), "by", "ada");
    for (origin, status) in [("http://vedette.corp", 200), ("http://other.corp", 403)] {
        // As a proxy asks that lets no host of its browsers pass.
        let headers = [by_token()[0], ("origin", origin)];
        let (found, said) = post(&console, "/api/v1/silences", &headers, &body).await;
        assert_eq!(found, status, "{origin}: {said}");
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silences_of_other_sites_are_shown_and_left_to_them() {
    let (bucket, broker) = surroundings().await;
    let token = TokenFile::write("other");
    let now = Timestamp::now();
    let of_west = json!({
        "match": "true", "from": now, "until": now + SignedDuration::from_hours(1), "by": "ada", "why": "a test",
    });
    bucket.put_json("team/flows/silences/west/20261123T084210Z-0a1b2c3d.json", &of_west).await;
    bucket.put("team/flows/silences/west/20261123T084211Z-0a1b2c3d.json", "{half").await;
    let console = showing(&bucket, &broker, &[&token.option()]).await;
    eventually("it is there", async || console.json("/api/v1/silences").await["matching"] == 1).await;
    let listed = console.json("/api/v1/silences?site=west").await;
    assert_eq!(listed["silences"][0]["site"], "west");
    assert!(listed["passed"][0]["key"].as_str().unwrap().ends_with("084211Z-0a1b2c3d.json"), "{listed}");
    let end = json!({ "namespace": "team", "pipeline": "flows", "by": "ada" });
    let (status, said) = post(&console, "/api/v1/silences/20261123T084210Z-0a1b2c3d/end", &by_token(), &end).await;
    assert_eq!(status, 409, "{said}");
    assert!(said["detail"].as_str().unwrap().contains("at the console of west"), "{said}");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_silence_is_refused_with_what_to_do() {
    let (bucket, broker) = surroundings().await;
    let token = TokenFile::write("wrong");
    let console = showing(&bucket, &broker, &[&token.option()]).await;
    let good = || with(silence("true"), "by", "ada");
    for (body, status, words) in [
        (with(good(), "match", "service == 1"), 422, "example.service"),
        (with(good(), "match", "site =="), 422, "is not a CEL expression"),
        (with(good(), "match", "example.all(x, true)"), 422, "goes through a list or a map"),
        (with(good(), "until", "2026-01-01T00:00:00Z"), 422, "must be after from"),
        (with(with(good(), "until", "2026-01-02T00:00:00Z"), "from", "2026-01-01T00:00:00Z"), 422, "is over"),
        (
            with(with(good(), "match", "alerts > 1"), "exclude_from_training", true),
            422,
            "only incidents and alerts have",
        ),
        (with(good(), "why", " "), 422, "say why"),
        (with(good(), "by", "a\nb"), 422, "say who wants it"),
        (silence("true"), 422, "say who wants it"),
        (with(good(), "until", "tomorrow"), 400, "openapi.json"),
        (with(good(), "namespace", "../x"), 400, "openapi.json"),
        (with(good(), "colour", "red"), 400, "colour"),
        (json!([]), 400, "openapi.json"),
        (with(good(), "pipeline", "others"), 404, "no site tells of a pipeline team/others"),
    ] {
        let (found, said) = post(&console, "/api/v1/silences", &by_token(), &body).await;
        assert_eq!(found, status, "{said}");
        assert!(said["detail"].as_str().unwrap().contains(words), "{words}: {said}");
    }
    let long = [by_token()[0], ("content-type", "application/json"), ("content-length", "30000")];
    let answer = console.ask("POST", "/api/v1/silences", &long).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("at most 20 KiB"), "{answer}");
    assert_eq!(in_the_bucket(&bucket).await, Silences::default());
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_who_is_not_known_and_no_other_page_does() {
    let (bucket, broker) = surroundings().await;
    let token = TokenFile::write("known");
    let console = showing(&bucket, &broker, &[&token.option()]).await;
    let body = with(silence("true"), "by", "ada");
    let token_and = |name: &'static str, value: &'static str| vec![by_token()[0], (name, value)];
    for (headers, status, words) in [
        (vec![], 401, "Authorization: Bearer"),
        (vec![("authorization", "Bearer a-token-of-a-test-0123456788")], 401, "none of this console"),
        (vec![("x-forwarded-user", "ada")], 401, "Authorization: Bearer"),
        (token_and("origin", "http://evil.example.org"), 403, "another page"),
        (token_and("origin", "null"), 403, "another page"),
        (token_and("sec-fetch-site", "cross-site"), 403, "another page"),
        (token_and("sec-fetch-site", "same-site"), 403, "another page"),
    ] {
        for path in ["/api/v1/silences", "/api/v1/silences/20261123T084210Z-0a1b2c3d/end", "/api/v1/verdicts"] {
            let (found, said) = post(&console, path, &headers, &body).await;
            assert_eq!(found, status, "{path} {headers:?}: {said}");
            assert!(said["detail"].as_str().unwrap().contains(words), "{words}: {said}");
        }
    }
    // A form of another page can send these, and asks nobody before.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let headers = [by_token()[0], ("content-type", kind)];
        let answer = console.send("POST", "/api/v1/silences", &headers, &body.to_string()).await;
        assert!(answer.starts_with("HTTP/1.1 415 ") && answer.contains("application/json"), "{answer}");
    }
    let asked_before = [("origin", "http://evil.example.org"), ("access-control-request-method", "POST")];
    let answer = console.ask("OPTIONS", "/api/v1/silences", &asked_before).await;
    assert!(answer.starts_with("HTTP/1.1 405 ") && !answer.contains("access-control-allow"), "{answer}");
    assert!(console.ask("DELETE", "/api/v1/silences", &by_token()).await.starts_with("HTTP/1.1 405 "));
    assert_eq!(in_the_bucket(&bucket).await, Silences::default());

    let own = [by_token()[0], ("origin", "http://localhost"), ("sec-fetch-site", "same-origin")];
    assert_eq!(post(&console, "/api/v1/silences", &own, &body).await.0, 200);
    // What a browser or a proxy puts into Authorization is none of the page's.
    let beside = [("vedette-token", TOKEN), ("authorization", "Basic YWRhOmFkYQ==")];
    assert_eq!(post(&console, "/api/v1/silences", &beside, &body).await.0, 200);
    let metrics = http_get(console.probes, "/metrics").await;
    assert!(metrics.contains("vedette_console_wrong_tokens_total 3\n"), "{metrics}");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_write_is_told_and_without_a_setting_nobody_may() {
    let (bucket, broker) = surroundings().await;
    let token = TokenFile::write("access");
    let access = async |console: &Console, headers: &[(&str, &str)]| -> Value {
        let answer = console.ask("GET", "/api/v1/access", headers).await;
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let console = showing(&bucket, &broker, &[&token.option()]).await;
    let without = access(&console, &[]).await;
    assert_eq!(
        (&without["may_write"], &without["takes_token"], &without["site"]),
        (&false.into(), &true.into(), &"east".into())
    );
    assert_eq!(without["place"][0], "--bucket");
    assert!(!without.to_string().contains("secret"), "{without}");
    assert_eq!(access(&console, &by_token()).await["may_write"], true);
    console.stop().await;

    let console = showing(&bucket, &broker, &[]).await;
    let closed = access(&console, &by_token()).await;
    assert_eq!((&closed["may_write"], &closed["takes_token"]), (&false.into(), &false.into()));
    let (status, said) = post(&console, "/api/v1/silences", &by_token(), &silence("true")).await;
    assert_eq!(status, 403, "{said}");
    assert!(said["detail"].as_str().unwrap().contains("--write-token-file"), "{said}");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_says_who_writes() {
    let (bucket, broker) = surroundings().await;
    let proxy = ["--proxy-user-header=X-Forwarded-User", "--proxy-address=127.0.0.0/8"];
    let console = showing(&bucket, &broker, &proxy).await;
    let ada = [("x-forwarded-user", "ada@example.org")];
    let (status, added) = post(&console, "/api/v1/silences", &ada, &silence("true")).await;
    assert_eq!((status, &added["by"]), (200, &"ada@example.org".into()), "{added}");
    let (status, said) = post(&console, "/api/v1/silences", &ada, &with(silence("true"), "by", "eve")).await;
    assert_eq!(status, 403, "{said}");
    let twice = [ada[0], ("x-forwarded-user", "eve")];
    assert_eq!(post(&console, "/api/v1/silences", &twice, &silence("true")).await.0, 401);
    let long = "a".repeat(101);
    let strange = [("x-forwarded-user", long.as_str())];
    let (status, said) = post(&console, "/api/v1/silences", &strange, &silence("true")).await;
    assert_eq!(status, 403, "{said}");
    let access = console.ask("GET", "/api/v1/access", &strange).await;
    assert!(access.contains("\"may_write\":false") && access.contains("another field"), "{access}");
    console.stop().await;

    let elsewhere = ["--proxy-user-header=X-Forwarded-User", "--proxy-address=192.0.2.7"];
    let console = showing(&bucket, &broker, &elsewhere).await;
    let (status, said) = post(&console, "/api/v1/silences", &ada, &silence("true")).await;
    assert_eq!(status, 401, "{said}");
    assert!(said["detail"].as_str().unwrap().contains("by the proxy"), "{said}");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_is_of_an_alert_or_of_an_incident_and_the_last_one_is_shown() {
    let (bucket, broker) = surroundings().await;
    let token = TokenFile::write("verdict");
    let now = Timestamp::now();
    let nameless = alert("", now, "ftp");
    support::object(&bucket, "west", 0, &[alert("w1", now, "ssh"), nameless]).await;
    let console = showing(&bucket, &broker, &[&token.option()]).await;
    eventually("alerts are there", async || console.json("/api/v1/alerts").await["kept"] == 2).await;
    support::produce(&broker, "incidents", &[&support::incident(now, 2)]);
    eventually("the incident is there", async || console.json("/api/v1/incidents").await["open"] == 1).await;
    let id_of = async |text: &str| {
        console.json(&format!("/api/v1/alerts?text={text}")).await["alerts"][0]["id"].as_str().unwrap().to_owned()
    };
    let (alert, nameless) = (id_of("w1").await, id_of("ftp").await);
    let verdict = |finding: &str| json!({ "verdict": finding, "why": "a test", "by": "ada" });
    let give = async |body: Value| post(&console, "/api/v1/verdicts", &by_token(), &body).await;

    for finding in ["anomaly", "expected"] {
        let (status, given) = give(with(verdict(finding), "alert", alert.as_str())).await;
        assert_eq!((status, &given["verdict"], &given["site"]), (200, &finding.into(), &"east".into()), "{given}");
        assert_eq!(console.json(&format!("/api/v1/alerts/{alert}")).await["verdict"]["verdict"], finding);
    }
    let incident = "00000000-0000-5000-8000-000000000001";
    assert_eq!(give(with(verdict("anomaly"), "incident", incident)).await.0, 200);
    assert_eq!(console.json(&format!("/api/v1/incidents/{incident}")).await["verdict"]["by"], "ada");

    let read = verdicts::read(&bucket.bucket, &keys()).await.unwrap();
    assert_eq!((read.all.len(), read.passed.len()), (3, 0));
    let standing: Vec<_> = read.standing().into_values().map(|kept| &kept.verdict).collect();
    let of_alert = standing.iter().find(|verdict| verdict.finding() == Finding::Expected).unwrap();
    let Judged::Alert(judged) = of_alert.judged() else { panic!("{of_alert:?}") };
    assert_eq!((judged.uuid.as_str(), judged.site.as_str()), ("w1", "west"));
    assert_eq!(judged.model_version.as_ref().unwrap().to_string(), "20261123T084210Z-1a2b3c4d");

    for (body, status, words) in [
        (verdict("anomaly"), 400, "one of them"),
        (with(with(verdict("anomaly"), "alert", alert.as_str()), "incident", incident), 400, "one of them"),
        (with(verdict("strange"), "alert", alert.as_str()), 400, "strange"),
        (with(verdict("anomaly"), "alert", "0000"), 404, "no alert"),
        (with(verdict("anomaly"), "incident", "7"), 404, "no incident"),
        (with(verdict("anomaly"), "alert", nameless.as_str()), 409, "judge its incident"),
        (with(with(verdict("anomaly"), "alert", alert.as_str()), "why", ""), 422, "say why"),
    ] {
        let (found, said) = give(body).await;
        assert_eq!(found, status, "{said}");
        assert!(said["detail"].as_str().unwrap().contains(words), "{words}: {said}");
    }
    // The alert is still kept when nothing is left of its pipeline.
    bucket.bucket.delete("team/flows/sites/east.json").await.unwrap();
    eventually("no site tells of it", async || {
        console.json("/api/v1/overview").await["sites"].as_array().unwrap().is_empty()
    })
    .await;
    let (status, said) = give(with(verdict("anomaly"), "alert", alert.as_str())).await;
    assert_eq!(status, 404, "{said}");
    assert!(said["detail"].as_str().unwrap().contains("no site tells of a pipeline"), "{said}");
    console.stop().await;
}
