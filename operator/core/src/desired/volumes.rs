//! The names of all volumes that the builders make, and where they are mounted: a manifest's own have other ones.

/// Below it ours are mounted, each by its name.
pub(crate) const OUR_DIRECTORY: &str = "/var/lib/vedette";

/// The files of a detector's model.
pub(super) const MODEL: &str = "model";
/// What archivers hold of open objects.
pub(super) const SPOOL: &str = "spool";
/// Certificates of the bucket's authorities.
pub(super) const BUCKET_CA: &str = "bucket-ca";
/// Certificates of Kafka's authorities.
pub(super) const KAFKA_CA: &str = "kafka-ca";
/// Certificates of the authorities of who gives out tokens for Kafka.
pub(super) const KAFKA_OAUTH_CA: &str = "kafka-oauth-ca";
/// The certificate by which Kafka knows the pods.
pub(super) const KAFKA_CERTIFICATE: &str = "kafka-certificate";

/// How the names of the volumes of lookups' tables begin.
pub(super) const LOOKUP_VOLUMES: &str = "vedette-lookup-";
/// How those of what receivers of incidents need begin.
pub(super) const RECEIVER_VOLUMES: &str = "vedette-receiver-";

/// Whether the builders make a volume of this name, or could.
pub(crate) fn is_our_volume(name: &str) -> bool {
    [MODEL, SPOOL, BUCKET_CA, KAFKA_CA, KAFKA_OAUTH_CA, KAFKA_CERTIFICATE].contains(&name)
        || [LOOKUP_VOLUMES, RECEIVER_VOLUMES].iter().any(|prefix| name.starts_with(prefix))
}
