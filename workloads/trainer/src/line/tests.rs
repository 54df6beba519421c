use proptest::prelude::*;

use super::*;
use crate::schema::Kind;
use vedette_records::Label;

const ROW: LineOutcome = LineOutcome::Row(Of { stream: true, reference: false });

fn schema(not_before: Option<&str>) -> Schema {
    let columns = vec![
        ("service".to_owned(), Kind::Categorical),
        ("duration".to_owned(), Kind::Numeric),
        ("logged_in".to_owned(), Kind::Numeric),
    ];
    let not_before = not_before.map(|text| text.parse().unwrap());
    Schema::new(columns, "uuid", Some(Label::new("label", ["normal."])), not_before)
}

/// The rows as (identity, label, duration, `logged_in`, service).
type Row = (String, Option<bool>, f32, f32, Option<String>);

fn read(schema: &Schema, lines: &[&[u8]]) -> (Vec<LineOutcome>, Vec<Row>) {
    let (mut reader, mut batch) = (LineReader::new(schema), Batch::default());
    let outcomes = lines
        .iter()
        .enumerate()
        .map(|(number, line)| reader.read(schema, line, &mut batch, || format!("object {number}")))
        .collect();
    let rows = batch
        .rows(schema.columns.len())
        .map(|row| {
            let identity = String::from_utf8(row.identity.to_vec()).unwrap();
            let [duration, logged_in] = [row.cells[0], row.cells[1]].map(|cell| cell.number().unwrap_or(f32::NAN));
            (identity, row.label, duration, logged_in, batch.category(row.cells[2]).map(str::to_owned))
        })
        .collect();
    (outcomes, rows)
}

#[test]
fn a_record_becomes_a_row_in_the_order_of_the_columns() {
    let line =
        br#"{"service":"ht\u0074p","uuid":"a","duration":1.5,"logged_in":true,"x":{"deep":[1]},"label":"smurf."}"#;
    let (outcomes, rows) = read(&schema(None), &[line]);
    assert_eq!(outcomes, [ROW]);
    assert_eq!(rows, [("a".to_owned(), Some(true), 1.5, 1.0, Some("http".to_owned()))]);
}

#[test]
fn a_simulated_record_is_no_row_and_no_label_and_not_the_newest() {
    let schema = schema(None);
    let of = |utc: &str, simulated: &str| {
        format!(r#"{{"uuid":"a","utc":"2026-11-23T{utc}Z","duration":"1","label":"smurf."{simulated}}}"#).into_bytes()
    };
    let (plain, other) = (of("08:00:00", ""), of("08:00:01", r#","simulated":1"#));
    let (mut reader, mut batch) = (LineReader::new(&schema), Batch::default());
    let mut read = |line: &[u8]| reader.read(&schema, line, &mut batch, || "place".to_owned());
    assert_eq!(read(&of("09:00:00", r#","simulated":true"#)), LineOutcome::Simulated);
    assert_eq!([read(&plain), read(&other)], [ROW; 2]);
    assert_eq!((batch.len(), reader.labels.anomalies, reader.texts[0].numbers), (2, 2, 2));
    assert_eq!(reader.newest_utc.unwrap().1, "2026-11-23T08:00:01Z");
}

#[test]
fn what_is_missing_or_of_another_kind_is_missing() {
    let (_, rows) = read(
        &schema(None),
        &[br#"{"service":null,"duration":"n/a","logged_in":[1]}"#, br#"{"service":80.0,"label":"normal.","uuid":7}"#],
    );
    let [(place, label, duration, logged_in, service), (identity, normal, _, _, number)] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    assert_eq!((place.as_str(), *label, service.as_deref()), ("object 0", None, None));
    assert!(duration.is_nan() && logged_in.is_nan());
    assert_eq!((identity.as_str(), *normal, number.as_deref()), ("7", Some(false), Some("80.0")));
}

#[test]
fn a_line_that_is_not_one_object_leaves_nothing_behind() {
    let bad: [&[u8]; 11] = [
        b"",
        b"null",
        b"[1]",
        br#"{"uuid":"a""#,
        br#"{"uuid":"a"} {"uuid":"b"}"#,
        br#"{"service":"\ud800","uuid":"a"}"#,
        b"{\"service\":\"\xff\"}",
        br#"{"duration":01}"#,
        br#"{"duration":1e999}"#,
        br#"{"other":[-1e999]}"#,
        br#"{"uuid":"a","uuid":"b"}"#,
    ];
    for line in bad {
        let (outcomes, rows) = read(&schema(None), &[line, br#"{"uuid":"next","service":"http"}"#]);
        assert_eq!(outcomes, [LineOutcome::Unreadable, ROW], "{}", String::from_utf8_lossy(line));
        assert_eq!((rows.len(), rows[0].0.as_str(), rows[0].4.as_deref()), (1, "next", Some("http")));
    }
}

#[test]
fn a_record_of_the_reference_window_is_learned_from_however_old_it_is() {
    let window = "2026-11-01T00:00:00Z/2026-11-23T00:00:00.5Z".parse().unwrap();
    let schema = schema(Some("2026-11-23T00:00:00Z")).with_reference(Some(window));
    let (mut reader, mut batch) = (LineReader::new(&schema), Batch::default());
    let mut outcome = |utc: &str| {
        let line = format!(r#"{{"utc":{utc}}}"#);
        reader.read(&schema, line.as_bytes(), &mut batch, String::new)
    };
    let of = |stream, reference| LineOutcome::Row(Of { stream, reference });
    assert_eq!(outcome(r#""2026-11-02T00:00:00Z""#), of(false, true));
    assert_eq!(outcome("1795392000"), of(true, true));
    assert_eq!(outcome(r#""2026-11-23T00:00:01Z""#), of(true, false));
    assert_eq!(outcome(r#""2026-10-31T00:00:00Z""#), LineOutcome::OutsideLookback);
    assert_eq!(outcome("null"), LineOutcome::OutsideLookback);
    // What is only learned from says nothing of how far the stream is.
    assert_eq!(reader.newest_utc.unwrap().1, "2026-11-23T00:00:01Z");
}

#[test]
fn records_are_filtered_by_their_own_utc_and_the_newest_is_known() {
    let schema = schema(Some("2026-11-23T00:00:00Z"));
    let (mut reader, mut batch) = (LineReader::new(&schema), Batch::default());
    let mut outcome = |line: &str| reader.read(&schema, line.as_bytes(), &mut batch, String::new);
    assert_eq!(outcome(r#"{"utc":"2026-11-22T23:59:59.999999Z"}"#), LineOutcome::OutsideLookback);
    assert_eq!(outcome(r#"{"utc":"2026-11-23T01:00:00.000001+01:00"}"#), ROW);
    assert_eq!(outcome(r#"{"utc":"2026-11-23T00:00:00.000000Z"}"#), ROW);
    assert_eq!(outcome(r#"{"utc":"2026-11-23 00:00:00"}"#), ROW);
    assert_eq!(outcome(r#"{"utc":"2026-11-22T23:59:59"}"#), LineOutcome::OutsideLookback);
    assert_eq!(outcome(r#"{"utc":1795392000}"#), ROW);
    assert_eq!(outcome(r#"{"utc":1795391999999}"#), LineOutcome::OutsideLookback);
    assert_eq!(outcome(r#"{"utc":"yesterday"}"#), LineOutcome::OutsideLookback);
    assert_eq!(outcome("{}"), LineOutcome::OutsideLookback);
    assert_eq!(reader.newest_utc.unwrap().1, "2026-11-23T01:00:00.000001+01:00");
}

#[test]
fn fields_in_another_order_are_still_found() {
    let lines: [&[u8]; 3] = [
        br#"{"uuid":"a","duration":1,"service":"http"}"#,
        br#"{"service":"smtp","uuid":"b","duration":2}"#,
        br#"{"duration":3,"extra":1,"uuid":"c","service":"ftp","more":2}"#,
    ];
    let (_, rows) = read(&schema(None), &lines);
    let seen: Vec<_> = rows.iter().map(|row| (row.0.as_str(), row.2, row.4.as_deref().unwrap())).collect();
    assert_eq!(seen, [("a", 1.0, "http"), ("b", 2.0, "smtp"), ("c", 3.0, "ftp")]);
}

fn json_scalar() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("JSON has no such number", |number| number.is_finite()).prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        prop::collection::vec(any::<u8>(), 0..3).prop_map(Into::into),
    ]
}

fn label_json() -> impl Strategy<Value = String> {
    let json = |text: String| serde_json::Value::from(text).to_string();
    let text = "[ \\t\\n]{0,2}(normal\\.|smurf\\.|0|)[ \\t\\n]{0,2}".prop_map(json);
    let other = prop::sample::select(vec!["null", "true", "0", "0.0", "1e3", "[\"normal.\"]", r#"{"label":0}"#]);
    prop_oneof![text, other.prop_map(str::to_owned), any::<String>().prop_map(json)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The summary's and the generator's readers are held to the same function by tests of theirs.
    #[test]
    fn any_label_means_what_it_means_to_all(json in label_json()) {
        let (_, rows) = read(&schema(None), &[format!(r#"{{"uuid":"u","label": {json} ,"b":1}}"#).as_bytes()]);
        prop_assert_eq!(rows[0].1, Label::new("label", ["normal."]).is_anomaly(Scalar::of_json(&json)));
    }

    #[test]
    fn any_flat_record_is_read_as_serde_json_reads_it(
        record in prop::collection::btree_map("service|duration|uuid|[a-z]{1,3}|\\PC{0,4}", json_scalar(), 0..8)
    ) {
        let (outcomes, rows) = read(&schema(None), &[serde_json::to_string(&record).unwrap().as_bytes()]);
        prop_assert_eq!(outcomes, vec![ROW]);
        let duration = record.get("duration").and_then(|value| match value {
            serde_json::Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
            other => other.as_f64(),
        });
        #[allow(clippy::cast_possible_truncation)]
        let expected = duration.map(|value| value as f32);
        prop_assert_eq!((!rows[0].2.is_nan()).then_some(rows[0].2), expected);
        let service = record.get("service").and_then(|value| match value {
            serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
            serde_json::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        });
        prop_assert_eq!(rows[0].4.clone(), service);
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_leaving_half_a_row(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (outcomes, rows) = read(&schema(None), &[&bytes, br#"{"uuid":"next"}"#]);
        prop_assert_eq!(outcomes[1], ROW);
        prop_assert_eq!(&rows.last().unwrap().0, "next");
        prop_assert_eq!(rows.len(), outcomes.iter().filter(|outcome| **outcome == ROW).count());
    }
}
