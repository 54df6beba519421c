#!/usr/bin/env bash
# Runs a command beside a SeaweedFS, both in a network namespace of their own; VEDETTE_S3 is where it serves. All of it ends
# with the command. usage: with-seaweedfs.sh COMMAND [ARGUMENT...]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

inside() { # DIRECTORY WEED COMMAND...
    local directory=$1 weed=$2
    shift 2
    ip link set lo up
    # It writes settings of its own to HOME, and would report to its makers.
    (cd "$directory" && HOME=$directory AWS_ACCESS_KEY_ID=test-access AWS_SECRET_ACCESS_KEY=test-secret exec "$weed" mini \
        -dir="$directory" -ip=127.0.0.1 -admin.ui=false -webdav=false -master.telemetry=false) >"$directory/log" 2>&1 &
    serves() { exec 3<>/dev/tcp/127.0.0.1/8333 && printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3 && grep -q ' 200 ' <&3; }
    local attempt=0
    until (serves) 2>/dev/null; do
        if [ $((attempt += 1)) -gt 300 ] || ! kill -0 $! 2>/dev/null; then
            tail -n 30 "$directory/log" >&2
            say "SeaweedFS does not serve"
            exit 1
        fi
        sleep .2
    done
    VEDETTE_S3=127.0.0.1:8333 "$@"
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi
weed=$("$repository/e2e/scripts/weed.sh")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
unshare --map-root-user --net --pid --fork --kill-child "$0" --inside "$directory" "$weed" "$@"
