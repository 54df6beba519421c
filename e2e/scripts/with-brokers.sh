#!/usr/bin/env bash
# Runs a command beside three brokers of Apache Kafka, all in a network namespace of their own, where every port is free, and
# beside a small disk. All of it ends with the command, however that ends. usage: with-brokers.sh COMMAND [ARGUMENT...]
#
# VEDETTE_BROKERS is a directory with a directory for each broker, 1 to 3: `start` runs it and writes its process id to `pid`, and
# `log` is what it says. Broker N listens at these ports of 127.0.0.1: 1900N, and 1910N, as which others know it at 1920N, where
# the command may put a proxy. VEDETTE_SMALL_DISK is a directory of 4 MiB.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

brokers=(1 2 3)

# What a broker that is away holds up is told within seconds, and three of them fit a small machine.
properties() { # DIRECTORY NUMBER
    cat <<END
process.roles=broker,controller
node.id=$2
controller.quorum.voters=1@127.0.0.1:19301,2@127.0.0.1:19302,3@127.0.0.1:19303
controller.listener.names=CONTROLLER
listeners=DIRECT://127.0.0.1:1900$2,PROXIED://127.0.0.1:1910$2,CONTROLLER://127.0.0.1:1930$2
advertised.listeners=DIRECT://127.0.0.1:1900$2,PROXIED://127.0.0.1:1920$2
listener.security.protocol.map=DIRECT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=DIRECT
log.dirs=$1/$2/logs
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
auto.leader.rebalance.enable=false
unclean.leader.election.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.network.threads=1
num.io.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=4194304
END
}

kafka() { # JARS CLASS ARGUMENT...
    java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$1/*" "${@:2}"
}

prepare() { # DIRECTORY JARS NUMBER
    mkdir "$1/$3"
    properties "$1" "$3" >"$1/$3/server.properties"
    cat >"$1/$3/start" <<END
#!/usr/bin/env bash
echo \$\$ >"$1/$3/pid"
exec java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$2/*" kafka.Kafka "$1/$3/server.properties" >>"$1/$3/log" 2>&1
END
    chmod +x "$1/$3/start"
    kafka "$2" kafka.tools.StorageTool format --config "$1/$3/server.properties" --cluster-id AAAAAAAAAAAAAAAAAAAAAA \
        >>"$1/$3/log" 2>&1
    exec "$1/$3/start"
}

inside() { # DIRECTORY JARS COMMAND...
    local directory=$1 jars=$2 number attempt=0
    shift 2
    ip link set lo up
    mkdir "$directory/disk"
    mount -t tmpfs -o size=4m vedette "$directory/disk"
    for number in "${brokers[@]}"; do prepare "$directory" "$jars" "$number" & done
    for number in "${brokers[@]}"; do
        until grep -q 'Kafka Server started' "$directory/$number/log" 2>/dev/null; do
            if [ $((attempt += 1)) -gt 3000 ]; then
                tail -n 30 "$directory"/*/log >&2
                say "the brokers do not start"
                exit 1
            fi
            sleep .1
        done
    done
    VEDETTE_BROKERS=$directory VEDETTE_SMALL_DISK=$directory/disk "$@"
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi
jars=$("$repository/e2e/scripts/kafka.sh")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
unshare --map-root-user --net --mount --pid --fork --kill-child "$0" --inside "$directory" "$jars" "$@"
