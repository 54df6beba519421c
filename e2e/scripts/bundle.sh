#!/usr/bin/env bash
# Gathers what tells why something went wrong in a cluster: events, objects, logs of all pods, Kafka's groups and offsets.
#
#   bundle.sh CLUSTER DIRECTORY
#
# It gathers what it can get and never fails: it runs when something else has failed.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
name=$1 directory=$2
mkdir -p "$directory"
kubectl=("$("$repository/e2e/scripts/binaries.sh" kubectl)/kubectl" --kubeconfig "$cache/clusters/$name/kubeconfig" --request-timeout 10s)

get() { # FILE ARGUMENT...
    local file=$directory/$1
    shift
    "${kubectl[@]}" "$@" >"$file" 2>&1
}

get nodes.txt describe nodes
get pods.txt get pods --all-namespaces --output wide
get events.txt get events --all-namespaces --sort-by .lastTimestamp
get pods.yaml get pods --all-namespaces --output yaml
get workloads.yaml get deployments,statefulsets,jobs,configmaps,services --all-namespaces --output yaml
get resources.yaml get anomalypipelines.vedette.io,modeltrainings.vedette.io --all-namespaces --output yaml

"${kubectl[@]}" get pods --all-namespaces --output jsonpath='{range .items[*]}{.metadata.namespace} {.metadata.name}{"\n"}{end}' |
    while read -r namespace pod; do
        get "log-$namespace-$pod.txt" --namespace "$namespace" logs "$pod" --all-containers --prefix --tail 20000 </dev/null
        get "log-$namespace-$pod-previous.txt" --namespace "$namespace" logs "$pod" --all-containers --prefix --previous </dev/null ||
            rm "$directory/log-$namespace-$pod-previous.txt"
    done

kafka() { # FILE TOOL ARGUMENT...
    local file=$1
    shift
    get "$file" --namespace development exec kafka-0 --container kafka -- \
        /opt/java/bin/java -Xmx64m -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp '/opt/kafka/*' "$@"
}
kafka kafka-groups.txt org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server localhost:9092 --describe --all-groups
kafka kafka-offsets.txt org.apache.kafka.tools.GetOffsetShell --bootstrap-server localhost:9092
say "what the cluster $name knows of it is in $directory"

# Where only what is printed is kept, as in CI: what runs, what Kubernetes complains of, and the last words of Jobs and of what is not ready.
last_words() {
    grep -v '^kube-system ' "$directory/pods.txt"
    grep ' Warning ' "$directory/events.txt" | tail -n 12
    awk 'NR > 1 && ($4 != "Running" || split($3, ready, "/") && ready[1] != ready[2] || $2 ~ /-[0-9]+-[a-z0-9]+$/) { print $1, $2 }' "$directory/pods.txt" |
        grep -v '^kube-system ' | while read -r namespace pod; do
            echo "-- $namespace/$pod"
            tail -n 12 "$directory/log-$namespace-$pod.txt"
        done
}
last_words 2>/dev/null | cut -c 1-400
