//! What librdkafka says by itself, as log events with a constant message.

use std::error::Error;
use std::sync::Arc;

use rdkafka::ClientContext;
use rdkafka::Statistics;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use tracing::{debug, error, info, warn};

use crate::kafka::stranded::BrokerWatch;
use crate::kafka::token::TokenSource;
use crate::kafka::{ErrorClass, KafkaError as Failure, classify};

/// The context of a client that needs nothing but logs and, where it comes by tokens, those. A context of your own calls its
/// functions.
///
/// librdkafka recovers by itself from what it calls an error, so that is a warning here.
#[derive(Debug, Clone, Default)]
pub struct KafkaContext {
    tokens: Option<Arc<TokenSource>>,
    watch: BrokerWatch,
}

impl KafkaContext {
    pub(super) fn new(tokens: Option<Arc<TokenSource>>, watch: BrokerWatch) -> Self {
        Self { tokens, watch }
    }

    /// Looks at what the client tells of itself, for [`KafkaSettings::stranded`](crate::kafka::KafkaSettings::stranded).
    pub(super) fn look(&self, statistics: &Statistics) {
        self.watch.look(statistics);
    }

    /// A token, for clients that come by one. Blocks.
    pub(super) fn token(&self) -> Result<Option<OAuthToken>, Failure> {
        self.tokens.as_ref().map(|tokens| tokens.token()).transpose().map_err(Failure::Token)
    }
}

impl ClientContext for KafkaContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    /// librdkafka asks again 10 s after a failure.
    fn generate_oauth_token(&self, _configuration: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.token()?.ok_or_else(|| "sasl.mechanisms is OAUTHBEARER without kafka.oauth".into())
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(target: "librdkafka", facility, text, "librdkafka reports");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                warn!(target: "librdkafka", facility, text, "librdkafka reports");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                info!(target: "librdkafka", facility, text, "librdkafka reports");
            }
            RDKafkaLogLevel::Debug => debug!(target: "librdkafka", facility, text, "librdkafka reports"),
        }
    }

    fn error(&self, cause: KafkaError, text: &str) {
        if classify(&cause) == ErrorClass::Fatal {
            error!(target: "librdkafka", error = %cause, text, "Kafka client is of no use any more");
        } else {
            // The same comes as a log line, with its repetitions left out.
            debug!(target: "librdkafka", error = %cause, text, "Kafka client has trouble");
        }
    }

    fn stats(&self, statistics: Statistics) {
        self.look(&statistics);
    }
}

impl ConsumerContext for KafkaContext {}
