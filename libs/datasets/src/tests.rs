//! Tests of loading: headers, labels, bad rows and what CSV files are like.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};
use vedette_records::{FieldNames, RecordReader};

use super::cell::{CellKind, CellSyntax};
use super::*;

const KDD_ROW: &str = "0,tcp,http,SF,215,45076,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,1,1,0.00,0.00,0.00,0.00,1.00,0.00,\
                       0.00,0,0,0.00,0.00,0.00,0.00,0.00,0.00,0.00,0.00,normal.";

fn load(text: impl AsRef<[u8]>) -> Result<Dataset, DatasetError> {
    Dataset::load(text.as_ref(), &DatasetSettings::default())
}

fn load_labelled(text: &[u8], label: Label) -> Result<Dataset, DatasetError> {
    Dataset::load(text, &DatasetSettings { label: Some(label), ..DatasetSettings::default() })
}

fn record(dataset: &Dataset, row: usize) -> Value {
    let mut object = Vec::new();
    dataset.append_members(row, &mut object);
    object[0] = b'{';
    object.push(b'}');
    serde_json::from_slice(&object).unwrap()
}

#[test]
fn a_header_names_the_fields_and_cells_keep_their_kind() {
    let dataset = load("a, b ,\"c \"\"d\"\"\"\n1,x,\n-2.50,\"y, \"\"z\"\"\nw\",007\n").unwrap();
    assert_eq!(dataset.rows(), 2);
    assert_eq!(record(&dataset, 0), json!({"a": 1, "b": "x", "c \"d\"": null}));
    assert_eq!(record(&dataset, 1), json!({"a": -2.5, "b": "y, \"z\"\nw", "c \"d\"": "007"}));
}

#[test]
fn kdd_rows_need_no_header_and_bring_their_label() {
    let attack = KDD_ROW.replace("normal.", "smurf.");
    let dataset = load(format!("{KDD_ROW}\n{attack}\n{KDD_ROW}\n")).unwrap();
    let first = record(&dataset, 0);
    assert_eq!(first.as_object().unwrap().len(), 42);
    assert_eq!(
        (&first["dst_bytes"], &first["service"], &first["label"]),
        (&json!(45076), &json!("http"), &json!("normal."))
    );
    let labelled = dataset.labelled.unwrap();
    assert_eq!((labelled.normal, labelled.anomalous), (vec![0, 2], vec![1]));
}

#[test]
fn a_header_with_42_names_is_a_header() {
    let names: Vec<String> = (0..42).map(|number| format!("c{number}")).collect();
    let dataset = load(format!("{}\n{KDD_ROW}\n", names.join(","))).unwrap();
    assert_eq!((dataset.rows(), &record(&dataset, 0)["c4"]), (1, &json!(215)));
}

#[test]
fn files_are_read_however_they_are_packed() {
    let text = "a,b\n1,2\n3,4\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let byte_order_mark = format!("\u{feff}{text}");
    for packed in [
        text.as_bytes().to_vec(),
        gzip.finish().unwrap(),
        zstd::encode_all(text.as_bytes(), 3).unwrap(),
        text.replace('\n', "\r\n").into_bytes(),
        byte_order_mark.into_bytes(),
        text.trim_end().as_bytes().to_vec(),
        text.replace('\n', "\n\n").into_bytes(),
    ] {
        let dataset = load(packed).unwrap();
        assert_eq!((dataset.rows(), dataset.left_out.rows()), (2, 0));
        assert_eq!(record(&dataset, 1), json!({"a": 3, "b": 4}));
    }
}

#[test]
fn nothing_usable_is_an_error_that_says_so() {
    assert!(matches!(load("").unwrap_err(), DatasetError::Empty));
    assert!(matches!(load("\n\n").unwrap_err(), DatasetError::Empty));
    assert!(matches!(load("a,b\n").unwrap_err(), DatasetError::NoRows { .. }));
    let error = load("a,b\n1\n1,2,3\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the data set has no usable row: 2 rows are left out (field_count; the first is line 2: it has 1 fields, and there \
         are 2 columns)"
    );
    let truncated = zstd::encode_all("a,b\n".repeat(1000).as_bytes(), 1).unwrap();
    assert!(matches!(load(&truncated[..truncated.len() - 9]).unwrap_err(), DatasetError::Content { .. }));
}

#[test]
fn a_wrong_header_is_refused_by_the_name_of_the_column() {
    for (text, expected) in [
        ("a,utc\n1,2\n", "\"utc\""),
        ("a,score\n1,2\n", "\"score\""),
        ("a,\n1,2\n", "column 2"),
        ("1,2.5\n1,2\n", "\"1\" is no name"),
    ] {
        let message = load(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let message = load(b"a,\xff\n1,2\n").unwrap_err().to_string();
    assert!(message.contains("column 2") && message.contains("UTF-8"), "{message}");
}

#[test]
fn rows_are_told_apart_by_their_label() {
    let text = "kind,value\nok,1\nbad,2\nfine,3\n,4\n ok ,5\n";
    let dataset = load_labelled(text.as_bytes(), Label::new("kind", ["ok", "fine"])).unwrap();
    let labelled = dataset.labelled.unwrap();
    assert_eq!((labelled.normal, labelled.anomalous), (vec![0, 2, 4], vec![1]));
    assert!(load_labelled(text.as_bytes(), Label::new("kind", [""; 0])).unwrap().labelled.is_none());
    let message = load_labelled(text.as_bytes(), Label::new("label", ["ok"])).unwrap_err().to_string();
    let missing = "the data set has no column \"label\" for the label; its columns are kind, value: name the label's";
    assert!(message.starts_with(missing) && message.contains("LABEL=column NORMAL=value"), "{message}");
}

/// Collects what is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(text: &[u8]) -> (Dataset, String) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let dataset = tracing::subscriber::with_default(subscriber, || load(text)).unwrap();
    let lines = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    (dataset, lines)
}

#[test]
fn bad_rows_are_counted_and_logged_with_their_line() {
    let text = b"a,b\n1,2\n3\n\"x\ny\",4\n\n5,6,7\n\xff,8\n9,10\n";
    let windows: Vec<u8> = text.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..]);
    for text in [text.to_vec(), windows] {
        let (dataset, log) = logged(&text);
        assert_eq!((dataset.rows(), dataset.left_out.rows()), (3, 3), "{log}");
        for line in [3, 7, 8] {
            assert!(log.contains(&format!("line={line} ")), "line {line} in {log}");
        }
        assert_eq!(record(&dataset, 2), json!({"a": 9, "b": 10}));
    }
}

#[test]
fn many_bad_rows_are_logged_as_a_number() {
    let (dataset, log) = logged(format!("a,b\n1,2\n{}", "bad\n".repeat(1000)).as_bytes());
    assert_eq!(dataset.left_out.rows(), 1000);
    assert_eq!(log.lines().filter(|line| line.contains("is left out")).count(), 5);
    assert!(log.contains("bad_rows=1000"), "{log}");
}

#[test]
fn a_label_of_which_no_value_is_normal_is_refused_with_the_values_seen() {
    let table = "kind,value\nNormal,1\nDoS,2\n";
    let lines = "{\"kind\":\"Normal\"}\n{\"kind\":\"DoS\"}\n";
    for text in [table, lines] {
        let message = load_labelled(text.as_bytes(), Label::new("kind", ["BENIGN", "0"])).unwrap_err().to_string();
        let words = ["\"kind\"", "BENIGN, 0", r#"seen are "DoS", "Normal""#, "LABEL=column NORMAL=value"];
        words.iter().for_each(|word| assert!(message.contains(word), "{word} in {message}"));
        assert!(load_labelled(text.as_bytes(), Label::new("kind", ["normal"])).is_ok());
    }
    // One that says nothing is none.
    let labelled = load_labelled(b"kind,value\n,1\n", Label::new("kind", ["ok"])).unwrap().labelled.unwrap();
    assert!(labelled.normal.is_empty() && labelled.anomalous.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The trainer's and the summary's readers are held to the same function by tests of theirs.
    #[test]
    fn any_label_means_what_its_record_says(
        cell in prop_oneof!["[ \\t]{0,2}(normal\\.|smurf\\.|0|true|null|\"a\"|1e999|)[ \\t\\n]{0,2}", "\\PC{0,8}"],
    ) {
        let label = Label::new("kind", ["normal.", "0", "null"]);
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(["row", "kind"]).unwrap();
        table.write_record(["7", &cell]).unwrap();
        // A label of which no value is normal is refused.
        table.write_record(["8", "normal."]).unwrap();
        let dataset = load_labelled(&table.into_inner().unwrap(), label.clone()).unwrap();
        let record = record(&dataset, 0).to_string();
        let mut names = FieldNames::default();
        let kind = names.want("kind");
        let mut reader = RecordReader::new(names);
        let expected = label.is_anomaly(reader.read(record.as_bytes()).unwrap().get(kind).unwrap());
        let labelled = dataset.labelled.unwrap();
        let found = match (labelled.normal.as_slice(), labelled.anomalous.as_slice()) {
            ([0, 1], []) => Some(false),
            ([1], [0]) => Some(true),
            ([1], []) => None,
            both => panic!("{both:?}"),
        };
        prop_assert_eq!(found, expected, "{}", record);
    }

    #[test]
    fn any_table_reads_back(rows in prop::collection::vec(prop::collection::vec("\\PC{0,8}|[ -~\\n\\r\\t]{0,8}", 3), 1..20)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["first", "second", "third"]).unwrap();
        let rows: Vec<_> = rows.into_iter().filter(|row| row.iter().any(|cell| !cell.trim().is_empty())).collect();
        prop_assume!(!rows.is_empty());
        rows.iter().for_each(|row| writer.write_record(row).unwrap());
        let dataset = load(writer.into_inner().unwrap()).unwrap();
        prop_assert_eq!(dataset.rows(), rows.len());
        for (number, row) in rows.iter().enumerate() {
            let record = record(&dataset, number);
            for (name, cell) in ["first", "second", "third"].into_iter().zip(row) {
                match &record[name] {
                    Value::String(text) => prop_assert_eq!(text, cell.trim()),
                    Value::Null => prop_assert!(matches!(
                        CellSyntax::default().append_json(cell, &mut Vec::new()),
                        CellKind::Empty | CellKind::NoNumber
                    )),
                    number => prop_assert!(number.is_number() && cell.trim().parse::<f64>().is_ok()),
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_a_data_set_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(dataset) = load(&bytes) {
            (0..dataset.rows()).for_each(|row| drop(record(&dataset, row)));
        }
    }
}
