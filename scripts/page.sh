#!/usr/bin/env bash
# Builds the console's page again and fails where that is not what is committed, byte by byte: the page itself, and the front end's types,
# which are made of openapi.json, which a test compares with the Rust types. Needs Node and npm; changes no file of the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/node.sh
cd workloads/console/web
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

npm ci --silent
./node_modules/.bin/openapi-typescript ../openapi.json --output "$made/openapi.d.ts" >/dev/null
./node_modules/.bin/tsc --noEmit
./node_modules/.bin/vite build --logLevel warn --emptyOutDir --outDir "$made/dist"

differs src/openapi.d.ts "$made/openapi.d.ts" "npm run types, in workloads/console/web"
differs dist "$made/dist" "npm run build, in workloads/console/web"
echo "the committed page is what its sources give"
