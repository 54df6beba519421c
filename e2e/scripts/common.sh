# shellcheck shell=bash
# Paths and small functions that the scripts beside it share; sourced, never run.
#
# E2E_CACHE        what is built once and what runs: default target/e2e; several checkouts may share one
# E2E_NODE_IMAGE   built (default): made here from package registries; published: pulled by the Docker that is here
# E2E_CLUSTERS     names of the clusters, separated by spaces: default east west

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${E2E_CACHE:-$repository/target/e2e}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

node_image=${E2E_NODE_IMAGE:-built}
case $node_image in
built | published) ;;
*) echo "E2E_NODE_IMAGE is built or published, not $node_image" >&2 && exit 2 ;;
esac
read -ra clusters <<<"${E2E_CLUSTERS:-east west}"
for name in "${clusters[@]}"; do
    [[ $name =~ ^[a-z][a-z0-9-]*$ ]] || { echo "E2E_CLUSTERS: no name of a cluster: $name" >&2 && exit 2; }
done

# Of the engine that the tests start; see engine.sh.
engine=$cache/engine
if [ "$node_image" = built ]; then
    export DOCKER_HOST=unix://$engine/docker.sock
fi
# kind would keep the kubeconfig of a user up to date; each cluster has a file of its own here.
export KUBECONFIG=$cache/no-kubeconfig KUBECACHEDIR=$cache/kubectl

# Progress goes to standard error: standard output is for what a script hands to the next one.
say() { echo "$*" >&2; }

# Runs a command with its output in a log file, says how long it took, and shows the log's end if it failed. In a condition
# it would run without `set -e`, so it is not called in one.
step() { # TITLE LOG COMMAND...
    local title=$1 log=$2 began=$SECONDS status
    shift 2
    say "$title ..."
    mkdir -p "$(dirname "$log")"
    set +e
    (set -e && "$@") >"$log" 2>&1
    status=$?
    set -e
    if [ $status != 0 ]; then
        tail -n 30 "$log" >&2
        say "$title failed; all of its output is in $log"
        exit 1
    fi
    say "$title took $((SECONDS - began)) s"
}

# A short hash of what is on standard input: the key of whatever was made from it.
content_key() { sha256sum | cut -c 1-12; }

# Holds a lock of the cache until the script ends, so that two of them do not build the same thing at once.
hold_lock() { # NAME
    exec {lock}>"$cache/$1.lock"
    flock -n "$lock" || { say "waiting for another $1 ..." && flock "$lock"; }
}
