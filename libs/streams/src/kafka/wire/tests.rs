use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vedette_contract::arguments::KafkaArguments;

use super::*;

/// A broker that gives these answers, whatever it is asked, and notes what that was.
async fn broker(answers: Vec<Vec<u8>>) -> (KafkaSettings, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let noted = Arc::clone(&asked);
    let itself = metadata(&address.to_string());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for answer in [vec![itself], answers].concat() {
            let length = stream.read_i32().await.unwrap();
            let mut request = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut request).await.unwrap();
            let correlation = Answer(&request[4..8]).int32().unwrap();
            noted.lock().unwrap().push(request);
            let answer = [Request::default().int32(correlation).into_bytes(), answer].concat();
            stream.write_all(&Request::default().bytes(&answer).into_bytes()).await.unwrap();
        }
    });
    let arguments = KafkaArguments { bootstrap_servers: address.to_string(), ..KafkaArguments::default() };
    (KafkaSettings::new(&arguments, "me"), asked)
}

/// Of one broker, which is the controller.
fn metadata(address: &str) -> Vec<u8> {
    let (host, port) = address.rsplit_once(':').unwrap();
    let broker = |request: Request, ()| request.int32(1).text(host).int32(port.parse().unwrap()).int16(-1);
    Request::default().int32(0).list([()], broker).int16(-1).int32(1).int32(0).into_bytes()
}

const LIMIT: Duration = Duration::from_secs(240);

#[tokio::test]
async fn a_topic_is_made_as_it_is_specified_and_a_refusal_has_its_code() {
    let answer = |code: i16| {
        let result = |request: Request, ()| request.text("t").int16(code).int16(-1);
        Request::default().int32(0).list([()], result).into_bytes()
    };
    for (code, expected) in
        [(0, Ok(())), (29, Err(Code::TopicAuthorizationFailed)), (36, Err(Code::TopicAlreadyExists))]
    {
        let (settings, asked) = broker(vec![answer(code)]).await;
        let topic = "t:partitions=3,retention.ms=60000".parse().unwrap();
        assert_eq!(WireAdmin::new(&settings).create(&topic, LIMIT).await.unwrap(), expected);
        let asked = asked.lock().unwrap();
        let head = Request::default().int16(19).int16(4).int32(2).text("me");
        let topic = head.int32(1).text("t").int32(3).int16(-1).int32(0);
        let wanted = topic.int32(1).text("retention.ms").text("60000").int32(240_000).bool(false);
        assert_eq!(asked[1], wanted.into_bytes());
    }
}

#[tokio::test]
async fn what_is_in_force_is_told_of_each_topic() {
    let entry = |request: Request, (name, source): (&str, i8)| {
        request.text(name).text("1").bool(false).int8(source).bool(false).int32(0)
    };
    let resources = Request::default().int32(0).int32(2);
    let first = resources.int16(0).int16(-1).int8(2).text("a").list([("retention.ms", 1), ("segment.bytes", 5)], entry);
    let answer = first.int16(29).text("no").int8(2).text("b").int32(0).into_bytes();
    let (settings, _) = broker(vec![answer]).await;
    let described = WireAdmin::new(&settings).describe(&["a", "b"], LIMIT).await.unwrap();
    let [Ok((topic, entries)), Err(Code::TopicAuthorizationFailed)] = &described[..] else { panic!("of two") };
    assert_eq!(topic, "a");
    let own: Vec<_> = entries.iter().map(|(name, entry)| (name.as_str(), entry.is_own)).collect();
    assert_eq!(own, [("retention.ms", true), ("segment.bytes", false)]);
}

#[tokio::test]
async fn what_is_no_kafka_is_told_and_one_that_is_away_is_tried_again() {
    let (settings, _) = broker(vec![b"HTTP".to_vec()]).await;
    let error = WireAdmin::new(&settings).add_partitions("t", 4, LIMIT).await.unwrap_err();
    assert_eq!((error.reason(), error.is_retriable()), ("KafkaRequestFailed", false), "{error:?}");
    let (settings, _) = broker(vec![]).await;
    let error = WireAdmin::new(&settings).alter("t", &BTreeMap::new(), LIMIT).await.unwrap_err();
    assert_eq!((error.reason(), error.is_retriable()), ("BrokerUnreachable", true), "{error:?}");
}
