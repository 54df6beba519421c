#!/usr/bin/env bash
# Runs the tests of e2e/console: the console's page in a browser, beside a `vedette local`. usage: console.sh [ARGUMENT OF PLAYWRIGHT...]
#
# What they leave is in target/console: pictures of each view, a report, what `vedette local` said, and what the page of a test that
# failed showed. With --trace=retain-on-failure it has its trace too, and all take an eighth longer.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
tests=$repository/e2e/console

"$repository/e2e/scripts/prometheus.sh"
browser=$("$repository/e2e/scripts/browser.sh")
program=${CARGO_TARGET_DIR:-$repository/target}/$(rustc -vV | sed -n 's/^host: //p')/release/vedette
if ! [ -x "$program" ]; then
    say "there is no $program; build it with:  make build"
    exit 1
fi

# Its browsers are not fetched: that of the system is tested with.
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
npm --prefix "$tests" ci --silent
export VEDETTE_CHROMIUM=$browser VEDETTE_PROGRAM=$program VEDETTE_KEPT=$repository/target/console
rm -rf "$VEDETTE_KEPT"
cd "$tests"
status=0
./node_modules/.bin/playwright test "$@" || status=$?
if [ "$status" != 0 ]; then
    say "how vedette local fared (all of it: target/console/vedette.log), the load $(cut -d' ' -f1-3 /proc/loadavg), and what the pages showed"
    grep --invert-match ALERT "$VEDETTE_KEPT/vedette.log" | cut -c1-300 | tail -n 60 >&2 || true
    find "$VEDETTE_KEPT/failures" -name error-context.md -exec sh -c 'for page; do echo "--- $page"; head -c 4000 "$page"; done' _ {} + >&2
fi
exit "$status"
