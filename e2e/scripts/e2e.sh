#!/usr/bin/env bash
# Set-up, tests, take-down: the last also after a failure or Ctrl-C. usage: e2e.sh [ARGUMENT OF THE TEST PROGRAM...]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
trap '"$repository/e2e/scripts/down.sh"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
began=$SECONDS
"$repository/e2e/scripts/up.sh"
say "set-up took $((SECONDS - began)) s"
"$repository/e2e/scripts/test.sh" "$@"
