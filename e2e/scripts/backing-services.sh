#!/usr/bin/env bash
# Runs Kafka and a bucket in a cluster (manifests/development) and waits until they serve. usage: backing-services.sh CLUSTER
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
name=$1
state=$cache/clusters/$name
. "$state/ports"
kubectl=("$("$repository/e2e/scripts/binaries.sh" kubectl)/kubectl" --kubeconfig "$state/kubeconfig")

run() {
    local node=vedette-$name-control-plane
    # What a local volume stands on must be there before it.
    docker exec "$node" mkdir -p /var/local/development/kafka /var/local/development/bucket
    "${kubectl[@]}" apply --filename "$repository/manifests/development/namespace.yaml"
    "${kubectl[@]}" --namespace development create configmap kafka-external "--from-literal=port=$kafka" --dry-run=client --output yaml |
        "${kubectl[@]}" apply --filename -
    "${kubectl[@]}" apply --filename "$repository/manifests/development"
    "${kubectl[@]}" --namespace development rollout status statefulset/bucket --timeout 180s
    "${kubectl[@]}" --namespace development rollout status statefulset/kafka --timeout 180s
}

step "waiting for Kafka and the bucket of $name" "$cache/logs/backing-services-$name.log" run
