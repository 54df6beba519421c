use std::collections::BTreeMap;

use proptest::prelude::*;
use vedette_contract::fields;
use vedette_records::{FieldNames, Label, RecordReader, splice};

use super::*;
use crate::batch::Of;
use crate::line::{LineOutcome, LineReader};

const ROW: LineOutcome = LineOutcome::Row(Of { stream: true, reference: false });

fn schema() -> Schema {
    let columns = vec![("bytes".to_owned(), Kind::Numeric), ("service".to_owned(), Kind::Categorical)];
    Schema::new(columns, "uuid", Some(Label::new("label", ["normal"])), None)
}

fn sampler(size: usize, batches: &[&[String]]) -> Sampler {
    let schema = schema();
    let mut sampler = Sampler::new(&schema, size, 7);
    for lines in batches {
        let (mut reader, mut batch) = (LineReader::new(&schema), Batch::default());
        for line in *lines {
            reader.read(&schema, line.as_bytes(), &mut batch, || panic!("every record here has a uuid"));
        }
        sampler.offer(&batch, &schema);
    }
    sampler
}

fn rows(rows: &Rows) -> Vec<(Vec<f32>, Option<bool>)> {
    rows.matrix.iter().map(<[f32]>::to_vec).zip(rows.labels.iter().copied()).collect()
}

/// Stands for what is not a number, which equals nothing.
const MISSING: f32 = -1.;

#[test]
fn categories_are_ranked_by_frequency_and_missing_numbers_are_no_numbers() {
    let lines: Vec<String> = [
        r#"{"uuid":"1","bytes":10,"service":"smtp","label":"normal"}"#,
        r#"{"uuid":"2","bytes":30,"service":"http","label":"smurf"}"#,
        r#"{"uuid":"3","service":"http"}"#,
        r#"{"uuid":"4","bytes":20,"service":"ftp"}"#,
        r#"{"uuid":"5","bytes":1e300}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    let sample = sampler(100, &[&lines]).finish(&schema(), 0.);
    let [bytes, service] = sample.specification.columns.as_slice() else { panic!() };
    assert_eq!(bytes.kind, ColumnKind::numeric(20.0));
    let values = ["http", "ftp", "smtp"].map(str::to_owned).to_vec();
    assert_eq!(service.kind, ColumnKind::categorical(values));
    let encoder = Encoder::new(&sample.specification).unwrap();
    let mut found = rows(&sample.split(&encoder).training);
    found.iter_mut().flat_map(|(row, _)| row).filter(|value| value.is_nan()).for_each(|value| *value = MISSING);
    found.sort_by(|left, right| left.0.partial_cmp(&right.0).unwrap());
    assert_eq!(
        found,
        [
            (vec![MISSING, 0.], None),
            (vec![10., 2.], Some(false)),
            (vec![20., 1.], None),
            (vec![30., 0.], Some(true)),
            (vec![f32::MAX, 3.], None),
        ]
    );
}

#[test]
fn the_same_record_twice_is_one_row_and_counted() {
    let lines = vec![r#"{"uuid":"1","bytes":1}"#.to_owned(); 3];
    let sampler = sampler(100, &[&lines]);
    assert_eq!((sampler.len(), sampler.duplicates()), (1, 2));
    assert_eq!(sampler.unusable(&schema()), [("service", Kind::Categorical)]);
}

#[test]
fn with_a_reference_window_its_rows_are_learned_from_and_the_stream_calibrates() {
    let window = "2026-11-01T00:00:00Z/2026-11-02T00:00:00Z".parse().unwrap();
    let schema = Schema { not_before: Some("2026-11-01T12:00:00Z".parse().unwrap()), ..schema() };
    let schema = schema.with_reference(Some(window));
    let mut sampler = Sampler::new(&schema, 10_000, 7);
    let (mut reader, mut batch) = (LineReader::new(&schema), Batch::default());
    // By their hour: 0 to 11 are of the window, 12 to 23 of both, 24 to 47 of the stream; each hour's are there twice.
    for number in (0..4_800).flat_map(|number| [number, number]) {
        let (day, hour) = (1 + number % 48 / 24, number % 24);
        let line =
            format!(r#"{{"uuid":"{number}","bytes":{},"utc":"2026-11-{day:02}T{hour:02}:00:00Z"}}"#, number % 48);
        reader.read(&schema, line.as_bytes(), &mut batch, String::new);
    }
    sampler.offer(&batch, &schema);
    let tally = Tally { records: 7_200, reference: 4_800, ..Tally::default() };
    assert_eq!((sampler.len(), sampler.held(), sampler.distinct(&tally)), (3_600, 6_000, 2_400));
    let sample = sampler.finish(&schema, 0.25);
    assert!(matches!(sample.specification.columns[0].kind, ColumnKind::Numeric { median, .. } if median < 24.));
    let encoder = Encoder::new(&sample.specification).unwrap();
    let Split { training, holdout, rest } = sample.split(&encoder);
    let hours = |rows: &Rows| {
        let mut hours: Vec<f32> = rows.matrix.iter().map(|row| row[0]).collect();
        hours.sort_by(f32::total_cmp);
        (hours[0], hours[hours.len() - 1])
    };
    let rest = rest.unwrap();
    assert_eq!((hours(&training), hours(&holdout), hours(&rest)), ((0., 23.), (12., 47.), (24., 47.)));
    assert!((800..1_000).contains(&holdout.matrix.rows()), "{}", holdout.matrix.rows());
    assert!((1_700..1_900).contains(&training.matrix.rows()), "{}", training.matrix.rows());
    assert!((1_700..1_900).contains(&rest.matrix.rows()), "{}", rest.matrix.rows());
}

#[test]
fn the_holdout_has_its_share_and_hangs_on_the_identity_alone() {
    let lines: Vec<String> = (0..4_000).map(|number| format!(r#"{{"uuid":"{number}","bytes":{number}}}"#)).collect();
    let split = |size, lines: &[String]| {
        let sample = sampler(size, &[lines]).finish(&schema(), 0.3);
        let encoder = Encoder::new(&sample.specification).unwrap();
        let Split { training, holdout, rest: _ } = sample.split(&encoder);
        [training, holdout].map(|side| side.matrix.iter().map(|row| row[0].to_bits()).collect::<Vec<_>>())
    };
    let [training, holdout] = split(4_000, &lines);
    // Binomial with mean 1,200 and standard deviation 29.
    assert!((1_050..1_350).contains(&holdout.len()), "{}", holdout.len());
    assert_eq!(training.len() + holdout.len(), 4_000);
    let [few_training, few_holdout] = split(1_000, &lines);
    assert!((220..380).contains(&few_holdout.len()), "{}", few_holdout.len());
    assert!(few_holdout.iter().all(|row| holdout.contains(row)));
    assert!(few_training.iter().all(|row| training.contains(row)));
}

#[test]
fn what_only_the_rows_that_are_set_aside_have_was_never_seen() {
    let lines: Vec<String> =
        (0..1_000).map(|number| format!(r#"{{"uuid":"{number}","bytes":1,"service":"s{}"}}"#, number / 2)).collect();
    let sample = sampler(1_000, &[&lines]).finish(&schema(), 0.3);
    assert_eq!(sample.once(), [("service".to_owned(), 0.)]);
    let ColumnKind::Categorical { values, .. } = sample.specification.columns[1].kind.clone() else { panic!() };
    let encoder = Encoder::new(&sample.specification).unwrap();
    let Split { training, holdout, rest: _ } = sample.split(&encoder);
    let unseen = |rows: &Rows| rows.matrix.iter().filter(|row| row[1] >= values.len() as f32).count();
    assert_eq!(unseen(&training), 0);
    // Both of a pair are set aside: 9 % of all rows.
    assert!((50..130).contains(&unseen(&holdout)), "{}", unseen(&holdout));
    let lines: Vec<String> =
        (0..100).map(|number| format!(r#"{{"uuid":"{number}","service":"s{}"}}"#, number.max(40))).collect();
    assert_eq!(sampler(1_000, &[&lines]).finish(&schema(), 0.3).once(), [("service".to_owned(), 0.59)]);
}

/// Columns of both kinds over the same fields, and over one that is seldom there.
fn wide_schema() -> Schema {
    let columns = [("a", Kind::Numeric), ("b", Kind::Categorical), ("c", Kind::Numeric), ("d", Kind::Categorical)];
    Schema::new(columns.map(|(name, kind)| (name.to_owned(), kind)).to_vec(), "uuid", None, None)
}

/// Any JSON value, in spellings that parsers and people differ on.
fn json_value() -> impl Strategy<Value = String> {
    let spelled = vec![
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "1e308",
        "-1e308",
        "1E5",
        "3.4028236e38",
        "1e-320",
        "1.50",
        "12345678901234567890123",
        "\"\"",
        "\"1.50\"",
        "\"true\"",
        "\"null\"",
        "\"x\\u0079\"",
        "\"xy\"",
        "[1]",
        "[\n]",
        "{\"a\":7}",
    ];
    prop_oneof![
        prop::sample::select(spelled).prop_map(str::to_owned),
        any::<f64>()
            .prop_filter("JSON has no such number", |number| number.is_finite())
            .prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        "[xy]{1,2}".prop_map(|text| serde_json::Value::from(text).to_string()),
    ]
}

/// A record as a producer may write it, with this uuid.
fn any_record(uuid: usize, fields: &BTreeMap<String, String>) -> String {
    let fields: String = fields.iter().map(|(name, json)| format!(" ,\r\n{name:?} : {json}")).collect();
    format!("{{ \"uuid\":\"{uuid}\"{fields} }}\n")
}

/// What the detector makes of a record: its row, and the message that the archive keeps.
fn detected(record: &str, encoder: Option<&Encoder>) -> (Vec<f32>, Vec<u8>) {
    let mut names = FieldNames::default();
    fields::ADDED.into_iter().for_each(|name| names.refuse(name));
    let wanted = ["a", "b", "c", "d"].map(|name| names.want(name));
    let mut reader = RecordReader::new(names);
    let read = reader.read(record.as_bytes()).unwrap();
    let encode = |encoder: &Encoder| -> Vec<f32> {
        wanted.iter().enumerate().map(|(column, field)| encoder.encode(column, read.get(*field))).collect()
    };
    let mut enriched = Vec::new();
    splice::begin(&mut enriched, record.as_bytes(), read.open_object(), &[]);
    splice::append(&mut enriched, read.has_fields(), br#","site":"east"}"#);
    (encoder.map(encode).unwrap_or_default(), enriched)
}

fn bits(rows: impl Iterator<Item = Vec<f32>>) -> Vec<Vec<u32>> {
    let mut rows: Vec<Vec<u32>> = rows.map(|row| row.into_iter().map(f32::to_bits).collect()).collect();
    rows.sort_unstable();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The detector is held to [`Encoder::encode`] by a test of its own.
    #[test]
    fn the_value_that_is_scored_is_the_value_that_was_learned_from(
        records in prop::collection::vec(prop::collection::btree_map("[a-d]|e", json_value(), 0..5), 1..8)
    ) {
        let records: Vec<String> = records.iter().enumerate().map(|(uuid, fields)| any_record(uuid, fields)).collect();
        let schema = wide_schema();
        let (mut reader, mut batch) = (LineReader::new(&schema), Batch::default());
        for record in &records {
            let (_, archived) = detected(record, None);
            prop_assert_eq!(reader.read(&schema, &archived, &mut batch, String::new), ROW);
        }
        let mut sampler = Sampler::new(&schema, records.len(), 7);
        sampler.offer(&batch, &schema);
        let sample = sampler.finish(&schema, 0.);
        let encoder = Encoder::new(&sample.specification).unwrap();
        let learned_from = sample.split(&encoder).training;
        let scored = records.iter().map(|record| detected(record, Some(&encoder)).0);
        prop_assert_eq!(bits(learned_from.matrix.iter().map(<[f32]>::to_vec)), bits(scored));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_order_and_any_batches_give_the_same_rows_and_features(
        (records, shuffled) in prop::collection::vec((0u8..40, 0i32..5, "[a-c]{0,2}"), 1..60)
            .prop_map(|records| records.into_iter().map(|(uuid, bytes, service)| {
                format!(r#"{{"uuid":"{uuid}","bytes":{bytes},"service":"{service}"}}"#)
            }).collect::<Vec<_>>())
            .prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
        cut in any::<prop::sample::Index>(),
        size in 1usize..50,
    ) {
        let outcome = |sampler: Sampler| {
            let sample = sampler.finish(&schema(), 0.5);
            let specification = sample.specification.clone();
            let encoder = Encoder::new(&specification).unwrap();
            let Split { training, holdout, rest: _ } = sample.split(&encoder);
            (specification, rows(&training), rows(&holdout))
        };
        let (left, right) = shuffled.split_at(cut.index(shuffled.len()));
        prop_assert_eq!(outcome(sampler(size, &[&records])), outcome(sampler(size, &[left, right])));
    }
}
