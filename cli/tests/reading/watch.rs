//! What `vedette` tells again and again: alerts as they come, and listings whenever they have changed.

use serde_json::{Value, json};
use vedette_testing::{Ended, Running};

use super::data::{Data, HOSTILE, OPEN, alerts, incident, object, uuid};
use super::has_control_characters;

async fn document(running: &mut Running) -> Value {
    let line = running.line().await;
    assert!(!has_control_characters(&line), "{line:?}");
    serde_json::from_str(&line).unwrap()
}

/// It ends well, and had nothing more to say.
async fn ends(running: Running) {
    let Ended { status, printed, said } = running.interrupt().await;
    assert_eq!((status.code(), printed, said), (Some(0), Vec::new(), Vec::new()));
}

#[tokio::test]
async fn each_alert_is_told_once_whether_it_comes_in_a_delta_or_in_an_object() {
    let mut data = Data::new().await;
    let mut follow = data.start(&["alerts", "list", "--follow", "--limit", "2", "-o", "json"]).await;
    let tells = async |follow: &mut Running, site: &str, numbers: &[usize]| {
        for number in numbers {
            let told = document(follow).await;
            assert_eq!((&told["uuid"], &told["site"]), (&json!(uuid(site, *number)), &json!(site)));
        }
    };
    tells(&mut follow, "east", &[128, 129]).await;
    data.tail(&object("alerts", "2026-11-21", "west", 40), 50, &alerts("west", 110..112)).await;
    tells(&mut follow, "west", &[110, 111]).await;
    // The object is closed with what its deltas had, those of before among them, and one more.
    data.archive("alerts", "2026-11-21", "west", 40, &alerts("west", 100..113)).await;
    tells(&mut follow, "west", &[112]).await;
    // Two were told before.
    data.archive("alerts", "2026-11-21", "east", 180, &alerts("east", 128..131)).await;
    tells(&mut follow, "east", &[130]).await;
    // Another site brings a day of before, with one that west has, too.
    let other = alerts("south", 112..114);
    data.archive("alerts", "2026-11-20", "south", 0, &other).await;
    tells(&mut follow, "south", &[112, 113]).await;
    ends(follow).await;
}

#[tokio::test]
async fn what_is_damaged_is_said_and_a_bucket_that_is_away_is_waited_for() {
    let mut data = Data::new().await;
    let words = ["alerts", "list", "--follow", "--limit", "1", "--severity", "high", "--site", "west", "-o", "plain"];
    let mut follow = data.start(&words).await;
    let tells = async |follow: &mut Running, number: usize| {
        let line = follow.line().await;
        let row: Vec<&str> = line.split('\t').collect();
        assert_eq!((row[2], row[5]), ("critical", uuid("west", number).as_str()), "{line}");
        assert!(!has_control_characters(&line), "{line:?}");
    };
    tells(&mut follow, 100).await;
    let damaged = object("alerts", "2026-11-21", "west", 60);
    data.served.put(&damaged, "altered").await;
    let complaint = follow.complaint().await;
    assert!(complaint.starts_with(&format!("warning: {damaged} could not all be read: ")), "{complaint}");
    data.served.go_away().await;
    let complaint = follow.complaint().await;
    assert!(complaint.starts_with("warning: cannot ") && complaint.ends_with("; it is waited for"), "{complaint}");
    data.served.come_back().await;
    assert_eq!(follow.complaint().await, "the bucket answers again");
    data.archive("alerts", "2026-11-21", "east", 180, &alerts("east", 140..151)).await;
    data.archive("alerts", "2026-11-21", "west", 70, &alerts("west", 140..151)).await;
    tells(&mut follow, 140).await;
    tells(&mut follow, 150).await;
    ends(follow).await;
}

#[tokio::test]
async fn people_who_follow_get_columns_and_scripts_lines_and_yaml_documents() {
    let mut data = Data::new().await;
    let words = |format: &'static str| ["alerts", "list", "--follow", "--limit", "1", "-o", format];
    let mut table = data.start(&words("table")).await;
    assert!(table.line().await.starts_with("DETECTED (UTC) "));
    let row = table.line().await;
    assert!(row.starts_with("2026-11-21 08:29:00  east "), "{row}");
    data.archive("alerts", "2026-11-21", "east", 180, &alerts("east", 130..131)).await;
    let next = table.line().await;
    assert_eq!((next.len(), next.find("east-000130")), (row.len(), row.find("east-000129")), "{row}\n{next}");
    ends(table).await;
    let mut yaml = data.start(&words("yaml")).await;
    assert_eq!(yaml.line().await, "---");
    let Ended { status, printed, said } = yaml.interrupt().await;
    let told: Value = serde_yaml::from_str(&printed.join("\n")).unwrap();
    assert_eq!((status.code(), &told["alert_text"], said), (Some(0), &json!(HOSTILE), Vec::new()));
}

#[tokio::test]
async fn incidents_and_alerts_are_listed_again_when_the_archive_has_others() {
    let mut data = Data::new().await;
    let mut watch = data.start(&["incidents", "list", "--open", "--watch", "-o", "json"]).await;
    assert_eq!(document(&mut watch).await["incidents"][0]["id"], OPEN);
    data.archive("incidents", "2026-11-21", "east", 5, &[incident(OPEN, 2, 3)]).await;
    assert_eq!(document(&mut watch).await["incidents"], json!([]));
    ends(watch).await;

    let mut watch = data.start(&["alerts", "list", "--limit", "1", "--watch", "-o", "plain"]).await;
    assert!(watch.line().await.contains("east-000129"));
    data.archive("alerts", "2026-11-21", "east", 180, &alerts("east", 130..131)).await;
    assert_eq!(watch.line().await, "");
    assert!(watch.line().await.contains("east-000130"));
    data.served.go_away().await;
    assert!(watch.complaint().await.ends_with("; it is waited for"));
    data.served.come_back().await;
    assert_eq!(watch.complaint().await, "the bucket answers again");
    ends(watch).await;
}

#[tokio::test]
async fn an_archive_that_lists_nothing_new_is_not_read_again() {
    let mut data = Data::new().await;
    let mut watch = data.start(&["alerts", "list", "--limit", "1", "--watch", "-o", "json"]).await;
    document(&mut watch).await;
    data.served.behave(vedette_testing::bucket::Behaviour::OnlyLists);
    let looked = async |looks: usize| {
        let before = data.served.requests();
        vedette_testing::eventually("the bucket is looked at", async || data.served.requests() >= before + 4 * looks)
            .await;
    };
    looked(3).await;
    ends(watch).await;
}

#[tokio::test]
async fn what_was_read_is_not_read_again_where_something_new_is() {
    let mut data = Data::new().await;
    let complaint = format!("warning: {} could not all be read: ", object("alerts", "2026-11-19", "east", 0));
    let mut watch = data.start(&["alerts", "list", "--severity", "critical", "--watch", "-o", "json"]).await;
    let numbers = |told: &Value, site: &str| -> Vec<Value> {
        let of_site = told["alerts"].as_array().unwrap().iter().filter(|alert| alert["site"] == site);
        of_site.map(|alert| alert["uuid"].clone()).collect()
    };
    let before = document(&mut watch).await;
    assert_eq!((numbers(&before, "east").len(), numbers(&before, "west").len()), (13, 5));
    assert!(watch.complaint().await.starts_with(&complaint));
    // Whoever read these again would have none of their alerts.
    for (day, site, start) in [("2026-11-20", "east", 50), ("2026-11-20", "west", 0), ("2026-11-21", "east", 150)] {
        data.served.put(&object("alerts", day, site, start), "altered").await;
    }
    let open = object("alerts", "2026-11-21", "west", 40);
    data.served.put(&format!("{open}.tmp/{:020}", 40), "altered").await;
    data.tail(&open, 50, &alerts("west", 110..121)).await;
    let after = document(&mut watch).await;
    assert_eq!(numbers(&after, "east"), numbers(&before, "east"));
    assert_eq!(numbers(&after, "west")[..2], [120, 110].map(|number| json!(uuid("west", number))));
    // What is closed is read once more, and tells of no alert twice.
    data.archive("alerts", "2026-11-21", "west", 40, &alerts("west", 100..131)).await;
    let closed = document(&mut watch).await;
    assert_eq!(numbers(&closed, "west")[0], uuid("west", 130));
    assert_eq!(numbers(&closed, "west")[1..], numbers(&after, "west")[..]);
    ends(watch).await;
}

#[tokio::test]
async fn one_that_there_was_no_room_for_is_listed_when_another_goes() {
    let mut data = Data::new().await;
    let other = "00000000-0000-5000-8000-000000000003";
    data.served.come_back().await;
    data.archive("incidents", "2026-11-20", "east", 0, &[incident(other, 0, 1)]).await;
    let mut watch = data.start(&["incidents", "list", "--open", "--limit", "1", "--watch", "-o", "json"]).await;
    assert_eq!(document(&mut watch).await["incidents"][0]["id"], OPEN);
    data.archive("incidents", "2026-11-21", "east", 5, &[incident(OPEN, 2, 3)]).await;
    assert_eq!(document(&mut watch).await["incidents"][0]["id"], other);
    ends(watch).await;
}

#[tokio::test]
async fn alerts_of_one_uuid_are_all_told() {
    let mut data = Data::new().await;
    let mut follow = data.start(&["alerts", "list", "--follow", "--limit", "1", "-o", "json"]).await;
    assert_eq!(document(&mut follow).await["uuid"], uuid("east", 129));
    let mut same = alerts("east", 130..132);
    same.iter_mut().for_each(|alert| alert["uuid"] = json!(uuid("east", 129)));
    data.archive("alerts", "2026-11-21", "east", 180, &same).await;
    for number in [130, 131] {
        let told = document(&mut follow).await;
        assert_eq!((&told["uuid"], &told["reasons"][0]["value"]), (&json!(uuid("east", 129)), &json!(number)));
    }
    ends(follow).await;
}

#[tokio::test]
async fn silences_verdicts_and_sites_are_told_again_when_somebody_wrote_one() {
    let mut data = Data::new().await;
    let id = "20261123T084210Z-0a1b2c3d";
    let mut watch = data.start(&["silences", "list", "--watch", "-o", "yaml"]).await;
    assert_eq!(watch.line().await, "---");
    let silence = json!({ "match": "true", "from": "2026-11-23T08:00:00Z", "until": "2126-11-23T08:00:00Z", "by": "ada", "why": "turned\u{202e}" });
    data.served.put_json(&format!("demo/kdd/silences/east/{id}.json"), &silence).await;
    data.served.put("demo/kdd/silences/east/odd.json", "{}").await;
    while !watch.line().await.contains(id) {}
    let Ended { status, printed, said: _ } = watch.interrupt().await;
    assert_eq!((status.code(), has_control_characters(&printed.join("\n"))), (Some(0), false));

    let mut watch = data.start(&["verdicts", "list", "--watch", "-o", "json"]).await;
    assert_eq!(document(&mut watch).await["verdicts"], json!([]));
    let alert = json!({ "uuid": uuid("west", 3), "site": "west", "detectedUtc": "2026-11-20T08:03:30.000001Z" });
    let verdict =
        json!({ "alert": alert, "verdict": "expected", "by": "ada", "why": "a test", "at": "2026-11-23T08:42:10Z" });
    data.served.put_json(&format!("demo/kdd/labels/east/2026-11/{id}.json"), &verdict).await;
    assert_eq!(document(&mut watch).await["verdicts"][0]["id"], id);
    ends(watch).await;

    let mut watch = data.start(&["status", "--watch", "-o", "json"]).await;
    assert_eq!(document(&mut watch).await[0]["ready"], true);
    data.served.put("demo/kdd/sites/east.json", "{}").await;
    while document(&mut watch).await[0]["ready"] == true {}
    assert_eq!(watch.interrupt().await.status.code(), Some(0));
}
