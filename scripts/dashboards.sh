#!/usr/bin/env bash
# Builds the dashboards for Grafana again and fails where that is not what is committed. Needs Node and npm; changes no file of the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/node.sh
cd charts/dashboards
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

npm ci --silent
./node_modules/.bin/tsc
node made/build.js "$made"

differs ../vedette/dashboards "$made" "npm run build, in charts/dashboards"
echo "the committed dashboards are what their sources give"
