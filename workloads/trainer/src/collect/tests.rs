use std::collections::BTreeMap;

use proptest::prelude::*;
use vedette_contract::fields;
use vedette_records::{FieldNames, Label, RecordReader, splice};

use super::*;
use crate::line::{LineOutcome, LineReader};

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
    let sample = sampler(100, &[&lines]).finish(&schema());
    let [bytes, service] = sample.specification.columns.as_slice() else { panic!() };
    assert_eq!(bytes.kind, ColumnKind::numeric(20.0));
    let values = ["http", "ftp", "smtp"].map(str::to_owned).to_vec();
    assert_eq!(service.kind, ColumnKind::categorical(values));
    let encoder = Encoder::new(&sample.specification).unwrap();
    let mut found = rows(&sample.split(&encoder, 0.0).0);
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
fn the_holdout_has_its_share_and_hangs_on_the_identity_alone() {
    let lines: Vec<String> = (0..4_000).map(|number| format!(r#"{{"uuid":"{number}","bytes":{number}}}"#)).collect();
    let split = |size, lines: &[String]| {
        let sample = sampler(size, &[lines]).finish(&schema());
        let encoder = Encoder::new(&sample.specification).unwrap();
        let (training, holdout) = sample.split(&encoder, 0.3);
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
            prop_assert_eq!(reader.read(&schema, &archived, &mut batch, String::new), LineOutcome::Row);
        }
        let mut sampler = Sampler::new(&schema, records.len(), 7);
        sampler.offer(&batch, &schema);
        let sample = sampler.finish(&schema);
        let encoder = Encoder::new(&sample.specification).unwrap();
        let (learned_from, _) = sample.split(&encoder, 0.0);
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
            let sample = sampler.finish(&schema());
            let specification = sample.specification.clone();
            let encoder = Encoder::new(&specification).unwrap();
            let (training, holdout) = sample.split(&encoder, 0.5);
            (specification, rows(&training), rows(&holdout))
        };
        let (left, right) = shuffled.split_at(cut.index(shuffled.len()));
        prop_assert_eq!(outcome(sampler(size, &[&records])), outcome(sampler(size, &[left, right])));
    }
}
