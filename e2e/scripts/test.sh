#!/usr/bin/env bash
# Runs the end-to-end tests on clusters that up.sh made. usage: test.sh [ARGUMENT OF THE TEST PROGRAM...]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
binaries=$("$repository/e2e/scripts/binaries.sh" tools)
export E2E_CACHE=$cache E2E_KUBECTL=$binaries/kubectl E2E_HELM=$binaries/helm
cd "$repository"
# The whole workspace is named so that features are resolved as in `make build`, and nothing is compiled twice.
exec "${CARGO:-cargo}" test --release --locked --workspace --test kind -- --test-threads 1 "$@"
