#!/usr/bin/env bash
# kind clusters by name.
#
#   cluster.sh up NAME                  creates it, unless it is there and answers; prints the path of its kubeconfig
#   cluster.sh load NAME ARCHIVE...     brings image archives NAME-HASH.tar to its nodes, each once
#   cluster.sh down NAME                deletes it
#
# What is known of a cluster lies in clusters/NAME of the cache directory: kubeconfig, and ports, the ports of 127.0.0.1 at
# which its Kafka and its bucket are reached from this machine.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

action=${1:-} name=${2:-}
[ -n "$name" ] || { say "usage: cluster.sh up|load|down NAME" && exit 2; }
shift 2
state=$cache/clusters/$name
cluster=vedette-$name
export KIND_EXPERIMENTAL_PROVIDER=docker

binaries=$("$repository/e2e/scripts/binaries.sh" tools)
kind() { "$binaries/kind" "$@"; }
kubectl() { "$binaries/kubectl" --kubeconfig "$state/kubeconfig" "$@"; }

# grep reads to the end: kind is killed by a pipe that closes early, and then nothing would exist.
exists() { kind get clusters --quiet | grep -x "$cluster" >/dev/null; }

runs() { [ "$(docker container inspect --format '{{.State.Running}}' "$cluster-control-plane" 2>/dev/null)" = true ]; }

# On a machine with better to do a node that runs may be late with an answer; one that does not is not waited for.
answers() {
    local deadline=$((SECONDS + 60))
    [ -e "$state/kubeconfig" ] || return 1
    until kubectl --request-timeout 5s get --raw /readyz >/dev/null 2>&1; do
        { [ $SECONDS -lt $deadline ] && runs; } || return 1
        sleep 1
    done
}

free_port() { # FIRST: the first port from there on that nobody listens at and no cluster has
    local port=$1
    while (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || grep -qsx ".*=$port" "$cache"/clusters/*/ports; do
        port=$((port + 1))
    done
    echo "$port"
}

configuration() {
    local kafka bucket
    . "$state/ports"
    cat <<YAML
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking:
  ipFamily: ipv4
  apiServerAddress: 127.0.0.1
kubeadmConfigPatches:
  # Some machines are still on cgroup v1. What is killed again and again begins again after 10 s, and not after 20, 40, 80 ...
  - |
    kind: KubeletConfiguration
    failCgroupV1: false
    crashLoopBackOff: { maxContainerRestartPeriod: 10s }
  # Each is the only one.
  - |
    kind: ClusterConfiguration
    controllerManager: { extraArgs: [{ name: leader-elect, value: "false" }] }
    scheduler: { extraArgs: [{ name: leader-elect, value: "false" }] }
nodes:
  - role: control-plane
    extraPortMappings:
      - { containerPort: 30092, hostPort: $kafka, listenAddress: 127.0.0.1 }
      - { containerPort: 30333, hostPort: $bucket, listenAddress: 127.0.0.1 }
YAML
}

create() {
    configuration >"$state/kind.yaml"
    kind create cluster --name "$cluster" --config "$state/kind.yaml" --kubeconfig "$state/kubeconfig.new" --wait 180s "$@"
    mv "$state/kubeconfig.new" "$state/kubeconfig"
    if [ "$node_image" = built ]; then
        # A name that is not of this cluster is answered with "not known" at once, and nobody outside is asked.
        kubectl --namespace kube-system get configmap coredns -o json |
            jq '.data.Corefile |= gsub("\n *forward [^}]*}"; "")' | kubectl replace --filename -
        kubectl --namespace kube-system rollout restart deployment/coredns
    fi
    kubectl --namespace kube-system rollout status deployment/coredns --timeout 120s
}

up() {
    "$repository/e2e/scripts/engine.sh" up
    local image options=()
    image=$("$repository/e2e/scripts/node-image.sh")
    [ -z "$image" ] || options=(--image "$image")
    hold_lock "cluster-$name"
    if ! exists || ! answers; then
        delete
        mkdir -p "$state"
        echo "kafka=$(free_port 39092)" >"$state/ports"
        echo "bucket=$(free_port 38333)" >>"$state/ports"
        step "creating the cluster $name" "$cache/logs/cluster-$name.log" create "${options[@]}"
    fi
    echo "$state/kubeconfig"
}

load() {
    local archive loaded
    mkdir -p "$state/loaded"
    for archive in "$@"; do
        # What was last loaded under this name: an earlier content may come back.
        loaded=$state/loaded/$(basename "${archive%-*}")
        if [ "$(cat "$loaded" 2>/dev/null)" != "$archive" ]; then
            step "loading $(basename "$loaded") into $name" "$cache/logs/load-$name.log" \
                kind load image-archive "$archive" --name "$cluster"
            echo "$archive" >"$loaded"
        fi
    done
}

delete() {
    if exists; then
        say "deleting the cluster $name ..."
        kind delete cluster --quiet --name "$cluster" --kubeconfig "$state/kubeconfig"
    fi
    rm -rf "$state"
}

case $action in
up) up ;;
load) load "$@" ;;
down)
    # Without its engine there is nothing of it but what is known here.
    if docker version >/dev/null 2>&1; then delete; else rm -rf "$state"; fi
    ;;
*) say "usage: cluster.sh up|load|down NAME" && exit 2 ;;
esac
