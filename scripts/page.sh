#!/usr/bin/env bash
# Builds the console's page again and fails where that is not what is committed, byte by byte: the page itself, and the front end's types,
# which are made of openapi.json, which a test compares with the Rust types. Needs Node and npm; changes no file of the repository.
set -euo pipefail
cd "$(dirname "$0")/../workloads/console/web"
# Debian 12 has an older one, which Vite does not run on.
wanted_node=20.19.0
found_node=$(node --version 2>/dev/null | sed 's/^v//') || true
if [ "$(printf '%s\n' "$wanted_node" "${found_node:-0}" | sort -V | sed -n 1p)" != "$wanted_node" ]; then
    echo "missing: Node $wanted_node or newer, with npm; install it as https://nodejs.org says" >&2
    exit 1
fi
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

npm ci --silent
./node_modules/.bin/openapi-typescript ../openapi.json --output "$made/openapi.d.ts" >/dev/null
./node_modules/.bin/tsc --noEmit
./node_modules/.bin/vite build --logLevel warn --emptyOutDir --outDir "$made/dist"

differs() { # COMMITTED MADE COMMAND
    if ! diff --recursive --brief "$1" "$2" >&2; then
        echo "workloads/console/web/$1 is not what its sources give; write it with:  $3" >&2
        exit 1
    fi
}
differs src/openapi.d.ts "$made/openapi.d.ts" "npm run types"
differs dist "$made/dist" "npm run build"
echo "the committed page is what its sources give"
