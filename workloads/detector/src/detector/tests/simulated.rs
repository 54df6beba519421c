//! What a record comes to that somebody made up.

use super::*;
use crate::stability::testing::bins;

#[test]
fn a_simulated_record_is_scored_like_any_other_and_counts_for_nothing() {
    let strange = |more: &str| {
        format!(r#"{{"uuid":"b","utc":"t","duration":"n/a","service":"new","src_bytes":900000,"dst_bytes":200{more}}}"#)
    };
    let normal = br#"{"uuid":"a","utc":"t","duration":4,"service":"http","src_bytes":300,"dst_bytes":200}"#.as_slice();
    let (plain, simulated) = (strange(""), strange(r#","simulated":true"#));
    let mut detector = detector(settings(), true).with_bins(Some(bins()));
    let seen = process(&mut detector, &[simulated.as_bytes(), normal, simulated.as_bytes()]);
    let counted = detector.take_tally();
    process(&mut detector, &[normal]);
    assert_eq!(counted, detector.take_tally(), "as if it were not there");
    assert_eq!((counted.scored, counted.spread.scores.iter().sum::<u64>(), counted.spread.rows), (1, 1, 1));
    let fields = |json: &str| serde_json::from_str::<Map<String, Value>>(json).unwrap();
    let (mut enriched, mut alert) = (fields(seen[0].enriched()), seen[0].alert().unwrap());
    let decided = ["threshold", "reasons"].map(|name| enriched.remove(name).unwrap());
    assert_eq!(decided, ["threshold", "reasons"].map(|name| alert[name].clone()));
    assert_eq!([&mut enriched, &mut alert].map(|of| of.remove("simulated")), [(); 2].map(|()| Some(true.into())));
    let other = &process(&mut detector, &[plain.as_bytes()])[0];
    assert_eq!((enriched, alert), (fields(other.enriched()), other.alert().unwrap()));
}

#[test]
fn a_simulated_record_says_by_what_it_was_decided_also_where_it_is_no_alert_and_as_far_as_there_is_room() {
    let record = |more: &str| {
        format!(r#"{{"uuid":"a","utc":"t","duration":4,"service":"http","src_bytes":900000,"dst_bytes":200{more}}}"#)
    };
    let settings = || DetectorSettings {
        // Which no score is above.
        threshold: Threshold::new(None, BudgetTracking::Disabled, Some(1.)).unwrap(),
        ..settings()
    };
    let mut whole = detector(settings(), true);
    let seen = process(&mut whole, &[record(r#","simulated":true"#).as_bytes(), record("").as_bytes()]);
    let [simulated, plain] = seen.as_slice() else { panic!("{seen:?}") };
    assert!(simulated.alert().is_none() && !plain.enriched().contains("reasons"), "{seen:?}");
    let fields: Map<String, Value> = serde_json::from_str(simulated.enriched()).unwrap();
    assert_eq!((&fields["threshold"], fields["reasons"].as_array().unwrap().is_empty()), (&json!(1.0), false));
    let max_message_bytes = simulated.enriched().len() + 100 - 1;
    let mut narrow = detector(DetectorSettings { max_message_bytes, ..settings() }, true);
    let seen = process(&mut narrow, &[record(r#","simulated":true"#).as_bytes()]);
    assert!(seen[0].enriched().ends_with(r#","threshold":1.0,"reasons":[]}"#), "{seen:?}");
}

#[test]
fn a_record_is_simulated_where_it_says_true_and_nothing_else() {
    let renamed_fields = vec!["simulated=of_theirs".parse().unwrap()];
    let mut renaming = detector(DetectorSettings { renamed_fields, ..settings() }, true);
    let mut detector = detector(settings(), true);
    let is_simulated = |detector: &mut Detector, said: &str| {
        let record = format!(r#"{{"uuid":"a","utc":"t",{said}}}"#);
        let mut told = Vec::new();
        let outcome: Result<(), ()> = detector.process(&[input(record.as_bytes())], now(), |_, output| {
            let Output::Enriched { is_simulated, .. } = output else { panic!("{output:?}") };
            told.push(is_simulated);
            Ok(())
        });
        assert_eq!((outcome, detector.take_tally().scored), (Ok(()), u64::from(!told[0])), "{said}");
        told[0]
    };
    for (said, expected) in [
        (r#""simulated":true"#, true),
        (r#""simul\u0061ted": true "#, true),
        (r#""simulated":false"#, false),
        (r#""simulated":"true""#, false),
        (r#""simulated":1"#, false),
        (r#""simulated":{"simulated":true}"#, false),
        (r#""flow":{"simulated":true}"#, false),
        (r#""made_up":true"#, false),
    ] {
        assert_eq!(is_simulated(&mut detector, said), expected, "{said}");
    }
    assert!(!is_simulated(&mut renaming, r#""simulated":true"#), "what a producer means by it has another name");
}
