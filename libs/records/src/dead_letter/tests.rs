use proptest::prelude::*;
use vedette_contract::dead_letter::DeadLetterReason;

use super::*;

fn make(value: Option<&[u8]>, inherited_bytes: usize, max_message_bytes: usize) -> FittedLetter<'_> {
    let place = RecordPlace { topic: "t".parse().unwrap(), partition: 3, offset: 42 };
    let refusal = Refusal::new(DeadLetterReason::InvalidJson, "é".repeat(400));
    let refused_at = "2026-11-23T08:42:10Z".parse().unwrap();
    DeadLetter::fit(place, refusal, refused_at, value, Limit { inherited_bytes, max_message_bytes })
}

fn read(headers: &[(&'static str, String)]) -> Result<DeadLetter, DeadLetterError> {
    DeadLetter::read(headers.iter().map(|(name, value)| (*name, Some(value.as_bytes()))))
}

#[test]
fn where_it_comes_from_and_why_are_in_its_headers() {
    let letter = make(Some(b"\xff"), 0, 4096);
    assert_eq!(letter.value, Some(b"\xff".as_slice()));
    let message = "é".repeat(256);
    let expected = [
        ("vedette.topic", "t"),
        ("vedette.partition", "3"),
        ("vedette.offset", "42"),
        ("vedette.reason", "invalid_json"),
        ("vedette.message", &message),
        ("vedette.time", "2026-11-23T08:42:10.000000Z"),
    ];
    let headers: Vec<_> = letter.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(headers, expected);
    assert_eq!(make(None, 0, 4096).value, None);
}

#[test]
fn a_value_that_was_cut_is_known_by_its_length_and_hash() {
    let value = vec![b'x'; 5000];
    let letter = make(Some(&value), 100, 4096);
    assert_eq!(letter.headers[6], ("vedette.length", "5000".to_owned()));
    assert_eq!(letter.headers[7], ("vedette.sha256", hex::encode(Sha256::digest(&value))));
    assert!(letter.keeps_key_and_headers && letter.value.unwrap().len() > 3000);
    assert!(!make(Some(&value), 4000, 4096).keeps_key_and_headers);
    let whole = read(&letter.headers).unwrap().whole.unwrap();
    assert_eq!((whole.length, whole.sha256), (5000, letter.headers[7].1.clone()));
}

#[test]
fn headers_that_are_not_a_dead_letters_are_refused_by_name() {
    assert_eq!(read(&[]), Err(DeadLetterError::Missing { header: "vedette.topic" }));
    let headers = make(Some(&[b'x'; 5000]), 0, 4096).headers;
    for position in 0..headers.len() {
        let mut without = headers.clone();
        let (header, _) = without.remove(position);
        match read(&without) {
            Ok(letter) => assert!(header == "vedette.length" && letter.whole.is_none()),
            Err(error) => assert_eq!(error, DeadLetterError::Missing { header }),
        }
    }
    for position in [0, 1, 2, 3, 5, 6] {
        let mut strange = headers.clone();
        strange[position].1 = "?".to_owned();
        let header = strange[position].0;
        assert_eq!(read(&strange), Err(DeadLetterError::Unreadable { header, value: "?".to_owned() }));
    }
}

#[test]
fn a_record_keeps_its_own_headers_apart_from_those_of_its_dead_letter() {
    let letter = make(Some(b"x"), 0, 4096);
    let came_with = [("trace", "1".to_owned()), ("vedette.reason", "empty".to_owned()), ("trace", "2".to_owned())];
    let all = || came_with.iter().chain(&letter.headers).map(|(name, value)| (*name, Some(value.as_bytes())));
    assert_eq!(DeadLetter::read(all()).unwrap().refusal.reason, DeadLetterReason::InvalidJson, "the last one counts");
    let kept: Vec<_> = inherited(all()).collect();
    assert_eq!(kept, [("trace", Some(b"1".as_slice())), ("trace", Some(b"2".as_slice()))]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_dead_letter_is_never_too_large(length in 0..6000usize, inherited in 0..6000usize, limit in 2000..6000usize) {
        let value = vec![b'x'; length];
        let letter = make(Some(&value), inherited, limit);
        let inherited = if letter.keeps_key_and_headers { inherited } else { 0 };
        prop_assert!(size::message(letter.value.unwrap().len(), inherited, &letter.headers) <= limit);
        prop_assert_eq!(letter.headers.len() == 8, letter.value.unwrap().len() < length || !letter.keeps_key_and_headers);
    }

    #[test]
    fn what_is_written_is_what_is_read(
        topic in "[a-z]{1,20}", partition: i32, offset: i64, message in "\\PC{0,100}", microsecond in 0..1_i64 << 50,
        reason in prop::sample::select(DeadLetterReason::ALL.to_vec()), whole in prop::option::of((0..usize::MAX, "[0-9a-f]{64}")),
    ) {
        let letter = DeadLetter {
            place: RecordPlace { topic: topic.parse().unwrap(), partition, offset },
            refusal: Refusal::new(reason, message),
            refused_at: Timestamp::from_microsecond(microsecond).unwrap(),
            whole: whole.map(|(length, sha256)| WholeValue { length, sha256 }),
        };
        prop_assert_eq!(read(&letter.headers()), Ok(letter));
    }
}
