#!/usr/bin/env bash
# A Docker engine of the tests' own, for a machine that has none: data, socket and processes are below the cache directory.
#
#   engine.sh up      starts it, unless it runs
#   engine.sh down    removes its containers, stops it, and takes away what it left: rules, bridges, mounts, cgroups, data
#
# Both may be said again at any time, also after a kill. With E2E_NODE_IMAGE=published both do nothing: the Docker that is
# here is used, and it is not ours.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
[ "$node_image" = built ] || exit 0

network=kind
bridge=vedette-e2e
containerd_socket=$engine/run/containerd/containerd.sock

answers() { docker version >/dev/null 2>&1; }

# The process of a pid file, if it runs and is ours: a number may have gone to another process.
process_of() { # PIDFILE
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF "$engine/" && echo "$pid"
}

start() {
    # The longest socket path below it must fit into 107 bytes.
    if [ ${#containerd_socket} -gt 95 ]; then
        say "the cache directory's path is too long for a socket; set E2E_CACHE to a shorter one"
        exit 1
    fi
    # Another engine would share the names of its chains with ours.
    if iptables -S DOCKER-USER >/dev/null 2>&1 && ! [ -e "$engine/before" ]; then
        say "another Docker engine has its rules on this machine; use it with E2E_NODE_IMAGE=published, or stop it"
        exit 1
    fi
    mkdir -p "$engine/run"
    if ! [ -e "$engine/before" ]; then
        {
            echo "ip_forward=$(cat /proc/sys/net/ipv4/ip_forward)"
            echo "forward_policy=$(iptables -S FORWARD | sed -n 's/^-P FORWARD //p')"
            # An engine writes its identity there, wherever its data are.
            echo "identity=$([ -e /etc/docker/key.json ] && echo kept || echo ours)"
        } >"$engine/before"
    fi
    local options=(
        --data-root "$engine/data" --exec-root "$engine/run" --pidfile "$engine/docker.pid" --host "$DOCKER_HOST"
        # A containerd that serves the machine's own Docker knows our containers under another name.
        --containerd-namespace vedette-e2e --containerd-plugins-namespace vedette-e2e-plugins
        --bridge none --cgroup-parent /vedette-e2e --exec-opt native.cgroupdriver=cgroupfs --oom-score-adjust 0
        # Nobody listens there: a name that no container has is not asked for outside.
        --dns 127.0.0.1
    )
    # 24 is CAP_SYS_RESOURCE.
    if ! (((0x$(sed -n 's/^CapBnd:\t//p' /proc/self/status) >> 24) & 1)); then
        options+=(--add-runtime "without-sys-resource=$repository/e2e/scripts/runc-without-sys-resource.sh")
        options+=(--default-runtime without-sys-resource)
    fi
    # It must outlive this script, and must not hold the script's lock.
    setsid nohup dockerd "${options[@]}" >"$engine/dockerd.log" 2>&1 </dev/null {lock}>&- &
    local pid=$! deadline=$((SECONDS + 300))
    until answers; do
        if ! [ -d "/proc/$pid" ] || [ $SECONDS -ge $deadline ]; then
            tail -n 20 "$engine/dockerd.log" >&2
            say "the Docker engine did not start; its log is $engine/dockerd.log"
            exit 1
        fi
        sleep 0.2
    done
}

# All containers are one group, to which the kernel gives as much as to one process. Two clusters would starve beside a build, and the
# longer the story takes the more they cost, so they come first: they mostly wait.
give_weight() {
    local cgroups=/sys/fs/cgroup file value
    if [ -d $cgroups/cpu ]; then
        file=$cgroups/cpu/vedette-e2e/cpu.shares value=10240
    else
        file=$cgroups/vedette-e2e/cpu.weight value=1000
    fi
    { mkdir -p "${file%/*}" && echo "$value" >"$file"; } 2>/dev/null ||
        say "the clusters do not come first at the processors, as $file cannot be written"
}

# The network that kind puts its nodes on, with a bridge whose name is known. What comes from it goes nowhere else: a
# ClusterIP that nobody serves would otherwise be routed out of the machine.
keep_traffic_inside() {
    docker network inspect "$network" >/dev/null 2>&1 ||
        docker network create --driver bridge --opt "com.docker.network.bridge.name=$bridge" "$network" >/dev/null
    local rule=(DOCKER-USER -i "$bridge" ! -o "$bridge" -j REJECT)
    iptables -C "${rule[@]}" 2>/dev/null || iptables -I "${rule[@]}"
}

up() {
    hold_lock engine
    if ! answers; then
        say "starting a Docker engine ..."
        start
    fi
    give_weight
    keep_traffic_inside
}

end_process() { # PID SECONDS
    local deadline=$((SECONDS + $2))
    kill "$1" 2>/dev/null || return 0
    while [ -d "/proc/$1" ] && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
    [ ! -d "/proc/$1" ] || kill -KILL "$1" 2>/dev/null || true
}

undo() {
    local table rule chain ip_forward forward_policy identity
    . "$engine/before"
    [ "$identity" = kept ] || rm -f /etc/docker/key.json
    for table in nat filter; do
        # Rules that jump into Docker's chains, then the chains.
        iptables -t "$table" -S | sed -n "/-j DOCKER\|-[io] $bridge/ s/^-A/-D/p" | while read -r rule; do
            # shellcheck disable=SC2086
            iptables -t "$table" $rule
        done
        for chain in $(iptables -t "$table" -S | sed -n 's/^-N \(DOCKER.*\)/\1/p'); do
            iptables -t "$table" -F "$chain"
        done
        for chain in $(iptables -t "$table" -S | sed -n 's/^-N \(DOCKER.*\)/\1/p'); do
            iptables -t "$table" -X "$chain"
        done
    done
    iptables -P FORWARD "$forward_policy"
    echo "$ip_forward" >/proc/sys/net/ipv4/ip_forward
}

down() {
    hold_lock engine
    [ -d "$engine" ] || return 0
    say "stopping the Docker engine ..."
    local pid file containers
    # An engine that was killed left its containers; a new one finds and removes them.
    [ ! -d "$engine/data" ] || answers || start
    if answers; then
        mapfile -t containers < <(docker ps --all --quiet)
        [ ${#containers[@]} = 0 ] || docker rm --force --volumes "${containers[@]}" >/dev/null
        docker network rm "$network" >/dev/null 2>&1 || true
    fi
    for file in "$engine/docker.pid" "$engine/run/containerd/containerd.pid"; do
        pid=$(process_of "$file") && end_process "$pid" 15
    done
    # A shim names the socket of its containerd.
    for file in /proc/[0-9]*/cmdline; do
        # A process may end while this looks at it.
        if { tr '\0' ' ' <"$file"; } 2>/dev/null | grep -qF -- "-address $containerd_socket"; then
            pid=${file#/proc/} && end_process "${pid%/cmdline}" 2
        fi
    done
    ip link delete "$bridge" 2>/dev/null || true
    [ ! -e "$engine/before" ] || undo
    sed -n "s|^[^ ]* \($engine/[^ ]*\) .*|\1|p" /proc/mounts | sort -r | while read -r file; do umount "$file"; done
    find /sys/fs/cgroup -depth -type d -path '*/vedette-e2e*' -exec rmdir {} + 2>/dev/null || true
    # Only if nobody else has something there.
    rmdir /run/docker/plugins /run/docker /run/containerd/s /run/containerd 2>/dev/null || true
    rm -rf "$engine"
}

case ${1:-} in
up) up ;;
down) down ;;
*) say "usage: engine.sh up|down" && exit 2 ;;
esac
