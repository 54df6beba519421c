//! What is read, and what comes of it.

use jiff::{SignedDuration, Timestamp};
use vedette_contract::archive::{METADATA_RECORDS, METADATA_SHA256};
use vedette_contract::model::{
    CALIBRATION_FILE, ColumnKind, FEATURES_FILE, FOREST_FILE, FeatureSpecification, METADATA_FILE, REPORT_FILE,
    TextValues, TrainingOutcome,
};
use vedette_forest::Model;
use vedette_forest::artifact::sha256_hex;
use vedette_testing::TestBucket;
use vedette_testing::bucket::object_key;
use vedette_trainer::TrainerError;

use crate::support::{DAY, LABEL, current_files, machine_records, metadata, name, pointer, result, train};

#[tokio::test]
async fn the_reasons_of_the_planted_anomaly_name_its_column() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..4_000)).await;
    train(&bucket, "daily-1", LABEL).await.unwrap();
    let (manifest, files) = current_files(&bucket).await;
    let model = Model::from_files(&files, &manifest).unwrap();
    let (mut found, mut total, mut reasons) = (0, 0, Vec::new());
    for line in machine_records(10_000..14_000) {
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        if record["condition"] != "worn" {
            continue;
        }
        let encode = |(position, column): (usize, &vedette_contract::model::Column)| match &column.kind {
            ColumnKind::Numeric { .. } => model.encoder.numeric(position, record[&column.name].as_f64().unwrap()),
            ColumnKind::Categorical { .. } => {
                model.encoder.categorical(position, record[&column.name].as_str().unwrap())
            }
        };
        let row: Vec<f32> = model.encoder.columns().iter().enumerate().map(encode).collect();
        model.reasons(&row, &mut reasons, 1);
        total += 1;
        found += usize::from(reasons[0].field == "vibration");
    }
    assert!(total == 40 && found * 10 >= total * 9, "{found} of {total}");
}

#[tokio::test]
async fn the_same_records_in_other_objects_give_the_same_bytes() {
    let mut contents = Vec::new();
    for objects in [1_usize, 7] {
        let bucket = TestBucket::serve().await;
        let mut records = machine_records(0..3_000);
        if objects > 1 {
            records.reverse();
        }
        for (number, part) in records.chunks(3_000_usize.div_ceil(objects)).enumerate() {
            bucket.archive(DAY, if number % 2 == 0 { "east" } else { "west" }, number * 1_000, part).await;
        }
        train(&bucket, "daily-1", &format!("{LABEL} --max-records 1200")).await.unwrap();
        let (_, mut files) = current_files(&bucket).await;
        contents.push([FOREST_FILE, FEATURES_FILE, CALIBRATION_FILE].map(|file| files.remove(file).unwrap()));
        assert_eq!(metadata(&bucket).await.sampled, 1_200);
    }
    assert!(contents[0] == contents[1]);
}

#[tokio::test]
async fn a_record_that_is_there_twice_counts_once() {
    let bucket = TestBucket::serve().await;
    let records = machine_records(0..1_000);
    let closed = bucket.archive(DAY, "east", 0, &records[..600]).await;
    // What a closed object covers is not read, and what was delivered twice is found by its uuid.
    bucket.tail(&closed, 0, &records[..600]).await;
    bucket.archive(DAY, "east", 600, &records[500..]).await;
    train(&bucket, "daily-1", "").await.unwrap();
    let metadata = metadata(&bucket).await;
    assert_eq!((metadata.records, metadata.duplicates, metadata.sampled), (1_100, 100, 1_000));
    assert_eq!((metadata.objects.len(), metadata.metrics.auroc), (2, None));
}

#[tokio::test]
async fn what_a_silence_leaves_out_is_not_learned_from_and_the_metadata_and_the_report_say_so() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..2_000)).await;
    let id = "20261123T084210Z-1a2b3c4d";
    let silence = serde_json::json!({ "match": "example.condition == 'worn'", "from": "2026-11-20T00:00:00Z",
        "until": "2026-11-20T00:16:40Z", "by": "ada", "why": "a test", "excludeFromTraining": true });
    bucket.put_json(&format!("team/flows/silences/west/{id}.json"), &silence).await;
    bucket.put("team/flows/silences/west/20261123T084210Z-00000000.json", "{half").await;
    train(&bucket, "daily-1", LABEL).await.unwrap();
    let metadata = metadata(&bucket).await;
    // Of the first thousand seconds.
    assert_eq!((metadata.silenced, metadata.records, metadata.sampled), (10, 1_990, 1_990));
    let [told] = metadata.silences.as_slice() else { panic!("{:?}", metadata.silences) };
    assert_eq!((told.key.id.as_str(), told.until.to_string().as_str()), (id, "2026-11-20T00:16:40Z"));
    let message = result(&bucket, "daily-1").await.message;
    assert!(message.contains("10 records are left out by 1 silence"), "{message}");
    let (_, files) = current_files(&bucket).await;
    let report = String::from_utf8(files[REPORT_FILE].clone()).unwrap();
    assert!(report.contains(&format!("10 records, by {id}")), "{report}");
}

#[tokio::test]
async fn a_simulated_record_changes_no_model_and_the_metadata_and_the_report_say_how_many_there_were() {
    let (plain, bucket) = (TestBucket::serve().await, TestBucket::serve().await);
    let records = machine_records(0..2_000);
    plain.archive(DAY, "east", 0, &records).await;
    let made_up = records[..20].iter().map(|line| line.replacen('{', r#"{"simulated":true,"#, 1));
    let made_up = made_up.enumerate().map(|(number, line)| line.replacen("record-", &format!("made-up-{number}-"), 1));
    bucket.archive(DAY, "east", 0, &[records.clone(), made_up.collect()].concat()).await;
    let mut files = Vec::new();
    for bucket in [&plain, &bucket] {
        train(bucket, "daily-1", LABEL).await.unwrap();
        files.push(current_files(bucket).await.1);
    }
    let metadata = metadata(&bucket).await;
    assert_eq!((metadata.simulated, metadata.records, metadata.sampled), (20, 2_000, 2_000));
    let report = String::from_utf8(files[1][REPORT_FILE].clone()).unwrap();
    assert!(report.contains("Left out as simulated") && report.contains("20 records"), "{report}");
    let message = result(&bucket, "daily-1").await.message;
    assert!(message.contains("20 records are left out, as they are simulated"), "{message}");
    for (name, content) in files[0].iter().filter(|(name, _)| ![METADATA_FILE, REPORT_FILE].contains(&name.as_str())) {
        assert!(files[1][name] == *content, "{name}");
    }
    assert_eq!(metadata.gate, self::metadata(&plain).await.gate);
}

#[tokio::test]
async fn what_people_made_of_alerts_stands_in_the_metadata_and_the_report_and_changes_no_model() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..2_000)).await;
    train(&bucket, "daily-1", LABEL).await.unwrap();
    let (_, without) = current_files(&bucket).await;
    let json = String::from_utf8(without[METADATA_FILE].clone()).unwrap();
    assert!(!json.contains("verdicts") && !json.contains("judged"), "{json}");
    assert!(!String::from_utf8(without[REPORT_FILE].clone()).unwrap().contains("Judged"));
    assert!(!result(&bucket, "daily-1").await.message.contains("judged"));

    let version = "20261119T000000Z-1a2b3c4d";
    let verdict = |number: usize, finding: &str| {
        let of = serde_json::json!({ "uuid": format!("record-{number}"), "site": "east", "modelVersion": version,
            "detectedUtc": "2026-11-20T00:16:40Z" });
        serde_json::json!({ "alert": of, "verdict": finding, "by": "ada", "why": "a test",
            "at": format!("2026-11-23T08:42:{number:02}Z") })
    };
    let key = |number: usize| format!("team/flows/labels/west/2026-11/20261123T0842{number:02}Z-1a2b3c4d.json");
    for (number, finding) in [(1, "anomaly"), (2, "expected"), (3, "anomaly"), (4, "anomaly")] {
        bucket.put_json(&key(number), &verdict(number, finding)).await;
    }
    bucket.put(&key(5), "{half").await;
    train(&bucket, "daily-2", LABEL).await.unwrap();
    let metadata = metadata(&bucket).await;
    let [of] = metadata.judged.as_slice() else { panic!("{:?}", metadata.judged) };
    assert_eq!(
        (of.version.as_ref().map(ToString::to_string).as_deref(), of.alerts, of.anomalies),
        (Some(version), 4, 3)
    );
    assert_eq!((of.precision, metadata.verdicts.len()), (0.75, 4));
    let object = bucket.bucket.get(&key(1)).await.unwrap().unwrap().bytes;
    assert_eq!(metadata.verdicts[0].sha256, sha256_hex(&object));
    let (_, with) = current_files(&bucket).await;
    let report = String::from_utf8(with[REPORT_FILE].clone()).unwrap();
    assert!(report.contains("<h2>Judged alerts</h2>") && report.contains(version), "{report}");
    let message = result(&bucket, "daily-2").await.message;
    assert!(message.contains("of 4 alerts of 1 version that people judged 3 are anomalies"), "{message}");
    for file in [FOREST_FILE, FEATURES_FILE, CALIBRATION_FILE] {
        assert!(with[file] == without[file], "{file}");
    }
}

#[tokio::test]
async fn sites_and_lookback_choose_what_is_read() {
    let bucket = TestBucket::serve().await;
    let now = Timestamp::now();
    let today = now.to_string()[..10].to_owned();
    let with_time = |line: String, time: Timestamp| {
        let mut record: serde_json::Value = serde_json::from_str(&line).unwrap();
        record["utc"] = format!("{time:.6}").into();
        record.to_string()
    };
    let fresh: Vec<_> = machine_records(0..400).into_iter().map(|line| with_time(line, now)).collect();
    let stale = machine_records(400..500).into_iter().map(|line| with_time(line, now - SignedDuration::from_hours(3)));
    bucket.archive(&today, "east", 0, &fresh.into_iter().chain(stale).collect::<Vec<_>>()).await;
    let elsewhere = machine_records(500..900).into_iter().map(|line| with_time(line, now));
    bucket.archive(&today, "west", 0, &elsewhere.collect::<Vec<_>>()).await;
    bucket.archive("2020-01-01", "east", 500, &machine_records(900..1_000)).await;
    train(&bucket, "daily-1", "--data-site east --lookback-seconds 3600").await.unwrap();
    let metadata = metadata(&bucket).await;
    assert_eq!((metadata.records, metadata.objects.len(), metadata.sites), (400, 1, vec![name("east")]));
}

#[tokio::test]
async fn a_period_that_is_known_to_be_clean_is_learned_from_and_the_stream_calibrates() {
    let bucket = TestBucket::serve().await;
    // An hour of clean records, then one in which every fifth record is of a worn machine that is quite like all others.
    let clean = machine_records(0..3_600).into_iter().filter(|line| !line.contains("worn"));
    bucket.archive(DAY, "east", 0, &clean.collect::<Vec<_>>()).await;
    let worn = |(number, line): (usize, String)| {
        let mut record: serde_json::Value = serde_json::from_str(&line).unwrap();
        if number % 5 == 0 {
            (record["vibration"], record["condition"]) = (9.into(), "worn".into());
        }
        record.to_string()
    };
    let later: Vec<String> = machine_records(3_600..7_200).into_iter().enumerate().map(worn).collect();
    bucket.archive(DAY, "east", 3_600, &later).await;
    let window = "--reference-window 2026-11-20T00:00:00Z/2026-11-20T01:00:00Z";
    let budget = "--alert-budget-per-million 50000 --algorithm Ensemble";
    train(&bucket, "daily-1", &format!("{LABEL} {budget}")).await.unwrap();
    let of_all = metadata(&bucket).await;
    train(&bucket, "daily-2", &format!("{LABEL} {budget} {window}")).await.unwrap();
    let of_the_window = metadata(&bucket).await;
    let reference = of_the_window.reference.unwrap();
    assert_eq!((reference.window.to_string(), reference.records), (window[19..].to_owned(), 3_564));
    assert!((1_600..2_000).contains(&of_the_window.learned), "{}", of_the_window.learned);
    // The stream as it is, with the worn machines, is what the budget is about and what is evaluated on.
    assert_eq!((of_the_window.records, of_all.records), (7_164, 7_164));
    assert_eq!(of_the_window.metrics.rows, of_all.metrics.rows);
    let [before, after] = [&of_all, &of_the_window].map(|found| found.metrics.auroc.unwrap());
    assert!(after > 0.99 && after >= before, "{before} and {after}");
    let message = result(&bucket, "daily-2").await.message;
    assert!(message.contains("the 3564 records of the reference window 2026-11-20T00:00:00Z/"), "{message}");

    let elsewhere = "--reference-window 2025-01-01T00:00:00Z/2025-02-01T00:00:00Z";
    train(&bucket, "daily-3", elsewhere).await.unwrap();
    let empty = result(&bucket, "daily-3").await;
    assert_eq!(empty.outcome, TrainingOutcome::NotEnoughData);
    assert!(empty.message.contains("spec.data.referenceWindow 2025-01-01T00:00:00Z/"), "{}", empty.message);
}

#[tokio::test]
async fn too_little_data_is_a_result() {
    let bucket = TestBucket::serve().await;
    train(&bucket, "daily-1", "").await.unwrap();
    assert_eq!(result(&bucket, "daily-1").await.outcome, TrainingOutcome::NotEnoughData);
    bucket.archive(DAY, "east", 0, &machine_records(0..150)).await;
    bucket.archive(DAY, "west", 0, &machine_records(0..150)).await;
    train(&bucket, "daily-2", "--min-records 200").await.unwrap();
    let few = result(&bucket, "daily-2").await;
    assert_eq!((few.outcome, few.records), (TrainingOutcome::NotEnoughData, 300));
    assert!(few.message.starts_with("150 different records"), "{}", few.message);
    assert_eq!(pointer(&bucket).await, None);
}

#[tokio::test]
async fn a_label_of_which_no_value_is_normal_is_refused_with_the_values_seen() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..500)).await;
    let refused = train(&bucket, "daily-1", "--label-field condition --normal-label benign").await.unwrap_err();
    let words = ["\"condition\"", "benign", "seen are \"good\", \"worn\""];
    words.iter().for_each(|word| assert!(refused.to_string().contains(word), "{word} in {refused}"));
    train(&bucket, "daily-2", "--label-field condition --normal-label GOOD").await.unwrap();
    assert!(metadata(&bucket).await.metrics.auroc.is_some());
}

#[tokio::test]
async fn fields_that_are_no_features_are_named_and_can_be_asked_for() {
    let bucket = TestBucket::serve().await;
    let more = |(number, line): (usize, String)| {
        let mut record: serde_json::Value = serde_json::from_str(&line).unwrap();
        record["uptime"] = serde_json::json!(5_000 + number * 3);
        record["session"] = format!("session-{number}").into();
        record["Attack"] = (number % 100 == 99).into();
        record["measured"] = record["utc"].clone();
        record.to_string()
    };
    let records: Vec<String> = machine_records(0..600).into_iter().enumerate().map(more).collect();
    bucket.archive(DAY, "east", 0, &records).await;
    train(&bucket, "daily-1", &format!("{LABEL} --minimum-recall 0")).await.unwrap();
    let left_out = metadata(&bucket).await.left_out;
    let expected = [
        ("Attack", "named like a label"),
        ("measured", "a time"),
        ("session", "an identifier"),
        ("uptime", "only grows"),
    ];
    assert_eq!(left_out, expected.map(|(name, words)| (name.to_owned(), words.to_owned())).into());
    let message = result(&bucket, "daily-1").await.message;
    assert!(message.contains("Attack (named like a label), measured (a time)"), "{message}");
    let refused = train(&bucket, "daily-2", &format!("{LABEL} --numeric-feature uptime")).await.unwrap_err();
    assert!(matches!(&refused, TrainerError::EveryRecordIsNew { fields } if fields.contains("uptime")), "{refused}");
    train(&bucket, "daily-3", &format!("{LABEL} --numeric-feature load --categorical-feature Attack")).await.unwrap();
    let metadata = metadata(&bucket).await;
    assert_eq!((metadata.left_out.len(), metadata.separating), (0, Vec::new()));
}

#[tokio::test]
async fn a_field_that_tells_the_label_by_itself_is_named() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..4_000)).await;
    train(&bucket, "daily-1", LABEL).await.unwrap();
    assert_eq!(metadata(&bucket).await.separating, ["vibration"]);
    let message = result(&bucket, "daily-1").await.message;
    assert!(message.contains("tell the label, and may be labels, too: vibration"), "{message}");
}

#[tokio::test]
async fn numbers_that_arrive_as_text_are_numbers_or_missing_and_counted() {
    let bucket = TestBucket::serve().await;
    let records = machine_records(0..1_000);
    let as_text = |(number, line): (usize, &String)| {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        let written = record["temperature"].to_string();
        record["temperature"] = (if number % 10 == 0 { "n/a".to_owned() } else { written }).into();
        record.to_string()
    };
    let texts: Vec<String> = records.iter().enumerate().map(as_text).collect();
    bucket.archive(DAY, "east", 0, &texts).await;
    train(&bucket, "daily-1", "").await.unwrap();
    let texts = metadata(&bucket).await.texts;
    assert_eq!(texts, [("temperature".to_owned(), TextValues { numbers: 900, missing: 100 })].into());
    let message = result(&bucket, "daily-1").await.message;
    assert!(message.contains("temperature (900 numbers, 100 missing)"), "{message}");
}

#[tokio::test]
async fn damaged_objects_are_told_and_too_many_of_them_end_the_run() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..4_000)).await;
    let damage = |start: usize, records: &'static str| {
        let said = [(METADATA_RECORDS, records.to_owned()), (METADATA_SHA256, "0".repeat(64))];
        (object_key(DAY, "west", start), said.map(|(name, value)| (name.to_owned(), value)).into())
    };
    let (key, said) = damage(0, "40");
    bucket.create(&key, b"altered".to_vec(), &said).await;
    train(&bucket, "daily-1", LABEL).await.unwrap();
    let found = metadata(&bucket).await;
    assert_eq!((found.damaged, found.lost, found.records), (1, 40, 4_000));
    let message = result(&bucket, "daily-1").await.message;
    assert!(message.contains("1 archive objects are damaged, of which 40 records are lost"), "{message}");
    let (key, said) = damage(40, "1");
    bucket.create(&key, b"altered".to_vec(), &said).await;
    let refused = train(&bucket, "daily-2", LABEL).await.unwrap_err();
    assert!(matches!(refused, TrainerError::Damaged { damaged: 2, lost: 41, read: 4_000 }), "{refused:?}");
}

#[tokio::test]
async fn a_sentinel_is_missing_and_named() {
    let bucket = TestBucket::serve().await;
    let mut records = machine_records(0..4_000);
    for line in records.iter_mut().step_by(80) {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["temperature"] = serde_json::json!(-9_999.0);
        *line = record.to_string();
    }
    bucket.archive(DAY, "east", 0, &records).await;
    train(&bucket, "daily-1", LABEL).await.unwrap();
    let (manifest, files) = current_files(&bucket).await;
    let encoder = Model::from_files(&files, &manifest).unwrap().encoder;
    let temperature = encoder.columns().iter().position(|column| column.name == "temperature").unwrap();
    assert!(encoder.numeric(temperature, -9_999.).is_nan() && !encoder.numeric(temperature, -9_998.).is_nan());
    assert_eq!(metadata(&bucket).await.sentinels, [("temperature".to_owned(), vec![-9_999.])].into());
    let message = result(&bucket, "daily-1").await.message;
    assert!(message.contains("temperature -9999"), "{message}");
}

#[tokio::test]
async fn given_features_are_used_and_must_be_there() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..500)).await;
    let missing = "--numeric-feature vibration --numeric-feature machine --categorical-feature wheels";
    let refused = train(&bucket, "daily-1", missing).await.unwrap_err();
    assert!(matches!(refused, TrainerError::UnknownFeatures { .. }), "{refused:?}");
    assert!(refused.to_string().contains("machine (numeric), wheels (categorical)"), "{refused}");
    train(&bucket, "daily-2", "--numeric-feature vibration --categorical-feature speed").await.unwrap();
    let (_, files) = current_files(&bucket).await;
    let features: FeatureSpecification = serde_json::from_slice(&files[FEATURES_FILE]).unwrap();
    let [speed, vibration] = features.columns.as_slice() else { panic!("{features:?}") };
    assert_eq!((speed.name.as_str(), vibration.name.as_str()), ("speed", "vibration"));
    assert!(matches!(&speed.kind, ColumnKind::Categorical { values, .. } if values[0].parse::<f64>().is_ok()));
}
