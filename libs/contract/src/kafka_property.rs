//! Properties of the Kafka client that somebody may give: which are two names of one, and which are ours alone, as another value
//! would break what we promise.

/// Other names of properties, each with the one that is used here: with both set, either would win.
pub const ALIASES: [(&str, &str); 12] = [
    ("auto.commit.enable", "enable.auto.commit"),
    ("compression.codec", "compression.type"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("message.send.max.retries", "retries"),
    ("metadata.broker.list", "bootstrap.servers"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("request.required.acks", "acks"),
    ("sasl.mechanism", "sasl.mechanisms"),
    ("sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.id"),
    ("sasl.oauthbearer.client.credentials.client.secret", "sasl.oauthbearer.client.secret"),
];

/// What is ours alone, and what to do instead.
const OURS: [(&str, &str); 12] = [
    ("acks", "every record is acknowledged by all replicas in sync; min.insync.replicas is a setting of the topic"),
    ("auto.offset.reset", "every record is read; to pass some over, set the group's offsets with Kafka's own tools"),
    ("bootstrap.servers", "name the brokers in kafka.bootstrapServers"),
    ("enable.auto.commit", "what is done is committed with what was made of it"),
    ("enable.auto.offset.store", "what is done is committed with what was made of it"),
    ("enable.idempotence", "without it records could be twice or out of order"),
    ("enable.partition.eof", "the end of a partition is no error"),
    ("group.id", "each component of a pipeline has a group of its own"),
    ("group.instance.id", "the members of a group need different ones"),
    ("isolation.level", "records that were taken back would be read"),
    ("partition.assignment.strategy", "partitions move one by one"),
    (
        "transactional.id",
        "each process needs one of its own; spec.detector.processingGuarantee says whether it has one",
    ),
];

/// What must not be 0.
const NOT_ZERO: [(&str, &str); 1] =
    [("statistics.interval.ms", "by it a process knows how far it has come, and tells its lag; leave it out for 5 s")];

/// What is a generator's alone, and what to do instead.
const OF_GENERATORS: [(&str, &str); 2] = [
    ("max.in.flight.requests.per.connection", "with more than one request under way records can be twice"),
    ("message.timeout.ms", "records that Kafka does not take in time would be lost"),
];

/// The name that a property goes by here.
pub fn canonical(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, canonical)| canonical)
}

/// Why nobody may give this property, or not with this value, and what to do instead.
pub fn refusal(name: &str, value: &str) -> Option<&'static str> {
    let of = |table: &[(&str, &'static str)]| {
        table.iter().find(|(ours, _)| *ours == canonical(name)).map(|(_, instead)| *instead)
    };
    let is_zero = value.trim().parse() == Ok(0_i64);
    of(&OURS).or_else(|| of(&NOT_ZERO).filter(|_| is_zero))
}

/// Why a generator may not be given this property, which others may, and what to do instead.
pub fn refusal_by_generators(name: &str) -> Option<&'static str> {
    OF_GENERATORS.iter().find(|(ours, _)| *ours == canonical(name)).map(|(_, instead)| *instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_promise_is_refused_by_every_name() {
        for name in ["isolation.level", "enable.auto.commit", "auto.commit.enable", "request.required.acks", "acks"] {
            assert!(refusal(name, "true").is_some(), "{name}");
        }
        for name in ["linger.ms", "queue.buffering.max.ms", "sasl.mechanism"] {
            assert_eq!(refusal(name, "0"), None, "{name}");
        }
    }

    #[test]
    fn lags_are_told_as_often_as_somebody_likes_and_not_never() {
        for (value, is_refused) in [("0", true), (" 0 ", true), ("00", true), ("100", false), ("5000", false)] {
            assert_eq!(refusal("statistics.interval.ms", value).is_some(), is_refused, "{value}");
        }
    }

    #[test]
    fn a_generator_is_given_nothing_by_which_records_are_lost_or_twice() {
        for name in
            ["message.timeout.ms", "delivery.timeout.ms", "max.in.flight", "max.in.flight.requests.per.connection"]
        {
            assert!(refusal_by_generators(name).is_some() && refusal(name, "1").is_none(), "{name}");
        }
        assert_eq!(refusal_by_generators("linger.ms"), None);
    }

    #[test]
    fn no_name_is_an_alias_of_an_alias() {
        for (alias, name) in ALIASES {
            assert_eq!((canonical(alias), canonical(name)), (name, name));
        }
    }
}
