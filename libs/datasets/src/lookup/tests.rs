use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn settings(format: TableFormat, columns: &[&str]) -> TableSettings {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    TableSettings { format, key_column: "key".to_owned(), columns }
}

fn csv(text: &[u8], columns: &[&str]) -> Result<LookupTable, TableError> {
    LookupTable::load(text, &settings(TableFormat::Csv, columns))
}

fn json(text: &[u8], columns: &[&str]) -> Result<LookupTable, TableError> {
    LookupTable::load(text, &settings(TableFormat::JsonLines, columns))
}

/// The values of a key, `-` where there is none.
fn values(table: &LookupTable, key: &str) -> Option<String> {
    let text = |value: Option<&[u8]>| value.map_or("-".to_owned(), |value| String::from_utf8(value.to_vec()).unwrap());
    Some(table.get(key)?.values().map(text).collect::<Vec<_>>().join(" "))
}

fn words(error: &TableError) -> String {
    match error {
        TableError::Open(source) => format!("{error}: {source}"),
        TableError::Content { source, .. } => format!("{error}: {source}"),
        other => other.to_string(),
    }
}

#[test]
fn a_table_is_read_however_it_is_written() {
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, b"key,a,b\n80,http,1.5\n").unwrap();
        encoder.finish().unwrap()
    };
    let utf16: Vec<u8> = "\u{feff}key;a;b\r\n80;http;1.5\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let written: [&[u8]; 9] = [
        b"key,a,b\n80,http,1.5\n",
        b"key,a,b\n80,http,1.5",
        b"\xEF\xBB\xBFkey,a,b\r\n80,http,1.5\r\n",
        b"other;b;key;a\n;1.5;80;http\n;;;\n\n",
        b"\"key\"\t\"a\"\tb\n 80 \t\"http\"\t1.5\n",
        b"#fields\tkey\ta\tb\n80\thttp\t1.5\n",
        b"key,a,b\n80,http,1.5\n80,http,1.5\n",
        &gzip,
        &utf16,
    ];
    for text in written {
        let table = csv(text, &["a", "b"]).unwrap_or_else(|error| panic!("{}", words(&error)));
        assert_eq!((table.rows(), values(&table, "80").as_deref()), (1, Some("\"http\" 1.5")));
        assert_eq!(values(&table, "81"), None);
    }
    let lines = b"\xEF\xBB\xBF{\"key\":80,\"b\":1.50,\"a\":\"http\",\"more\":[1]}\r\n\n{\"a\":null,\"key\":\"x\"}\n";
    let table = json(lines, &["a", "b"]).unwrap();
    assert_eq!((values(&table, "80").as_deref(), values(&table, "x").as_deref()), (Some("\"http\" 1.50"), Some("- -")));
}

#[test]
fn what_has_no_value_and_words_among_numbers_are_no_values() {
    let table = csv(b"key,n,t\na,1,N/A\nb,N/A,x\nc,,\n", &["n", "t"]).unwrap();
    let all = ["a", "b", "c"].map(|key| values(&table, key).unwrap());
    assert_eq!(all, ["1 \"N/A\"", "- \"x\"", "- -"]);
}

#[test]
fn a_quoted_field_keeps_quotes_and_lines() {
    let table = csv(b"key,a\n\"1,2\",\"say \"\"hi\"\"\nthere\"\n", &["a"]).unwrap();
    assert_eq!(values(&table, "1,2").as_deref(), Some(r#""say \"hi\"\nthere""#));
}

#[test]
fn a_hostile_table_is_refused_with_its_line_and_what_to_do() {
    let line = vec![b'x'; 10_000_000];
    let long = [&b"key,a\n1,x\n2,"[..], &line, b"\n"].concat();
    let unclosed = format!("key,a\n1,\"x\n{}", "2,y\n".repeat(500_000));
    let tables: [(&[u8], &[&str]); 17] = [
        (b"", &["empty", "first line"]),
        (b"\n\n", &["empty"]),
        (b"key,a\n", &["no row"]),
        (b"k,a\n1,2\n", &["no column \"key\"", "k, a"]),
        (b"key,b\n1,2\n", &["no column \"a\"", "key, b"]),
        (b"key,a,a\n1,2,3\n", &["two columns \"a\""]),
        (b"key,a\n1,2\n1,3\n", &["line 3", "\"1\"", "leave one"]),
        (b"key,a\n1,2\n,3\n", &["line 3", "\"key\""]),
        (b"key,a\n1,2\n3\n", &["line 3", "1 fields", "2 columns"]),
        (b"key,a\n1,x\xE9\n", &["line 2", "UTF-8", "\"a\""]),
        (b"key,\xE9a\n1,x\n", &["column 2", "UTF-8"]),
        (b"key,a\n0,y\n1,\"x\n2,y\n", &["line 3", "quote"]),
        (b"key;a\n1;2,5\n", &["line 2", "\"2,5\"", "point"]),
        (b"PK\x03\x04rest of it", &["zip archive", "unpack"]),
        (&long, &["line 3", "1 MiB"]),
        (unclosed.as_bytes(), &["line 2", "quote"]),
        (b"\x1F\x8Bno gzip", &["cannot"]),
    ];
    for (text, expected) in tables {
        let error = words(&csv(text, &["a"]).unwrap_err());
        let shown = String::from_utf8_lossy(&text[..text.len().min(40)]);
        expected.iter().for_each(|word| assert!(error.contains(word), "{word} in {error} of {shown}"));
    }
    let long = [&b"{\"key\":1,\"a\":\""[..], &line, b"\"}\n"].concat();
    let lines: [(&[u8], &[&str]); 10] = [
        (b"", &["no row"]),
        (b"{\"key\":1,\"a\":2}\n{\"key\":1", &["line 2", "one object a line"]),
        (b"[{\"key\":1,\"a\":2}]\n", &["line 1", "one object a line"]),
        (b"{\"a\":2}\n", &["line 1", "\"key\""]),
        (b"{\"key\":\" \",\"a\":2}\n", &["line 1", "\"key\""]),
        (b"{\"key\":1,\"b\":2}\n", &["no line", "\"a\""]),
        (b"{\"key\":1,\"a\":[2]}\n", &["line 1", "\"a\"", "array"]),
        (b"{\"key\":1,\"a\":2}\n{\"key\":\"1\",\"a\":3}\n", &["line 2", "\"1\""]),
        (b"{\"key\":1,\"a\":1e999}\n", &["line 1", "one object a line"]),
        (&long, &["line 1", "1 MiB"]),
    ];
    for (text, expected) in lines {
        let error = words(&json(text, &["a"]).unwrap_err());
        expected.iter().for_each(|word| assert!(error.contains(word), "{word} in {error}"));
    }
}

/// Keys of 11 to 13 bytes and three values, as a table of assets has them.
#[test]
fn a_million_rows_take_less_than_a_hundred_megabytes() {
    const ROWS: usize = 1_000_000;
    let (mut text, mut expected) = (String::from("key,owner,zone,risk\n"), 0);
    for number in 0..ROWS {
        let (key, owner) = (format!("10.{}.{}.{}", number / 65_536, number / 256 % 256, number % 256), number % 977);
        writeln!(text, "{key},team-{owner},internal,0.{owner}").unwrap();
        // A byte for the length of each, and quotes around texts.
        let values = format!("\"team-{owner}\"\"internal\"0.{owner}");
        expected += 1 + key.len() + 3 + values.len();
    }
    let table = csv(text.as_bytes(), &["owner", "zone", "risk"]).unwrap();
    assert_eq!(
        (table.rows(), values(&table, "10.15.66.63").as_deref()),
        (ROWS, Some("\"team-528\" \"internal\" 0.528"))
    );
    // Three of four places of the index are taken at most: 2^21 of four bytes.
    expected += (1 << 21) * 4;
    assert_eq!(table.bytes(), expected);
    assert!(expected < 100_000_000, "{expected}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_a_table_or_an_error(text in proptest::collection::vec(any::<u8>(), 0..200), keyed in any::<bool>()) {
        let text = if keyed { [&b"key,a\n"[..], &text].concat() } else { text };
        for table in [csv(&text, &["a"]), json(&text, &["a"])] {
            prop_assert!(table.map_or_else(|error| !error.to_string().is_empty(), |table| table.rows() > 0));
        }
    }

    #[test]
    fn the_rows_of_a_table_are_those_of_its_text(rows in proptest::collection::btree_map("[a-z0-9 ]{0,3}[a-z]", "[a-zA-Z ,\"\n]{0,6}", 1..20)) {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let lines: String = rows.iter().map(|(key, value)| format!("{},{}\n", quoted(key), quoted(value))).collect();
        let expected: std::collections::BTreeMap<&str, &str> = rows.iter().map(|(key, value)| (key.trim(), value.trim())).collect();
        prop_assume!(expected.len() == rows.len());
        let table = csv(format!("key,a\n{lines}").as_bytes(), &["a"]).unwrap();
        prop_assert_eq!(table.rows(), rows.len());
        for (key, value) in expected {
            let json = if value.is_empty() { "-".to_owned() } else { serde_json::to_string(value).unwrap() };
            prop_assert_eq!(values(&table, key), Some(json));
        }
    }
}
