#!/usr/bin/env bash
# Runs a command beside an Apache Kafka with an authorizer and TLS, both in a network namespace of their own, where every
# port is free. All of it ends with the command. usage: with-kafka.sh COMMAND [ARGUMENT...]
#
# KAFKA_JVM: options of its Java; by default those of a broker that starts soon and has little to do.
#
# VEDETTE_KAFKA is a directory with ca.crt, and NAME.crt and NAME.key of each user; a user's password is secret-of-NAME.
# Ports of 127.0.0.1: 9092 PLAINTEXT, where everybody is the super user; 9094 SASL_SSL with SCRAM-SHA-512 and PLAIN;
# 9095 SSL with a client's certificate, whose common name is the user; 9096 SASL_SSL with tokens that token.sh makes with
# token.key, whose user is the subject.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$(dirname "${BASH_SOURCE[0]}")/keys.sh"

users=(topics scram plain certificate token unknown looker unwritten untransacted unread ungrouped unwritten-once revoked
    archiver archiver-unread archiver-ungrouped refused maker manager notifier generator forgotten late)

certificates() {
    local name
    make_authority
    for name in broker "${users[@]}"; do make_certificate "$name"; done
    cat broker.key broker.crt >broker.pem
    make_token_key
}

properties() { # DIRECTORY
    local name plain='org.apache.kafka.common.security.plain.PlainLoginModule required'
    for name in "${users[@]}"; do plain+=" user_$name=\"secret-of-$name\""; done
    cat <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
controller.listener.names=CONTROLLER
listeners=ADMIN://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093,PASSWORD://127.0.0.1:9094,CERTIFICATE://127.0.0.1:9095,TOKEN://127.0.0.1:9096
listener.security.protocol.map=ADMIN:PLAINTEXT,CONTROLLER:PLAINTEXT,PASSWORD:SASL_SSL,CERTIFICATE:SSL,TOKEN:SASL_SSL
inter.broker.listener.name=ADMIN
log.dirs=$1/logs
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location=$1/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$1/ca.crt
ssl.principal.mapping.rules=RULE:^CN=(.*)\$/\$1/
listener.name.certificate.ssl.client.auth=required
listener.name.password.sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.password.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.password.plain.sasl.jaas.config=$plain;
listener.name.token.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.token.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
listener.name.token.oauthbearer.sasl.server.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.token.oauthbearer.sasl.oauthbearer.jwks.endpoint.url=file://$1/token.json
listener.name.token.oauthbearer.sasl.oauthbearer.expected.audience=kafka
listener.name.token.oauthbearer.connections.max.reauth.ms=3600000
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.initial.task.delay.ms=1000
log.retention.check.interval.ms=1000
END
}

kafka() { # JARS CLASS ARGUMENT...
    # shellcheck disable=SC2086 # several options
    java ${KAFKA_JVM:--Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC} "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://$PWD/token.json" \
        "-Dorg.apache.kafka.sasl.oauthbearer.allowed.files=$PWD/token.json" -cp "$1/*" "${@:2}"
}

format() { # JARS
    local name scram=()
    for name in "${users[@]}"; do scram+=(--add-scram "SCRAM-SHA-512=[name=$name,password=secret-of-$name]"); done
    kafka "$1" kafka.tools.StorageTool format --config server.properties --cluster-id AAAAAAAAAAAAAAAAAAAAAA "${scram[@]}"
}

inside() { # DIRECTORY JARS COMMAND...
    local directory=$1 jars=$2 attempt=0
    shift 2
    ip link set lo up
    (cd "$directory" && certificates && properties "$directory" >server.properties && format "$jars" &&
        kafka "$jars" kafka.Kafka server.properties) >"$directory/log" 2>&1 &
    until grep -q 'Kafka Server started' "$directory/log" 2>/dev/null; do
        if [ $((attempt += 1)) -gt 3000 ] || ! kill -0 $! 2>/dev/null; then
            tail -n 30 "$directory/log" >&2
            say "Kafka does not start"
            exit 1
        fi
        sleep .1
    done
    VEDETTE_KAFKA=$directory "$@"
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi
jars=$("$repository/e2e/scripts/kafka.sh")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
unshare --map-root-user --net --pid --fork --kill-child "$0" --inside "$directory" "$jars" "$@"
