#!/usr/bin/env bash
# Runs the end-to-end tests on clusters that up.sh made. usage: test.sh [ARGUMENT OF THE TEST PROGRAM...]
# E2E_STORY is the compiled test, where cargo is not to be waited for.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
binaries=$("$repository/e2e/scripts/binaries.sh" tools)
export E2E_CACHE=$cache E2E_KUBECTL=$binaries/kubectl E2E_HELM=$binaries/helm
cd "$repository"
[ -z "${E2E_STORY:-}" ] || exec "$E2E_STORY" --test-threads 1 "$@"
# The whole workspace is named so that features are resolved as in `make build`, and nothing is compiled twice.
exec "${CARGO:-cargo}" test --release --locked --workspace --test kind -- --test-threads 1 "$@"
