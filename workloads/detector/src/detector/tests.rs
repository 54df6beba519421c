mod simulated;

use super::*;
use crate::identity::UUID_NAMESPACE;
use crate::metrics::Metrics;
use crate::tally::{FeatureTally, Tally};
use crate::testing;
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use vedette_contract::arguments::BudgetTracking;
use vedette_contract::model::TextValues;
use vedette_forest::Matrix;
use vedette_records::{FieldNames, Scalar};

fn settings() -> DetectorSettings {
    DetectorSettings {
        site: "east".parse().unwrap(),
        sensor_messages_topic: "sensor_messages".parse().unwrap(),
        renamed_fields: Vec::new(),
        lookups: Vec::new(),
        calculated_fields: vec!["total_bytes=src_bytes + dst_bytes".parse().unwrap()],
        threshold: Threshold::new(None, BudgetTracking::Disabled, Some(0.99)).unwrap(),
        reasons: 2,
        max_message_bytes: 4096,
    }
}

fn detector(settings: DetectorSettings, with_model: bool) -> Detector {
    let model = with_model.then(testing::model);
    Detector::new(settings, &Tables::default(), model, Watch::default(), &Metrics::register(&mut Registry::default()))
        .unwrap()
}

fn input(value: &[u8]) -> Input<'_> {
    Input {
        value: Some(value),
        partition: 3,
        offset: 42,
        timestamp: Some("2026-11-23T08:00:00.5Z".parse().unwrap()),
        overhead: 100,
    }
}

fn now() -> Timestamp {
    "2026-11-23T08:42:10.123456Z".parse().unwrap()
}

#[derive(Debug)]
enum Seen {
    Enriched(String, Option<String>),
    DeadLetter(DeadLetterReason),
}

impl Seen {
    fn enriched(&self) -> &str {
        let Self::Enriched(value, _) = self else { panic!("{self:?}") };
        value
    }

    fn alert(&self) -> Option<Map<String, Value>> {
        let Self::Enriched(_, alert) = self else { panic!("{self:?}") };
        alert.as_ref().map(|alert| serde_json::from_str(alert).unwrap())
    }
}

fn process(detector: &mut Detector, values: &[&[u8]]) -> Vec<Seen> {
    let inputs: Vec<_> = values.iter().map(|value| input(value)).collect();
    let mut seen = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let outcome: Result<(), ()> = detector.process(&inputs, now(), |position, output| {
        assert_eq!(position, seen.len());
        seen.push(match output {
            Output::Enriched { value, alert, is_simulated: _ } => Seen::Enriched(text(value), alert.map(text)),
            Output::DeadLetter(refusal) => Seen::DeadLetter(refusal.reason),
        });
        Ok(())
    });
    outcome.unwrap();
    seen
}

#[test]
fn fields_are_spliced_in_before_the_closing_brace() {
    let mut detector = detector(settings(), false);
    let record =
        b"{ \"uuid\":\"u\",\n\"utc\":\"t\",\r\n\"src_bytes\": 181, \"dst_bytes\": 5450.0e0, \"x\":{\"y\":[1]} }\n";
    let seen = process(&mut detector, &[record]);
    assert_eq!(
        seen[0].enriched(),
        "{ \"uuid\":\"u\", \"utc\":\"t\",  \"src_bytes\": 181, \"dst_bytes\": 5450.0e0, \"x\":{\"y\":[1]} ,\"total_bytes\":5631.0,\"site\":\"east\"}"
    );
    let record = br#"{"uuid":"u","utc":"t","src_bytes":181,"dst_bytes":5450}"#;
    let seen = process(&mut detector, &[record]);
    assert_eq!(
        seen[0].enriched(),
        r#"{"uuid":"u","utc":"t","src_bytes":181,"dst_bytes":5450,"total_bytes":5631,"site":"east"}"#
    );
}

#[test]
fn a_missing_identity_and_time_are_filled() {
    let seen = process(&mut detector(settings(), false), &[b"{}", br#"{"uuid":"u"}"#, br#"{"utc":"t"}"#]);
    let of = |sha256: &str| {
        let name = format!("east/sensor_messages/3/42/1795420800500/{sha256}");
        Uuid::new_v5(&UUID_NAMESPACE, name.as_bytes())
    };
    let uuid = of("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    let utc = "2026-11-23T08:00:00.500000Z";
    assert_eq!(seen[0].enriched(), format!(r#"{{"uuid":"{uuid}","utc":"{utc}","site":"east"}}"#));
    assert_eq!(seen[1].enriched(), format!(r#"{{"uuid":"u","utc":"{utc}","site":"east"}}"#));
    let other: Value = serde_json::from_str(seen[2].enriched()).unwrap();
    assert_ne!(other["uuid"], uuid.to_string(), "other bytes at the same place are another record");
}

#[test]
fn an_identity_or_a_time_that_is_null_empty_or_a_number_is_filled_or_converted_in_its_place() {
    let mut detector = detector(settings(), false);
    let filled = "2026-11-23T08:00:00.500000Z";
    for (utc, expected) in [
        ("null", filled),
        ("\" \"", filled),
        ("1795420800.25", "2026-11-23T08:00:00.250000Z"),
        ("1795420800250", "2026-11-23T08:00:00.250000Z"),
        ("\"2026-11-23 08:00:00\"", "2026-11-23T08:00:00.000000Z"),
        ("\"2026-11-23T09:00:00+01:00\"", "2026-11-23T09:00:00+01:00"),
    ] {
        let record = format!("{{\"utc\":{utc},\n\"x\":1,\"uuid\":1.50}}");
        let seen = process(&mut detector, &[record.as_bytes()]);
        let expected = format!("{{\"utc\":\"{expected}\", \"x\":1,\"uuid\":\"1.50\",\"site\":\"east\"}}");
        assert_eq!(seen[0].enriched(), expected, "{utc}");
    }
    for uuid in ["null", "\"\""] {
        let record = format!("{{\"uuid\":{uuid},\"utc\":\"t\"}}");
        let seen = process(&mut detector, &[record.as_bytes()]);
        let enriched: Map<String, Value> = serde_json::from_str(seen[0].enriched()).unwrap();
        assert!(Uuid::try_parse(enriched["uuid"].as_str().unwrap()).is_ok() && enriched.len() == 3, "{enriched:?}");
    }
    let seen = process(&mut detector, &["\u{feff}{\"uuid\":null,\"utc\":\"t\"}".as_bytes()]);
    assert!(seen[0].enriched().starts_with("{\"uuid\":\""));
}

#[test]
fn what_was_filled_or_converted_is_counted_by_what_it_was() {
    let mut registry = Registry::default();
    let (mut detector, metrics) = (detector(settings(), false), Metrics::register(&mut registry));
    let seen = process(
        &mut detector,
        &[br#"{"uuid":"","utc":"2026-11-23 08:00:00"}"#, br#"{"utc":5}"#, br#"{"uuid":1,"u\u0075id":null}"#],
    );
    assert!(matches!(seen[2], Seen::DeadLetter(DeadLetterReason::DuplicateKey)));
    metrics.count_committed(&Tally { fields: detector.take_tally(), ..Tally::default() });
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for (field, was) in [("uuid", "empty"), ("utc", "without_zone"), ("uuid", "missing"), ("utc", "number")] {
        let line = format!("mended_fields_total{{field=\"{field}\",was=\"{was}\"}} 1");
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert_eq!(text.matches("mended_fields_total{").count(), 9, "each is there from the start");
}

#[test]
fn a_field_that_we_add_too_gets_its_other_name_before_anything_else() {
    let renamed_fields =
        ["score=risk", "site=plant", "ts=utc_of_the_plant"].map(|text| text.parse::<KeyValue>().unwrap()).to_vec();
    let calculated_fields = vec!["twice=risk * 2".parse().unwrap()];
    let mut detector = detector(DetectorSettings { renamed_fields, calculated_fields, ..settings() }, false);
    let records: [&[u8]; 4] = [
        br#"{"uuid":"u","utc":"t","site":"p7","a":{"score":9},"score":1}"#,
        br#"{"uuid":"u","utc":"t","risk":3}"#,
        br#"{"uuid":"u","utc":"t","risk":3,"score":1}"#,
        br#"{"score":1}"#,
    ];
    let seen = process(&mut detector, &records);
    let expected = r#"{"uuid":"u","utc":"t","plant":"p7","a":{"score":9},"risk":1,"twice":2,"site":"east"}"#;
    assert_eq!(seen[0].enriched(), expected);
    assert_eq!(seen[1].enriched(), r#"{"uuid":"u","utc":"t","risk":3,"twice":6,"site":"east"}"#);
    assert!(matches!(seen[2], Seen::DeadLetter(DeadLetterReason::DuplicateKey)), "{:?}", seen[2]);
    // The identity is that of the message, whatever its fields are called.
    let uuid = uuid_of(&settings().site, &settings().sensor_messages_topic, &input(records[3]));
    let enriched: Value = serde_json::from_str(seen[3].enriched()).unwrap();
    assert_eq!((&enriched["uuid"], &enriched["risk"]), (&uuid.to_string().into(), &1.into()));
}

#[test]
fn an_identity_or_a_time_that_is_no_scalar_and_what_the_detector_adds_are_refused() {
    let mut detector = detector(settings(), false);
    for field in [fields::UUID, fields::UTC] {
        for value in ["true", "[]", "{}"] {
            let seen = process(&mut detector, &[format!("{{\"{field}\":{value}}}").as_bytes()]);
            assert!(matches!(seen[0], Seen::DeadLetter(DeadLetterReason::ReservedField)), "{field} {value}");
        }
    }
    for name in fields::ADDED.into_iter().chain(["total_bytes"]) {
        let seen = process(&mut detector, &[format!("{{\"{name}\":1}}").as_bytes()]);
        assert!(matches!(seen[0], Seen::DeadLetter(DeadLetterReason::ReservedField)), "{name}");
    }
    let nothing = Input { value: None, ..input(b"") };
    let outcome = detector.process(&[nothing], now(), |_, output| match output {
        Output::DeadLetter(refusal) if refusal.reason == DeadLetterReason::Empty => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(outcome, Ok(()));
}

#[test]
fn a_strange_record_alerts_and_says_why() {
    let mut detector = detector(settings(), true);
    let normal = br#"{"uuid":"a","utc":"t","duration":4,"service":"http","src_bytes":300,"dst_bytes":200}"#;
    let strange = br#"{"uuid":"b","utc":"t","duration":4,"service":"http","src_bytes":900000,"dst_bytes":200}"#;
    let seen = process(&mut detector, &[normal, b"garbage", strange]);
    assert!(matches!(seen[1], Seen::DeadLetter(DeadLetterReason::InvalidJson)));
    let enriched: Map<String, Value> = serde_json::from_str(seen[0].enriched()).unwrap();
    let (version, _) = testing::model();
    assert_eq!(enriched["model_version"], version.as_str());
    assert!(enriched["score"].as_f64().unwrap() < 0.99 && seen[0].alert().is_none());
    let alert = seen[2].alert().unwrap();
    assert!(alert["score"].as_f64().unwrap() > 0.99);
    assert_eq!(alert["threshold"], 0.99);
    assert_eq!(alert["detected_utc"], "2026-11-23T08:42:10.123456Z");
    let reason = &alert["reasons"][0];
    assert_eq!((&reason["field"], &reason["value"]), (&json!("total_bytes"), &json!(900_200)), "{alert:?}");
    let low = reason["usual"]["low"].as_f64().unwrap();
    assert!(reason["direction"] == "above" && (405. ..415.).contains(&low), "{alert:?}");
    let text = alert["alert_text"].as_str().unwrap();
    let said = "; total_bytes is 900200, usually 4";
    assert!(text.contains("because of total_bytes") && text.contains(said), "{text}");
    assert!(alert["reasons"].as_array().unwrap().len() <= 2);
    assert!(serde_json::to_string(&alert).unwrap().len() > seen[2].enriched().len());
}

#[test]
fn a_feature_that_is_missing_or_of_another_kind_counts_as_the_median() {
    let mut detector = detector(settings(), true);
    let odd: [&[u8]; 4] = [
        br#"{"uuid":"a","utc":"t","service":"never seen"}"#,
        br#"{"uuid":"a","utc":"t","duration":null,"service":null,"src_bytes":"1","dst_bytes":2}"#,
        br#"{"uuid":"a","utc":"t","duration":"four","service":{"a":1},"src_bytes":[1]}"#,
        br#"{"uuid":"a","utc":"t","duration":5,"service":["http"],"src_bytes":250,"dst_bytes":250}"#,
    ];
    let scores: Vec<Value> = process(&mut detector, &odd)
        .iter()
        .map(|seen| serde_json::from_str::<Map<String, Value>>(seen.enriched()).unwrap()["score"].clone())
        .collect();
    assert!(scores.iter().all(|score| score == &scores[0]), "{scores:?}");
}

#[test]
fn numbers_that_arrive_as_text_are_numbers_or_missing_and_counted() {
    let mut detector = detector(settings(), true);
    let written: [&[u8]; 4] = [
        br#"{"uuid":"a","utc":"t","duration":7,"service":"http"}"#,
        br#"{"uuid":"a","utc":"t","duration":" 7.0 ","service":"http"}"#,
        br#"{"uuid":"a","utc":"t","service":"http"}"#,
        br#"{"uuid":"a","utc":"t","duration":"n/a","service":"http"}"#,
    ];
    let seen = process(&mut detector, &written);
    let score = |seen: &Seen| serde_json::from_str::<Map<String, Value>>(seen.enriched()).unwrap()["score"].clone();
    assert_eq!((score(&seen[0]), score(&seen[2])), (score(&seen[1]), score(&seen[3])));
    let seen = detector.take_tally().features["duration"];
    assert_eq!(seen.texts, TextValues { numbers: 1, missing: 1 });
}

#[test]
fn features_without_a_value_and_categories_that_are_new_are_counted() {
    let mut detector = detector(settings(), true);
    let odd: [&[u8]; 3] = [
        br#"{"uuid":"a","utc":"t","duration":1,"service":"never seen","src_bytes":1,"dst_bytes":2}"#,
        br#"{"uuid":"a","utc":"t","duration":1,"service":null}"#,
        br#"{"uuid":"a","utc":"t","duration":1,"service":"http","src_bytes":1}"#,
    ];
    process(&mut detector, &odd);
    let tally = detector.take_tally();
    let seen = |missing, unseen| FeatureTally { missing, unseen, ..FeatureTally::default() };
    let expected = [("service", seen(1, 1)), ("total_bytes", seen(2, 0))].map(|(field, seen)| (field.to_owned(), seen));
    assert_eq!((tally.scored, tally.features), (3, expected.into()));
    assert_eq!(tally.not_calculated, [("total_bytes".to_owned(), 2)].into());
}

#[test]
fn what_is_too_large_for_its_topic_is_a_dead_letter() {
    let mut detector = detector(settings(), true);
    let padded = |bytes: usize| format!(r#"{{"uuid":"a","utc":"t","x":"{}"}}"#, "x".repeat(bytes));
    let (fits, large) = (padded(3000), padded(3960));
    let seen = process(&mut detector, &[fits.as_bytes(), large.as_bytes(), b"{}"]);
    assert!(seen[0].enriched().len() + 100 <= 4096);
    assert!(matches!(seen[1], Seen::DeadLetter(DeadLetterReason::TooLarge)));
    seen[2].enriched();
}

#[test]
fn an_alert_gives_up_its_reasons_before_it_is_too_large() {
    let everything_alerts = || DetectorSettings {
        threshold: Threshold::new(None, BudgetTracking::Disabled, Some(0.0)).unwrap(),
        ..settings()
    };
    let strange = br#"{"uuid":"b","utc":"t","duration":4,"service":"http","src_bytes":900000,"dst_bytes":200}"#;
    let whole = process(&mut detector(everything_alerts(), true), &[strange]);
    let Seen::Enriched(_, Some(alert)) = &whole[0] else { panic!("{whole:?}") };
    assert!(!whole[0].alert().unwrap()["reasons"].as_array().unwrap().is_empty());
    let tight = |spare: usize| DetectorSettings { max_message_bytes: alert.len() + 100 - spare, ..everything_alerts() };
    assert!(
        !process(&mut detector(tight(0), true), &[strange])[0].alert().unwrap()["reasons"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(process(&mut detector(tight(1), true), &[strange])[0].alert().unwrap()["reasons"], Value::Array(vec![]));
    let hopeless = process(&mut detector(tight(300), true), &[strange]);
    assert!(matches!(hopeless[0], Seen::DeadLetter(DeadLetterReason::TooLarge)), "{hopeless:?}");
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 128.0)),
        any::<String>().prop_map(Value::from),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop_oneof![Just("duration"), Just("service"), Just("src_bytes"), Just("dst_bytes")].prop_map(str::to_owned),
    ]
    .prop_filter("reserved", |key| !fields::is_reserved(key) && key != "total_bytes")
}

#[test]
fn the_threshold_follows_what_is_committed_and_alerts_say_which_is_in_force() {
    let threshold = Threshold::new(Some(10_000.), BudgetTracking::Enabled, None).unwrap();
    let mut detector = detector(DetectorSettings { threshold, ..settings() }, true);
    let strange = br#"{"uuid":"u","utc":"t","src_bytes":900000000,"dst_bytes":1,"service":"gopher","duration":1}"#;
    let threshold = |detector: &mut Detector| {
        let alert = process(detector, &[strange])[0].alert().unwrap();
        alert["threshold"].as_f64().unwrap()
    };
    assert!((threshold(&mut detector) - 0.99).abs() < 1e-9);
    // As many as may alert, and then a flood.
    assert_eq!(detector.committed(2_500, 25).map(Threshold::score), Some(0.99));
    let moved = detector.committed(2_500, 2_500).unwrap().score();
    assert!((0.99..0.9935).contains(&moved) && (threshold(&mut detector) - moved).abs() < 1e-12, "{moved}");
    assert!(self::detector(settings(), false).committed(1_000, 0).is_none());
}

/// Texts with and without a zone, numbers of every unit, and texts that are no time.
fn utc() -> impl Strategy<Value = String> {
    let text = "\"20[0-9]{2}-(0[1-9]|1[0-2])-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?)?(Z|z|[+-]0[0-9]:?30)?(\\[UTC\\])?\"";
    prop_oneof![text, "-?[1-9][0-9]{0,18}", "-?[1-9][0-9]{0,15}\\.[0-9]{1,6}", "[1-9]\\.[0-9]{1,9}[eE]\\+?1?[0-9]"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_flat_record_keeps_its_fields_and_gets_the_added_ones(
        record in proptest::collection::btree_map(key(), scalar(), 0..12), pretty: bool, with_model: bool,
    ) {
        let text = if pretty { serde_json::to_string_pretty(&record) } else { serde_json::to_string(&record) }.unwrap();
        let seen = process(&mut detector(settings(), with_model), &[text.as_bytes()]);
        let line = seen[0].enriched();
        prop_assert!(!line.contains(['\n', '\r']));
        let mut enriched: Map<String, Value> = serde_json::from_str(line).unwrap();
        for (key, value) in &record {
            prop_assert_eq!(enriched.remove(key), Some(value.clone()));
        }
        prop_assert_eq!(enriched.remove("site"), Some(Value::from("east")));
        for name in [fields::UUID, fields::UTC] {
            prop_assert!(enriched.remove(name).is_some_and(|value| value.is_string()));
        }
        for name in [fields::SCORE, fields::MODEL_VERSION] {
            prop_assert_eq!(enriched.remove(name).is_some(), with_model);
        }
        let sum = (|| record.get("src_bytes")?.as_i64()?.checked_add(record.get("dst_bytes")?.as_i64()?))();
        if sum.is_some() {
            prop_assert_eq!(enriched.remove("total_bytes").and_then(|value| value.as_i64()), sum);
        }
        enriched.remove("total_bytes");
        prop_assert!(enriched.is_empty(), "{:?}", enriched);
    }

    /// The trainer's `lookback` reads `utc` by the same function.
    #[test]
    fn a_time_is_the_same_in_the_stream_and_for_a_lookback_however_it_is_written(utc in utc()) {
        let read = |json: &str| vedette_records::read_utc(Scalar::of_json(json)).map(|(time, _)| splice::time(time));
        let record = format!("{{\"a\": 1.50e1 ,\"utc\": {utc} ,\"uuid\":\"u\"}}");
        let seen = process(&mut detector(settings(), false), &[record.as_bytes()]);
        let enriched = seen[0].enriched();
        let written = enriched.strip_prefix("{\"a\": 1.50e1 ,\"utc\": ").unwrap();
        let written = written.strip_suffix(" ,\"uuid\":\"u\",\"site\":\"east\"}").unwrap();
        prop_assert_eq!(read(written), read(&utc));
        prop_assert!(written == utc || written.ends_with("Z\""), "{}", written);
    }

    #[test]
    fn any_bytes_become_one_line_of_json_or_a_dead_letter(
        values in proptest::collection::vec(prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60).boxed(),
            "[{}\\[\\]\",:a-c0-9.eE+\\\\u \n-]{0,40}".prop_map(String::into_bytes).boxed(),
            "\\{\"(service|duration|x)\":[\"\\[\\]{}:,0-9a-z.]{0,12}\\}".prop_map(String::into_bytes).boxed(),
        ], 1..10)
    ) {
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let seen = process(&mut detector(settings(), true), &values);
        prop_assert_eq!(seen.len(), values.len());
        for seen in seen {
            if let Seen::Enriched(line, _) = seen {
                prop_assert!(serde_json::from_str::<Map<String, Value>>(&line).is_ok() && !line.contains('\n'), "{}", line);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The trainer reads enriched messages: its rows are held to these by a test of its own.
    #[test]
    fn a_record_is_scored_by_the_values_that_its_enriched_message_has(
        records in proptest::collection::vec(proptest::collection::btree_map(key(), scalar(), 0..12), 1..20),
    ) {
        let texts: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        let values: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let seen = process(&mut detector(settings(), true), &values);
        let (_, model) = testing::model();
        let mut names = FieldNames::default();
        let columns: Vec<Field> = model.encoder.columns().iter().map(|column| names.want(&column.name)).collect();
        let score = names.want(fields::SCORE);
        let mut reader = RecordReader::new(names);
        let (mut rows, mut written) = (Matrix::new(columns.len()), Vec::new());
        for seen in &seen {
            let enriched = reader.read(seen.enriched().as_bytes()).unwrap();
            let row = columns.iter().enumerate().map(|(column, field)| model.encoder.encode(column, enriched.get(*field)));
            rows.push_row(&row.collect::<Vec<f32>>());
            written.push(enriched.get(score).unwrap().number().unwrap());
        }
        let mut scores = Vec::new();
        model.score_batch(&rows, &mut scores);
        prop_assert_eq!(written, scores);
    }
}
