#!/usr/bin/env bash
# Prints how long a browser takes until it has painted the data of a console's views, milliseconds a round: {"alerts":[…],"overview":[…]}.
# usage: paint.sh PAGE ROUNDS
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
tests=$repository/e2e/console

VEDETTE_CHROMIUM=$("$repository/e2e/scripts/browser.sh")
# Its browsers are not fetched: that of the system paints.
export VEDETTE_CHROMIUM PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
npm --prefix "$tests" ci --silent >&2
exec node "$tests/paint.mjs" "$@"
