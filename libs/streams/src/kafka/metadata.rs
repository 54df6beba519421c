//! What a broker tells about its topics, and why it does not.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use tracing::debug;
use vedette_contract::TopicName;

use crate::kafka::{KafkaContext, KafkaError, KafkaSettings};

/// After this long without an answer we look whether the broker refused the credentials, as librdkafka goes on trying;
/// then after twice as long, so that a slow broker still gets the time to answer one request.
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// The client tells what it met one event at a time: how often we look whether it told anything, and how long.
const SAYING: Duration = Duration::from_millis(20);
const SAYINGS: usize = 25;

/// What exists of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TopicState {
    pub(super) partitions: i32,
    /// Whether every partition has a leader.
    pub(super) led: bool,
}

/// Whether a broker answers. Blocks for at most `timeout`.
///
/// # Errors
/// When none answers or the credentials are refused; the message names the servers and what to do.
pub fn check_broker(settings: &KafkaSettings, timeout: Duration) -> Result<(), KafkaError> {
    topic_states(settings, timeout).map(|_| ())
}

/// Whether a broker answers and these topics exist. Blocks for at most `timeout`.
///
/// # Errors
/// As [`check_broker`], and when a topic is missing.
pub fn check_topics(settings: &KafkaSettings, topics: &[&TopicName], timeout: Duration) -> Result<(), KafkaError> {
    let states = topic_states(settings, timeout)?;
    topics.iter().try_for_each(|topic| state(&states, topic, settings).map(|_| ()))
}

/// How many partitions each of these topics has. Blocks for at most `timeout`.
///
/// # Errors
/// As [`check_topics`].
pub fn count_partitions<const COUNT: usize>(
    settings: &KafkaSettings,
    topics: [&TopicName; COUNT],
    timeout: Duration,
) -> Result<[i32; COUNT], KafkaError> {
    let states = topic_states(settings, timeout)?;
    let mut counts = [0; COUNT];
    for (count, topic) in counts.iter_mut().zip(topics) {
        *count = state(&states, topic, settings)?.partitions;
    }
    Ok(counts)
}

fn state(
    states: &BTreeMap<String, TopicState>,
    topic: &TopicName,
    settings: &KafkaSettings,
) -> Result<TopicState, KafkaError> {
    states.get(topic.as_str()).copied().ok_or_else(|| KafkaError::TopicMissing {
        topic: topic.to_string(),
        servers: settings.bootstrap_servers().to_owned(),
    })
}

/// All topics of the cluster. Blocks for at most `timeout`. It asks for all, as asking for one could create it.
pub(super) fn topic_states(
    settings: &KafkaSettings,
    timeout: Duration,
) -> Result<BTreeMap<String, TopicState>, KafkaError> {
    let started = Instant::now();
    let context = settings.context();
    // Asked for here, as librdkafka would tell only that it has none.
    context.token()?;
    let client: BaseProducer<Listening> =
        settings.base().create_with_context(Listening::new(context)).map_err(KafkaError::Settings)?;
    // Serves the token callback, without which nothing is asked of a broker.
    client.poll(Duration::ZERO);
    let mut look = FIRST_LOOK;
    let answer = loop {
        let remaining = timeout.saturating_sub(started.elapsed());
        let answer = client.client().fetch_metadata(None, look.min(remaining));
        if answer.is_ok() || look >= remaining || listen(&client).refusal.is_some() {
            break answer;
        }
        look *= 2;
    };
    let metadata = answer.map_err(|source| explain(settings, listen(&client), timeout, source))?;
    let states = metadata.topics().iter().filter(|topic| topic.error().is_none()).map(|topic| {
        let partitions = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
        let led = topic.partitions().iter().all(|partition| partition.leader() >= 0);
        (topic.name().to_owned(), TopicState { partitions, led })
    });
    Ok(states.collect())
}

/// Lets the client tell what it met so far.
fn listen(client: &BaseProducer<Listening>) -> Heard {
    for _ in 0..SAYINGS {
        client.poll(SAYING);
        let heard = client.context().heard();
        if heard.refusal.is_some() || heard.trouble.is_some() {
            return heard;
        }
    }
    Heard::default()
}

fn explain(settings: &KafkaSettings, heard: Heard, timeout: Duration, source: ClientError) -> KafkaError {
    let servers = settings.bootstrap_servers().to_owned();
    match (heard, source.rdkafka_error_code()) {
        (Heard { refusal: Some(detail), .. }, _) => KafkaError::Authentication { servers, detail },
        (
            Heard { trouble, .. },
            Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut | Code::Resolve),
        ) => {
            let detail = trouble.map(|text| format!(" ({text})")).unwrap_or_default();
            KafkaError::Unreachable { servers, seconds: whole_seconds(timeout), detail, source: Box::new(source) }
        }
        _ => KafkaError::Request { attempt: "read the topics", servers, source },
    }
}

/// For messages; rounded up, as what is left of a time-out is always a little less than it.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Remembers what librdkafka says while it tries, as the request itself only times out.
struct Listening {
    context: KafkaContext,
    heard: Mutex<Heard>,
}

#[derive(Clone, Default)]
struct Heard {
    /// The broker refused the credentials.
    refusal: Option<String>,
    /// The last other trouble.
    trouble: Option<String>,
}

impl Listening {
    fn new(context: KafkaContext) -> Self {
        Self { context, heard: Mutex::default() }
    }

    fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Listening {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, configuration: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.context.generate_oauth_token(configuration)
    }

    fn log(&self, _level: RDKafkaLogLevel, facility: &str, text: &str) {
        debug!(target: "librdkafka", facility, text, "librdkafka reports");
    }

    fn error(&self, cause: ClientError, text: &str) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match cause.rdkafka_error_code() {
            Some(Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL) => {
                heard.refusal = Some(text.to_owned());
            }
            // librdkafka has two ways to report a handshake that failed, and this one gives it no code of its own.
            _ if text.contains("SSL routines") => heard.refusal = Some(text.to_owned()),
            // It tells nothing that the connections' own errors do not.
            Some(Code::AllBrokersDown) => {}
            _ => heard.trouble = Some(text.to_owned()),
        }
    }
}

impl ProducerContext for Listening {
    type DeliveryOpaque = ();
    fn delivery(&self, _result: &DeliveryResult<'_>, (): ()) {}
}
