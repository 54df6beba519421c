use std::path::Path;

use prometheus_client::registry::Registry;
use vedette_contract::arguments::{BucketArguments, BudgetTracking, KeyValue};
use vedette_datasets::lookup::TableSettings;
use vedette_records::RecordReader;
use vedette_service::{Readiness, Shutdown};
use vedette_streams::bucket::Bucket;
use vedette_streams::kafka::Watch;

use super::table::{Place, Table};
use super::*;
use crate::added::{AddedFieldError, AddedFields};
use crate::detector::{Detector, DetectorSettings, Output};
use crate::input::Input;
use crate::readiness::LOOKUPS;
use crate::tally::{FieldTally, Tally};
use crate::testing;
use crate::threshold::Threshold;

fn lookup(name: &str, field: &str, columns: &str, prefix: &str) -> Lookup {
    let columns: Vec<String> = columns.split(' ').map(|column| format!("{column:?}")).collect();
    format!(
        r#"{{"name":"{name}","field":"{field}","place":"file","format":"Csv","keyColumn":"key","columns":[{}],"prefix":"{prefix}"}}"#,
        columns.join(",")
    )
    .parse()
    .unwrap()
}

fn table(text: &str, columns: &[&str]) -> LookupTable {
    let settings = settings(columns);
    LookupTable::load(text.as_bytes(), &settings).unwrap()
}

fn settings(columns: &[&str]) -> TableSettings {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    TableSettings { format: vedette_contract::lookup::TableFormat::Csv, key_column: "key".to_owned(), columns }
}

fn tables(lookups: &[Lookup], metrics: &Metrics) -> Tables {
    let file = |lookup: &Lookup| KeyValue { key: lookup.name.to_string(), value: "/nowhere".to_owned() };
    let files: Vec<KeyValue> = lookups.iter().map(file).collect();
    Tables::new(lookups, &files, &Bucket::new(&BucketArguments::default()), metrics).unwrap()
}

fn metrics() -> Metrics {
    Metrics::register(&mut Registry::default())
}

fn count(metrics: &Metrics, lookup: &str, outcome: LookupOutcome) -> u64 {
    metrics.lookups.get_or_create(&LookupLabel { lookup: lookup.to_owned(), outcome }).get()
}

#[test]
fn values_are_spliced_in_and_what_matches_nothing_is_counted() {
    let (lookups, metrics) =
        ([lookup("services", "port", "name risk", "dst_"), lookup("assets", "flow.src", "zone", "")], metrics());
    let tables = tables(&lookups, &metrics);
    tables.slot(&lookups[0].name).put(table("key,name,risk\n80,http,0.5\n443,https,\n", &["name", "risk"]));
    tables.slot(&lookups[1].name).put(table("key,zone\n10.0.0.1,inside\n", &["zone"]));
    let calculated = ["twice=dst_risk * 2", "label=zone + '/' + dst_name"].map(|text| text.parse().unwrap());
    let (mut added, names) = AddedFields::compile(&lookups, &tables, &calculated, &metrics).unwrap();
    let mut reader = RecordReader::new(names);
    added.start();
    let mut append = |record: &str| {
        let record = reader.read(record.as_bytes()).unwrap();
        let (mut out, mut values) = (Vec::new(), vec![None; added.count()]);
        added.append(&record, &mut out, &mut values, |_, _| {});
        let value = |place: Option<Range<usize>>| place.map(|place| String::from_utf8(out[place].to_vec()).unwrap());
        let values: Vec<_> = values.into_iter().map(value).collect();
        (String::from_utf8(out).unwrap(), values)
    };
    let (whole, values) = append(r#"{"port":80,"flow":{"src":"10.0.0.1"}}"#);
    assert_eq!(whole, r#","dst_name":"http","dst_risk":0.5,"zone":"inside","twice":1.0,"label":"inside/http""#);
    let json = |text: &str| Some(text.to_owned());
    assert_eq!(values, [json("\"http\""), json("0.5"), json("\"inside\""), json("1.0"), json("\"inside/http\"")]);
    assert_eq!(append(r#"{"port":" 443 "}"#).0, r#","dst_name":"https""#);
    for record in
        [r#"{"port":8080}"#, r#"{"port":80.0}"#, r#"{"port":null}"#, r#"{"port":[80]}"#, r#"{"port":""}"#, "{}"]
    {
        assert_eq!(append(record), (String::new(), vec![None; 5]), "{record}");
    }
    let counted = |lookup: &str| LookupOutcome::ALL.map(|outcome| count(&metrics, lookup, outcome));
    assert_eq!([counted("services"), counted("assets")], [[0; 3]; 2], "what is not committed does not count");
    let fields = FieldTally { lookups: added.take_outcomes(), ..FieldTally::default() };
    metrics.count_committed(&Tally { fields, ..Tally::default() });
    assert_eq!([counted("services"), counted("assets")], [[2, 2, 4], [1, 0, 7]]);
    assert!(added.take_outcomes().is_empty());
    assert_eq!(
        ["dst_risk", "zone", "twice", "port"].map(|name| added.position(name)),
        [Some(1), Some(2), Some(3), None]
    );
}

#[test]
fn a_record_that_brings_a_field_that_is_looked_up_is_refused() {
    let (lookups, metrics) = ([lookup("services", "port", "name", "")], metrics());
    let (_, names) = AddedFields::compile(&lookups, &tables(&lookups, &metrics), &[], &metrics).unwrap();
    let mut reader = RecordReader::new(names);
    assert!(reader.read(br#"{"port":80,"name":"own"}"#).unwrap_err().message.contains("\"name\""));
}

#[test]
fn what_cannot_work_is_refused_at_the_start() {
    let calculated = ["risk=1".parse().unwrap()];
    for (lookups, complaint) in [
        (vec![lookup("a", "port", "score", "")], "reserved"),
        (
            vec![lookup("a", "port", "name", ""), lookup("b", "src", "name", "")],
            "lookup b: the field name is added twice",
        ),
        (vec![lookup("a", "port", "risk", "")], "added twice"),
        (vec![lookup("a", "site", "name", "")], "no record has it"),
        (vec![lookup("a", "risk", "name", "")], "no record has it"),
        (vec![lookup("a", "port", "name", ""), lookup("b", "name", "zone", "")], "no record has it"),
    ] {
        let metrics = metrics();
        let outcome = AddedFields::compile(&lookups, &tables(&lookups, &metrics), &calculated, &metrics);
        let Err(error @ AddedFieldError::Lookup(_)) = outcome else { panic!("{lookups:?}") };
        assert!(error.to_string().contains(complaint), "{complaint}: {error}");
    }
    let lookups = [lookup("a", "port", "name", "")];
    let nowhere = Tables::new(&lookups, &[], &Bucket::new(&BucketArguments::default()), &metrics());
    assert!(nowhere.unwrap_err().to_string().contains("file"));
}

#[test]
fn a_value_that_was_looked_up_is_a_feature_and_a_reason() {
    let (lookups, metrics) = (vec![lookup("sizes", "size", "other total_bytes", "")], metrics());
    let tables = tables(&lookups, &metrics);
    let text = "key,other,total_bytes\nsmall,x,450\nlarge,x,90000\n";
    tables.slot(&lookups[0].name).put(table(text, &["other", "total_bytes"]));
    let settings = DetectorSettings {
        site: "east".parse().unwrap(),
        sensor_messages_topic: "sensor_messages".parse().unwrap(),
        renamed_fields: Vec::new(),
        lookups,
        calculated_fields: vec!["more=total_bytes + 1".parse().unwrap()],
        threshold: Threshold::new(None, BudgetTracking::Disabled, Some(0.99)).unwrap(),
        reasons: 2,
        max_message_bytes: 4096,
    };
    let mut detector = Detector::new(settings, &tables, Some(testing::model()), Watch::default(), &metrics).unwrap();
    let records = ["small", "large", "unknown"]
        .map(|size| format!(r#"{{"uuid":"u","size":"{size}","duration":1,"service":"http"}}"#));
    let input = |record| Input { value: Some(record), partition: 0, offset: 0, timestamp: None, overhead: 0 };
    let inputs: Vec<Input<'_>> = records.iter().map(|record| input(record.as_bytes())).collect();
    let mut alerts = Vec::new();
    let outcome: Result<(), ()> = detector.process(&inputs, jiff::Timestamp::UNIX_EPOCH, |_, output| {
        let Output::Enriched { alert, .. } = output else { panic!("{output:?}") };
        alerts.push(alert.map(|alert| serde_json::from_slice::<serde_json::Value>(alert).unwrap()));
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(alerts.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false], "{alerts:?}");
    let alert = alerts[1].as_ref().unwrap();
    assert_eq!((&alert["total_bytes"], &alert["more"]), (&90_000.into(), &90_001.into()));
    let reason = &alert["reasons"][0];
    assert_eq!((&reason["field"], &reason["value"]), (&"total_bytes".into(), &90_000.into()));
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn a_table_that_is_damaged_or_gone_leaves_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("services.csv");
    let metrics = metrics();
    let mut table =
        Table::new("services".parse().unwrap(), Place::File(path.clone()), settings(&["name"]), metrics.clone());
    let name = |table: &Table| {
        let value = table.slot.get()?.get("80")?.values().next()??.to_vec();
        Some(String::from_utf8(value).unwrap())
    };
    table.refresh().await;
    assert!(table.lacks().unwrap().contains("services.csv"), "{:?}", table.lacks());
    write(&path, "key,label\n80,http\n");
    table.refresh().await;
    assert!(table.lacks().unwrap().contains("no column \"name\""), "{:?}", table.lacks());
    write(&path, "key,name\n80,http\n");
    table.refresh().await;
    assert_eq!((table.lacks(), name(&table).as_deref()), (None, Some("\"http\"")));

    let failures = || {
        metrics.lookup_table_failures.get_or_create(&crate::metrics::TableLabel { lookup: "services".to_owned() }).get()
    };
    let before = failures();
    write(&path, "key,name\n80,\"htt");
    for _ in 0..3 {
        table.refresh().await;
    }
    assert_eq!((failures() - before, name(&table).as_deref()), (1, Some("\"http\"")), "one look at one content");
    std::fs::remove_file(&path).unwrap();
    table.refresh().await;
    assert_eq!((failures() - before, name(&table).as_deref()), (2, Some("\"http\"")));
    write(&path, "key,name\n80,web\n");
    table.refresh().await;
    assert_eq!((table.lacks(), name(&table).as_deref()), (None, Some("\"web\"")));
}

#[tokio::test]
async fn readiness_says_which_table_is_lacking() {
    let lookups = [lookup("services", "port", "name", "")];
    let mut tables = tables(&lookups, &metrics());
    let (readiness, shutdown) = (Readiness::new(&[LOOKUPS]), Shutdown::new());
    shutdown.cancel();
    assert!(!tables.wait(&readiness, &shutdown).await);
    let (condition, reason) = readiness.reasons().remove(0);
    assert!(condition == LOOKUPS && reason.starts_with("services: ") && reason.contains("/nowhere"), "{reason}");
}
