//! The few requests about topics that librdkafka cannot make for whoever comes by a token: the crate serves no token callback for its
//! `AdminClient`. They go by connections of our own, with the same properties and the same tokens.

mod codec;
mod connection;
mod tls;

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use tokio::time::timeout;
use vedette_contract::arguments::SecretText;
use vedette_contract::topic::TopicSpecification;

use self::codec::{Answer, BrokenAnswer, Request};
use self::connection::{Api, Connection, WireError};
use crate::kafka::alteration::LiveEntry;
use crate::kafka::metadata::whole_seconds;
use crate::kafka::wait::blocking;
use crate::kafka::{KafkaError, KafkaSettings};

const METADATA: Api = Api { key: 3, version: 4 };
const CREATE_TOPICS: Api = Api { key: 19, version: 4 };
const DESCRIBE_CONFIGS: Api = Api { key: 32, version: 1 };
const ALTER_CONFIGS: Api = Api { key: 33, version: 0 };
const CREATE_PARTITIONS: Api = Api { key: 37, version: 0 };
/// Kafka's number for a topic, where a configuration may be another's.
const TOPIC: i8 = 2;
/// Kafka's number for a configuration that was set for this topic.
const DYNAMIC_TOPIC: i8 = 1;
/// Asks the broker for its own default.
const BROKER_DEFAULT: i16 = -1;

/// The configuration of a topic, or why it is not told.
pub(super) type Described = Result<(String, BTreeMap<String, LiveEntry>), Code>;

/// Asks brokers about topics.
pub(super) struct WireAdmin {
    settings: KafkaSettings,
}

impl WireAdmin {
    /// Connects when it is asked.
    pub(super) fn new(settings: &KafkaSettings) -> Self {
        Self { settings: settings.clone() }
    }

    /// Makes a topic.
    pub(super) async fn create(
        &self,
        topic: &TopicSpecification,
        limit: Duration,
    ) -> Result<Result<(), Code>, KafkaError> {
        let TopicSpecification { name, management: _, partitions, replication_factor, configuration, defaults: _ } =
            topic;
        let replication = replication_factor.and_then(|factor| i16::try_from(factor).ok()).unwrap_or(BROKER_DEFAULT);
        let body = Request::default().list([name], |request, name| {
            let topic = request.text(name.as_str()).int32(*partitions).int16(replication).int32(0);
            topic.list(configuration, |request, (key, value)| request.text(key).text(value))
        });
        let body = body.int32(milliseconds(limit)).bool(false);
        self.ask("create topics", CREATE_TOPICS, body, limit, made).await
    }

    /// Adds partitions to a topic, so that it has so many.
    pub(super) async fn add_partitions(
        &self,
        topic: &str,
        count: i32,
        limit: Duration,
    ) -> Result<Result<(), Code>, KafkaError> {
        let grown = |request: Request, topic| request.text(topic).int32(count).int32(-1);
        let body = Request::default().list([topic], grown).int32(milliseconds(limit)).bool(false);
        self.ask("add partitions", CREATE_PARTITIONS, body, limit, made).await
    }

    /// The configurations of topics that are in force.
    pub(super) async fn describe(&self, topics: &[&str], limit: Duration) -> Result<Vec<Described>, KafkaError> {
        let asked = |request: Request, topic: &&str| request.int8(TOPIC).text(topic).int32(-1);
        let body = Request::default().list(topics, asked).bool(false);
        let read = |answer: &mut Answer<'_>| {
            answer.int32()?;
            answer.list(described)
        };
        self.ask("read the configuration of topics", DESCRIBE_CONFIGS, body, limit, read).await
    }

    /// Sets all that is set of a topic.
    pub(super) async fn alter(
        &self,
        topic: &str,
        entries: &BTreeMap<&str, &str>,
        limit: Duration,
    ) -> Result<Result<(), Code>, KafkaError> {
        let body = Request::default().list([topic], |request, topic| {
            request.int8(TOPIC).text(topic).list(entries, |request, (key, value)| request.text(key).text(value))
        });
        self.ask("set a topic's configuration", ALTER_CONFIGS, body.bool(false), limit, altered).await
    }

    /// Asks whom brokers name for it: before Kafka's own consensus that alone may alter.
    async fn ask<T>(
        &self,
        attempt: &'static str,
        api: Api,
        body: Request,
        limit: Duration,
        read: impl Fn(&mut Answer<'_>) -> Result<T, BrokenAnswer>,
    ) -> Result<T, KafkaError> {
        let context = self.settings.context();
        let token = blocking(&self.settings, move || context.token()).await?.map(|token| SecretText::from(token.token));
        let exchange = async {
            let mut connection = self.controller(token.as_ref()).await?;
            let answer = connection.ask(api, body).await?;
            Ok::<_, WireError>(read(&mut Answer(&answer))?)
        };
        let late = || Err(WireError::Connection(std::io::ErrorKind::TimedOut.into()));
        let outcome = timeout(limit, exchange).await.unwrap_or_else(|_| late());
        outcome.map_err(|error| self.explain(attempt, error, limit))
    }

    async fn controller(&self, token: Option<&SecretText>) -> Result<Connection, WireError> {
        let properties = self.settings.base();
        let mut last = WireError::Connection(std::io::ErrorKind::NotFound.into());
        for broker in self.settings.bootstrap_servers().split(',').map(str::trim) {
            match Connection::open(broker, &properties, token).await {
                Ok(mut connection) => {
                    let metadata = connection.ask(METADATA, Request::default().int32(0).bool(false)).await?;
                    return match controller(&mut Answer(&metadata))? {
                        Some(address) if address != broker => Connection::open(&address, &properties, token).await,
                        _ => Ok(connection),
                    };
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn explain(&self, attempt: &'static str, error: WireError, limit: Duration) -> KafkaError {
        let servers = self.settings.bootstrap_servers().to_owned();
        match error {
            WireError::Connection(error) => KafkaError::Unreachable {
                servers,
                seconds: whole_seconds(limit),
                detail: format!(" ({error})"),
                source: Box::new(ClientError::Global(Code::BrokerTransportFailure)),
            },
            WireError::Refused(detail) => KafkaError::Authentication { servers, detail },
            WireError::Broken(_) => {
                KafkaError::Request { attempt, servers, source: ClientError::AdminOp(Code::BadMessage) }
            }
        }
    }
}

fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

/// Host and port of whom brokers name as their controller.
fn controller(answer: &mut Answer<'_>) -> Result<Option<String>, BrokenAnswer> {
    answer.int32()?;
    let brokers = answer.list(|answer| {
        let (id, host, port) = (answer.int32()?, answer.text()?.ok_or(BrokenAnswer)?, answer.int32()?);
        answer.text()?;
        let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Ok((id, address))
    })?;
    answer.text()?;
    let named = answer.int32()?;
    Ok(brokers.into_iter().find(|(id, _)| *id == named).map(|(_, address)| address))
}

/// Of one topic that was to be made, or to grow, there is one result.
fn made(answer: &mut Answer<'_>) -> Result<Result<(), Code>, BrokenAnswer> {
    answer.int32()?;
    let codes = answer.list(|answer| {
        answer.text()?;
        let code = answer.int16()?;
        answer.text()?;
        Ok(code)
    })?;
    codes.first().map(|code| outcome(*code)).ok_or(BrokenAnswer)
}

/// Of one topic that was to be altered, too.
fn altered(answer: &mut Answer<'_>) -> Result<Result<(), Code>, BrokenAnswer> {
    answer.int32()?;
    let codes = answer.list(|answer| {
        let code = answer.int16()?;
        answer.text()?;
        answer.int8()?;
        answer.text()?;
        Ok(code)
    })?;
    codes.first().map(|code| outcome(*code)).ok_or(BrokenAnswer)
}

fn described(answer: &mut Answer<'_>) -> Result<Described, BrokenAnswer> {
    let code = answer.int16()?;
    answer.text()?;
    answer.int8()?;
    let topic = answer.text()?.ok_or(BrokenAnswer)?;
    let entries = answer.list(|answer| {
        let (name, value) = (answer.text()?.ok_or(BrokenAnswer)?, answer.text()?);
        let (is_read_only, source, is_sensitive) = (answer.bool()?, answer.int8()?, answer.bool()?);
        // What else it could be; nobody asked.
        answer.list(|answer| {
            answer.text()?;
            answer.text()?;
            answer.int8()
        })?;
        Ok((name, LiveEntry { value, is_own: source == DYNAMIC_TOPIC, is_read_only, is_sensitive }))
    })?;
    Ok(outcome(code).map(|()| (topic, entries.into_iter().collect())))
}

/// Kafka's numbers, as far as somebody goes by them or can mend it.
fn outcome(code: i16) -> Result<(), Code> {
    Err(match code {
        0 => return Ok(()),
        3 => Code::UnknownTopicOrPartition,
        7 => Code::RequestTimedOut,
        17 => Code::InvalidTopic,
        29 => Code::TopicAuthorizationFailed,
        31 => Code::ClusterAuthorizationFailed,
        36 => Code::TopicAlreadyExists,
        37 => Code::InvalidPartitions,
        38 => Code::InvalidReplicationFactor,
        40 => Code::InvalidConfig,
        41 => Code::NotController,
        42 => Code::InvalidRequest,
        44 => Code::PolicyViolation,
        89 => Code::ThrottlingQuotaExceeded,
        _ => Code::Unknown,
    })
}

#[cfg(test)]
mod tests;
