use super::*;
use proptest::prelude::*;

fn reader(refused: &[&str], wanted: &[&str]) -> (RecordReader, Vec<Field>) {
    let mut names = FieldNames::default();
    refused.iter().for_each(|name| names.refuse(name));
    let fields = wanted.iter().map(|name| names.want(name)).collect();
    (RecordReader::new(names), fields)
}

fn reason(record: &[u8]) -> Option<DeadLetterReason> {
    let (mut reader, _) = reader(&["site", "total_bytes"], &["a"]);
    reader.read(record).err().map(|refusal| refusal.reason)
}

#[test]
fn what_is_framed_or_compressed_is_guessed() {
    let said = |record: &[u8]| reader(&[], &[]).0.read(record).unwrap_err().message;
    for (record, guess) in [
        (&b"\0\0\0\0\x01{\"a\":1}"[..], Some("Confluent's framing")),
        (b"\0\0\0\0\x01\xff\x02", Some("Confluent's framing")),
        (b"\x1f\x8b\x08\0\0\0\0\0", Some("gzip")),
        (b"\x1f{}", None),
        (b"garbage", None),
    ] {
        let said = said(record);
        assert_eq!(guess.is_some(), said.contains("it begins like"), "{said}");
        assert!(guess.is_none_or(|guess| said.contains(guess)), "{said}");
    }
}

#[test]
fn every_bad_input_has_its_reason() {
    use DeadLetterReason::{DuplicateKey, Empty, InvalidJson, InvalidUtf8, NotAnObject, ReservedField};
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let large = format!("{{\"b\":[{}]}}", "9".repeat(400));
    let messages: [(&[u8], DeadLetterReason); 33] = [
        (b"", Empty),
        (b"\xff", InvalidUtf8),
        (b"{\"a\":\"\xc3\"}", InvalidUtf8),
        (b" \n", InvalidJson),
        (b"garbage", InvalidJson),
        (b"{\"a\":1", InvalidJson),
        (b"{\"a\":1,}", InvalidJson),
        (b"{\"a\":tru}", InvalidJson),
        (b"{\"a\":01}", InvalidJson),
        (b"{\"a\":1} {\"b\":2}", InvalidJson),
        (b"{\"a\":1}x", InvalidJson),
        (b"{\"a\":1}\0", InvalidJson),
        (b"\xef\xbb\xbf\xef\xbb\xbf{\"a\":1}", InvalidJson),
        (b"{\"a\":1e999,\"b\":-0.0}", InvalidJson),
        (b"{\"b\":[1E+400]}", InvalidJson),
        (large.as_bytes(), InvalidJson),
        (b"{\"b\":\"line\nbreak\"}", InvalidJson),
        (b"{\"a\":\"line\nbreak\"}", InvalidJson),
        (b"{'a':1}", InvalidJson),
        (b"{\"a\":NaN}", InvalidJson),
        (b"{\"b\":\"\\ud800\"}", InvalidJson),
        (b"[1", InvalidJson),
        (deep.as_bytes(), InvalidJson),
        (b"[1]", NotAnObject),
        (b" 42 ", NotAnObject),
        (b"null", NotAnObject),
        (b"\"text\"", NotAnObject),
        (b"{\"b\":1,\"b\":2}", DuplicateKey),
        (b"{\"a\":1,\"\\u0061\":2}", DuplicateKey),
        (b"{\"site\":1,\"site\":2}", DuplicateKey),
        (b"{\"site\":\"west\"}", ReservedField),
        (b"{\"\\u0073ite\":\"west\"}", ReservedField),
        (b"{\"total_bytes\":1}", ReservedField),
    ];
    for (message, expected) in messages {
        assert_eq!(reason(message), Some(expected), "{}", String::from_utf8_lossy(message));
    }
}

#[test]
fn odd_but_valid_records_are_read() {
    let wide = format!("{{\"b\":[{}0]}}", "[],".repeat(500));
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(126), "]".repeat(126));
    for message in [
        "{}",
        " {\n} ",
        "{\"a\":{\"b\":[1,{\"c\":null}]},\"b\":{\"a\":1,\"a\":2}}",
        "{\"\":1}",
        "{\"a\":1e308,\"b\":-0.0,\"c\":1e-999}",
        "{\"a\":\"1e999 \"}",
        "\u{feff}{\"a\":1}",
        "{\"a\":\"\\ud83d\\ude00\"}",
        "{\"b\":\"[[{{\"}",
        &wide,
        &deep,
    ] {
        assert_eq!(reason(message.as_bytes()), None, "{message}");
    }
}

#[test]
fn wanted_fields_are_found_wherever_they_stand() {
    let (mut reader, wanted) = reader(&[], &["a", "b"]);
    for (message, expected) in [
        (r#"{"a": 1 ,"b":"x"}"#, [Some("1"), Some("\"x\"")]),
        (r#"{"b":[1, 2],"c":0}"#, [None, Some("[1, 2]")]),
        (r#"{"\u0061":null}"#, [Some("null"), None]),
        (r#"{"a":2,"b":3}"#, [Some("2"), Some("3")]),
        (r"{}", [None, None]),
    ] {
        let record = reader.read(message.as_bytes()).unwrap();
        assert_eq!([wanted[0], wanted[1]].map(|field| record.get(field).map(Scalar::json)), expected, "{message}");
    }
}

#[test]
fn a_record_is_open_before_its_closing_brace() {
    let (mut reader, _) = reader(&[], &[]);
    let message = " \r\n{ \"a\": 1 }\t\n";
    let record = reader.read(message.as_bytes()).unwrap();
    assert_eq!(&message[record.open_object()], "{ \"a\": 1 ");
    let marked = "\u{feff} {\"a\":1}";
    assert_eq!(&marked[reader.read(marked.as_bytes()).unwrap().open_object()], "{\"a\":1");
    let record = reader.read(message.as_bytes()).unwrap();
    assert!(record.has_fields());
    assert!(!reader.read(b"{ }").unwrap().has_fields());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_read_is_what_a_full_parser_reads(messages in proptest::collection::vec(
        prop_oneof![
            "\\PC{0,40}".boxed(),
            "[{}\\[\\]\",:a-c0-9\\\\ \n]{0,24}".boxed(),
            "\\{(\"[ab]{1,2}\":[0-9\"a]{1,3},?){0,4}\\}".boxed(),
            "\\{\"[abc]\":(\\[?-?[1-9][0-9]{0,2}(\\.5)?[eE][+-]?[1-9][0-9]{0,3}\\]?|\"\\\\u[dD0][8c0][0-9]{2}\")\\}".boxed(),
        ], 1..8))
    {
        let (mut reader, wanted) = reader(&[], &["a", "b"]);
        for message in messages {
            let full = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&message);
            match reader.read(message.as_bytes()) {
                Ok(record) => {
                    let full = full.unwrap();
                    for (field, name) in wanted.iter().zip(["a", "b"]) {
                        let read = record.get(*field).map(|value| serde_json::from_str::<serde_json::Value>(value.json()).unwrap());
                        prop_assert_eq!(read.as_ref(), full.get(name));
                    }
                    prop_assert_eq!(record.has_fields(), !full.is_empty());
                }
                Err(Refusal { reason: DeadLetterReason::DuplicateKey, .. }) => prop_assert!(full.is_ok()),
                Err(_) => prop_assert!(full.is_err(), "{}", message),
            }
        }
    }
}
