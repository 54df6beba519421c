//! Data sets as people have them, one case of public reports a row: what becomes of each.

use serde_json::{Value, json};
use vedette_contract::arguments::{DecimalMark, Separator, TextEncoding};

use super::*;

/// What a case gives: the first record and how many, or words of the refusal.
enum Right {
    Read { rows: usize, first: Value, left_out: &'static [(RowFault, u64, u64)] },
    Refused(&'static [&'static str]),
}

struct Case {
    name: &'static str,
    content: Vec<u8>,
    settings: DatasetSettings,
    right: Right,
}

fn case(name: &'static str, content: impl AsRef<[u8]>, right: Right) -> Case {
    Case { name, content: content.as_ref().to_vec(), settings: DatasetSettings::default(), right }
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut DatasetSettings)) -> Self {
        change(&mut self.settings);
        self
    }
}

fn read(rows: usize, first: Value) -> Right {
    Right::Read { rows, first, left_out: &[] }
}

/// The reasons with their rows and first lines.
fn partly(rows: usize, first: Value, left_out: &'static [(RowFault, u64, u64)]) -> Right {
    Right::Read { rows, first, left_out }
}

fn columns(names: &[&str]) -> impl FnOnce(&mut DatasetSettings) {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    move |settings| settings.format.columns = names
}

fn numbers() -> Vec<Case> {
    vec![
        case(
            "C7 a decimal comma that nobody told of",
            "t;v\nx;124,3135\n",
            Right::Refused(&["line 2", "\"124,3135\"", "decimalMark: Comma", "Point"]),
        ),
        case("C7 a decimal comma", "t;v\nx;124,3135\n", read(1, json!({"t": "x", "v": 124.3135})))
            .with(|settings| settings.format.decimal_mark = Some(DecimalMark::Comma)),
        case("C7 no decimal comma", "t;v\nx;124,3135\n", read(1, json!({"t": "x", "v": "124,3135"})))
            .with(|settings| settings.format.decimal_mark = Some(DecimalMark::Point)),
        case(
            "C7 thousands that nobody told of",
            "t;v\nx;1.234,56\n",
            Right::Refused(&["line 2", "\"1.234,56\"", "thousands", "decimalMark: Comma"]),
        ),
        case("C7 thousands", "t;v\nx;1.234,56\ny;124,5\n", read(2, json!({"t": "x", "v": 1234.56})))
            .with(|settings| settings.format.decimal_mark = Some(DecimalMark::Comma)),
        case("C7 thousands in quotes", "t,v\nx,\"1,234.56\"\n", read(1, json!({"t": "x", "v": 1234.56})))
            .with(|settings| settings.format.decimal_mark = Some(DecimalMark::Point)),
    ]
}

fn tables() -> Vec<Case> {
    vec![
        case("C1 names with blanks, one twice", " a, b, a\n1,2,3\n", read(1, json!({"a": 1, "b": 2, "a.1": 3}))),
        case("C1 the numbered name is there, too", "a,a,a.1\n1,2,3\n", read(1, json!({"a": 1, "a.2": 2, "a.1": 3}))),
        case(
            "C2 rows of another encoding are counted",
            b"n,l\n1,BENIGN\n2,Web \x96 XSS\n",
            partly(1, json!({"n": 1, "l": "BENIGN"}), &[(RowFault::Encoding, 1, 3)]),
        ),
        case("C2 and read where it is said", b"n,l\n2,Web \x96 XSS\n", read(1, json!({"n": 2, "l": "Web – XSS"})))
            .with(|settings| settings.format.encoding = Some(TextEncoding::Windows1252)),
        case(
            "C2 a name of another encoding",
            b"n,\xE4\n1,2\n",
            Right::Refused(&["column 2", "not UTF-8", "encoding: Windows1252"]),
        ),
        case("C3 commas only", "a,b\n1,2\n,\n , \n", partly(1, json!({"a": 1, "b": 2}), &[(RowFault::Empty, 2, 3)])),
        case(
            "C4, C19 words among numbers",
            "a,b\nInfinity,NaN\n2,NaN\nN/A,-\n",
            read(3, json!({"a": null, "b": "NaN"})),
        ),
        case("C4 words among words are values", "a,b\n-,1\nssl,2\n", read(2, json!({"a": "-", "b": 1}))),
        case(
            "C5 byte order mark, line ends of Windows, a quoted first name",
            "\u{feff}\"Id\";Zeit\r\n1;x\r\n",
            read(1, json!({"Id": 1, "Zeit": "x"})),
        ),
        case(
            "C6 UTF-16",
            "\u{feff}a\tb\n1\tü\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
            read(1, json!({"a": 1, "b": "ü"})),
        ),
        case("C8 Excel's word to itself", "sep=;\r\na;b\r\n1;2\r\n", read(1, json!({"a": 1, "b": 2}))),
        case("C8 in quotes", "\"sep=|\"\na|b;c\n1|2\n", read(1, json!({"a": 1, "b;c": 2}))),
        case(
            "C8 blanks",
            "1 1 -0.0007 518.67\n1 2  0.0019 518.67 \n",
            Right::Refused(&["4 fields", "blanks between them", "separator: Comma"]),
        ),
        case("C8 texts with blanks", "line\ndoor 5 opened\n", read(1, json!({"line": "door 5 opened"}))),
        case("C8 semicolons", "Timestamp;MV101\nx;2\n", read(1, json!({"Timestamp": "x", "MV101": 2}))),
        case("C8 a separator that is told", "a|b;c\n1|2\n", read(1, json!({"a": 1, "b;c": 2})))
            .with(|settings| settings.format.separator = Some(Separator::Pipe)),
        case(
            "C9 Zeek's own log",
            "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
             #fields\tts\tid.orig_h\tbytes\tnote\n#types\ttime\taddr\tcount\tstring\n1.5\t10.0.0.1\t-\t(empty)\n\
             2.5\t\"\t7\tx,5\n#close\t2026\n",
            read(2, json!({"ts": 1.5, "id.orig_h": "10.0.0.1", "bytes": null, "note": ""})),
        ),
        case("C9 other comments", "# made by hand\na,b\n1,2\n# more\n3,4\n", read(2, json!({"a": 1, "b": 2}))),
        case("C9 names in a comment", "#time,value\n1,2\n", read(1, json!({"time": 1, "value": 2}))),
        case(
            "C11 the header again",
            "p,l\n1,ok\np , l\n2,ok\n",
            partly(2, json!({"p": 1, "l": "ok"}), &[(RowFault::HeaderAgain, 1, 3)]),
        ),
        case(
            "C13 no header, addresses first",
            "10.0.0.1,udp\n10.0.0.2,tcp\n",
            Right::Refused(&["line 1", "\"10.0.0.1\""]),
        ),
        case(
            "C13 no header, a time first",
            "2017-07-03 09:00,up\nx,y\n",
            Right::Refused(&["seems to be a row", "--dataset-column"]),
        ),
        case("C13 columns that are told", "10.0.0.1,udp\n", read(1, json!({"source": "10.0.0.1", "protocol": "udp"})))
            .with(columns(&["source", "protocol"])),
        case(
            "C13 too few are told",
            "10.0.0.1,udp,5\n",
            Right::Refused(&["2 columns are named", "line 1", "3 fields"]),
        )
        .with(columns(&["source", "protocol"])),
        case("C13 one is told twice", "1,2\n", Right::Refused(&["columns 1 and 2", "\"a\""]))
            .with(columns(&["a", "a"])),
        case(
            "C13 years are names",
            "land,1990\nx,2\n",
            partly(1, json!({"land": "x", "1990": 2}), &[(RowFault::HeaderAgain, 1, 1)]),
        )
        .with(columns(&["land", "1990"])),
        case("C15 a name is missing", ",a\n1,2\n", Right::Refused(&["column 1", "no name"])),
        case(
            "C16 a quote inside, a line feed inside",
            "a,b\nx\"y,\"1\n\"\"2\"\n",
            read(1, json!({"a": "x\"y", "b": "1\n\"2"})),
        ),
        case("a quote that is never closed", "a,b\n1,2\n3,\"x\n4,5\n6,7", Right::Refused(&["line 3", "close it"])),
        case(
            "a quote that is never closed, with a last line end",
            "a,b\n1,2\n3,\"x\n4,5\n",
            Right::Refused(&["line 3", "close it"]),
        ),
    ]
}

fn values_and_names() -> Vec<Case> {
    vec![
        case(
            "a quote that a later one closes",
            "a,b\n1,\"x\n4,5\n6,\"y\",8\n",
            Right::Refused(&["line 2", "close it"]),
        ),
        case(
            "C18 digits stay",
            "a,b\n9007199254740993,007\n",
            read(1, json!({"a": 9_007_199_254_740_993_i64, "b": "007"})),
        ),
        case(
            "C21 a calculated field's name",
            "a,total_bytes\n1,2\n",
            Right::Refused(&["column 2", "\"total_bytes\"", "calculatedFields"]),
        )
        .with(|settings| settings.calculated_names = vec!["total_bytes".to_owned()]),
        case("C22 a name of ours", "a,score\n1,2\n", Right::Refused(&["column 2", "\"score\"", "rename"])),
        case("C22 names only", "a,b\n", Right::Refused(&["no usable row", "no row is left out"])),
    ]
}

fn others() -> Vec<Case> {
    let tar = [&[b'a'; 257][..], b"ustar"].concat();
    let gzip_of_tar = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &tar).unwrap();
        encoder.finish().unwrap()
    };
    let reserved = "{\"a\":1}\n{\"a\":2,\"uuid\":3}\n";
    vec![
        case(
            "C10 lines of JSON",
            "{\"ts\": 1.50, \"s\": {\"b\": [1]}}\r\n\n{\"ts\":2}",
            read(2, json!({"ts": 1.5, "s": {"b": [1]}})),
        ),
        case(
            "C10 some are none",
            "{\"a\":1}\n{\"a\":\nnothing\n{}\n[1]\n",
            partly(1, json!({"a": 1}), &[(RowFault::Empty, 1, 4), (RowFault::NotARecord, 3, 2)]),
        ),
        case("C10 a field of ours", reserved, partly(1, json!({"a": 1}), &[(RowFault::NotARecord, 1, 2)])),
        case("C10 a whole document", "{\n  \"a\": 1\n}\n", Right::Refused(&["first line", "one object a line"])),
        case("C10 an array", "[\n {\"a\": 1}]\n", Right::Refused(&["one array of JSON", "jq -c"])),
        case("C10 names for JSON", "{\"a\":1}\n", Right::Refused(&["leave columns out"])).with(columns(&["a"])),
        case("a zip archive", b"PK\x03\x04rest", Right::Refused(&["zip", "unpack it"])),
        case("a tar archive", &tar, Right::Refused(&["tar", "unpack it"])),
        case("a compressed tar archive", &gzip_of_tar, Right::Refused(&["tar", "unpack it"])),
        case("xz", b"\xFD7zXZ\x00rest", Right::Refused(&["xz", "gzip or zstd"])),
        case("a Parquet file", b"PAR1rest", Right::Refused(&["Parquet", "export"])),
        case("a web page", b"\n<!DOCTYPE html>\n<html>", Right::Refused(&["web page", "download"])),
    ]
}

fn nsl_kdd() -> Case {
    let numbers = "0,".repeat(37);
    let row = format!("0,tcp,http,SF,{numbers}normal,21\n");
    let settings = DatasetSettings::default();
    let mut first: serde_json::Map<String, Value> =
        crate::columns::Column::ALL.into_iter().map(|column| (column.name().to_owned(), json!(0))).collect();
    for (name, value) in [("protocol_type", "tcp"), ("service", "http"), ("flag", "SF"), ("label", "normal")] {
        first.insert(name.to_owned(), json!(value));
    }
    first.insert("difficulty".to_owned(), json!(21));
    Case { name: "C12 NSL-KDD", content: row.into_bytes(), settings, right: read(1, first.into()) }
}

fn first_record(dataset: &Dataset) -> Value {
    let mut object = Vec::new();
    dataset.append_members(0, &mut object);
    object[0] = b'{';
    object.push(b'}');
    serde_json::from_slice(&object).unwrap()
}

#[test]
fn every_case_of_the_reports_is_read_right_or_refused_with_line_reason_and_mend() {
    let all = tables().into_iter().chain(numbers()).chain(values_and_names()).chain(others()).chain([nsl_kdd()]);
    for Case { name, content, settings, right } in all {
        match (Dataset::load(content.as_slice(), &settings), right) {
            (Ok(dataset), Right::Read { rows, first, left_out }) => {
                assert_eq!((dataset.rows(), first_record(&dataset)), (rows, first), "{name}");
                let found: Vec<_> = dataset
                    .left_out
                    .by_fault()
                    .map(|(fault, faulty)| (fault, faulty.rows, faulty.first_line))
                    .collect();
                assert_eq!(found, left_out, "{name}");
            }
            (Err(error), Right::Refused(words)) => {
                let message = error.to_string();
                words.iter().for_each(|word| assert!(message.contains(word), "{name}: {word} in {message}"));
            }
            (Ok(dataset), Right::Refused(words)) => panic!("{name}: {words:?}, but {}", first_record(&dataset)),
            (Err(error), Right::Read { .. }) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn nsl_kdds_label_is_known_without_a_word() {
    let Case { content, settings, .. } = nsl_kdd();
    let attack = String::from_utf8(content.clone()).unwrap().replace("normal", "smurf");
    let dataset = Dataset::load([content, attack.into_bytes()].concat().as_slice(), &settings).unwrap();
    let labelled = dataset.labelled.unwrap();
    assert_eq!((labelled.normal, labelled.anomalous), (vec![0], vec![1]));
}

#[test]
fn lines_of_json_are_told_apart_by_their_label() {
    let text = "{\"kind\":\"ok\"}\n{\"kind\":\"bad\"}\n{\"other\":1}\n{\"kind\":null}\n";
    let label = |field| DatasetSettings { label: Some(Label::new(field, ["ok"])), ..DatasetSettings::default() };
    let labelled = Dataset::load(text.as_bytes(), &label("kind")).unwrap().labelled.unwrap();
    assert_eq!((labelled.normal, labelled.anomalous), (vec![0], vec![1]));
    assert!(matches!(Dataset::load(text.as_bytes(), &label("label")), Err(DatasetError::LabelNowhere { .. })));
}
