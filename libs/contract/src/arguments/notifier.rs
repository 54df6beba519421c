//! The command line of the notifier.

use clap::Parser;

use super::{BucketArguments, KafkaArguments, PipelineArguments, ServiceArguments};
use crate::TopicName;
use crate::receiver::Receiver;

/// Groups the alerts of a site into incidents, and tells receivers of them.
#[derive(Debug, Clone, Parser)]
#[command(name = "vedette-notifier", version)]
pub struct NotifierArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub kafka: KafkaArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub service: ServiceArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub bucket: BucketArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub owner: PipelineArguments,

    /// Kafka consumer group, and transactional id: of all notifiers of a pipeline the last one acts
    #[arg(long)]
    pub group: String,

    /// Topic to read
    #[arg(long)]
    pub alerts_topic: TopicName,

    /// Topic of the incidents, compacted
    #[arg(long)]
    pub incidents_topic: TopicName,

    /// Largest message that the topic of the incidents accepts, bytes; less where it says so itself
    #[arg(long, default_value_t = 1_048_576)]
    pub max_message_bytes: usize,

    /// An incident closes when no alert came for this long, seconds
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub window_seconds: u64,

    /// Field whose value the alerts of an incident share; may be repeated. By default they share one of their three largest
    /// reasons
    #[arg(long = "group-by")]
    pub group_by: Vec<String>,

    /// How many incidents are open at once at most; what goes beyond is one incident together
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_open_incidents: u64,

    /// Who is told of incidents, as JSON: {"name":…,"to":{"alertmanager":{}},"url":…}; may be repeated
    #[arg(long = "receiver", value_name = "JSON")]
    pub receivers: Vec<Receiver>,
}
