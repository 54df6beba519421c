//! What a broker tells about its topics, and why it does not.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::metadata::{Metadata, MetadataPartition};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use tracing::debug;
use vedette_contract::TopicName;

use crate::kafka::{KafkaContext, KafkaError, KafkaSettings, MissingAcl};

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
    /// Replicas of the partition that has the fewest, be they alive or not.
    pub(super) replicas: i32,
    /// Whether every partition has a leader.
    pub(super) led: bool,
}

/// Whether a broker answers. Blocks for at most `timeout`.
///
/// # Errors
/// When none answers or the credentials are refused; the message names the servers and what to do.
pub fn check_broker(settings: &KafkaSettings, timeout: Duration) -> Result<(), KafkaError> {
    TopicReader::new(settings)?.ask(None, timeout).map(drop)
}

/// A client that looks at topics, as often as it is asked. It asks for those alone that are named, and creates none.
pub struct TopicReader {
    settings: KafkaSettings,
    client: BaseProducer<Listening>,
}

impl TopicReader {
    /// Connects when it is asked.
    ///
    /// # Errors
    /// When the client refuses its settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let mut config = settings.base();
        // A broker may be set to create what a client asks for.
        config.set("allow.auto.create.topics", "false");
        let client = config.create_with_context(Listening::new(settings.context())).map_err(KafkaError::Settings)?;
        Ok(Self { settings: settings.clone(), client })
    }

    /// Whether these topics exist. Blocks for at most `timeout` a topic.
    ///
    /// # Errors
    /// As [`check_broker`], and when a topic is missing.
    pub fn check(&self, topics: &[TopicName], timeout: Duration) -> Result<(), KafkaError> {
        topics.iter().try_for_each(|topic| self.partitions(topic, timeout).map(drop))
    }

    /// How many partitions each of these topics has. Blocks for at most `timeout` a topic: a slow broker has time for each answer.
    ///
    /// # Errors
    /// As [`TopicReader::check`].
    pub fn count_partitions<const COUNT: usize>(
        &self,
        topics: [&TopicName; COUNT],
        timeout: Duration,
    ) -> Result<[i32; COUNT], KafkaError> {
        let mut counts = [0; COUNT];
        for (count, topic) in counts.iter_mut().zip(topics) {
            *count = self.partitions(topic, timeout)?;
        }
        Ok(counts)
    }

    fn partitions(&self, topic: &TopicName, timeout: Duration) -> Result<i32, KafkaError> {
        let state = self.state(topic, timeout)?.ok_or_else(|| KafkaError::TopicMissing {
            topic: topic.to_string(),
            servers: self.settings.bootstrap_servers().to_owned(),
        })?;
        Ok(state.partitions)
    }

    /// What exists of a topic, if it does. Blocks for at most `timeout`.
    ///
    /// # Errors
    /// As [`check_broker`], and when we may not know.
    pub(super) fn state(&self, topic: &TopicName, timeout: Duration) -> Result<Option<TopicState>, KafkaError> {
        let metadata = self.ask(Some(topic), timeout)?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic.as_str()) else {
            return Ok(None);
        };
        match found.error().map(Code::from) {
            None => Ok(Some(TopicState {
                partitions: i32::try_from(found.partitions().len()).unwrap_or(i32::MAX),
                replicas: found.partitions().iter().map(replicas).min().unwrap_or_default(),
                led: found.partitions().iter().all(|partition| partition.leader() >= 0),
            })),
            Some(Code::TopicAuthorizationFailed) => {
                let missing = MissingAcl::DescribeTopic(topic.to_string());
                Err(KafkaError::missing(self.settings.bootstrap_servers(), &[missing]))
            }
            Some(_) => Ok(None),
        }
    }

    fn ask(&self, topic: Option<&TopicName>, timeout: Duration) -> Result<Metadata, KafkaError> {
        let started = Instant::now();
        // Asked for here, as librdkafka would tell only that it has none.
        self.client.context().context.token()?;
        // Serves the token callback, without which nothing is asked of a broker.
        self.client.poll(Duration::ZERO);
        let mut look = FIRST_LOOK;
        let answer = loop {
            let remaining = timeout.saturating_sub(started.elapsed()).max(Duration::from_millis(1));
            let answer = self.client.client().fetch_metadata(topic.map(TopicName::as_str), look.min(remaining));
            if answer.is_ok() || look >= remaining || listen(&self.client).refusal.is_some() {
                break answer;
            }
            look *= 2;
        };
        answer.map_err(|source| explain(&self.settings, listen(&self.client), timeout, source))
    }
}

fn replicas(partition: &MetadataPartition) -> i32 {
    i32::try_from(partition.replicas().len()).unwrap_or(i32::MAX)
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

/// Remembers what librdkafka says while it tries, as the request itself only times out; of what goes on it says the same
/// only once an hour.
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
