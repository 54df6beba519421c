#!/usr/bin/env bash
# Prints the Python of a virtual environment with what we compare with; makes it below target/ if it is not there.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=libs/forest/peers/requirements.txt
peers=target/peers
if ! cmp --silent "$requirements" "$peers/requirements.txt"; then
    echo "installing the peers of $requirements into $peers" >&2
    python3 -m venv "$peers"
    "$peers/bin/pip" install --quiet --requirement "$requirements" >&2
    cp "$requirements" "$peers/requirements.txt"
fi
echo "$PWD/$peers/bin/python"
